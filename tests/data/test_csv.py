import numpy as np
import pytest

from data.files import csv
from system.errors import UserError

ROWS = [f"{i},{i % 7 / 7},{('left', 'right')[i % 2]},{i % 3}" for i in range(30)]
HEADER = "size,share,side,grade"


@pytest.fixture
def write(tmp_path):
    def write(*lines):
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines))
        return str(path)

    return write


def test_columns_are_what_is_learned_from(write):
    arrays = csv(path=write(HEADER, *ROWS), label="grade", test_share=0.2)
    assert arrays.x_train.shape == (24, 4)  # size, share, side_left, side_right
    assert arrays.x_test.shape == (6, 4)
    assert arrays.x_train.dtype == np.float32
    size, share, left, right = arrays.x_train.T
    np.testing.assert_array_equal(arrays.y_train, size % 3)
    np.testing.assert_allclose(share, size % 7 / 7, rtol=1e-6)  # float32
    np.testing.assert_array_equal(right, size % 2)
    np.testing.assert_array_equal(left, 1 - right)
    assert arrays.class_names == ()


def test_text_labels_are_classes_by_name(write):
    arrays = csv(path=write(HEADER, *ROWS), label="side")
    assert arrays.class_names == ["left", "right"]
    np.testing.assert_array_equal(arrays.y_train, arrays.x_train[:, 0] % 2)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [HEADER, *ROWS, "1,,left,0"],
            "expected a value in every row, received none in row 31 of share",
        ),
        (
            ["size,share", "1,2"],
            "data.label: expected a column of .*: size, share, rec",
        ),
        ([""], "expected a .csv file, received No columns"),
        ([HEADER], "x_train: expected images .n, .*, received .0, "),
        ([HEADER, '1,2,"left,3', "1"], "expected a .csv file, received "),
        (["name,grade", *(f"n{i},0" for i in range(101))], "received more in .'name'"),
    ],
)
def test_what_is_no_table_is_refused(write, lines, message):
    with pytest.raises(UserError, match=message) as refusal:
        csv(path=write(*lines), label="grade")
    assert "\n" not in str(refusal.value)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        csv(path=str(tmp_path / "none.csv"), label="x")
