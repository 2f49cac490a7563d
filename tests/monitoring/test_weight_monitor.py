"""The callback in a real `model.fit`, read back from its event files."""

import re
from urllib.parse import parse_qs, urlsplit

import keras
import numpy as np
import pytest
import tensorflow as tf

from monitoring.weight_monitor import WeightMonitor
from monitoring.weights import KERNEL_SCALARS
from tests.board import open_plugins
from tests.monitoring.test_monitor import read_events
from tests.monitoring.test_tensorboard import pictures

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((70, 6, 5)).astype(np.float32)
LABELS = RANDOM.integers(3, size=70)


def make_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 5)),
            keras.layers.Flatten(),
            keras.layers.Dense(7, "relu", name="hidden"),
            keras.layers.Dense(3, name="logits"),
        ],
        name="own",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


class Snapshots(keras.callbacks.Callback):
    """Keeps the kernels before the training and after each batch."""

    def on_train_begin(self, logs=None):
        self.kernels = [self._read()]

    def on_train_batch_end(self, batch, logs=None):
        self.kernels.append(self._read())

    def _read(self):
        return [w.numpy().astype(float) for w in self.model.trainable_weights[::2]]


def norm(arrays):
    return np.linalg.norm(np.concatenate([array.ravel() for array in arrays]))


def expected_scalars(now, start, before):
    vector, old = (np.concatenate([k.ravel() for k in ks]) for ks in (now, start))
    found = {
        "weights/norm": norm(now),
        "weights/maximum": np.abs(vector).max(),
        "weights/distance": np.linalg.norm(vector - old),
        "weights/cosine": vector @ old / norm(now) / norm(start),
    }
    if before is not None:
        update = norm([a - b for a, b in zip(now, before, strict=True)])
        found["weights/update_ratio"] = update / norm(before)
    return found


def batches_of_unknown_number():
    parts = [(IMAGES[:35], LABELS[:35]), (IMAGES[35:], LABELS[35:])]
    pixels = tf.TensorSpec((35, 6, 5), tf.float32)
    signature = (pixels, tf.TensorSpec((35,), tf.int64))
    return tf.data.Dataset.from_generator(lambda: parts, output_signature=signature)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("source", ["arrays", "generator"])
def test_the_curves_are_those_of_the_weights(tmp_path, source):
    model, snapshots = make_model(), Snapshots()
    monitor = WeightMonitor(tmp_path / "first")
    arguments = {"epochs": 3, "verbose": 0, "callbacks": [snapshots, monitor]}
    if source == "arrays":
        model.fit(IMAGES, LABELS, batch_size=35, **arguments)
    else:
        model.fit(batches_of_unknown_number(), shuffle=False, **arguments)
    scalars, descriptions, starts = read_events(tmp_path / "first")
    taken = snapshots.kernels
    expected = {}
    for epoch in range(4):
        now, before = taken[2 * epoch], taken[2 * epoch - 1] if epoch else None
        some = expected_scalars(now, taken[0], before)
        expected |= {(tag, epoch): value for tag, value in some.items()}
        for i, layer in enumerate(("hidden", "logits")):
            one = [kernels[i : i + 1] if kernels else None for kernels in (now, before)]
            some = expected_scalars(one[0], taken[0][i : i + 1], one[1])
            expected |= {(f"{tag}/{layer}", epoch): v for tag, v in some.items()}
    # TensorBoard holds float32.
    assert scalars == {key: pytest.approx(v, rel=1e-6) for key, v in expected.items()}
    assert descriptions.keys() == {tag for tag, _ in expected}
    assert starts == [0]


def test_a_second_fit_continues_the_curves(tmp_path):
    model, snapshots = make_model(), Snapshots()
    monitor = WeightMonitor(tmp_path)
    model.fit(IMAGES, LABELS, epochs=2, verbose=0, callbacks=[snapshots, monitor])
    start = snapshots.kernels[0]
    model.fit(IMAGES, LABELS, epochs=4, initial_epoch=2, verbose=0, callbacks=[monitor])
    scalars, _, starts = read_events(tmp_path)
    assert starts == [0, 2]
    assert {step for tag, step in scalars if tag == "weights/norm"} == {0, 1, 2, 3, 4}
    now = [w.numpy().astype(float) for w in model.trainable_weights[::2]]
    distance = expected_scalars(now, start, None)["weights/distance"]
    assert scalars["weights/distance", 4] == pytest.approx(distance, rel=1e-6)


def test_tensorboard_shows_histograms_filters_and_the_curves_that_the_link_pins(
    tmp_path, capsys
):
    monitor = WeightMonitor(tmp_path / "logs/first", detail=True)
    other = keras.callbacks.TensorBoard(tmp_path / "logs/first")
    make_model().fit(IMAGES, LABELS, epochs=3, verbose=0, callbacks=[monitor, other])
    board = open_plugins(tmp_path / "logs")
    query = parse_qs(urlsplit(monitor.front_page).query)
    shown = [run for run in board.runs() if re.search(query["runFilter"][0], run)]
    assert shown == ["first"]
    tags = board("scalars/tags")["first"]
    assert KERNEL_SCALARS.keys() | {"weights/stable_rank/hidden"} <= tags.keys()
    assert not [tag for tag in tags if tag.startswith("gradient")]
    assert all(tag in query["pinnedCards"][0] for tag in KERNEL_SCALARS)
    for layer in ("hidden", "logits"):
        found = board("histograms/histograms", run="first", tag=f"kernels/{layer}")
        assert [step for _, step, _ in found] == [0, 1, 2, 3]
    (*_, (step, filters)) = pictures(board, "first", "first_layer/filters")
    assert (step, filters.shape) == (3, (4 * 7 + 1, 8 * 6 + 1, 3))
    printed = capsys.readouterr().out
    assert f"tensorboard --logdir {tmp_path}/logs, then http://127.0" in printed


def test_models_without_images_or_with_several_inputs_are_watched_too(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((4,), name=name) for name in "abc"]
    joined = keras.layers.Concatenate()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(joined))
    model.compile("sgd", "mse", steps_per_execution=2)
    numbers = [RANDOM.random((64, 4)) for _ in inputs]
    monitor = WeightMonitor(tmp_path / "run")
    model.fit(numbers, RANDOM.random((64, 3)), verbose=0, callbacks=[monitor])
    scalars, _, _ = read_events(tmp_path / "run")
    assert ("weights/norm/logits", 1) in scalars
    assert ("weights/update_ratio", 1) not in scalars  # Two updates are one call.


def test_a_model_without_weights_is_refused(tmp_path):
    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    monitor = WeightMonitor(tmp_path)
    with pytest.raises(ValueError, match=r"expected a model that has its weights; beg"):
        model.fit(IMAGES[:, 0], LABELS, verbose=0, callbacks=[monitor])
