"""Any dataset in one `.npz` file, in the layout of `keras.datasets`."""

import io
import os
import zipfile
from hashlib import sha256
from pathlib import Path

from data.arrays import Arrays
from system.errors import UserError
from system.files import most_bytes, read_file, unpack

NAMES = ("x_train", "y_train", "x_test", "y_test")


def npz(*, path: str) -> Arrays:
    """Your own `.npz` file: any image shape, any number of classes.

    Args:
        path: File with the arrays x_train, y_train, x_test and y_test: images as bytes
            or floats, labels as integers from 0. May begin with ~.

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
        x_train, y_train, x_test, y_test = unpack(content, most_bytes(), NAMES).values()
        return Arrays(x_train, y_train, x_test, y_test, received_sha256)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
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


def names_in(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]
