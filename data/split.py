"""Training, validation and test images of one experiment."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval
from pydantic import PositiveInt

from data.npz import Arrays
from system.errors import UserError

SPLIT_STREAM, NOISE_STREAM = 0, 1


@dataclass(frozen=True)
class Split:
    """Images and their labels.

    Attributes:
        pixels: (n, ...), uint8 as the dataset has them, or floats in [0, 1].
        labels: (n,), int32.
    """

    pixels: np.ndarray
    labels: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """What a network sees: floats in [0, 1]. Bytes become them anew each time."""
        return as_float32(self.pixels) if self.pixels.dtype == np.uint8 else self.pixels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice | np.ndarray) -> "Split":
        return Split(self.pixels[part], self.labels[part])


@dataclass(frozen=True)
class Data:
    """What an experiment trains on, selects on, and is judged by in the end.

    Attributes:
        train: Training images, their labels perhaps noisy.
        validation: Images to select on.
        test: Images to judge by.
        num_classes: Number of classes.
        true_labels: Labels of the training images before any noise.
    """

    train: Split
    validation: Split
    test: Split
    num_classes: int
    true_labels: np.ndarray

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.train.pixels.shape[1:]

    def memorized(self, most: int) -> dict[str, Split]:
        """The first training images, apart by whether noise made their label wrong.

        Args:
            most: Number of images to look at.

        Returns:
            Nothing without noise; else `wrong_label` and `true_label`, the same images
            with the one or the other label, and `clean_label`, the others.
        """
        train, true = self.train[:most], self.true_labels[:most]
        wrong = train.labels != true
        if wrong.all() or not wrong.any():
            return {}
        return {
            "wrong_label": train[wrong],
            "true_label": Split(train.pixels[wrong], true[wrong]),
            "clean_label": train[~wrong],
        }


def split(
    arrays: Arrays,
    seed: int,
    *,
    train_size: PositiveInt | None = None,
    validation_size: PositiveInt = 10_000,
    label_noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
) -> Data:
    """Split the training images of a dataset; its test images are left alone.

    The images are put in an order of which every beginning and every end holds the
    classes in the data's proportions. Training takes them from the beginning,
    validation from the end: with one seed the first 1,000 training images are among
    the first 5,000, and the validation images are the same for every `train_size`.

    Args:
        arrays: The dataset.
        seed: Draws the order and the noise.
        train_size: Training images; all that validation leaves, if not given.
        validation_size: Images kept out of training, to select on.
        label_noise: Fraction of the training labels that are redrawn uniformly over
            all classes (so 1/classes of these keep their value). Never validation or
            test. `loss/train` is then against the noisy labels.

    Raises:
        UserError: More images asked for than there are.
    """
    available = len(arrays.y_train)
    if train_size is None:
        train_size = available - validation_size
    if train_size < 1 or train_size + validation_size > available:
        raise UserError(
            "data.train_size and data.validation_size: expected at least 1 training "
            f"image and at most {available} images in all, received {train_size} and "
            f"{validation_size}; data.train_size=none takes what validation leaves"
        )
    order = stratified_order(
        arrays.y_train, np.random.default_rng([seed, SPLIT_STREAM])
    )
    train = take(arrays, order[:train_size])
    validation = take(arrays, order[available - validation_size :])
    num_classes = int(max(arrays.y_train.max(), arrays.y_test.max())) + 1
    noise = np.random.default_rng([seed, NOISE_STREAM])
    noisy_labels = redraw(train.labels, label_noise, num_classes, noise)
    return Data(
        train=Split(train.pixels, noisy_labels),
        validation=validation,
        test=Split(compact(arrays.x_test), arrays.y_test),
        num_classes=num_classes,
        true_labels=train.labels,
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


def redraw(
    labels: np.ndarray, fraction: float, num_classes: int, random: np.random.Generator
) -> np.ndarray:
    """Replace round(fraction * n) of the labels by uniform draws over all classes."""
    redrawn = random.permutation(len(labels))[: round(fraction * len(labels))]
    noisy = labels.copy()
    noisy[redrawn] = random.integers(num_classes, size=len(redrawn))
    return noisy


def take(arrays: Arrays, indices: np.ndarray) -> Split:
    return Split(compact(arrays.x_train[indices]), arrays.y_train[indices])


def compact(images: np.ndarray) -> np.ndarray:
    """Images as bytes if they are, else in float32."""
    return images if images.dtype == np.uint8 else as_float32(images)


def as_float32(images: np.ndarray) -> np.ndarray:
    converted = images.astype(np.float32)
    if images.dtype == np.uint8:
        converted /= 255
    return converted
