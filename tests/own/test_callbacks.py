"""What callbacks do to a run is what they do under `model.fit`, or is refused."""

import csv
import io
import itertools
import warnings

import keras
import numpy as np
import pytest
from rich.console import Console

from system.errors import UserError
from tests.own.conftest import Asked, differences, state_of
from tests.own.datasets import squares
from tests.own.test_numbers import evaluate

OVERFITTING = ("data.noise=1.0", "training.epochs=20", "optimizer.learning_rate=0.2")
RATE = "optimizer/learning_rate"


class Noting(keras.callbacks.Callback):
    """Notes which hooks are called, and the learning rate at each boundary."""

    def __init__(self):
        super().__init__()
        self.hooks, self.logs = [], []

    def on_train_begin(self, logs=None):
        self.hooks.append("begin")

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs or {}))

    def on_train_end(self, logs=None):
        self.hooks.append("end")


class StopAt(keras.callbacks.Callback):
    """Stops after an epoch, counted from 0."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch >= self.epoch


class Rates(keras.callbacks.Callback):
    """Assigns a learning rate before the epochs that it has one for."""

    def __init__(self, rates):
        super().__init__()
        self.rates, self.kernels = rates, []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch in self.rates:
            self.model.optimizer.learning_rate = self.rates[epoch]

    def on_epoch_end(self, epoch, logs=None):
        self.kernels.append(self.model.trainable_variables[0].numpy())


class KeepsCount(keras.callbacks.Callback):
    """A user's own, with a state that no one else knows."""

    def __init__(self):
        super().__init__()
        self.seen = {"epochs": set()}

    def on_epoch_end(self, epoch, logs=None):
        self.seen["epochs"].add(epoch)


class Batches(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        pass

    def on_train_batch_end(self, batch, logs=None):
        pass


def read_history(path):
    with open(path / "history.csv", newline="") as file:
        return [
            {k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)
        ]


def told(make, *overrides, **arguments):
    """What a run says, on its console and as Python's warnings."""
    stream = io.StringIO()
    console = Console(file=stream, width=1000, force_terminal=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(*overrides, console=console, **arguments)
    return [*stream.getvalue().splitlines(), *(str(w.message) for w in caught)]


# The best and the final weights


@pytest.mark.parametrize(
    ("settings", "patience", "min_delta"),
    [(OVERFITTING, 3, 0.0), (("training.epochs=4",), 5, 10.0)],
    ids=["the same best", "another best"],
)
def test_the_best_is_the_lowest_of_the_history_whatever_is_restored(
    run, settings, patience, min_delta
):
    """With that min_delta, what is restored is the first epoch."""
    stopping = keras.callbacks.EarlyStopping(
        patience=patience, min_delta=min_delta, restore_best_weights=True
    )
    result, path = run(*settings, callbacks=[stopping])
    history = read_history(path)
    lowest = min(history, key=lambda row: row["loss/validation"])
    assert lowest["epoch"] > 1, "the run is no example"
    best = result["best"]
    assert best["epoch"] == lowest["epoch"]
    assert best["validation"]["cross_entropy"] == lowest["loss/validation"]


def test_the_final_numbers_are_those_of_the_weights_that_are_saved(run, tested):
    stopping = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    result, path = run(*OVERFITTING, callbacks=[stopping])
    assert result["final"]["test"]["cross_entropy"] == tested(path)
    assert result["final"]["test"] == result["best"]["test"]
    assert result["final"]["weights"] == "restored from the best evaluation"


class Halve(keras.callbacks.Callback):
    """Changes the weights at the end, as an average over epochs would."""

    def on_train_end(self, logs=None):
        for variable in self.model.trainable_variables:
            variable.assign(variable / 2)


def test_weights_that_a_callback_changed_are_described_and_saved(run, tested):
    as_trained, _ = run("data.noise=1.0", directory="as_trained")
    changed, path = run("data.noise=1.0", callbacks=[Halve()], directory="changed")
    assert as_trained["final"]["weights"] == "as trained"
    assert changed["final"]["weights"] == "changed by a callback"
    assert changed["final"]["test"]["cross_entropy"] == tested(path)
    assert changed["final"]["test"] != as_trained["final"]["test"]
    assert changed["best"] == as_trained["best"]


class HalveAtLast(keras.callbacks.Callback):
    """Changes the weights after the last epoch, not at the end of training."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.params["epochs"] - 1:
            Halve.on_train_end(self)


def test_the_best_is_not_what_a_callback_makes_of_the_last_epoch(run, tested):
    settings = ("data.noise=1.0", "optimizer.learning_rate=0.02")
    as_trained, _ = run(*settings, directory="as_trained")
    changed, path = run(*settings, callbacks=[HalveAtLast()], directory="changed")
    assert as_trained["best"]["epoch"] == 2, "the run is no example"
    assert changed["best"] == as_trained["best"]
    assert changed["final"]["test"]["cross_entropy"] == tested(path)
    assert changed["final"]["weights"] == "changed by a callback"


class Raise(keras.callbacks.Callback):
    """Raises the learning rate so far that the second epoch diverges."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 1e20


@pytest.mark.parametrize("stop", [1, 2, 4], ids=["start", "epoch 1", "epoch 2"])
@pytest.mark.parametrize("callback", [keras.callbacks.Callback, Halve])
def test_what_callbacks_did_is_told_of_a_run_that_is_stopped(run, callback, stop):
    result, _ = run(*OVERFITTING, callbacks=[callback()], should_stop=Asked(stop))
    assert result["status"] == "interrupted"
    told = "changed by a callback" if callback is Halve else "as trained"
    assert result["final"]["weights"] == told


def test_weights_of_a_run_that_diverges_late_are_as_trained(run):
    result, _ = run("data.noise=1.0", callbacks=[Raise()])
    assert (result["status"], result["final"]["epoch"]) == ("diverged", 2)
    assert result["final"]["weights"] == "as trained"


@pytest.fixture
def tested():
    def loss(path):
        return pytest.approx(evaluate(path, noise=1.0)[0], rel=1e-5)

    return loss


# What they monitor


def test_a_callback_may_watch_more_than_one_number(run):
    watching = Noting()
    watching.monitor, watching.mode = ["val_loss", "val_accuracy"], "auto"
    result, _ = run(callbacks=[watching])
    assert result["status"] == "completed"
    assert watching.mode == "auto"


def test_an_accuracy_is_stopped_by_at_its_highest(run):
    stopping = keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=2)
    _, path = run(*OVERFITTING, callbacks=[stopping])
    accuracies = [row["accuracy/validation"] for row in read_history(path)][1:]
    assert stopping.best == pytest.approx(max(accuracies))
    assert len(accuracies) == accuracies.index(max(accuracies)) + 3


def test_a_checkpoint_is_kept_of_the_highest_accuracy(run, tmp_path):
    best = tmp_path / "best.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(
        best, monitor="val_accuracy", save_best_only=True
    )
    noting = Noting()
    run(*OVERFITTING, callbacks=[checkpoint, noting])
    highest = max(logs["val_accuracy"] for logs in noting.logs)
    assert checkpoint.best == pytest.approx(highest)
    assert keras.models.load_model(best).count_params() > 0


def test_the_rate_is_reduced_where_the_accuracy_stays(run):
    reduce = keras.callbacks.ReduceLROnPlateau(
        monitor="val_accuracy", factor=0.5, patience=1, min_delta=1.0
    )
    _, path = run("training.epochs=4", callbacks=[reduce])
    # The first epoch is the best there is; each later one is one too many.
    rates = [row[RATE] for row in read_history(path)]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.025])


def test_every_epoch_has_its_logs_where_few_are_in_the_history(run, tmp_path):
    log, noting = tmp_path / "log.csv", Noting()
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}-{val_loss:.2f}.keras"
    )
    callbacks = [keras.callbacks.CSVLogger(log), checkpoint, noting]
    _, path = run("training.epochs=4", "training.evaluate_every=2", callbacks=callbacks)
    names = {"loss", "accuracy", "calibration_error"}
    names |= {f"val_{name}" for name in names}
    assert [logs.keys() for logs in noting.logs] == [names] * 4
    with open(log, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == [
        logs["val_loss"] for logs in noting.logs
    ]
    saved = sorted(file.stem for file in tmp_path.glob("*-*.keras"))
    assert saved == [
        f"{epoch}-{logs['val_loss']:.2f}" for epoch, logs in enumerate(noting.logs, 1)
    ]
    history = read_history(path)
    assert [row["epoch"] for row in history] == [0, 2, 4]
    assert history[1]["loss/validation"] == noting.logs[1]["val_loss"]


def test_a_model_can_be_evaluated_without_being_compiled(run):
    """Nor does that, or an evaluation for the logs, change the training."""

    class Evaluates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.found = self.model.evaluate(*images, verbose=0, return_dict=True)

    arrays = squares()
    images = arrays.x_test.astype(np.float32) / 255, arrays.y_test
    settings, callback = ("training.epochs=3", "training.evaluate_every=2"), Evaluates()
    run(*settings, directory="without")
    result, path = run(*settings, callbacks=[callback], directory="with")
    tested = result["final"]["test"]
    assert callback.found["loss"] == pytest.approx(tested["cross_entropy"], rel=1e-5)
    assert callback.found["accuracy"] == pytest.approx(tested["accuracy"])
    states = [state_of(path.parent / name) for name in ("without", "with")]
    assert list(differences(*states)) == []


# Learning rates


def rates_of(run, callback, *overrides):
    _, path = run(*overrides, callbacks=[callback])
    return [row[RATE] for row in read_history(path)]


def scheduler(function):
    return keras.callbacks.LearningRateScheduler(function)


def test_an_assigned_rate_is_warmed_up_to_and_kept(run):
    rates = rates_of(
        run,
        scheduler(lambda epoch: 1e-3),
        "training.epochs=4",
        "schedule.warmup_epochs=1",
    )
    assert rates[1:] == pytest.approx([1e-3] * 4)


class RateAtBegin(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.optimizer.learning_rate = 1e-3


def test_a_rate_assigned_at_the_beginning_of_training_is_kept(run):
    rates = rates_of(run, RateAtBegin(), "training.epochs=3")
    assert rates[1:] == pytest.approx([1e-3] * 3)


def test_an_assigned_rate_is_the_highest_of_an_epoch_of_a_cosine(run):
    rates = rates_of(
        run, scheduler(lambda epoch: 1e-3), "training.epochs=4", "schedule.name=cosine"
    )
    assert all(1e-5 < rate <= 1e-3 * (1 + 1e-6) for rate in rates[1:])


def test_an_assigned_rate_does_not_explode_at_a_restart(run):
    rates = rates_of(
        run,
        scheduler(lambda epoch: 1e-3),
        "training.epochs=6",
        "schedule.name=warm_restarts",
        "schedule.first_period_epochs=2",
        "schedule.period_factor=1",
    )
    assert all(1e-6 < rate <= 1e-3 * (1 + 1e-6) for rate in rates[1:])


def test_a_rate_is_multiplied_again_and_again(run):
    rates = rates_of(run, scheduler(lambda epoch, rate: rate / 2), "training.epochs=3")
    assert rates[1:] == pytest.approx([0.05, 0.025, 0.0125])


def test_a_callback_that_keeps_the_rate_changes_nothing(run):
    settings = (
        "training.epochs=4",
        "schedule.name=warm_restarts",
        "schedule.first_period_epochs=2",
    )
    run(*settings, directory="without")
    keep = scheduler(lambda epoch, rate: rate)
    _, path = run(*settings, callbacks=[keep], directory="with")
    states = [state_of(path.parent / name) for name in ("without", "with")]
    assert list(differences(*states)) == []


def test_a_rate_of_zero_can_be_left_again(run):
    rates = Rates({1: 0.0, 2: 0.0, 3: 0.05})
    _, path = run("training.epochs=4", "optimizer.momentum=0", callbacks=[rates])
    assert [row[RATE] for row in read_history(path)][1:] == pytest.approx(
        [0.1, 0.0, 0.0, 0.05]
    )
    moved = [not np.array_equal(*pair) for pair in itertools.pairwise(rates.kernels)]
    assert moved == [False, False, True]


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_rate_of_zero_from_the_start_can_be_left(run, schedule):
    rates = Rates({0: 0.0, 1: 0.05})
    _, path = run(
        f"schedule.name={schedule}", "optimizer.momentum=0", callbacks=[rates]
    )
    rates = [row[RATE] for row in read_history(path)]
    assert rates[1] == 0.0
    assert 0 < rates[2] <= 0.05 * (1 + 1e-6)


# The end of training


def test_the_end_is_told_of_a_run_that_is_stopped_from_outside(run):
    noting = Noting()
    result, _ = run(callbacks=[noting], should_stop=Asked(2))
    assert result["status"] == "interrupted"
    assert noting.hooks == ["begin", "end"]


def test_the_end_is_told_of_a_run_that_diverges(run):
    noting = Noting()
    result, _ = run("optimizer.learning_rate=1e30", callbacks=[noting])
    assert result["status"] == "diverged"
    assert noting.hooks == ["begin", "end"]


def test_the_end_is_told_of_a_run_that_completes(run):
    noting = Noting()
    assert run(callbacks=[noting])[0]["status"] == "completed"
    assert noting.hooks == ["begin", "end"]
    assert (noting.params["epochs"], noting.params["steps"]) == (2, 5)


def test_a_run_that_stops_between_evaluations_is_evaluated(run):
    result, path = run(
        "training.epochs=8", "training.evaluate_every=4", callbacks=[StopAt(1)]
    )
    assert [row["epoch"] for row in read_history(path)] == [0, 2]
    assert (result["status"], result["final"]["epoch"]) == ("completed", 2)


class Poison(StopAt):
    """Breaks the weights as it stops."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if self.model.stop_training:
            kernel = self.model.trainable_variables[0]
            kernel.assign(kernel * np.nan)


def test_a_run_that_stops_between_evaluations_may_have_diverged(run):
    settings = ("training.epochs=8", "training.evaluate_every=4")
    diverging = ("optimizer.learning_rate=1e30",)
    result, _ = run(*settings, *diverging, callbacks=[StopAt(1)], directory="rate")
    assert result["status"] == "diverged"
    result, _ = run(*settings, callbacks=[Poison(1)], directory="poison")
    assert result["status"] == "diverged"


# What they remember


def stopping():
    return keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True)


def stopping_by_accuracy():
    return keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=3)


def reducing():
    return keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5, cooldown=1)


REMEMBERING = {
    "by accuracy": [stopping_by_accuracy],
    "EarlyStopping, ReduceLROnPlateau": [stopping, reducing],
}


@pytest.mark.parametrize("name", REMEMBERING)
def test_a_run_continued_goes_on_with_what_callbacks_remembered(run, name):
    def callbacks():
        return [make() for make in REMEMBERING[name]]

    asked = Asked()
    _, whole = run(
        *OVERFITTING, callbacks=callbacks(), should_stop=asked, directory="whole"
    )
    state, cut = state_of(whole), whole.parent / "cut"
    # Within the last epochs but two, when they have begun to wait.
    result, _ = run(
        *OVERFITTING,
        callbacks=callbacks(),
        should_stop=Asked(asked.times - 5),
        directory="cut",
    )
    assert result["status"] == "interrupted"
    words = told(run, *OVERFITTING, callbacks=callbacks(), directory="cut", resume=True)
    assert not any(
        keras_name in line for line in words for keras_name in ("EarlyS", "Reduce")
    )
    assert list(differences(state, state_of(cut))) == []


def test_a_run_continued_says_what_a_callback_has_forgotten(run):
    run(callbacks=[KeepsCount()], should_stop=Asked(2))
    words = told(run, callbacks=[KeepsCount()], resume=True)
    assert sum("KeepsCount" in line for line in words) == 1


def test_a_hook_for_batches_is_said_not_to_be_called_once(run):
    words = told(run, "training.epochs=3", callbacks=[Batches()])
    assert sum("Batches" in line for line in words) == 1
    of_keras = keras.callbacks.LambdaCallback(on_train_batch_end=print)
    words = told(run, callbacks=[of_keras], directory="lambda")
    assert sum("LambdaCallback" in line for line in words) == 1
    epochs_alone = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    callbacks = [stopping(), Noting(), epochs_alone]
    quiet = told(run, callbacks=callbacks, directory="quiet")
    assert not any("batch" in line.lower() for line in quiet)


# What they cannot replace


class Freezes(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.layers[-1].trainable = False


class ReplacesOptimizer(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer = keras.optimizers.SGD(0.5)


class Recompiles(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.compile("adam", "mse")


class AssignsDecay(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.weight_decay = 0.5


class AssignsSchedule(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
        self.model.optimizer.learning_rate = schedule


@pytest.mark.parametrize("decay", ["none", "decoupled"])
@pytest.mark.parametrize(
    ("callback", "replaced", "instead"),
    [
        (Freezes, "model.trainable_variables", "makes a model freezes its layers"),
        (ReplacesOptimizer, "model.optimizer", "optimizer.name chooses it"),
        (Recompiles, "model.optimizer", "optimizer.name chooses it"),
        (AssignsDecay, "optimizer.weight_decay", "optimizer.weight_decay.assign"),
        (AssignsSchedule, "optimizer.learning_rate", "a number can be assigned"),
    ],
)
def test_what_the_compiled_updates_would_not_heed_is_refused(
    run, callback, replaced, instead, decay
):
    with pytest.raises(UserError) as refused:
        run(f"decay.name={decay}", callbacks=[callback()])
    assert f"callbacks: expected {replaced} as" in str(refused.value)
    assert instead in str(refused.value)


class ChangesDecay(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.weight_decay.assign(0.5)


def test_an_assigned_weight_decay_is_heeded(run):
    run("decay.name=decoupled", directory="without")
    _, path = run("decay.name=decoupled", callbacks=[ChangesDecay()], directory="with")
    (_, *before), (_, *after) = map(read_history, (path.parent / "without", path))
    assert after[0]["weights/norm"] == before[0]["weights/norm"]
    assert after[1]["weights/norm"] < before[1]["weights/norm"]
    assert after[1]["optimizer/weight_decay"] == 0.5


class Thrice(keras.callbacks.Callback):
    """Stops after three epochs, counted in the model."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.counted = getattr(self.model, "counted", 0) + 1
        self.model.stop_training = self.model.counted == 3


def test_what_a_callback_leaves_in_the_model_is_not_taken_over(run):
    programs = {}
    for seed in range(2):
        result, _ = run(
            "training.epochs=5",
            f"seed={seed}",
            directory=str(seed),
            callbacks=[Thrice()],
            programs=programs,
        )
        assert result["final"]["epoch"] == 3
