"""The 70,000 handwritten digits of MNIST, embedded beside this file."""

import functools
from pathlib import Path

from data.arrays import Arrays
from data.files import npz
from system.errors import UserError

PATH = Path(__file__).with_name("mnist.npz")
SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"


@functools.cache
def mnist() -> Arrays:
    """MNIST, embedded: 60,000 and 10,000 digits of 28x28 pixels, 10 classes.

    Raises:
        UserError: The file is missing, or not the one that was published.
    """
    arrays = npz(path=str(PATH))
    if arrays.sha256 != SHA256:
        advice = "restore it with `git checkout`, or use data.name=npz for your own"
        raise UserError(PATH, f"SHA-256 {SHA256}", f"{arrays.sha256}; {advice}")
    return arrays
