import sys

import numpy as np
import pytest

from data import split
from data.mnist import mnist
from system.errors import UserError
from tests.tiny import DIGITS


def test_mnist_is_the_real_set():
    digits = mnist()
    data = split(digits, 0)
    sizes = (len(data.train), len(data.validation), len(data.test))
    assert sizes == (50_000, 10_000, 10_000)
    assert data.image_shape == (28, 28)
    assert data.num_outputs == 10
    assert data.class_names == list("0123456789")
    pixels = digits.x_train / 255
    assert pixels.mean() == pytest.approx(0.1307, abs=5e-5)
    assert pixels.std() == pytest.approx(0.3081, abs=5e-5)
    assert digits.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    for part in (data.train, data.validation, data.test):
        assert part.images.dtype == np.float32
        assert part.labels.dtype == np.int32
        assert part.images.min() == 0
        assert part.images.max() == 1


def test_a_changed_mnist_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules["data.mnist"], "PATH", DIGITS)
    mnist.cache_clear()
    with pytest.raises(UserError, match="expected SHA-256 06af5dfe"):
        mnist()
