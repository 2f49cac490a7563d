"""Any dataset in one `.npz` file, in the layout of `keras.datasets`."""

from hashlib import sha256

from data.arrays import Arrays, read
from system.errors import UserError
from system.files import most_bytes, unpack

NAMES = ("x_train", "y_train", "x_test", "y_test")


def npz(*, path: str) -> Arrays:
    """Your own `.npz` file: any image shape, any number of classes.

    Args:
        path: File with the arrays x_train, y_train, x_test and y_test: images as bytes
            or floats, labels as integers from 0 or as names. May begin with ~.

    Raises:
        UserError: The file is missing, damaged, or holds something else.
    """
    content = read(path)
    try:
        x_train, y_train, x_test, y_test = unpack(content, most_bytes(), NAMES).values()
        digest = sha256(content).hexdigest()
        return Arrays(x_train, y_train, x_test, y_test, digest)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except Exception as error:  # NumPy and zipfile raise many kinds.
        expected = f"an .npz file of the numeric arrays {', '.join(NAMES)}"
        raise UserError(path, expected, f"{type(error).__name__}: {error}") from None
