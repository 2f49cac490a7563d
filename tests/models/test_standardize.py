"""A layer that standardizes, in training, in what is saved and in what is resumed."""

import itertools
import json

import keras
import numpy as np
import pytest

from models import kernels
from models.prepare import standardize
from tests.tiny import tiny


@pytest.fixture
def table(tmp_path):
    """Rows of two classes, told apart by a column of large numbers."""
    random = np.random.default_rng(0)
    y = np.arange(300) % 2
    noise = random.normal(size=(300, 4))
    x = np.column_stack([5000 + 900 * (y + noise[:, 0]), 1e-3 * noise[:, 1:]])
    path = tmp_path / "table.npz"
    np.savez(path, x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    return path


@pytest.fixture
def train_on(run, table):
    settings = (
        f'data.path="{table}"',
        "data.train_size=160",
        "data.validation_size=40",
        "data.standardize=true",
        "optimizer.learning_rate=0.03",
    )

    def make(directory, *overrides, **arguments):
        return run(*settings, *overrides, directory=directory, **arguments)

    return make


def test_a_saved_model_takes_the_data_as_it_is(train_on, table):
    result, directory = train_on("run")
    model = keras.models.load_model(directory / "model.keras")
    with np.load(table) as file:
        logits = model.predict(file["x_test"].astype("f"), verbose=0)
        accuracy = (logits.argmax(1) == file["y_test"]).mean()
    assert result["final"]["test"]["accuracy"] == pytest.approx(accuracy)
    assert accuracy > 0.6
    layers = result["final"]["weight_norm_of_layer"]
    assert layers.keys() == {"hidden_1", "hidden_2", "logits"}


def test_a_resumed_run_is_the_whole_one(train_on):
    _, whole = train_on("whole")
    asked = itertools.chain([False], itertools.repeat(True))
    train_on("parts", should_stop=lambda: next(asked))
    train_on("parts", resume=True)
    parts = whole.with_name("parts")
    states = [json.loads((p / "result.json").read_text()) for p in (whole, parts)]
    assert states[0]["final"] == states[1]["final"]


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2)])
def test_the_layer_is_its_formula(shape):
    images = np.random.default_rng(0).normal(3, 2, (5, *shape)).astype("f")
    axes = None if len(shape) == 2 else tuple(range(len(shape)))
    mean, variance = images.mean(axes), images.var(axes)
    plain = tiny(shape, 3, hidden_units=[6])
    whole = standardize(plain, np.asarray(mean), np.asarray(variance))
    expected = plain((images - mean) / np.sqrt(variance))
    # float32: the layer sums in another order
    np.testing.assert_allclose(whole(images), expected, rtol=1e-4, atol=1e-5)
    assert kernels(whole).keys() == kernels(plain).keys()
