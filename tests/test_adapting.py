"""docs/adapting.md and docs/tour.ipynb as code, in a copy of the project.

Each section of the page is done as it says: a block that begins with the name of a file
is that file, a diff is applied, commands and other Python are run. Runs are made short
where a command does not say how long.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.deleting import ROOT, copy_project

pytestmark = pytest.mark.docs

PAGE = (ROOT / "docs/adapting.md").read_text()
SHORT = ("data.train_size=200", "training.epochs=2", "monitoring.tensorboard=false")


def sections() -> dict[str, list[tuple[str, str]]]:
    """The blocks of each section, (language, text), by its title."""
    found = {}
    for section in re.split(r"^## ", PAGE, flags=re.M)[1:]:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, flags=re.M | re.S)
        if blocks:
            found[section.partition("\n")[0]] = blocks
    return found


def apply(diff: str, root: Path) -> None:
    """Replace the lines of each hunk, which must be there once."""
    for part in re.split(r"^--- .*\n\+\+\+ ", diff, flags=re.M)[1:]:
        name, _, hunks = part.partition("\n")
        for hunk in re.split(r"^@@.*\n", hunks, flags=re.M)[1:]:
            lines = hunk.splitlines()
            old, new = (
                "".join(f"{line[1:]}\n" for line in lines if line[:1] != other)
                for other in "+-"
            )
            content = (root / name).read_text()
            assert content.count(old) == 1, f"{name}: {old}"
            (root / name).write_text(content.replace(old, new))


def run(arguments: list[str], root: Path) -> None:
    if arguments[0] in ("train.py", "compare.py") and "--dry-run" not in arguments:
        configs = [(root / a).read_text() for a in arguments if a.endswith(".toml")]
        given = " ".join([*arguments, *configs])
        arguments += [s for s in SHORT if re.split("[.=]", s)[1] not in given]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def project(tmp_path):
    """A copy of the project, beside it what a user may have of data."""
    copy_project(tmp_path)
    random = np.random.default_rng(0)
    pictures = random.integers(256, size=(2, 40, 12, 12, 3), dtype=np.uint8)
    for name, kind in zip(("cat", "dog"), pictures, strict=True):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i, picture in enumerate(kind):
            Image.fromarray(picture).save(tmp_path / f"photos/{name}/{i}.png")
    table = [f"{i},{i % 9},{'red' if i % 2 else 'blue'},{i % 3}" for i in range(90)]
    (tmp_path / "table.csv").write_text("\n".join(["size,age,color,grade", *table]))
    (tmp_path / "fashion").mkdir()
    images = pictures.reshape(-1, 12, 12)
    labels = np.arange(len(images), dtype=np.uint8) % 10
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = (
                bytes([0, 0, 8, array.ndim]),
                np.array(array.shape, ">u4").tobytes(),
            )
            content = b"".join([*header, array.tobytes()])
            (tmp_path / f"fashion/{part}-{kind}-ubyte").write_bytes(content)
    test = {"x_test": images, "y_test": labels}
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=labels, **test)
    return tmp_path


@pytest.mark.parametrize("title", sections())
def test_a_section_does_what_it_says(title, project):
    for language, text in sections()[title]:
        file = re.match(r"# ([\w/]+\.\w+)\n", text)
        if file:
            (project / file[1]).write_text(text)
        elif language == "diff":
            apply(text, project)
        elif language == "python":
            run(["-c", text], project)
        elif language == "sh":
            for command in text.replace("\\\n", "").splitlines():
                words = command.partition("#")[0].split()
                assert words[0] == "python", command
                run(words[1:], project)


def test_the_tour_is_walked(project):
    cells = json.loads((project / "docs/tour.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    run(["-c", "\n".join(code)], project)
