"""A comparison that nothing happened to, and the notes of what does."""

import pytest

from tests.faults.conftest import tried
from tests.test_compare import EPOCHS, start, summary

__all__ = ["tried"]


@pytest.fixture(scope="session")
def alone(tmp_path_factory):
    """The summary of a comparison of `EPOCHS` that nothing happened to."""
    directory = tmp_path_factory.mktemp("alone")
    start(directory, epochs=EPOCHS).communicate(timeout=300)
    return summary(directory)
