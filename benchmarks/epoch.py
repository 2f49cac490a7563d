"""Time an epoch with all that is logged against the same in plain `model.fit`.

Both train 784-512-512-10 on the 60,000 training images in batches of 128, validate on
10,000 images and log to TensorBoard, in turn, in one process. Ours evaluates 10,000
training images besides, and logs norms. What counts is the ratio, round by round.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data import Data, Split, mnist
from training.backend import load_keras

load_keras(seed=0)

import keras  # noqa: E402
import numpy as np  # noqa: E402

from models import mlp  # noqa: E402
from monitoring.monitor import Monitor  # noqa: E402
from monitoring.settings import MonitoringSettings  # noqa: E402
from optimizers import adam, prepare  # noqa: E402
from training.program import Program  # noqa: E402
from training.settings import TrainingSettings  # noqa: E402
from training.trainer import Trainer  # noqa: E402

BATCH_SIZE, L2 = 128, 1e-4


def load() -> Data:
    """All 60,000 training images; the test images stand in for validation."""
    arrays = mnist()
    train = Split(arrays.x_train, arrays.y_train)
    test = Split(arrays.x_test, arrays.y_test)
    return Data(train, test, test, num_classes=10)


def ours(data: Data, directory: Path, epochs: int):
    """A function that runs an epoch here and returns the validation loss."""
    model = mlp(data.image_shape, data.num_classes, l2=L2)
    optimizer = prepare(adam(), model)
    settings = TrainingSettings(epochs=epochs, batch_size=BATCH_SIZE)
    updates = epochs * settings.updates_per_epoch(len(data.train))
    program = Program(model, optimizer, settings.loss, settings.jit_compile)
    trainer = Trainer(program, data, np.ones(updates), settings, seed=0)
    monitor = Monitor(trainer, directory, MonitoringSettings(), Console(quiet=True))
    trainer.compile()
    monitor.record(trainer.measure())

    def run_epoch() -> float:
        for _ in trainer.train_epoch():
            monitor.advance(trainer.update)
        measurement = trainer.measure()
        trainer.keep_if_best(measurement)
        monitor.record(measurement)
        monitor.save()
        return measurement.validation.cross_entropy

    return run_epoch


def model_fit(data: Data, directory: Path):
    """The same as tutorials write it."""

    def dense(units, activation=None):
        penalty = keras.regularizers.L2(L2)
        return keras.layers.Dense(units, activation, kernel_regularizer=penalty)

    model = keras.Sequential(
        [
            keras.Input(data.image_shape),
            keras.layers.Flatten(),
            dense(512, "relu"),
            dense(512, "relu"),
            dense(data.num_classes),
        ]
    )
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(keras.optimizers.Adam(), cross_entropy, metrics=[accuracy])
    callback = keras.callbacks.TensorBoard(directory)
    done = 0

    def run_epoch() -> float:
        nonlocal done
        history = model.fit(
            data.train.images,
            data.train.labels,
            batch_size=BATCH_SIZE,
            initial_epoch=done,
            epochs=done + 1,
            validation_data=(data.validation.images, data.validation.labels),
            callbacks=[callback],
            verbose=0,
        )
        done += 1
        penalty = float(sum(float(loss) for loss in model.losses))
        return history.history["val_loss"][0] - penalty

    return run_epoch


def timed(run_epoch) -> tuple[float, float]:
    started = time.perf_counter()
    loss = run_epoch()
    return time.perf_counter() - started, loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    data = load()
    with tempfile.TemporaryDirectory() as directory:
        runners = {
            "this template": ours(data, Path(directory, "ours"), rounds + 1),
            "model.fit + TensorBoard": model_fit(data, Path(directory, "fit")),
        }
        for run_epoch in runners.values():
            run_epoch()
        seconds: dict[str, list[float]] = {name: [] for name in runners}
        losses = {}
        for _ in range(rounds):
            for name, run_epoch in runners.items():
                spent, losses[name] = timed(run_epoch)
                seconds[name].append(spent)
    table = Table("", "median s/epoch", "min", "max", "last validation loss")
    for name, times in seconds.items():
        figures = [statistics.median(times), min(times), max(times), losses[name]]
        table.add_row(name, *(f"{figure:.3f}" for figure in figures))
    console = Console()
    console.print(table)
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    median, least, most = statistics.median(ratios), min(ratios), max(ratios)
    verdict = "met" if median <= 0.5 else "missed"
    console.print(
        f"ratio {median:.2f} (from {least:.2f} to {most:.2f}); target at most 0.5: "
        f"{verdict}. {platform.machine()}, {os.cpu_count()} cores, keras "
        f"{keras.__version__}",
        highlight=False,
    )


if __name__ == "__main__":
    main()
