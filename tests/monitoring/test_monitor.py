"""What a run logs, read back from its files."""

import csv

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import SessionLog
from tensorboard.util import tensor_util

from config import call
from data import npz, split
from monitoring.scalars import SCALARS

TAGS = {scalar.tag for scalar in SCALARS} | {
    f"weights/norm/{layer}" for layer in ("hidden_1", "hidden_2", "logits")
}


def read_events(directory):
    """Scalars by (tag, step), descriptions by tag, and the session starts by step."""
    scalars, descriptions, starts = {}, {}, []
    for path in sorted(directory.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            if event.session_log.status == SessionLog.START:
                starts.append(event.step)
            for value in event.summary.value:
                scalars[value.tag, event.step] = tensor_util.make_ndarray(value.tensor)
                if value.metadata.summary_description:
                    descriptions[value.tag] = value.metadata.summary_description
    return scalars, descriptions, starts


def read_history(directory):
    with open(directory / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def trained(run):
    return run("model.l2=1e-3", "optimizer.name=adamw", "data.label_noise=0.1")


def test_events_and_history_hold_the_same_numbers_under_the_same_names(trained):
    _, directory = trained
    scalars, _, _ = read_events(directory)
    rows = read_history(directory)
    assert rows[0].keys() == TAGS | {"epoch", "step"}
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    from_history = {
        (tag, int(row["epoch"])): float(row[tag])
        for row in rows
        for tag in TAGS
        if row[tag]
    }
    assert from_history.keys() == scalars.keys()
    assert ("time/epoch_seconds", 0) not in scalars
    for key, value in scalars.items():
        assert value == np.float32(from_history[key])  # TensorBoard holds float32


def test_every_tag_is_described_and_a_file_opens_with_its_start(trained):
    _, descriptions, starts = read_events(trained[1])
    assert descriptions.keys() == TAGS
    assert all(text and "\n" not in text for text in descriptions.values())
    assert starts == [0]


def test_the_last_row_can_be_recomputed_from_the_saved_model(trained, configure):
    result, directory = trained
    config = configure("data.label_noise=0.1")
    data = call(split, config.data, npz(path=config.data["path"]), config.seed)
    weights = [
        v.numpy().astype(float)
        for v in keras.models.load_model(directory / "model.keras").trainable_variables
    ]

    def evaluate(part):
        x = part.images.reshape(len(part), -1).astype(float)
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = np.maximum(x @ kernel + bias, 0)
        logits = x @ weights[-2] + weights[-1]
        peak = logits.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(logits - peak).sum(axis=1)) + peak[:, 0]
        own = logits[np.arange(len(part)), part.labels]
        return (log_sum - own).mean(), (logits.argmax(axis=1) == part.labels).mean()

    train, validation = evaluate(data.train.first(200)), evaluate(data.validation)
    kernels = weights[::2]
    norms = [np.sqrt((kernel**2).sum()) for kernel in kernels]
    penalty = 1e-3 * sum((kernel**2).sum() for kernel in kernels)
    rows = read_history(directory)
    expected = {
        "loss/train": train[0],
        "loss/validation": validation[0],
        "accuracy/train": train[1],
        "accuracy/validation": validation[1],
        "gap/loss": validation[0] - train[0],
        "gap/accuracy": train[1] - validation[1],
        "best/validation_loss": min(float(row["loss/validation"]) for row in rows),
        "objective/total": train[0] + penalty,
        "objective/penalty": penalty,
        "weights/norm": np.sqrt(sum(norm**2 for norm in norms)),
        "weights/norm/hidden_1": norms[0],
        "weights/norm/hidden_2": norms[1],
        "weights/norm/logits": norms[2],
        "optimizer/learning_rate": 1e-3,
        "optimizer/weight_decay": 0.004,
    }
    assert expected.keys() == TAGS - {"time/epoch_seconds"}
    for tag, value in expected.items():
        # The network computes in float32.
        assert float(rows[-1][tag]) == pytest.approx(value, rel=2e-5), tag
    final = result["final"]
    test = evaluate(data.test)
    assert final["test"]["cross_entropy"] == pytest.approx(test[0], rel=2e-5)
    assert final["test"]["accuracy"] == pytest.approx(test[1])
    assert final["validation"]["cross_entropy"] == float(rows[-1]["loss/validation"])
    assert final["generalization_gap"] == float(rows[-1]["gap/loss"])
    assert final["weight_norm"] == pytest.approx(float(rows[-1]["weights/norm"]))
    assert final["penalty"] == float(rows[-1]["objective/penalty"])


def test_the_best_evaluation_is_the_one_of_lowest_validation_loss(run):
    result, directory = run("training.epochs=25", "optimizer.learning_rate=0.02")
    rows = read_history(directory)
    losses = [float(row["loss/validation"]) for row in rows]
    best = result["best"]
    assert best["epoch"] == int(np.argmin(losses)) < 25
    assert best["validation"]["cross_entropy"] == min(losses)
    row = rows[best["epoch"]]
    assert best["weight_norm"] == pytest.approx(float(row["weights/norm"]))
    assert best["train"]["accuracy"] == float(row["accuracy/train"])
    assert best["test"] != result["final"]["test"]


def test_a_resumed_run_shows_every_step_once(run):
    asked = iter([False, False, True, True, True])
    run("training.epochs=4", should_stop=lambda: next(asked, True))
    _, directory = run("training.epochs=4", resume=True)
    _, _, starts = read_events(directory)
    assert starts[0] == 0
    assert len(starts) == 2
    assert [row["epoch"] for row in read_history(directory)] == [
        "0",
        "1",
        "2",
        "3",
        "4",
    ]


def test_tensorboard_can_be_left_out(run):
    _, directory = run("monitoring.tensorboard=false", "training.epochs=1")
    assert not list(directory.glob("events*"))
    assert len(read_history(directory)) == 2
