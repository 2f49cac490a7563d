"""Training, validation and test images of one experiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval
from pydantic import PositiveInt

from data.arrays import MOST_CLASSES, Arrays, stratified_order
from system.errors import UserError

SPLIT_STREAM, NOISE_STREAM = 0, 1


@dataclass(frozen=True)
class Split:
    """Images and their labels.

    Attributes:
        pixels: Images as the dataset has them, (n, ...), uint8 or float32.
        labels: Labels, (n,), int32; float32 in regression.
    """

    pixels: np.ndarray
    labels: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """What a network sees: float32; bytes are divided by 255 at each access."""
        if self.pixels.dtype != np.uint8:
            return self.pixels
        return self.pixels / np.float32(255)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice | np.ndarray) -> "Split":
        return Split(self.pixels[part], self.labels[part])


@dataclass(frozen=True)
class Data:
    """The training, validation and test images of an experiment.

    Attributes:
        train: Training images; their labels may be noisy.
        validation: Images to choose weights and settings by.
        test: Images to judge the result by.
        num_outputs: Outputs of a network for an image: a logit for each class; one
            logit in a binary task; one prediction in regression.
        true_labels: Labels of the training images before noise was added.
        class_names: Names of the classes; empty in regression.
        scaling: Mean and variance by which a first layer standardizes the images; None
            if they are not standardized.
    """

    train: Split
    validation: Split
    test: Split
    num_outputs: int
    true_labels: np.ndarray
    class_names: Sequence[str]
    scaling: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.train.pixels.shape[1:]

    @property
    def summary(self) -> str:
        """One line on what was read: numbers and shape of images, classes."""
        shape = " x ".join(map(str, self.image_shape))
        line = (
            f"Data: {len(self.train):,} training, {len(self.validation):,} validation "
            f"and {len(self.test):,} test images of {shape}"
        )
        names = self.class_names
        if not names:
            return line
        line += f"; classes {shorten(', '.join(names), 60)}"
        for part, labels in ("training", self.true_labels), ("test", self.test.labels):
            missing = np.setdiff1d(range(len(names)), labels)
            if len(missing):
                absent = ", ".join(names[label] for label in missing)
                line += f"; no {part} images of {shorten(absent, 60)}"
        return line

    def memorized(self, most: int) -> dict[str, Split]:
        """Separate the first training images by whether noise made their label wrong.

        Args:
            most: Number of images to look at.

        Returns:
            An empty dict without noise. Else `wrong_label`, the images with a wrong
            label; `true_label`, the same images with their true label; and
            `clean_label`, all others.
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
    task: Literal["classification", "binary", "regression"] = "classification",
    train_size: PositiveInt | None = None,
    validation_size: PositiveInt = 10_000,
    label_noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
    standardize: bool = False,
) -> Data:
    """Split the training images of a dataset into training and validation images.

    The images are put in a stratified order: every beginning and every end of it holds
    the classes in the proportions of the dataset. Training images are taken from the
    beginning, validation images from the end. So, with one seed, the first 1,000
    training images are among the first 5,000, and the validation images are the same
    for every `train_size`.

    Args:
        arrays: The dataset. Its test images become those of the experiment.
        seed: Seed of the order and of the label noise.
        task: What is to be told of an image: its class, which of two classes it has, or
            a number. It settles the number of outputs, the measures, and the loss that
            is minimized by default.
        train_size: Training images; all that validation leaves, if not given.
        validation_size: Images kept out of training, to select on.
        label_noise: Fraction of the training labels that are redrawn uniformly over
            all classes (so 1/classes of these keep their value). Never validation or
            test. `loss/train` is then against the noisy labels.
        standardize: Whether the model begins with a layer that brings the training
            images to mean 0 and variance 1: each column of a table, each channel of
            pictures. Needed for floats outside [0, 1]. A saved model has the layer, so
            that it takes images as they are.

    Raises:
        UserError: More images asked for than there are, floats outside [0, 1], or
            labels that the task does not have.
    """
    check_labels(task, arrays, label_noise)
    available = len(arrays.y_train)
    if validation_size >= available:
        most = f"less than the {available} training images that there are"
        advice = f"{validation_size}; try data.validation_size={max(1, available // 5)}"
        raise UserError("data.validation_size", most, advice)
    if train_size is None:
        train_size = available - validation_size
    if train_size + validation_size > available:
        raise UserError(
            "data.train_size and data.validation_size",
            f"at most {available} images in all",
            f"{train_size} and {validation_size}; data.train_size=none takes what "
            "validation leaves",
        )
    for pixels in (arrays.x_train, arrays.x_test):
        low, high = pixels.min(), pixels.max()
        if pixels.dtype != np.uint8 and not standardize and (low < 0 or high > 1):
            advice = f"{low:g} to {high:g}; data.standardize=true scales them"
            raise UserError("data", "floats in [0, 1]", advice)
    random = np.random.default_rng([seed, SPLIT_STREAM])
    dtype = np.float32 if task == "regression" else np.int32
    images = Split(arrays.x_train, arrays.y_train.astype(dtype))
    order = stratified_order(images.labels, random)
    train = images[order[:train_size]]
    labels, num_outputs, numbers = train.labels, 1, []
    if task != "regression":
        num_classes = int(max(arrays.y_train.max(), arrays.y_test.max())) + 1
        named = len(set(arrays.class_names))
        if named not in (0, len(arrays.class_names)) or 0 < named < num_classes:
            expected = f"{num_classes} different class_names or none"
            raise UserError("data", expected, ", ".join(arrays.class_names))
        numbers = [str(number) for number in range(num_classes)]
        noise = np.random.default_rng([seed, NOISE_STREAM])
        labels = redraw(labels, label_noise, num_classes, noise)
        num_outputs = num_classes if task == "classification" else 1
    return Data(
        train=Split(train.pixels, labels),
        validation=images[order[available - validation_size :]],
        test=Split(arrays.x_test, arrays.y_test.astype(dtype)),
        num_outputs=num_outputs,
        true_labels=train.labels,
        class_names=arrays.class_names or numbers,
        scaling=moments(train.images) if standardize else None,
    )


def check_labels(task: str, arrays: Arrays, label_noise: float) -> None:
    labels = np.concatenate([arrays.y_train, arrays.y_test])
    found = f"{labels.min():g} to {labels.max():g}"
    if task == "regression":
        if arrays.class_names:
            advice = f"names such as {arrays.class_names[0]}"
            raise UserError("data", "numbers, for data.task = regression", advice)
        if label_noise:
            raise UserError("data.label_noise", "0 in regression", label_noise)
    elif labels.dtype.kind == "f":
        classes = f"class numbers, whole and from 0 to {MOST_CLASSES - 1}"
        advice = f"numbers from {found}; data.task=regression predicts them"
        raise UserError("data", classes, advice)
    elif task == "binary" and labels.max() > 1:
        found = ", ".join(arrays.class_names) or found
        raise UserError("data", "classes 0 and 1, for data.task = binary", found)
    elif len(trained := np.unique(arrays.y_train)) < 2:
        raise UserError("data", "training images of two classes or more", "one")
    elif len(unknown := np.setdiff1d(arrays.y_test, trained)):
        names = arrays.class_names or range(MOST_CLASSES)
        classes = ", ".join(str(names[label]) for label in unknown)
        raise UserError("data", "test images of classes that are trained on", classes)


def redraw(
    labels: np.ndarray, fraction: float, num_classes: int, random: np.random.Generator
) -> np.ndarray:
    """Replace round(fraction * n) of the labels by uniform draws over all classes."""
    redrawn = random.permutation(len(labels))[: round(fraction * len(labels))]
    noisy = labels.copy()
    noisy[redrawn] = random.integers(num_classes, size=len(redrawn))
    return noisy


def moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each column of a table, of each channel of color images, or
    of all pixels of gray images.

    The variance of a constant is taken to be 1.
    """
    axes = None if images.ndim == 3 else tuple(range(images.ndim - 1))
    mean = images.mean(axis=axes, dtype=np.float64)
    variance = images.var(axis=axes, dtype=np.float64)
    return mean, np.where(variance > 0, variance, 1.0)
