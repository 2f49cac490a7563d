"""How long runs will take: the arithmetic they do, at the speed of this machine."""

import json
import math
import time
from collections.abc import Iterable

from comparison.plan import Run
from data import DATASETS
from data.npz import Arrays
from experiment.config import Config, call
from models import MODELS
from training.settings import TrainingSettings

SECONDS_TO_START = 10.0
"""To load TensorFlow and to compile the first program; measured on two cores."""

EFFICIENCY = 0.7
"""Share of the speed of matrix products that runs reach; measured on two cores."""

MATRIX, REPEATS = 512, 50


def estimate_seconds(runs: Iterable[Run], workers: int) -> float:
    """Seconds that runs will take in worker processes of this machine, start included.

    A weight costs six operations for each image it is trained on, two for each image
    it is evaluated on, and as much at each position of a convolution; matrix products
    show how many the machine makes in a second. Right to about a factor of two: a
    narrow network is slower than that. TensorFlow should be loaded, to compute with one
    thread.
    """
    weights: dict[str, int] = {}
    operations = 0.0
    for run in runs:
        data, model = run.config.data, run.config.model
        arrays = call(DATASETS[data["name"]], data)
        key = json.dumps([data, model], sort_keys=True)
        if key not in weights:
            shape, classes = arrays.x_train.shape[1:], int(arrays.y_train.max()) + 1
            built = call(MODELS[model["name"]], model, shape, classes)
            weights[key] = sum(uses(layer) for layer in built.layers)
        trained, evaluated = count_images(run.config, arrays)
        operations += weights[key] * (6.0 * trained + 2.0 * evaluated)
    speed = EFFICIENCY * operations_per_second() * workers
    return SECONDS_TO_START + operations / speed


def uses(layer) -> int:
    """How often a layer's weights are used for an image: at each of its positions."""
    try:
        positions = layer.output.shape[1:-1]
    except AttributeError:  # Of a model that is not made of layers one after the other.
        positions = ()
    return layer.count_params() * math.prod(size or 1 for size in positions)


def count_images(config: Config, arrays: Arrays) -> tuple[int, int]:
    """Images that a run trains on, and images that it evaluates, at most.

    Where its best weights are the final ones, it tests them once and not twice.
    """
    settings = call(TrainingSettings, config.training)
    validation = config.data["validation_size"]
    train = config.data["train_size"] or len(arrays.y_train) - validation
    once = min(train, validation) + validation
    evaluations = 1 + -(-settings.epochs // settings.evaluate_every)
    at_the_end = once + 2 * len(arrays.y_test)
    return settings.epochs * train, evaluations * once + at_the_end


def operations_per_second() -> float:
    """Floating-point operations of one processor in float32 matrix products."""
    import tensorflow as tf

    matrix = tf.ones((MATRIX, MATRIX))
    fastest = math.inf
    for _ in range(REPEATS):
        started = time.perf_counter()
        tf.matmul(matrix, matrix).numpy()
        fastest = min(fastest, time.perf_counter() - started)
    return 2 * MATRIX**3 / fastest
