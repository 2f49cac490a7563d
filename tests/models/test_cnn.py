import itertools
import json

import keras
import numpy as np
import pytest

from models import kernels
from models.cnn import cnn
from system.errors import UserError
from system.processes import load_keras

MOVED = {"shift": 0.2, "rotation": 0.1, "flip": True, "dropout": 0.3}
IMAGES = np.random.default_rng(0).random((4, 9, 7), np.float32)


def build(shape=(9, 7), **settings):
    load_keras(seed=3)
    return cnn(shape, 5, **{"filters": [4, 6], **settings})


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 3)])
def test_images_with_and_without_channels(shape):
    model = build(shape)
    assert model(np.zeros((2, *shape), "f")).shape == (2, 5)
    assert kernels(model).keys() == {"conv_1", "conv_2", "logits"}


def test_data_that_are_no_images_are_refused():
    with pytest.raises(UserError, match=r"expected images .*, received .* \(30,\)"):
        cnn((30,), 5)


def test_only_in_training_are_images_moved():
    plain, moved = build(), build(**MOVED)
    for name, kernel in kernels(plain).items():
        np.testing.assert_array_equal(kernel, kernels(moved)[name])
    for training in (False, True):
        same = np.array_equal(
            plain(IMAGES, training=training), moved(IMAGES, training=training)
        )
        assert same is not training


def test_moved_images_are_the_same_ones_after_a_stop(run):
    settings = [
        *("model.name=cnn", "model.filters=[4]", "training.epochs=2"),
        *(f"model.{key}={json.dumps(value)}" for key, value in MOVED.items()),
    ]
    whole, directory = run(*settings, directory="whole")
    asked = itertools.chain([False, False], itertools.repeat(True))
    stopped, _ = run(*settings, directory="parts", should_stop=lambda: next(asked))
    assert stopped["status"] == "interrupted"
    parts, _ = run(*settings, directory="parts", resume=True)
    assert parts["final"] == whole["final"]
    keras.models.load_model(directory / "model.keras")
