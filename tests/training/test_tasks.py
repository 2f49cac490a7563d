"""Two classes by one logit, and numbers, from the data to the result."""

import json

import keras
import numpy as np
import pytest

from data import DATASETS, Arrays
from experiment.config import load_config
from system.errors import UserError
from tests.tiny import chosen
from tests.training.test_fit import read_history
from train import train
from training.losses import CLASS_LOSSES, LOSSES, TASKS
from training.measures import measures_of, watched

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((300, 5), np.float32)
NUMBERS = (IMAGES @ [3.0, -2.0, 1.0, 0.0, 0.5] + 40).astype(np.float32)
LABELS = {
    "binary": (np.median(NUMBERS) < NUMBERS).astype(int),
    "regression": NUMBERS,
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Train for a task, in a directory of its own."""

    def make(task, *overrides, labels=None, directory="run", **arguments):
        y = LABELS[task] if labels is None else labels
        monkeypatch.setitem(
            DATASETS,
            "own",
            lambda: Arrays(IMAGES[:200], y[:200], IMAGES[200:], y[200:]),
        )
        (tmp_path / "own.toml").write_text(
            f"""
            data = {{name = "own", task = "{task}", validation_size = 80}}
            model = {{name = "tiny", hidden_units = [16]}}
            optimizer = {{name = "adam", learning_rate = 0.02}}
            training = {{epochs = 30, batch_size = 20, jit_compile = false}}
            monitoring.detail = true
            """
        )
        config = load_config(tmp_path / "own.toml", overrides)
        return train(config, tmp_path / directory, **arguments), tmp_path / directory

    return make


def test_every_task_has_its_default_loss_and_what_it_is_compared_by():
    for task, criterion in TASKS.items():
        assert next(iter(measures_of(task))) == criterion
        assert criterion in LOSSES


def test_numbers_are_predicted(run):
    result, directory = run("regression")
    test = result["best"]["test"]
    model = keras.models.load_model(directory / "model.keras")
    predictions = model.predict(IMAGES[200:], verbose=0)[:, 0]
    assert predictions.shape == (100,)
    final, labels = result["final"]["test"], NUMBERS[200:].astype(float)
    error = ((predictions - labels) ** 2).mean()
    assert final["mean_squared_error"] == pytest.approx(error, rel=1e-5)
    assert final["loss"] == pytest.approx(error, rel=1e-5)
    assert final["r_squared"] == pytest.approx(1 - error / labels.var(), abs=1e-6)
    assert test.keys() == {"mean_squared_error", "r_squared", "loss"}
    rows = read_history(directory)
    assert float(rows[-1]["loss/train"]) < float(rows[0]["loss/train"]) / 10
    assert not [tag for tag in rows[0] if "accuracy" in tag or "trained" in tag]
    json.dumps(result, allow_nan=False)


def test_two_classes_by_one_logit_are_two_logits_of_half_of_it(run):
    result, directory = run("binary", "training.epochs=60")
    model = keras.models.load_model(directory / "model.keras")
    logit = model.predict(IMAGES[200:], verbose=0)
    labels = LABELS["binary"][200:]
    theirs = keras.losses.BinaryCrossentropy(from_logits=True)(labels[:, None], logit)
    test = result["final"]["test"]
    assert test["cross_entropy"] == pytest.approx(float(theirs), rel=1e-5)
    assert test["accuracy"] == ((logit[:, 0] > 0) == labels).mean() > 0.8


@pytest.mark.parametrize("task", LABELS)
def test_callbacks_see_and_evaluate_the_task(run, task):
    class Evaluates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.logs = logs
            self.found = self.model.evaluate(
                IMAGES[:120], labels[:120], verbose=0, return_dict=True
            )

    labels, callback = LABELS[task], Evaluates()
    result, _ = run(task, "training.epochs=2", callbacks=[callback])
    train, validation = (result["final"][s] for s in ("train", "validation"))
    key = TASKS[task]
    assert callback.logs["loss"] == train[key]
    assert callback.logs["val_loss"] == validation[key]
    assert callback.found.keys() <= callback.logs.keys()


@pytest.mark.parametrize("loss", ["focal", "mean_squared_error", "huber"])
@pytest.mark.parametrize("task", LABELS)
def test_other_losses_are_minimized_or_refused(run, task, loss):
    if chosen("loss", loss) and loss in CLASS_LOSSES and task == "regression":
        with pytest.raises(UserError, match=r"loss.name with data.task = regression: "):
            run(task, f"loss.name={loss}")
        return
    _, directory = run(task, f"loss.name={loss}")
    rows = read_history(directory)
    tag = "objective/total"
    assert float(rows[-1][tag]) < 0.8 * float(rows[0][tag])


@pytest.mark.parametrize(
    ("task", "labels", "message"),
    [
        ("classification", NUMBERS, "data: expected class numbers, .* predicts them"),
        ("binary", NUMBERS, "data: expected class numbers, .* predicts them"),
        ("binary", np.arange(300) % 3, "data: expected classes 0 and 1, .* 0 to 2"),
    ],
)
def test_labels_that_a_task_does_not_have_are_refused(run, task, labels, message):
    with pytest.raises(UserError, match=message):
        run(task, labels=labels)


def test_noise_is_for_classes(run):
    with pytest.raises(UserError, match="data.label_noise: expected 0 in regression"):
        run("regression", "data.label_noise=0.1")


@pytest.mark.parametrize("task", LABELS)
def test_every_measure_can_be_watched_the_way_that_is_better(run, task):
    way = watched(task)
    watching = [keras.callbacks.EarlyStopping(name, patience=20) for name in way]
    seen = keras.callbacks.History()
    run(task, "training.epochs=12", callbacks=[*watching, seen])
    assert seen.history.keys() == way.keys()
    for name, callback in zip(way, watching, strict=True):
        best = max if way[name] == "higher" else min
        assert callback.best == best(seen.history[name]) != seen.history[name][0]


def test_a_config_watches_a_measure_of_its_task_alone(run):
    settings = ("early_stopping.patience=1", "early_stopping.monitor=val_r_squared")
    result, _ = run("regression", *settings, "optimizer.learning_rate=3")
    assert result["final"]["epoch"] < 30
    with pytest.raises(UserError, match=r"monitor: expected one of val_loss, .*r_squa"):
        run("binary", *settings)


def test_the_old_name_of_the_loss_tells_the_new_one(run):
    with pytest.raises(UserError, match=r"training.loss; did you mean loss.name\?"):
        run("binary", "training.loss=mean_squared_error")
