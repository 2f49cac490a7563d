"""What a run logs, read back from its files."""

import csv

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import SessionLog
from tensorboard.util import tensor_util

from monitoring.scalars import SCALARS, SCALARS_IN_DETAIL, SPLITS
from monitoring.weights import (
    FIRST_LAYER,
    KERNEL_SCALARS,
    KERNEL_SCALARS_IN_DETAIL,
)
from system.processes import load_keras
from training.measures import MEMORIZED, measures_of

LAYERS = ("hidden_1", "hidden_2", "logits")


def tags(detail):
    """What a run with noisy labels logs that minimizes the cross-entropy."""
    shown = {*SCALARS}
    of_kernels = {*KERNEL_SCALARS}
    if detail:
        shown |= SCALARS_IN_DETAIL.keys()
        of_kernels |= KERNEL_SCALARS_IN_DETAIL.keys()
    return {
        *shown,
        *(
            f"{measure.tag}/{split}"
            for key, measure in measures_of("classification").items()
            for split in SPLITS
            if key != "loss"  # The same number has one name.
        ),
        *(f"memorized/{key}" for key in MEMORIZED),
        *FIRST_LAYER,
        *of_kernels,
        *(f"{tag}/{layer}" for tag in of_kernels for layer in LAYERS),
    }


TAGS = tags(detail=False)


def read_events(directory):
    """Scalars by (tag, step), descriptions by tag, and the session starts by step."""
    scalars, descriptions, starts = {}, {}, []
    for path in sorted(directory.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            if event.session_log.status == SessionLog.START:
                starts.append(event.step)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name not in ("", "scalars"):
                    continue
                scalars[value.tag, event.step] = tensor_util.make_ndarray(value.tensor)
                if value.metadata.summary_description:
                    descriptions[value.tag] = value.metadata.summary_description
    return scalars, descriptions, starts


def read_history(directory):
    with open(directory / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


REGULARIZED = ("regularizer.l2=1e-3", "decay.name=decoupled", "data.label_noise=0.1")


@pytest.fixture
def trained(run):
    return run(*REGULARIZED)


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
    assert {tag for tag in TAGS if (tag, 0) not in scalars} == {
        "time/epoch_seconds",
        "weights/update_ratio",
        *(f"weights/update_ratio/{layer}" for layer in LAYERS),
    }
    for key, value in scalars.items():
        assert value == np.float32(from_history[key])  # TensorBoard holds float32


def test_every_tag_is_described_and_a_file_opens_with_its_start(trained):
    _, descriptions, starts = read_events(trained[1])
    assert descriptions.keys() == TAGS
    assert all(text and "\n" not in text for text in descriptions.values())
    assert starts == [0]


def forward(weights, x):
    """The inputs of each layer, and the logits, in float64."""
    inputs = [x.reshape(len(x), -1).astype(float)]
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        inputs.append(np.maximum(inputs[-1] @ kernel + bias, 0))
    return inputs, inputs[-1] @ weights[-2] + weights[-1]


def evaluate(weights, part):
    """Cross-entropy, accuracy and calibration error."""
    _, logits = forward(weights, part.images)
    peak = logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits - peak).sum(axis=1)) + peak[:, 0]
    own = logits[np.arange(len(part)), part.labels]
    right = logits.argmax(axis=1) == part.labels
    confidence = np.exp(peak[:, 0] - log_sum)
    bins = np.ceil(15 * confidence)
    errors = [abs((confidence - right)[bins == i].sum()) for i in range(1, 16)]
    return (log_sum - own).mean(), right.mean(), sum(errors) / len(part)


def memorized(weights, data):
    """What became of the labels of the first 200 training images, by tag."""
    part, true = data.train[:200], data.true_labels[:200]
    predicted = forward(weights, part.images)[1].argmax(axis=1)
    wrong = part.labels != true
    return {
        "memorized/wrong_label": (predicted == part.labels)[wrong].mean(),
        "memorized/true_label": (predicted == true)[wrong].mean(),
        "memorized/clean_label": (predicted == true)[~wrong].mean(),
    }


def loss_gradients(weights, part):
    """Of the mean cross-entropy, by the kernels, by hand."""
    inputs, logits = forward(weights, part.images)
    softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    backward = (softmax - np.eye(10)[part.labels]) / len(part)
    gradients = []
    for x, kernel in zip(inputs[::-1], weights[-2::-2], strict=True):
        gradients.insert(0, x.T @ backward)
        backward = (backward @ kernel.T) * (x > 0)
    return gradients


def norm(arrays):
    return np.linalg.norm(np.concatenate([array.ravel() for array in arrays]))


def of_kernels(now, start, before, gradients):
    """The scalars of some kernels, by tag."""
    vector, old = (np.concatenate([k.ravel() for k in ks]) for ks in (now, start))
    update = norm([a - b for a, b in zip(now, before, strict=True)])
    spectral = max(np.linalg.svd(kernel, compute_uv=False)[0] for kernel in now)
    return {
        "weights/norm": norm(now),
        "weights/maximum": np.abs(vector).max(),
        "weights/distance": np.linalg.norm(vector - old),
        "weights/cosine": vector @ old / norm(now) / norm(start),
        "weights/update_ratio": update / norm(before),
        "weights/l1_norm": np.abs(vector).sum(),
        "weights/l1_distance": np.abs(vector - old).sum(),
        "weights/near_zero": (np.abs(vector) < 1e-3).mean(),
        "weights/spectral_norm": spectral,
        "weights/stable_rank": (norm(now) / spectral) ** 2,
        "weights/dot_product": vector @ old,
        "gradient/loss": norm(gradients),
        "gradient/penalty": 2 * 1e-3 * norm(now),
        "decay/share_of_update": 1e-3 * 0.004 * norm(before) / update,
    }


def test_the_last_row_can_be_recomputed_from_saved_weights(run, configure):
    detail = (*REGULARIZED, "monitoring.detail=true")
    result, directory = run(*detail)
    config = configure(*detail)
    data = config.split.build(config.dataset.build(), config.seed)
    model = keras.models.load_model(directory / "model.keras")
    weights = [v.numpy().astype(float) for v in model.trainable_variables]
    load_keras(config.seed)
    fresh = config.model.build(data.image_shape, 10)
    start = [v.numpy().astype(float) for v in fresh.trainable_variables[::2]]
    asked = iter([False] * 5)  # Then, an update before the end of epoch 3, it stops.
    _, stopped = run(
        *detail, directory="stopped", should_stop=lambda: next(asked, True)
    )
    with np.load(stopped / "checkpoint/state.npz") as state:
        before = [state[f"variable/{i}"].astype(float) for i in (0, 2, 4)]

    subset = data.train[:200]
    train, validation = evaluate(weights, subset), evaluate(weights, data.validation)
    kernels = weights[::2]
    penalty = 1e-3 * norm(kernels) ** 2
    dead = (data.train.images == 0).all(axis=0).ravel()
    rows = read_history(directory)
    expected = {
        "loss/train": train[0],
        "loss/validation": validation[0],
        "accuracy/train": train[1],
        "accuracy/validation": validation[1],
        "calibration/train": train[2],
        "calibration/validation": validation[2],
        **memorized(weights, data),
        "gap/loss": validation[0] - train[0],
        "gap/accuracy": train[1] - validation[1],
        "best/validation_loss": min(float(row["loss/validation"]) for row in rows),
        "objective/total": train[0] + penalty,
        "objective/penalty": penalty,
        "first_layer/live_pixels": np.sqrt((kernels[0][~dead] ** 2).mean()),
        "first_layer/dead_pixels": np.sqrt((kernels[0][dead] ** 2).mean()),
        "decay/per_update": 1e-3 * 0.004,
        "decay/epochs": 1 / (1e-3 * 0.004 * 5),
        "logits/scale": forward(weights, data.validation.images)[1].std(axis=1).mean(),
        "optimizer/learning_rate": 1e-3,
        "optimizer/weight_decay": 0.004,
    }
    parts = (kernels, start, before, loss_gradients(weights, subset))
    expected |= of_kernels(*parts)
    for i, layer in enumerate(LAYERS):
        found = of_kernels(*([part[i]] for part in parts))
        expected |= {f"{tag}/{layer}": value for tag, value in found.items()}
    assert expected.keys() == tags(detail=True) - {"time/epoch_seconds"}
    for tag, value in expected.items():
        # The network computes in float32.
        assert float(rows[-1][tag]) == pytest.approx(value, rel=2e-5), tag
    final = result["final"]
    test = evaluate(weights, data.test)
    assert final["test"]["cross_entropy"] == pytest.approx(test[0], rel=2e-5)
    assert final["test"]["accuracy"] == pytest.approx(test[1])
    logits = forward(weights, data.test.images)[1]
    right = logits.argmax(axis=1) == data.test.labels
    recalls = [right[data.test.labels == label].mean() for label in range(10)]
    assert list(final["recall"].values()) == pytest.approx(recalls)
    images, rights = final["images_by_confidence"], final["right_by_confidence"]
    assert (sum(images.values()), sum(rights.values())) == (len(right), right.sum())
    distances = [abs(images[k] * float(k) - rights[k]) for k in images]
    error = sum(distances) / len(right)  # The middle of a bin is 1 / 30 off at most.
    assert final["test"]["calibration_error"] == pytest.approx(error, abs=1 / 30)
    assert final["memorized"] == pytest.approx(
        {tag.partition("/")[2]: v for tag, v in memorized(weights, data).items()}
    )
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
