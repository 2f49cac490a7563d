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
        y_train: Class numbers from 0, (n,), `int32`. Names of classes, columns, (n, 1),
            and one-hot rows, (n, classes), become them. Other numbers, to be predicted,
            are `float32`.
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
        y_train = as_array("y_train", self.y_train)
        y_test = as_array("y_test", self.y_test)
        if y_train.dtype.kind == "U":
            self.class_names = np.unique([*y_train.flat, *y_test.flat]).tolist()
            y_train = np.searchsorted(self.class_names, y_train)
            y_test = np.searchsorted(self.class_names, y_test.astype(str))
        self.y_train = as_labels("y_train", y_train, len(self.x_train))
        self.y_test = as_labels("y_test", y_test, len(self.x_test))
        self.sha256 = self.sha256 or self._digest()

    def _digest(self) -> str:
        found = sha256("\n".join(self.class_names).encode())
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            found.update(f"{array.dtype} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


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
            "data",
            "a function that returns Arrays, or (x_train, y_train), (x_test, y_test)",
            f"one that returns {type(dataset).__name__}",
        ) from None
    return Arrays(x_train, y_train, x_test, y_test)


def hold_out(images: np.ndarray, labels: np.ndarray, share: float) -> Arrays:
    """Arrays of a dataset that comes without test images: some of each class.

    Args:
        images: (n, ...).
        labels: Numbers or names of the classes, (n,). Numbers of which one stands there
            only once are taken for no classes.
        share: Share of the images to test on. They are the same in every run.
    """
    rare = 1 in np.unique(labels, return_counts=True)[1]
    numbers = labels.astype(float) if rare and labels.dtype.kind in "iu" else labels
    order = stratified_order(numbers, np.random.default_rng(0))
    last = len(order) - max(1, round(share * len(order)))
    train, test = order[:last], order[last:]
    return Arrays(images[train], labels[train], images[test], labels[test])


def stratified_order(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A random order that spreads each class evenly from beginning to end.

    The j-th image of a class of n is placed at (j + 1/2) / n of the way; ties are
    broken at random. Floats are no classes: their order is random throughout.
    """
    if labels.dtype.kind == "f":
        return random.permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((random.permutation(len(labels)), place))


def as_array(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise UserError(name, "an array", error) from None


def as_images(name: str, values: Any, shape: tuple[int, ...] | None = None):
    images = as_array(name, values)
    kind = images.dtype.kind
    if images.ndim < 2 or images.size == 0 or shape not in (None, images.shape[1:]):
        of = f"of shape {shape} each" if shape else "(n, ...)"
        raise UserError(name, f"images {of}", images.shape)
    if kind == "b":
        return images.astype(np.uint8) * 255
    if kind not in "iuf":
        raise UserError(name, "uint8 or floats in [0, 1]", images.dtype)
    if kind == "f":
        with np.errstate(over="ignore"):
            images = images.astype(np.float32, copy=False)
    low, high = images.min(), images.max()
    if not np.isfinite([low, high]).all():
        raise UserError(name, "finite numbers", f"{low} to {high}")
    if kind == "f":
        return images
    if low < 0 or high > 255:
        raise UserError(name, "integers from 0 to 255, or floats", f"{low} to {high}")
    if high == 1 and shape is None:
        advice = "at most 1; give booleans or floats"
        raise UserError(name, "bytes up to 255, which is white", advice)
    return images.astype(np.uint8, copy=False)


def as_labels(name: str, labels: np.ndarray, count: int) -> np.ndarray:
    if labels.ndim == 2 and len(labels) == count and labels.shape[1] > 1:
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise UserError(name, "one 1 in each row of one-hot labels", "others")
        labels = labels.argmax(axis=1)
    if labels.shape not in ((count,), (count, 1)):
        raise UserError(name, f"{count} labels", f"shape {labels.shape}")
    if labels.dtype.kind not in "iubf":
        raise UserError(name, "numbers", labels.dtype)
    low, high = labels.min(), labels.max()
    if not np.isfinite([low, high]).all():
        raise UserError(name, "finite numbers", f"{low} to {high}")
    classes = labels.dtype.kind != "f" and low >= 0 and high < MOST_CLASSES
    return labels.reshape(-1).astype(np.int32 if classes else np.float32)
