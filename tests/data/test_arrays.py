"""What a dataset's function may return, and what is refused of it, in one line."""

import numpy as np
import pytest

from data import Arrays, as_arrays
from data.arrays import hold_out
from system.errors import UserError

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(256, size=(12, 4, 3))
LABELS = np.arange(12) % 3


def arrays(x_train=BYTES, y_train=LABELS, x_test=BYTES[:6], y_test=LABELS[:6]):
    return Arrays(x_train, y_train, x_test, y_test)


@pytest.mark.parametrize(
    "images",
    [BYTES, BYTES.astype(np.uint8), BYTES.astype(np.int16), BYTES.tolist()],
    ids=["int64", "uint8", "int16", "lists"],
)
def test_whole_numbers_up_to_255_are_bytes(images):
    found = arrays(x_train=images).x_train
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, BYTES)


def test_booleans_are_black_and_white():
    found = arrays(x_train=BYTES > 128)
    assert found.x_train.dtype == np.uint8
    assert set(np.unique(found.x_train)) == {0, 255}


def test_tensors_are_arrays():
    import tensorflow as tf

    found = arrays(tf.constant(BYTES / 255), tf.constant(LABELS)[:, None])
    assert found.x_train.dtype == np.float32
    np.testing.assert_array_equal(found.y_train, LABELS)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS.astype(np.uint8),
        LABELS.tolist(),
        tuple(LABELS),
        LABELS[:, None],
        np.eye(3)[LABELS],
        np.eye(3, dtype=bool)[LABELS],
    ],
    ids=["uint8", "list", "tuple", "column", "one-hot", "one-hot of booleans"],
)
def test_labels_become_class_numbers(labels):
    found = arrays(y_train=labels).y_train
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, LABELS)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("x_train", BYTES[:, 0, 0], r"expected images \(n, ...\), received \(12,\)"),
        ("x_train", BYTES - 1, "expected integers from 0 to 255, or floats, rec"),
        ("x_train", BYTES * 2, "expected integers from 0 to 255, or floats, rec"),
        ("x_train", BYTES > 128, None),
        ("x_train", (BYTES > 128).astype(np.uint8), "white, received at most 1; give"),
        ("x_train", [[1, 2], [3]], "expected an array, received "),
        ("x_train", [["a", "b"]] * 12, "received <U1"),
        (
            "x_train",
            np.full((12, 2), np.nan),
            "expected finite numbers, received 24 that",
        ),
        (
            "x_train",
            np.full((12, 2), 1e300),
            "expected finite numbers, received 24 that",
        ),
        ("x_test", BYTES[:6, 1:], r"expected images of shape \(4, 3\) each"),
        ("y_train", [[1, 2], [3]], "expected an array, received "),
        ("y_train", LABELS[:6], r"expected 12 labels, received shape \(6,\)"),
        ("y_train", LABELS * np.nan, "expected finite numbers, received 12 that"),
        ("y_train", [None] * 12, "expected numbers, received object"),
        ("y_train", np.eye(3)[LABELS] / 2, "expected one 1 in each row of one-hot"),
        ("y_train", np.zeros((12, 3), int), "expected one 1 in each row of one-hot"),
    ],
)
def test_what_is_no_dataset_is_refused_in_one_line(name, values, message):
    if message is None:
        assert arrays(**{name: values})
        return
    extra = {"x_test": values[:6]} if name == "x_train" else {}
    with pytest.raises(UserError, match=f"^{name}: .*{message}") as refusal:
        arrays(**{name: values}, **extra)
    assert "\n" not in str(refusal.value)


def test_names_of_classes_are_labels():
    found = arrays(y_train=list("abd" * 4), y_test=list("bca" * 2))
    assert found.class_names == ["a", "b", "c", "d"]
    assert found.y_train[:3].tolist() == [0, 1, 3]
    assert found.y_test[:3].tolist() == [1, 2, 0]


def test_pairs_as_keras_loads_them_are_a_dataset():
    found = as_arrays(((BYTES, LABELS), (BYTES[:6], LABELS[:6])))
    assert found.x_test.shape == (6, 4, 3)
    assert as_arrays(found) is found


@pytest.mark.parametrize("dataset", [None, (BYTES, LABELS), "mnist", {"x": 1}])
def test_anything_else_is_refused(dataset):
    with pytest.raises(UserError, match="^(data: expected a function that|x_train: )"):
        as_arrays(dataset)


def test_the_digest_is_of_the_contents():
    same, other = arrays(), BYTES.copy()
    other[3, 2, 1] ^= 1
    assert arrays().sha256 == same.sha256
    assert arrays(x_train=other).sha256 != same.sha256
    assert arrays(x_train=BYTES.reshape(12, 3, 4), x_test=BYTES[:6].reshape(6, 3, 4))
    assert arrays(y_train=LABELS[::-1]).sha256 != same.sha256
    assert Arrays(BYTES, LABELS, BYTES, LABELS, sha256="given").sha256 == "given"


def test_a_share_of_each_class_is_held_out_to_test_on():
    labels = np.repeat([0, 1], [80, 20])
    images = np.arange(100, dtype=np.uint8)[:, None].repeat(2, axis=1)
    found = hold_out(images, labels, 0.25)
    assert np.bincount(found.y_test).tolist() == [20, 5]
    numbers = [*found.x_train[:, 0], *found.x_test[:, 0]]
    assert sorted(numbers) == list(range(100))
    assert np.array_equal(hold_out(images, labels, 0.25).x_test, found.x_test)


def test_rare_whole_numbers_are_tested_on_too():
    labels = np.random.default_rng(1).normal(500, 50, 600).round().astype(int)
    found = hold_out(np.zeros((600, 1)), labels, 0.2)
    assert 0.85 < found.y_test.std() / found.y_train.std() < 1.15


@pytest.mark.parametrize("labels", [LABELS / 2, LABELS - 1, LABELS * 10_000])
def test_numbers_that_are_no_classes_are_there_to_be_predicted(labels):
    found = arrays(y_train=labels).y_train
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, labels.astype(np.float32))
