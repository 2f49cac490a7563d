"""Pictures in a folder for each class, as photographs are usually sorted."""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pydantic import PositiveInt

from data.arrays import Arrays, Share, hold_out
from system.errors import UserError
from system.files import most_bytes


def folders(
    *, path: str, size: PositiveInt = 64, color: bool = True, test_share: Share = 0.2
) -> Arrays:
    """Your own pictures, of any format that Pillow reads, in a folder for each class.

    Args:
        path: Folder that holds those of the classes, or the folders train and test that
            hold them each.
        size: Rows and columns that pictures are scaled to, their longer side cut.
        color: Whether they keep their colors or become grey.
        test_share: Share of each class to test on, where there is no folder test.

    Raises:
        UserError: There are no such folders, or a picture cannot be read.
    """
    root = Path(os.path.expanduser(path))
    split = all((root / part).is_dir() for part in ("train", "test"))
    parts = [root / "train", root / "test"] if split else [root]
    names = sorted({p.name for part in parts for p in visible(part) if p.is_dir()})
    found = [read_classes(part, names, size, "RGB" if color else "L") for part in parts]
    images, labels = found[0]
    if split:
        return Arrays(images, labels, *found[1], class_names=names)
    return hold_out(images, labels, test_share, names)


def visible(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None


def read_classes(
    folder: Path, names: list[str], size: int, mode: str
) -> tuple[np.ndarray, np.ndarray]:
    """The pictures of all classes and their labels."""
    suffixes = Image.registered_extensions()
    files = [
        (file, label)
        for label, name in enumerate(names)
        for file in visible(folder / name)
        if file.suffix.lower() in suffixes
    ]
    labels = np.array([label for _, label in files])
    if len(np.unique(labels)) < max(2, len(names)):
        raise UserError(
            f"{folder}: expected at least 2 folders with pictures in each, received "
            f"{', '.join(names) or 'none'}"
        )
    needed = len(files) * size * size * len(mode)
    if needed > most_bytes():
        raise UserError(
            f"{folder}: expected at most {most_bytes():,} bytes, received {needed:,}; "
            "data.size makes pictures smaller"
        )
    return np.stack([read_picture(file, size, mode) for file, _ in files]), labels


def read_picture(file: Path, size: int, mode: str) -> np.ndarray:
    try:
        with Image.open(file) as picture:
            if picture.mode[0] in "IF":
                raise ValueError("expected 8 bits a channel, received more")
            upright = ImageOps.exif_transpose(picture).convert(mode)
            return np.asarray(ImageOps.fit(upright, (size, size)))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{file}: expected a picture; {error}") from None
