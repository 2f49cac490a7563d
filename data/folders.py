"""Pictures sorted into one folder for each class."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pydantic import PositiveInt

from data.arrays import Arrays, Share, hold_out
from data.files import folder_of
from system.errors import UserError


def folders(
    *, path: str, size: PositiveInt = 64, color: bool = True, test_share: Share = 0.2
) -> Arrays:
    """Your own pictures, of any format that Pillow reads, in a folder for each class.

    Args:
        path: Folder that holds those of the classes, or the folders train and test that
            hold them each. Relative to the current directory, or with ~.
        size: Rows and columns that pictures are scaled to, their longer side cut.
        color: Whether they keep their colors or become grey.
        test_share: Share of each class to test on, where there is no folder test.

    Raises:
        UserError: There are no such folders, or a picture cannot be read.
    """
    root = folder_of(path)
    mode = "RGB" if color else "L"
    parts = root / "train", root / "test"
    if all(part.is_dir() for part in parts):
        train, test = (read_folders(part, size, mode) for part in parts)
        return Arrays(*train, *test)
    return hold_out(*read_folders(root, size, mode), test_share)


def read_folders(folder: Path, size: int, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the pictures in the folders of a folder, whose names become the labels."""
    suffixes = Image.registered_extensions()
    files = sorted(folder.glob("[!.]*/[!.]*"))
    files = [file for file in files if file.suffix.lower() in suffixes]
    if not files:
        raise UserError(folder, "folders with pictures in them", "none")
    images = np.stack([read_picture(file, size, mode) for file in files])
    return images, np.array([file.parent.name for file in files])


def read_picture(file: Path, size: int, mode: str) -> np.ndarray:
    try:
        with Image.open(file) as picture:
            if picture.mode[0] in "IF":
                raise ValueError("more than 8 bits a channel")
            upright = ImageOps.exif_transpose(picture).convert(mode)
            return np.asarray(ImageOps.fit(upright, (size, size)))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{file}: expected a picture of 8 bits; {error}") from None
