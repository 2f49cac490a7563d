"""The same training here and in its peers: a function each, which makes an epoch.

Each is called with a `Work`, builds its network, and returns two functions: one makes
an epoch, one tells the cross-entropy of the training images afterwards. Run as a
process, `python -m benchmarks.peers NAME WORK`, a peer makes its epochs for each line
that it reads, so that others can take turns with it.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data import Split, mnist

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

LEARNING_RATE = 1e-3
CLASSES = 10
MOST_EVALUATED = 10_000

Epoch = tuple[Callable[[], None], Callable[[], float]]


@dataclass(frozen=True)
class Work:
    """What all peers do.

    Attributes:
        hidden_units: Of the network; all hidden layers are ReLU.
        batch_size: Images per update.
        train_size: Images per epoch.
        epochs: In one turn.
        logging: What ends each epoch. "none"; "evaluate", of 10,000 training and 10,000
            validation images (model.fit: validation); "default", the same and what is
            logged to TensorBoard; "detail", the same with all statistics of weights.
        dropout: Fraction of the hidden units.
        input_dropout: Fraction of the pixels.
        filters: If given, the network is `models.cnn` with these and nothing hidden:
            convolutions of 3 by 3, batch normalization, ReLU and pooling.
    """

    hidden_units: tuple[int, ...] = (512, 512)
    batch_size: int = 128
    train_size: int = 60_000
    epochs: int = 1
    logging: str = "none"
    dropout: float = 0.0
    input_dropout: float = 0.0
    filters: tuple[int, ...] = ()

    @property
    def image_shape(self) -> tuple[int, ...]:
        return (28, 28) if self.filters else (784,)

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """Training images, (train_size, *image_shape), and their labels."""
        digits = mnist()
        images = Split(digits.x_train, digits.y_train)[: self.train_size].images
        return images.reshape(-1, *self.image_shape), digits.y_train[: self.train_size]

    def order(self, epoch: int) -> np.ndarray:
        """Indices of whole batches, (updates, batch_size), another order each epoch."""
        random = np.random.default_rng([0, epoch])
        count = self.train_size // self.batch_size
        order = random.permutation(self.train_size)[: count * self.batch_size]
        return order.reshape(count, self.batch_size).astype(np.int32)


def ours(work: Work) -> Epoch:
    """This template, with its trainer and its monitor."""
    from system.processes import load_keras

    load_keras(seed=0)
    from rich.console import Console

    from data import Data
    from models import MODELS, mlp
    from monitoring import MonitoringSettings
    from monitoring.monitor import Monitor
    from optimizers import prepare
    from optimizers.steps import adam
    from training import TrainingSettings
    from training.losses import cross_entropy
    from training.program import Program, compiles_faster
    from training.trainer import Trainer

    digits = mnist()
    train = Split(digits.x_train, digits.y_train)[: work.train_size]
    test = Split(digits.x_test, digits.y_test)
    data = Data(train, test, test, CLASSES, train.labels, "0123456789")
    if work.filters:
        model = MODELS["cnn"](data.image_shape, CLASSES, filters=work.filters)
    else:
        model = mlp(
            data.image_shape,
            CLASSES,
            hidden_units=work.hidden_units,
            dropout=work.dropout,
            input_dropout=work.input_dropout,
        )
    optimizer = prepare(adam(learning_rate=LEARNING_RATE), model)
    settings = TrainingSettings(epochs=10_000, batch_size=work.batch_size)
    rates = np.ones(settings.epochs * settings.updates_per_epoch(len(train)))
    jit = compiles_faster(model, data.image_shape)
    program = Program(model, optimizer, cross_entropy(), jit)
    trainer = Trainer(program, data, rates, settings, seed=0)
    watching = MonitoringSettings(detail=work.logging == "detail")
    directory = Path(tempfile.mkdtemp())
    monitor = Monitor(trainer, directory, watching, Console(quiet=True), pictures=False)
    trainer.compile()

    def epoch() -> None:
        for _ in trainer.train_epoch(evaluated=work.logging != "none"):
            monitor.advance(trainer.state.updates)
        if work.logging == "none":
            return
        measurement = trainer.measure()
        trainer.keep_if_best(measurement)
        if work.logging != "evaluate":
            monitor.record(measurement)
            monitor.save()

    def loss() -> float:
        return trainer.evaluate_split(train[:MOST_EVALUATED])[0]["cross_entropy"]

    return epoch, loss


def keras_fit(work: Work, **arguments) -> Epoch:
    """Keras' `fit`, as tutorials write it."""
    import keras

    from models import MODELS

    keras.utils.set_random_seed(0)
    images, labels = work.images()
    digits = mnist()
    layers = [keras.Input((784,))]
    if work.input_dropout:
        layers.append(keras.layers.Dropout(work.input_dropout))
    for units in work.hidden_units:
        layers.append(keras.layers.Dense(units, "relu"))
        if work.dropout:
            layers.append(keras.layers.Dropout(work.dropout))
    model = keras.Sequential([*layers, keras.layers.Dense(CLASSES)])
    if work.filters:
        model = MODELS["cnn"](work.image_shape, CLASSES, filters=work.filters)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    model.compile(optimizer, cross_entropy, metrics=["accuracy"], **arguments)
    extras = {}
    if work.logging != "none":
        test_images = Split(digits.x_test, digits.y_test).images
        test_images = test_images.reshape(-1, *work.image_shape)
        board = keras.callbacks.TensorBoard(tempfile.mkdtemp())
        extras = {
            "validation_data": (test_images, digits.y_test),
            "callbacks": [board],
        }

    def epoch() -> None:
        model.fit(images, labels, batch_size=work.batch_size, verbose=0, **extras)

    def loss() -> float:
        logits = model.predict(images[:MOST_EVALUATED], verbose=0)
        return float(cross_entropy(labels[:MOST_EVALUATED], logits))

    return epoch, loss


def keras_fit_tuned(work: Work) -> Epoch:
    """Keras' `fit`, a whole epoch as one execution, with XLA but for convolutions."""
    updates = -(-work.train_size // work.batch_size)
    return keras_fit(work, jit_compile=not work.filters, steps_per_execution=updates)


def torch_eager(work: Work, compiled: bool = False) -> Epoch:
    """PyTorch, the loop of its tutorials; data in memory, no loader processes."""
    import torch

    torch.manual_seed(0)
    images, labels = map(torch.from_numpy, work.images())
    labels = labels.long()
    layers: list[torch.nn.Module] = []
    sizes = [784, *work.hidden_units]
    for before, units in zip(sizes, sizes[1:], strict=False):
        layers += [torch.nn.Linear(before, units), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], CLASSES))
    if work.filters:
        images = images[:, None]
        model = torch_cnn(work.filters)
    model(images[:1].expand(2, *images.shape[1:]))  # Lazy layers see their inputs.
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    cross_entropy = torch.nn.CrossEntropyLoss()

    def update(batch, targets):
        optimizer.zero_grad()
        cross_entropy(model(batch), targets).backward()
        optimizer.step()

    if compiled:
        update = torch.compile(update)
    done = 0

    def epoch() -> None:
        nonlocal done
        for batch in torch.from_numpy(work.order(done)):
            update(images[batch], labels[batch])
        done += 1

    def loss() -> float:
        with torch.no_grad():
            logits = model(images[:MOST_EVALUATED])
            return cross_entropy(logits, labels[:MOST_EVALUATED]).item()

    return epoch, loss


def torch_cnn(filters: tuple[int, ...]):
    from torch import nn

    layers: list[nn.Module] = []
    for before, count in zip((1, *filters), filters, strict=False):
        layers += [nn.Conv2d(before, count, 3, padding="same", bias=False)]
        layers += [nn.BatchNorm2d(count), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(CLASSES))


def torch_compiled(work: Work) -> Epoch:
    """PyTorch, the whole update under `torch.compile`."""
    return torch_eager(work, compiled=True)


def jax_scan(work: Work) -> Epoch:
    """JAX, an epoch as one `lax.scan`, with optax' Adam."""
    import jax
    import optax
    from jax import lax
    from jax import numpy as jnp

    images, labels = map(jnp.asarray, work.images())
    keys = jax.random.split(jax.random.key(0), len(work.hidden_units) + 1)
    sizes = [784, *work.hidden_units, CLASSES]
    glorot = jax.nn.initializers.glorot_uniform()
    parameters = [
        (glorot(key, shape), jnp.zeros(shape[1]))
        for key, shape in zip(keys, zip(sizes, sizes[1:], strict=False), strict=True)
    ]
    optimizer = optax.adam(LEARNING_RATE)

    def mean_loss(parameters, batch, targets):
        x = batch
        for kernel, bias in parameters[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        logits = x @ parameters[-1][0] + parameters[-1][1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

    def update(carry, batch):
        parameters, state = carry
        gradients = jax.grad(mean_loss)(parameters, images[batch], labels[batch])
        steps, state = optimizer.update(gradients, state)
        return (optax.apply_updates(parameters, steps), state), None

    @jax.jit
    def scan(carry, batches):
        return lax.scan(update, carry, batches)[0]

    carry = parameters, optimizer.init(parameters)
    done = 0

    def epoch() -> None:
        nonlocal carry, done
        carry = jax.block_until_ready(scan(carry, jnp.asarray(work.order(done))))
        done += 1

    def loss() -> float:
        first = images[:MOST_EVALUATED], labels[:MOST_EVALUATED]
        return float(mean_loss(carry[0], *first))

    return epoch, loss


def matrix_products(work: Work) -> Epoch:
    """The floor: only the matrix products of an epoch's updates, compiled by XLA.

    Forward, and backward by weights and by inputs (not by the images), each one used.
    """
    import tensorflow as tf

    images, _ = work.images()
    count = work.train_size // work.batch_size
    sizes = [784, *work.hidden_units, CLASSES]
    random = np.random.default_rng(0)
    first = [
        random.normal(scale=0.05, size=shape).astype(np.float32)
        for shape in zip(sizes, sizes[1:], strict=False)
    ]
    batch = tf.constant(images[: work.batch_size])

    @tf.function(jit_compile=True, autograph=False)
    def products(batch, *kernels):
        def update(number, *kernels):
            inputs, x = [], batch
            for kernel in kernels:
                inputs.append(x)
                x = tf.matmul(x, kernel)
            delta, changed = x, []
            for layer in reversed(range(len(kernels))):
                gradient = tf.matmul(inputs[layer], delta, transpose_a=True)
                changed.insert(0, kernels[layer] - 1e-12 * gradient)
                if layer:
                    delta = tf.matmul(delta, kernels[layer], transpose_b=True)
            return number + 1, *changed

        return tf.while_loop(lambda number, *_: number < count, update, [0, *kernels])

    kernels = [tf.constant(kernel) for kernel in first]

    def epoch() -> None:
        products(batch, *kernels)[1].numpy()

    return epoch, lambda: float("nan")


PEERS = {
    "this template": ours,
    "matrix products": matrix_products,
    "model.fit": keras_fit,
    "model.fit tuned": keras_fit_tuned,
    "JAX scan": jax_scan,
    "PyTorch eager": torch_eager,
    "PyTorch compiled": torch_compiled,
}


def main() -> None:
    """Make a turn of epochs for each line of standard input; print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("work", help="a Work, in JSON")
    arguments = parser.parse_args()
    settings = json.loads(arguments.work)
    work = Work(**settings)
    epoch, loss = PEERS[arguments.name](work)
    epoch()
    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        for _ in range(work.epochs):
            epoch()
        seconds = (time.perf_counter() - started) / work.epochs
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        turn = {"seconds": seconds, "loss": loss(), "gigabytes": peak}
        print(json.dumps(turn), flush=True)


if __name__ == "__main__":
    main()
