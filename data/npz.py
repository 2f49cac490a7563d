"""Any dataset in one `.npz` file, in the layout of `keras.datasets`."""

import io
import os
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from system.errors import UserError
from system.files import most_bytes, read_file, unpack

MOST_CLASSES = 10_000
NAMES = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Arrays:
    """A dataset as its file holds it, checked.

    Attributes:
        x_train: Images, (n, ...), `uint8`, or floats in [0, 1].
        y_train: Class numbers from 0, (n,), `int32`.
        x_test: Test images, (m, ...).
        y_test: Test labels, (m,).
        sha256: Digest of the file's bytes, in hexadecimal.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    sha256: str


def npz(*, path: str) -> Arrays:
    """Your own `.npz` file: any image shape, any number of classes.

    Args:
        path: File with the arrays x_train, y_train, x_test and y_test: images as uint8
            or as floats in [0, 1], labels as integers from 0. May begin with ~.

    Raises:
        UserError: The file is missing, damaged, or holds something else.
    """
    return read_npz(Path(os.path.expanduser(path)))


def read_npz(path: Path, expected_sha256: str | None = None) -> Arrays:
    try:
        content = read_file(path, most_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    received_sha256 = sha256(content).hexdigest()
    if expected_sha256 not in (None, received_sha256):
        raise UserError(
            f"{path}: expected SHA-256 {expected_sha256}, received {received_sha256}; "
            "restore it with `git checkout`, or use data.name=npz for data of your own"
        )
    try:
        arrays = unpack(content, most_bytes(), NAMES)
        x_train, y_train, x_test, y_test = arrays.values()
    except KeyError:
        raise UserError(
            f"{path}: expected the arrays {', '.join(NAMES)}, "
            f"received {', '.join(names_in(content)) or 'none'}"
        ) from None
    except Exception as error:
        raise UserError(
            f"{path}: expected an .npz file of numeric arrays, received something else "
            f"or a damaged file ({type(error).__name__}: {error})"
        ) from None
    return Arrays(
        check_images(path, "x_train", x_train),
        check_labels(path, "y_train", y_train, len(x_train)),
        check_images(path, "x_test", x_test, x_train.shape[1:]),
        check_labels(path, "y_test", y_test, len(x_test)),
        received_sha256,
    )


def names_in(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def check_images(path, name, images, shape=None):
    if images.ndim < 2 or images.size == 0 or shape not in (None, images.shape[1:]):
        of = f"of shape {shape} each" if shape else "(n, ...)"
        raise UserError(
            f"{path}: {name}: expected images {of}, received {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f" or not (images.min() >= 0 and images.max() <= 1):
        kind = images.dtype if images.dtype.kind != "f" else "floats outside [0, 1]"
        raise UserError(
            f"{path}: {name}: expected uint8 or floats in [0, 1], received {kind}"
        )
    return images


def check_labels(path, name, labels, count):
    if labels.shape not in ((count,), (count, 1)):
        raise UserError(
            f"{path}: {name}: expected {count} labels, received shape {labels.shape}"
        )
    if labels.dtype.kind not in "iu":
        raise UserError(f"{path}: {name}: expected integers, received {labels.dtype}")
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise UserError(
            f"{path}: {name}: expected classes from 0 to {MOST_CLASSES - 1}, "
            f"received {labels.min()} to {labels.max()}"
        )
    return labels.reshape(-1).astype(np.int32)
