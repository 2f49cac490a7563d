"""Numbers that go wrong: found at once, told as they are, and the last good kept."""

import json

import keras
import numpy as np
import pytest

from system.errors import UserError
from tests.faults.runs import weights_of
from train import train


class Poison(keras.callbacks.Callback):
    """Puts a number into a variable after an epoch."""

    def __init__(self, number, find, epoch=1):
        super().__init__()
        self.number, self.find, self.epoch = number, find, epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            variable = self.find(self.model)
            values = variable.numpy()
            values.flat[0] = self.number
            variable.assign(values)


@pytest.fixture(scope="module")
def programs():
    return {}


WHERE = {
    "a kernel": lambda model: model.get_layer("hidden_1").kernel,
    "a bias": lambda model: model.trainable_variables[-1],
    "the optimizer": lambda model: model.optimizer.variables[2],
}


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", WHERE)
def test_a_number_that_is_none_ends_the_run_and_the_best_weights_stay(
    configure, tmp_path, programs, where, number, tried
):
    config = configure("training.epochs=5", "training.evaluate_every=2")
    poison = Poison(number, WHERE[where])
    result = train(config, tmp_path / "run", callbacks=[poison], programs=programs)
    assert result["status"] == "diverged"
    assert result["final"]["epoch"] <= 4  # Poisoned after the second epoch.
    assert result["best"]["epoch"] <= 2
    assert np.isfinite(result["best"]["test"]["cross_entropy"])
    assert json.loads((tmp_path / "run/result.json").read_text()) == result
    for shape, values in weights_of(tmp_path / "run/model.keras").values():
        assert np.isfinite(np.frombuffer(values, np.float32)).all(), shape
    tried(f"NaN or infinity in {where}", 1, "the best weights are in model.keras")


def test_a_weight_that_a_relu_hides_is_found(configure, tmp_path, programs):
    """The loss stays finite: the unit with an infinite bias feeds nothing."""

    class Hide(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            bias = self.model.get_layer("hidden_1").bias
            bias.assign(np.where(np.arange(16) == 0, -np.inf, bias.numpy()))

    config = configure("training.epochs=2")
    result = train(config, tmp_path / "run", callbacks=[Hide()], programs=programs)
    assert result["status"] == "diverged"
    assert np.isfinite(result["best"]["validation"]["cross_entropy"])


@pytest.mark.faults
@pytest.mark.parametrize(
    ("settings", "status"),
    [
        (["optimizer.name=sgd", "optimizer.learning_rate=1e6"], None),
        (["optimizer.learning_rate=1e6"], None),
        (["optimizer.learning_rate=3e38"], "diverged"),
        (["optimizer.learning_rate=1.2e-38"], "completed"),
        (["regularizer.l2=1e30"], None),
        (["regularizer.l2=3e38"], "diverged"),
        (["regularizer.l1=1e30"], None),
        (["decay.name=decoupled", "decay.strength=1e30"], "diverged"),
        (["decay.name=independent", "decay.strength=3e38"], "diverged"),
        (["data.train_size=1"], "completed"),
        (["data.train_size=1", "data.validation_size=1"], "completed"),
        (["data.train_size=1", "model.batch_normalization=true"], "completed"),
        (["training.batch_size=1000000"], "completed"),
        (["training.batch_size=9223372036854775807"], "completed"),
        (["training.batch_size=1"], "completed"),
        (["training.evaluate_every=9223372036854775807"], "completed"),
        (["model.hidden_units=[]"], "completed"),
        (["model.hidden_units=[]", "model.dropout=0.5"], "completed"),
        (["model.hidden_units=[1, 1, 1]"], "completed"),
        (["model.dropout=0.99"], None),
        (["data.label_noise=1.0"], "completed"),
        (["schedule.warmup_epochs=2"], "completed"),
        (["seed=4294967295"], "completed"),
    ],
    ids=str,
)
def test_extremes_work_or_diverge(configure, tmp_path, programs, settings, status):
    config = configure("training.epochs=2", *settings)
    result = train(config, tmp_path / "run", programs=programs)
    assert result["status"] in ([status] if status else ["completed", "diverged"])
    for moment in filter(None, (result["final"], result["best"])):
        json.dumps(moment, allow_nan=False)


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ([f"model.hidden_units={[1] * 1000}"], ("model.hidden_units", "at most 63")),
        (["data.train_size=1001"], ("at most 1000 images in all", "1001")),
        (["data.validation_size=1000"], ("less than the 1000 training images", "1000")),
    ],
)
def test_extremes_that_are_refused(configure, tmp_path, settings, parts):
    with pytest.raises(UserError) as caught:
        train(configure(*settings), tmp_path / "run")
    assert all(part in str(caught.value) for part in parts)


@pytest.mark.parametrize("label", [0, 3])
def test_one_class_is_refused(configure, tmp_path, label):
    images = np.random.default_rng(0).integers(256, size=(20, 4, 4), dtype=np.uint8)
    labels = np.full(20, label)
    path = tmp_path / "one.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    small = ["data.train_size=10", "data.validation_size=10", "training.epochs=1"]
    config = configure(f"data.path={path}", *small)
    with pytest.raises(UserError, match="two classes or more, received one"):
        train(config, tmp_path / "run")
