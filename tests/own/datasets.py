"""Datasets as users write them, of 60 random images each."""

from hashlib import sha256

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt

from data import Arrays

TRAIN, TEST = 60, 15


def draw(shape, classes=4, noise=0.5, dtype=np.uint8) -> Arrays:
    """Images around one random image a class."""
    random = np.random.default_rng(0)
    centres = random.random((classes, *shape))
    labels = (np.arange(TRAIN + TEST) % classes).astype(np.int32)
    images = centres[labels] + noise * random.normal(size=(len(labels), *shape))
    images = np.clip(images, 0, 1)
    if dtype == np.uint8:
        images = 255 * images
    x = images.astype(dtype)
    return Arrays(
        x[:TRAIN], labels[:TRAIN], x[TRAIN:], labels[TRAIN:], sha256(x).hexdigest()
    )


def squares(*, noise: NonNegativeFloat = 0.5) -> Arrays:
    """Images of 8 by 8 bytes."""
    return draw((8, 8), noise=noise)


def coloured(*, side: PositiveInt = 8, noise: NonNegativeFloat = 0.3) -> Arrays:
    """Images with three channels, in float64."""
    return draw((side, side, 3), noise=noise, dtype=np.float64)


def measurements(*, columns: PositiveInt = 30) -> Arrays:
    """Rows of a table: vectors in place of images."""
    return draw((columns,), classes=3, dtype=np.float32)


def pairs(*, classes: PositiveInt = 2) -> Arrays:
    """As many classes as the setting says."""
    return draw((8, 8), classes=classes)
