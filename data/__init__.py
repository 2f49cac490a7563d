"""Datasets, and the splits that every experiment makes of them."""

from collections.abc import Callable

from data.arrays import Arrays, as_arrays
from data.mnist import mnist
from data.npz import npz
from data.split import Data, Split, split

DATASETS: dict[str, Callable] = {"mnist": mnist, "npz": npz}

__all__ = [
    "DATASETS",
    "Arrays",
    "Data",
    "Split",
    "as_arrays",
    "mnist",
    "npz",
    "split",
]
