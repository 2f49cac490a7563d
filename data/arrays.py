"""A dataset in memory, and the checks that every dataset passes, your own included."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval

from system.errors import UserError

MOST_CLASSES = 10_000
Share = Annotated[float, Interval(gt=0, lt=1)]


@dataclass(eq=False)
class Arrays:
    """Training and test images with their labels, checked.

    Anything that NumPy takes for an array will do: lists, tensors, data frames.

    Attributes:
        x_train: Training images, (n, ...), of bytes or floats: whole numbers from 0 to
            255 and booleans become `uint8`, where white is 255, floats `float32`.
        y_train: Class numbers from 0, (n,), `int32`. Columns, (n, 1), and one-hot rows,
            (n, classes), become them.
        x_test: Test images, (m, ...).
        y_test: Test labels, (m,).
        sha256: Hexadecimal digest that the data is known by, computed if not given.
        class_names: What pictures call the classes; their numbers if not given.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    sha256: str = ""
    class_names: Sequence[str] = ()

    def __post_init__(self):
        """Refuse what is not as described.

        Raises:
            UserError: With the array, what was expected and what was received.
        """
        self.x_train = as_images("x_train", self.x_train)
        self.x_test = as_images("x_test", self.x_test, self.x_train.shape[1:])
        self.y_train = as_labels("y_train", self.y_train, len(self.x_train))
        self.y_test = as_labels("y_test", self.y_test, len(self.x_test))
        arrays = (self.x_train, self.y_train, self.x_test, self.y_test)
        self.sha256 = self.sha256 or digest(arrays)


def as_arrays(dataset: Any) -> Arrays:
    """What a function of `DATASETS` returns as `Arrays`.

    Args:
        dataset: `Arrays`, or two pairs as `keras.datasets` loads them,
            `(x_train, y_train), (x_test, y_test)`.

    Raises:
        UserError: It is something else.
    """
    if isinstance(dataset, Arrays):
        return dataset
    try:
        (x_train, y_train), (x_test, y_test) = dataset
    except (TypeError, ValueError):
        raise UserError(
            "data: expected a function that returns Arrays, or (x_train, y_train), "
            f"(x_test, y_test), received one that returns {type(dataset).__name__}"
        ) from None
    return Arrays(x_train, y_train, x_test, y_test)


def hold_out(images, labels, share: float, class_names: Sequence[str] = ()) -> Arrays:
    """Arrays of a dataset that comes without test images: some of each class.

    Args:
        images: (n, ...).
        labels: (n,).
        share: Share of the images to test on. They are the same in every run.
        class_names: As `Arrays` takes them.
    """
    labels = as_labels("labels", labels, len(images))
    order = stratified_order(labels, np.random.default_rng(0))
    train, test = np.split(order, [len(order) - max(1, round(share * len(order)))])
    return Arrays(
        images[train],
        labels[train],
        images[test],
        labels[test],
        class_names=class_names,
    )


def stratified_order(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A random order that spreads each class evenly from beginning to end.

    The j-th image of a class of n is placed at (j + 1/2) / n of the way; ties are
    broken at random.
    """
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((random.permutation(len(labels)), place))


def as_array(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: expected an array; {error}") from None


def as_images(name, values, shape=None) -> np.ndarray:
    images = as_array(name, values)
    if images.ndim < 2 or images.size == 0 or shape not in (None, images.shape[1:]):
        of = f"of shape {shape} each" if shape else "(n, ...)"
        raise UserError(f"{name}: expected images {of}, received {images.shape}")
    if images.dtype.kind == "b":
        return images.astype(np.uint8) * 255
    if images.dtype.kind not in "iuf":
        raise UserError(
            f"{name}: expected uint8 or floats in [0, 1], received {images.dtype}"
        )
    if images.dtype.kind == "f":
        with np.errstate(over="ignore"):
            images = images.astype(np.float32, copy=False)
    low, high = images.min(), images.max()
    if not np.isfinite([low, high]).all():
        raise UserError(f"{name}: expected finite numbers, received {low} to {high}")
    if images.dtype.kind != "f":
        if low < 0 or high > 255:
            raise UserError(
                f"{name}: expected integers from 0 to 255, or floats, "
                f"received {low} to {high}"
            )
        if high == 1 and shape is None:
            raise UserError(
                f"{name}: expected bytes up to 255, which is white, received at most 1;"
                " give booleans or floats"
            )
        images = images.astype(np.uint8, copy=False)
    return images


def as_labels(name: str, values: Any, count: int) -> np.ndarray:
    labels = as_array(name, values)
    if labels.ndim == 2 and len(labels) == count and labels.shape[1] > 1:
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise UserError(f"{name}: expected one 1 in each row of one-hot labels")
        labels = labels.argmax(axis=1)
    if labels.shape not in ((count,), (count, 1)):
        raise UserError(
            f"{name}: expected {count} labels, received shape {labels.shape}"
        )
    if labels.dtype.kind not in "iub":
        raise UserError(f"{name}: expected integers, received {labels.dtype}")
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise UserError(
            f"{name}: expected classes from 0 to {MOST_CLASSES - 1}, "
            f"received {labels.min()} to {labels.max()}"
        )
    return labels.reshape(-1).astype(np.int32)


def digest(arrays: Sequence[np.ndarray]) -> str:
    found = sha256()
    for array in arrays:
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
