"""Training, validation and test images of one experiment."""

from collections.abc import Sequence
from dataclasses import dataclass
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
        pixels: (n, ...), uint8 or float32 as the dataset has them.
        labels: (n,), int32; float32 where the task is regression.
    """

    pixels: np.ndarray
    labels: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """What a network sees: float32. Bytes become numbers in [0, 1] each time."""
        if self.pixels.dtype != np.uint8:
            return self.pixels
        return self.pixels / np.float32(255)

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
        num_outputs: Numbers that a network gives for an image: a logit for each class,
            one logit where the task is binary, one prediction where it is regression.
        true_labels: Labels of the training images before any noise.
        class_names: What pictures call the classes.
        scaling: Mean and variance that a first layer brings to 0 and 1, if any does.
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
    task: Literal["classification", "binary", "regression"] = "classification",
    train_size: PositiveInt | None = None,
    validation_size: PositiveInt = 10_000,
    label_noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
    standardize: bool = False,
) -> Data:
    """Split the training images of a dataset; its test images are left alone.

    The images are put in an order of which every beginning and every end holds the
    classes in the data's proportions. Training takes them from the beginning,
    validation from the end: with one seed the first 1,000 training images are among
    the first 5,000, and the validation images are the same for every `train_size`.

    Args:
        arrays: The dataset.
        seed: Draws the order and the noise.
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
        raise UserError("data.validation_size", most, validation_size)
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
        if label_noise:
            raise UserError("data.label_noise", "0 in regression", label_noise)
    elif labels.dtype.kind == "f":
        advice = f"numbers from {found}; data.task=regression predicts them"
        raise UserError(
            "data", f"class numbers, whole and below {MOST_CLASSES}", advice
        )
    elif task == "binary" and labels.max() > 1:
        raise UserError("data", "classes 0 and 1, for data.task = binary", found)


def redraw(
    labels: np.ndarray, fraction: float, num_classes: int, random: np.random.Generator
) -> np.ndarray:
    """Replace round(fraction * n) of the labels by uniform draws over all classes."""
    redrawn = random.permutation(len(labels))[: round(fraction * len(labels))]
    noisy = labels.copy()
    noisy[redrawn] = random.integers(num_classes, size=len(redrawn))
    return noisy


def moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the columns of a table, the channels of pictures, or all.

    The variance of what never varies is taken for 1.
    """
    axes = None if images.ndim == 3 else tuple(range(images.ndim - 1))
    mean = images.mean(axis=axes, dtype=np.float64)
    variance = images.var(axis=axes, dtype=np.float64)
    return mean, np.where(variance > 0, variance, 1.0)
