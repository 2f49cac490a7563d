"""Datasets, and the splits that every experiment makes of them."""

from collections.abc import Callable

from data.mnist import mnist
from data.npz import npz
from data.split import Data, Split, split

DATASETS: dict[str, Callable] = {"mnist": mnist, "npz": npz}

__all__ = ["DATASETS", "Data", "Split", "mnist", "npz", "split"]
