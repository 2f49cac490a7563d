import numpy as np
import pytest
from PIL import Image

from data import split
from data.folders import folders
from system.errors import UserError

COLORS = {"cat": (255, 0, 0), "dog": (0, 0, 255)}


def fill(folder, count, suffix="png", **save):
    """As many pictures of one color in each class's folder, twice as wide as high."""
    for name, color in COLORS.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            picture = Image.new("RGB", (24, 12), color)
            picture.save(folder / name / f"{i}.{suffix}", **save)
    return str(folder)


def test_pictures_of_each_folder_are_a_class(tmp_path):
    path = fill(tmp_path, 10)
    (tmp_path / "cat/Thumbs.db").write_bytes(b"no picture")
    (tmp_path / ".hidden").mkdir()
    arrays = folders(path=path, size=8)
    assert arrays.x_train.shape == (16, 8, 8, 3)
    assert arrays.x_train.dtype == np.uint8
    assert np.bincount(arrays.y_test).tolist() == [2, 2]
    for image, label in zip(arrays.x_train, arrays.y_train, strict=True):
        assert (image == list(COLORS.values())[label]).all()
    assert split(arrays, 0, validation_size=4).class_names == ["cat", "dog"]


def test_a_folder_to_test_on_is_kept_apart(tmp_path):
    fill(tmp_path / "train", 3)
    fill(tmp_path / "test", 2, "jpg")
    arrays = folders(path=str(tmp_path), size=8, color=False)
    assert arrays.x_train.shape == (6, 8, 8)
    assert arrays.x_test.shape == (4, 8, 8)
    assert np.abs(arrays.x_test[arrays.y_test == 0] - 76.0).max() <= 1  # red as grey


def test_pictures_are_turned_upright_and_keep_their_proportions(tmp_path):
    """The middle square of a picture that lies on its side, as a telephone saves it."""
    path = fill(tmp_path, 1)
    pixels = np.zeros((12, 24, 3), np.uint8)
    pixels[:, 6:12] = 255  # The left half of the middle: above, once turned.
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "cat/0.png", exif=turned)
    arrays = folders(path=path, size=8, color=False, test_share=0.5)
    (cat,) = np.concatenate([arrays.x_train, arrays.x_test])[
        np.concatenate([arrays.y_train, arrays.y_test]) == 0
    ]
    assert (cat[:4] > 200).all()
    assert (cat[4:] < 50).all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: (path / "cat/0.png").write_bytes(b"?"), "cat/0.png: expected a"),
        (
            lambda path: Image.fromarray(np.full((4, 4), 999, np.uint16)).save(
                path / "cat/0.png"
            ),
            "more than 8 bits a channel",
        ),
    ],
    ids=["damaged", "16 bits"],
)
def test_what_cannot_be_read_is_named(tmp_path, spoil, message):
    path = fill(tmp_path, 2)
    spoil(tmp_path)
    with pytest.raises(UserError, match=message):
        folders(path=path)


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="none: expected a folder, received nothing"):
        folders(path=str(tmp_path / "none"))
