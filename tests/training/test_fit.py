"""The training loop as a whole, on few real digits."""

import csv
import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

import training.fit
import training.result
from data import split
from models import MODELS
from optimizers import prepare
from system.errors import UserError
from tests.monitoring.test_monitor import read_events
from tests.tiny import DIGITS, digits, tiny
from training import TrainingSettings
from training.losses import cross_entropy
from training.measures import MEASURES
from training.program import Program, compiles_faster
from training.trainer import Trainer

EVERYTHING = (
    "model.dropout=0.4",
    "model.batch_normalization=true",
    "model.max_norm=2.0",
    "regularizer.l1=1e-5",
    "decay.name=decoupled",
    "decay.strength=0.5",
    "schedule.warmup_epochs=1",
    "training.epochs=6",
    "training.jit_compile=true",
    "data.train_size=250",
    "monitoring.detail=true",
)


def read_history(directory):
    with open(directory / "history.csv", newline="") as file:
        return [
            {tag: text for tag, text in row.items() if not tag.startswith("time/")}
            for row in csv.DictReader(file)
        ]


def read_result(directory):
    result = json.loads((directory / "result.json").read_text())
    return {key: value for key, value in result.items() if key != "seconds"}


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, dict(logs)))


def asked(times):
    """A `should_stop` that says yes when asked for the n-th time, and from then on."""
    count = 0

    def should_stop():
        nonlocal count
        count += 1
        return count >= times

    return should_stop


@pytest.fixture
def small_calls(monkeypatch):
    """Three updates a call, so that a run can be stopped within an epoch."""
    make = Trainer.__init__

    def init(self, *arguments):
        make(self, *arguments)
        self._updates_per_call = 3

    monkeypatch.setattr(Trainer, "__init__", init)
    monkeypatch.setattr("training.trainer.LONGEST_CALL", 0.0)


@pytest.fixture
def optimizer_states(monkeypatch):
    """The optimizer's variables as each run of a test ends."""
    states = []
    compute_result = training.result.compute_result

    def compute_and_note(status, trainer, *rest):
        states.append([v.numpy() for v in trainer.optimizer.variables])
        return compute_result(status, trainer, *rest)

    monkeypatch.setattr(training.result, "compute_result", compute_and_note)
    return states


def test_stopped_and_resumed_runs_equal_an_undisturbed_one(
    run, small_calls, optimizer_states
):
    """Twice within an epoch, and once at its end; biases stay out of the decay."""
    programs = {}
    _, whole = run(*EVERYTHING, directory="whole", programs=programs)
    parts = {"directory": "cut", "resume": True, "programs": programs}
    for stop_after in (1, 2, 3):
        stopped, cut = run(*EVERYTHING, should_stop=asked(stop_after), **parts)
        assert stopped["status"] == "interrupted"
        assert "test" not in stopped["final"]
        assert (cut / "checkpoint").exists()
    run(*EVERYTHING, **parts)
    assert read_history(cut) == read_history(whole)
    assert read_result(cut) == read_result(whole)
    ours, theirs = (keras.models.load_model(d / "model.keras") for d in (cut, whole))
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(optimizer_states[0], optimizer_states[-1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (cut / "checkpoint").exists()
    ours, theirs = read_events(cut)[0], read_events(whole)[0]
    assert ours.keys() == theirs.keys()
    for tag, step in ours:
        if not tag.startswith(("time/", "run/card", "__run_graph__")):
            np.testing.assert_array_equal(ours[tag, step], theirs[tag, step], tag)


def test_resuming_keeps_the_best_weights_and_forgets_what_was_not_checkpointed(
    run, tmp_path, monkeypatch
):
    """A run that is past its best, killed a while after its last checkpoint."""
    overfitting = ("optimizer.learning_rate=0.02", "training.epochs=25")
    _, whole = run(*overfitting, directory="whole")
    _, cut = run(*overfitting, directory="cut", should_stop=asked(20))
    old = (cut / "checkpoint/state.npz").read_bytes()
    run(*overfitting, directory="cut", resume=True, should_stop=asked(3))
    (cut / "checkpoint/state.npz").write_bytes(old)
    run(*overfitting, directory="cut", resume=True)
    assert read_result(whole)["best"]["epoch"] < 18
    assert read_history(cut) == read_history(whole)
    assert read_result(cut) == read_result(whole)


def test_a_grown_run_equals_one_that_was_long_from_the_start(run):
    every = "training.evaluate_every=2"
    _, whole = run("training.epochs=8", every, directory="whole")
    _, cut = run("training.epochs=5", every, directory="cut", should_stop=asked(3))
    run("training.epochs=8", every, directory="cut", resume=True)
    assert read_history(cut) == read_history(whole)
    assert read_result(cut) == read_result(whole)


def test_a_resumed_run_keeps_what_callbacks_did_to_the_rate(run, monkeypatch):
    class CutOnce(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate.assign(1e-5)

    arguments = ("training.epochs=4", "schedule.name=cosine")
    _, whole = run(*arguments, directory="whole", callbacks=[CutOnce()])
    _, cut = run(
        *arguments, directory="cut", callbacks=[CutOnce()], should_stop=asked(2)
    )
    run(*arguments, directory="cut", resume=True, callbacks=[CutOnce()])
    assert read_history(cut) == read_history(whole)


@pytest.mark.parametrize(
    "other", ["seed=1", "optimizer.learning_rate=0.01", "data.train_size=231"]
)
def test_another_runs_checkpoint_is_refused(run, other):
    _, cut = run(directory="cut", should_stop=asked(2))
    _, foreign = run(other, directory="other", should_stop=asked(2))
    checkpoint = "checkpoint/state.npz"
    (cut / checkpoint).write_bytes((foreign / checkpoint).read_bytes())
    with pytest.raises(UserError, match="expected the checkpoint of this run"):
        run(directory="cut", resume=True)


def not_a_number_at_first(labels, logits):
    """NaN where the network is unsure, as at the start: a measure as users write it."""
    sure = tf.reduce_max(tf.nn.softmax(logits), axis=1)
    return tf.where(sure < 0.2, np.nan, sure)


def test_a_measure_that_is_no_number_once_is_null_and_harms_nothing(run, monkeypatch):
    own = replace(MEASURES["accuracy"], sums=not_a_number_at_first, tag="own")
    monkeypatch.setitem(MEASURES, "own", own)
    longer = ("training.epochs=3", "training.evaluate_every=2", "training.threads=1")
    _, cut = run(*longer, directory="cut", should_stop=asked(2))
    stopping = keras.callbacks.EarlyStopping("val_own", patience=2)
    with pytest.warns(UserWarning, match="`val_own` which is not available"):
        run(directory="watched", callbacks=[stopping])
    result, whole = run(*longer, directory="whole")
    assert read_history(whole)[0]["own/train"] == ""
    assert result["best"]["epoch"] == 3
    run(*longer, directory="cut", resume=True)
    assert read_result(cut) == read_result(whole)
    never = replace(own, sums=lambda labels, logits: logits[:, 0] * np.nan)
    monkeypatch.setitem(MEASURES, "own", never)
    result, _ = run(directory="never")
    assert result["status"] == "completed"
    assert result["best"]["validation"]["own"] is None


def test_checkpoints_are_written_as_time_passes(run, monkeypatch):
    written = []
    monkeypatch.setattr(training.fit, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(
        training.fit,
        "save_checkpoint",
        lambda directory, trainer, callbacks: written.append(trainer.epoch),
    )
    run("training.epochs=4")
    assert {1, 2, 3} <= set(written)
    assert 4 not in written


def test_standard_callbacks_write_their_files(run, tmp_path):
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    result, _ = run("model.dropout=0.1", callbacks=callbacks)
    keras.models.load_model(tmp_path / "best.keras")
    with open(tmp_path / "log.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["val_loss"]) == result["final"]["validation"]["cross_entropy"]


def test_resuming_where_nothing_was_begun_starts(run):
    result, _ = run("training.epochs=1", resume=True)
    assert result["status"] == "completed"


def test_evaluations_before_training_every_so_often_and_at_the_end(run):
    _, directory = run("training.epochs=5", "training.evaluate_every=2")
    rows = read_history(directory)
    assert [(row["epoch"], row["step"]) for row in rows] == [
        ("0", "0"),
        ("2", "10"),
        ("4", "20"),
        ("5", "25"),
    ]


def test_callbacks_see_both_losses_without_penalty_after_every_epoch(run):
    recorder = Recorder()
    _, directory = run(
        "regularizer.l2=0.1",
        "training.epochs=3",
        "training.evaluate_every=2",
        callbacks=[recorder],
    )
    (_, first), *recorded = recorder.epochs
    names = {"loss", "accuracy", "calibration_error"}
    assert first.keys() == names | {f"val_{name}" for name in names}
    for (_, logs), row in zip(recorded, read_history(directory)[1:], strict=True):
        assert logs == {
            "loss": float(row["loss/train"]),
            "accuracy": float(row["accuracy/train"]),
            "val_loss": float(row["loss/validation"]),
            "val_accuracy": float(row["accuracy/validation"]),
            "calibration_error": float(row["calibration/train"]),
            "val_calibration_error": float(row["calibration/validation"]),
        }


def test_early_stopping_ends_a_run_with_the_best_weights(run):
    stopping = keras.callbacks.EarlyStopping(
        patience=2, min_delta=10.0, restore_best_weights=True
    )
    result, directory = run("training.epochs=9", callbacks=[stopping])
    assert result["status"] == "completed"
    rows = read_history(directory)
    assert len(rows) < 9
    saved = float(rows[1]["loss/validation"])
    assert result["final"]["validation"]["cross_entropy"] == pytest.approx(saved)
    assert result["final"]["weights"] == "changed by a callback"  # To the first.


def test_a_callback_that_cuts_the_learning_rate_is_heeded(run):
    class Halve(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rate = self.model.optimizer.learning_rate
            rate.assign(rate * 0.5)

    _, directory = run("training.epochs=4", "schedule.name=cosine", callbacks=[Halve()])
    rows = read_history(directory)
    rates = np.array([float(row["optimizer/learning_rate"]) for row in rows[1:]])
    last_update = np.array([4, 9, 14, 19])
    expected = 1e-3 * (1 + np.cos(np.pi * last_update / 20)) / 2 * 0.5 ** np.arange(4)
    np.testing.assert_allclose(rates, expected, rtol=1e-5)  # rates are float32


def test_reduce_on_plateau(run):
    plateau = keras.callbacks.ReduceLROnPlateau(
        patience=1, min_delta=10.0, factor=0.1, min_lr=0
    )
    _, directory = run("training.epochs=4", callbacks=[plateau])
    rates = [float(row["optimizer/learning_rate"]) for row in read_history(directory)]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1e-3, 1e-4, 1e-5], rtol=1e-5)


def test_the_last_smaller_batch_is_used_and_every_image_seen_once():
    data = split(digits(), 0, train_size=230, validation_size=50)
    model = tiny(data.image_shape, 10, hidden_units=[])
    settings = TrainingSettings(epochs=2, batch_size=50, jit_compile=False)
    optimizer = prepare(keras.optimizers.Adam(), model)
    program = Program(model, optimizer, cross_entropy(), jit=False)
    trainer = Trainer(program, data, np.ones(10), settings, seed=0)
    orders, keys = [], set()
    for epoch in range(2):
        blocks = list(trainer._blocks(epoch))
        assert [block.batches.shape for block in blocks] == [(4, 50), (1, 30)]
        orders.append(np.concatenate([block.batches.ravel() for block in blocks]))
        assert sorted(orders[-1]) == list(range(230))
        keys |= {tuple(trainer._arguments(b, 0, 0)[-1].numpy()) for b in blocks}
    assert not np.array_equal(*orders)
    assert len(keys) == 4  # Of dropout's masks, which are others in each block.


def test_a_batch_may_be_larger_than_the_data(run):
    result, _ = run("training.batch_size=1000", "training.epochs=2")
    assert result["status"] == "completed"


def test_a_run_that_diverges_ends_with_its_last_good_model(run):
    result, directory = run(
        "optimizer.name=sgd",
        "optimizer.learning_rate=1e6",
        "loss.name=mean_squared_error",
    )
    assert result["status"] == "diverged"
    assert result["final"]["validation"]["cross_entropy"] is None
    best = result["best"]["validation"]["cross_entropy"]
    assert np.isfinite(best)
    assert float(read_history(directory)[-1]["best/validation_loss"]) == best
    json.loads((directory / "result.json").read_text(), parse_constant=pytest.fail)
    model = keras.models.load_model(directory / "model.keras")
    assert all(np.isfinite(v.numpy()).all() for v in model.variables)


def test_a_penalty_beyond_all_numbers_diverges(run):
    assert run("regularizer.l2=1e38")[0]["status"] == "diverged"


@pytest.mark.parametrize(
    "averaging", ["name=schedule_free", "ema_momentum=0.9"], ids=str
)
def test_averages_are_saved(run, averaging):
    result, directory = run(f"optimizer.{averaging}", "training.epochs=2")
    model = keras.models.load_model(directory / "model.keras")
    norms = [np.linalg.norm(layer.kernel) for layer in model.layers if layer.weights]
    assert np.hypot.reduce(norms) == pytest.approx(result["final"]["weight_norm"])


def test_mean_squared_error_is_minimized_while_cross_entropy_is_reported(run):
    _, directory = run("loss.name=mean_squared_error", "training.epochs=2")
    rows = read_history(directory)
    assert float(rows[-1]["objective/total"]) < float(rows[0]["objective/total"])
    assert float(rows[-1]["objective/total"]) != float(rows[-1]["loss/train"])


def test_a_model_that_xla_cannot_compile_names_the_setting_that_helps(run, monkeypatch):
    @keras.saving.register_keras_serializable("tests")
    class OnlyInPython(keras.layers.Layer):
        def call(self, x):
            return tf.ensure_shape(tf.py_function(lambda y: y, [x], x.dtype), x.shape)

    def stubborn(image_shape, num_classes, *, hidden_units: list):
        images = keras.Input(image_shape)
        x = OnlyInPython()(keras.layers.Flatten()(images))
        return keras.Model(images, keras.layers.Dense(num_classes, name="logits")(x))

    monkeypatch.setitem(MODELS, "tiny", stubborn)
    with pytest.raises(UserError, match=r"training\.jit_compile=false"):
        run("training.jit_compile=true")
    for number, word in enumerate(("false", "auto")):
        result, _ = run(f"training.jit_compile={word}", directory=f"run{number}")
        assert result["status"] == "completed"


@pytest.mark.parametrize("augmented", [False, True])
def test_convolutions_are_trained_without_xla_on_a_processor(augmented):
    """XLA takes five to eight times as long for them; dense layers it makes faster."""

    def build(*middle):
        shift = [keras.layers.RandomTranslation(0.1, 0.1)] if augmented else []
        ends = [keras.layers.Flatten(), keras.layers.Dense(5)]
        return keras.Sequential([keras.Input((8, 8, 1)), *shift, *middle, *ends])

    assert compiles_faster(build(), (8, 8, 1)) == (not augmented)
    assert not compiles_faster(build(keras.layers.Conv2D(2, 3)), (8, 8, 1))


def test_images_of_one_axis_are_trained_on(run, tmp_path):
    flat = tmp_path / "flat.npz"
    with np.load(DIGITS) as arrays:
        np.savez(
            flat,
            **{
                k: v.reshape(len(v), -1) if v.ndim > 1 else v for k, v in arrays.items()
            },
        )
    result, directory = run(f"data.path={flat}", "training.epochs=2")
    square, _ = run("training.epochs=2", directory="square")
    assert result["final"] == square["final"]
    assert list(directory.glob("events.out.*"))


def test_curves_from_a_part_of_the_images_change_neither_weights_nor_results(
    run, configure
):
    """Final weights are measured on all images all the same, and so are the best."""
    whole, directory = run(directory="whole")
    part, cut = run("training.curve_images=50", directory="cut")
    assert part["final"] == whole["final"]
    assert part["best"]["epoch"] == whole["best"]["epoch"] == 3
    images = configure().split.build(digits(), 0)
    model = keras.models.load_model(cut / "model.keras")
    for history, n in ((read_history(directory), 200), (read_history(cut), 50)):
        validation = images.validation[:n]
        losses = keras.losses.sparse_categorical_crossentropy(
            validation.labels, model(validation.images), from_logits=True
        )
        # In float32, summed in another order.
        assert float(history[-1]["loss/validation"]) == pytest.approx(
            float(np.mean(losses)), rel=1e-5
        )


def test_the_best_by_a_part_of_the_images_is_measured_on_all(run, configure):
    """Its evaluation is not that which it was chosen by."""
    few = ("training.curve_images=20", "training.epochs=40")
    result, directory = run(*few, "optimizer.learning_rate=0.01")
    losses = [float(row["loss/validation"]) for row in read_history(directory)]
    assert result["best"]["epoch"] == np.argmin(losses) < 40
    by_part, on_all = min(losses), result["best"]["validation"]["cross_entropy"]
    assert by_part < on_all
    short, _ = run(
        "training.epochs=40",
        "optimizer.learning_rate=0.01",
        directory="short",
        callbacks=[StopAt(result["best"]["epoch"])],
    )
    assert short["final"]["validation"]["cross_entropy"] == on_all


class StopAt(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 == self.epoch
