"""Files that are no data: one line, without a hang or a traceback."""

import io
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import npz, split
from experiment.config import load_config
from system.errors import UserError
from system.files import unpack
from tests.faults.test_bad_input import says
from tests.tiny import CONFIG


def archive(**members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(shape="(2, 3)", descr="'|u1'", body=b"\0" * 6, version=b"\x01\x00") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return (
        b"\x93NUMPY"
        + version
        + len(header).to_bytes(2, "little")
        + (header.encode() + body)
    )


def dataset(**changes) -> bytes:
    members = {"x_train": npy(), "x_test": npy()}
    labels = npy("(2,)", body=b"\0\1")
    return archive(**members | {"y_train": labels, "y_test": labels} | changes)


def zeros(count: int) -> bytes:
    """An array file of so many zero bytes, which says so."""
    return npy(f"({count // 1000}, 1000)", body=b"\0" * count)


PICKLE = b"cos\nsystem\n(S'touch pickled'\ntR."
WHOLE = dataset()
NO_NPZ = "expected an .npz file of the numeric arrays x_train, y_train"
DATA = [
    (b"", NO_NPZ, "BadZipFile"),
    (b"PK\x03\x04", NO_NPZ, "BadZipFile"),
    (b"x_train,y_train\n", NO_NPZ, "BadZipFile"),
    (b"\x80\x04N.", NO_NPZ, "BadZipFile"),
    (npy(), NO_NPZ, "BadZipFile"),
    (WHOLE[:-1], NO_NPZ, ""),
    (WHOLE[: len(WHOLE) // 2], NO_NPZ, "BadZipFile"),
    (WHOLE[200:], NO_NPZ, ""),
    (archive(), NO_NPZ, "x_train.npy' in the archive"),
    (archive(x=npy()), NO_NPZ, "no item named 'x_train"),
    (dataset(x_train=b""), NO_NPZ, "ValueError"),
    (dataset(x_train=b"text"), NO_NPZ, "ValueError"),
    (dataset(x_train=npy(version=b"\x09\x00")), NO_NPZ, ""),
    (dataset(x_train=npy("(2, 3")), NO_NPZ, "TokenError"),
    (dataset(x_train=npy("(2, -3)")), NO_NPZ, "(2, -3)"),
    (dataset(x_train=npy("(2, 4)")), NO_NPZ, "(2, 4)"),
    (dataset(x_train=npy("(10**6,)")), NO_NPZ, "ValueError"),
    (dataset(x_train=npy("(99999999999999,)")), NO_NPZ, "(99999999999999,)"),
    (dataset(x_train=npy(descr="'|O'")), NO_NPZ, "object"),
    (dataset(x_train=npy(descr="'|O'", body=PICKLE)), NO_NPZ, "object"),
    (dataset(x_train=npy(descr="'<U1'", body=b"\0" * 24)), "expected uint8", "<U1"),
    (dataset(x_train=npy(descr="'<i8'", body=b"\0\1" * 24)), "from 0 to 255", "72"),
    (dataset(x_train=npy(descr="[('a', '|u1')]")), "expected uint8", "('a'"),
    (
        dataset(x_train=npy(descr="'<f4'", body=b"\0\0\xc0\x7f" * 6)),
        "expected finite",
        "6 that are not",
    ),
    (
        dataset(x_train=npy(descr="'<f4'", body=b"\0\0\x80\x7f" * 6)),
        "expected finite",
        "6 that are not",
    ),
    (dataset(x_train=npy("(6,)")), "expected images (n, ...)", "received (6,)"),
    (dataset(x_train=npy("()", body=b"\0")), "expected images (n, ...)", "received ()"),
    (dataset(x_train=npy("(0, 3)", body=b"")), "expected images", "received (0, 3)"),
    (dataset(x_test=npy("(3, 2)")), "of shape (3,) each", "received (3, 2)"),
    (dataset(y_train=npy("(3,)", body=b"\0" * 3)), "expected 2 labels", "(3,)"),
    (
        dataset(y_train=npy("(2,)", "'<f4'", b"\0\0\0?" * 2)),
        "class numbers",
        "from 0 to 1",
    ),
    (dataset(y_train=npy("(2,)", "'|i1'", b"\0\xff")), "class numbers", "from -1"),
    (dataset(y_train=npy("(2,)", "'<i2'", b"\0\0\xff\x7f")), "to 9999", "to 32767"),
]


@pytest.mark.parametrize(("content", "expected", "received"), DATA)
def test_bad_data_files(tmp_path, content, expected, received):
    path = tmp_path / "bad data=ä,1.npz"
    path.write_bytes(content)
    says(lambda: split(npz(path=str(path)), 0, validation_size=1), expected, received)
    assert not (tmp_path / "pickled").exists()


@pytest.mark.parametrize("limit", [10**6, 10**7])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, limit):
    path = tmp_path / "bomb.npz"
    path.write_bytes(dataset(x_train=zeros(20_000_000)))
    assert path.stat().st_size < 10**5
    monkeypatch.setattr(sys.modules["data.files"], "most_bytes", lambda: limit)
    monkeypatch.setattr(
        "system.files.zipfile.ZipFile.open", None
    )  # Nothing is unpacked.
    says(lambda: npz(path=str(path)), f"at most {limit:,} bytes", "20,000,")


def test_a_file_that_says_to_unpack_to_less_is_not_believed():
    content = bytearray(dataset(x_train=zeros(100_000)))
    size = len(zeros(100_000)).to_bytes(4, "little")
    assert content.count(size) == 2
    small = bytes(content.replace(size, (100).to_bytes(4, "little")))
    with pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
        unpack(small, 10**6, ["x_train"])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused_or_harmless(tmp_path_factory, place, change):
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    content = bytearray(WHOLE)
    content[place] ^= change
    path.write_bytes(content)
    try:
        assert npz(path=str(path)).x_train.shape == (2, 3)
    except UserError as error:
        assert "expected" in str(error)


def test_home_is_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.npz").write_bytes(WHOLE)
    assert npz(path="~/mine.npz").x_train.shape == (2, 3)


def test_a_config_names_the_file():
    message = "data.path: data npz needs it; expected a string"
    says(lambda: load_config(CONFIG, ["data.name=npz"]), message)
