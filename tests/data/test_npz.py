import numpy as np
import pytest

from data import npz
from system.errors import UserError


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(256, size=(20, 4, 3, 2), dtype=np.uint8),
        "y_train": np.arange(20) % 5,
        "x_test": random.integers(256, size=(6, 4, 3, 2), dtype=np.uint8),
        "y_test": np.arange(6)[:, None] % 5,
    }


@pytest.fixture
def read(tmp_path):
    def save_and_read(arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return npz(path=str(path))

    return save_and_read


def test_any_image_shape_and_label_column(arrays, read):
    read_back = read(arrays)
    assert read_back.x_train.shape == (20, 4, 3, 2)
    assert read_back.y_test.tolist() == [0, 1, 2, 3, 4, 0]


def test_floats_in_the_unit_interval_are_taken_as_they_are(arrays, read):
    arrays["x_train"] = (arrays["x_train"] / 255).astype(np.float32)
    assert np.array_equal(read(arrays).x_train, arrays["x_train"])


@pytest.mark.parametrize(
    ("name", "array", "part"),
    [
        ("x_train", np.zeros(20, np.uint8), "expected images"),
        ("x_train", np.zeros((0, 4, 3, 2), np.uint8), "expected images"),
        ("x_train", np.array([None] * 20), "received ValueError: object"),
        ("x_test", np.zeros((6, 5, 5), np.uint8), "expected images of shape"),
        ("y_train", np.arange(19), "expected 20 labels"),
    ],
)
def test_wrong_arrays(arrays, read, name, array, part):
    with pytest.raises(UserError, match=part):
        read(arrays | {name: array})


def test_missing_array(arrays, read):
    del arrays["y_test"]
    with pytest.raises(UserError, match="x_test, y_test, received KeyError: .*y_test"):
        read(arrays)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04garbage", b"\x80\x04N."])
def test_files_that_are_no_npz(tmp_path, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"expected an \.npz file"):
        npz(path=str(path))


def test_a_single_array(tmp_path):
    np.save(tmp_path / "data.npy", np.zeros(3))
    with pytest.raises(UserError, match=r"expected an \.npz file"):
        npz(path=str(tmp_path / "data.npy"))


@pytest.mark.parametrize("position", [0, 40, 150, 300, -30])
def test_a_damaged_byte(arrays, read, tmp_path, position):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, **arrays)
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="expected"):
        npz(path=str(path))


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        npz(path=str(tmp_path / "none.npz"))
