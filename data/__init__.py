"""Datasets, and the splits that every experiment makes of them."""

from collections.abc import Callable

from data.arrays import Arrays, as_arrays
from data.files import csv, idx, npz
from data.folders import folders
from data.mnist import mnist
from data.split import Data, Split, split

DATASETS: dict[str, Callable] = {
    "mnist": mnist,
    "npz": npz,
    "folders": folders,
    "idx": idx,
    "csv": csv,
}

__all__ = ["DATASETS", "Arrays", "Data", "Split", "as_arrays", "mnist", "npz", "split"]
