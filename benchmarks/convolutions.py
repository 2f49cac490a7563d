"""An epoch of a small convolutional network, against `model.fit`, in turns.

    python -m benchmarks.convolutions [ROUNDS]

Two convolutions of 16 and 32 filters with batch normalization, 3,000 images, batches of
100, without evaluations; once as they are and once shifted and turned at random.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from experiment.config import load_config
from models import MODELS
from train import make_trainer

CONFIG = """
[data]
train_size = 3000
validation_size = 1000
[model]
name = "convolutional"
augmented = {augmented}
[training]
epochs = {rounds}
"""


def convolutional(image_shape, num_classes, *, augmented: bool = False):
    import keras
    from keras import layers

    shift = [layers.RandomTranslation(0.1, 0.1), layers.RandomRotation(0.03)]
    blocks = []
    for filters in (16, 32):
        blocks += [
            layers.Conv2D(filters, 3, name=f"conv_{filters}"),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(),
        ]
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Reshape((*image_shape, 1)),
            *(shift if augmented else []),
            *blocks,
            layers.Flatten(),
            layers.Dense(num_classes, name="logits"),
        ]
    )


def contest(augmented: bool, rounds: int) -> list[tuple[float, float]]:
    """Seconds of an epoch, ours and that of `fit`, round by round."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "convolutional.toml")
        whether = str(augmented).lower()
        path.write_text(CONFIG.format(augmented=whether, rounds=rounds + 1))
        config = load_config(path)
    data = config.split.build(config.dataset.build(), config.seed)
    _, _, trainer = make_trainer(config, data)
    trainer.compile()
    import keras

    theirs = config.model.build(data.image_shape, data.num_outputs)
    theirs.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    images, labels = data.train.images, data.train.labels

    def ours() -> None:
        for _ in trainer.train_epoch(evaluated=False):
            pass

    def fit() -> None:
        theirs.fit(images, labels, batch_size=100, verbose=0)

    return [(seconds(ours), seconds(fit)) for _ in range(rounds + 1)][1:]


def seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    MODELS["convolutional"] = convolutional
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for augmented in (False, True):
        found = contest(augmented, rounds)
        ratios = [ours / fit for ours, fit in found]
        ours, fit = (statistics.median(column) for column in zip(*found, strict=True))
        print(
            f"{'augmented' if augmented else 'as they are'}: {ours:.2f} s against "
            f"{fit:.2f} s of model.fit, ratio {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
