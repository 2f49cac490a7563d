"""A dataset in memory, and the checks that every dataset must pass."""

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
    """Training and test images with their labels, checked and converted.

    Lists, tensors and data frames are accepted too: whatever `np.asarray` takes.

    Attributes:
        x_train: Training images, (n, ...). Integers from 0 to 255 and booleans become
            `uint8`, with 255 for white; floats become `float32`.
        y_train: Training labels, (n,). Class numbers from 0 become `int32`, and so do
            class names, columns, (n, 1), and one-hot rows, (n, classes). Other numbers,
            for regression, become `float32`.
        x_test: Test images, (m, ...).
        y_test: Test labels, (m,).
        sha256: Hexadecimal digest of the data; computed by default.
        class_names: Names of the classes, for pictures; by default their numbers.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    sha256: str = ""
    class_names: Sequence[str] = ()

    def __post_init__(self):
        """Check and convert the arrays.

        Raises:
            UserError: An array is not as described.
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
    """Convert what a function of `DATASETS` returns to `Arrays`.

    Args:
        dataset: `Arrays`, or two pairs as `keras.datasets` loads them,
            `(x_train, y_train), (x_test, y_test)`.

    Raises:
        UserError: The dataset has neither form.
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
    """Split a dataset without test images: a share of each class becomes the test set.

    The test set is the same in every run.

    Args:
        images: All images, (n, ...).
        labels: Class numbers, class names or numbers to predict, (n,). Integers count
            as numbers to predict if one of them occurs only once.
        share: Share of the images to test on.
    """
    rare = 1 in np.unique(labels, return_counts=True)[1]
    numbers = labels.astype(float) if rare and labels.dtype.kind in "iu" else labels
    order = stratified_order(numbers, np.random.default_rng(0))
    last = len(order) - max(1, round(share * len(order)))
    train, test = order[:last], order[last:]
    return Arrays(images[train], labels[train], images[test], labels[test])


def stratified_order(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A random order in which each class is spread evenly from beginning to end.

    The j-th image of a class of n images is placed at the fraction (j + 1/2) / n of
    the way; ties are broken at random. For floats, which are not classes, the order is
    simply random.
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
        refuse_infinite(name, images)
        return images
    low, high = images.min(), images.max()
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
    refuse_infinite(name, labels)
    whole = labels.dtype.kind != "f"
    classes = whole and labels.min() >= 0 and labels.max() < MOST_CLASSES
    return labels.reshape(-1).astype(np.int32 if classes else np.float32)


def refuse_infinite(name: str, numbers: np.ndarray) -> None:
    """Refuse numbers that are infinite or NaN."""
    found = np.count_nonzero(~np.isfinite(numbers))
    if found:
        raise UserError(name, "finite numbers", f"{found:,} that are not")
