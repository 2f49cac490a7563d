import gzip

import numpy as np
import pytest

from data.files import idx
from system.errors import UserError

IMAGES = np.random.default_rng(0).integers(256, size=(20, 5, 4), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 3


def encode(array) -> bytes:
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture(params=["", ".gz"])
def folder(request, tmp_path):
    """Four files, named and compressed as those of MNIST and Fashion-MNIST."""
    pack = gzip.compress if request.param else bytes
    for part, kind, array in (
        ("train", "images-idx3", IMAGES),
        ("train", "labels-idx1", LABELS),
        ("t10k", "images-idx3", IMAGES[:6]),
        ("t10k", "labels-idx1", LABELS[:6]),
    ):
        file = tmp_path / f"{part}-{kind}-ubyte{request.param}"
        file.write_bytes(pack(encode(array)))
    return tmp_path


def test_four_files_are_a_dataset(folder):
    arrays = idx(path=str(folder))
    np.testing.assert_array_equal(arrays.x_train, IMAGES)
    np.testing.assert_array_equal(arrays.y_test, LABELS[:6])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x0d\x01\0\0\0\1\0\0\0\0",
        encode(IMAGES)[:-1],
        gzip.compress(encode(IMAGES))[:-9],
        gzip.compress(encode(IMAGES))[:20] + b"?" * 40,
        b"\0\0\x08\xff",
    ],
    ids=["empty", "floats", "short", "cut", "damaged", "dimensions"],
)
def test_another_file_is_named(folder, content):
    file = next(folder.glob("train-images*"))
    file.write_bytes(content)
    with pytest.raises(UserError, match="train-images.*: expected an IDX file"):
        idx(path=str(folder))


def test_a_missing_file_is_named(folder):
    next(folder.glob("t10k-labels*")).unlink()
    with pytest.raises(UserError, match="expected a file t10k-labels..., received no"):
        idx(path=str(folder))
    with pytest.raises(UserError, match="none: expected a folder, received nothing"):
        idx(path=str(folder / "none"))
