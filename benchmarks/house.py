"""What a newcomer has to read: files and lines of code, imports between floors, and the
files that a change touches.

    python -m benchmarks.house

A line of code is one that is not blank and no comment and no docstring.
"""

import ast
import io
import json
import re
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FLOORS = (
    "system",
    "data",
    "models",
    "optimizers",
    "callbacks",
    "training",
    "monitoring",
    "experiment",
    "train",
    "comparison",
    "compare",
    "view",
)
"""From the ground up: folders, and the entry points, of which comparisons use one."""

SINGLE_RUN = """
import json, sys
few = ["training.epochs=1", "data.train_size=100"]
sys.argv = ["train.py", *few, "--runs", sys.argv[1]]
sys.path.insert(0, "")
import train
train.main()
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
print(json.dumps([file for file in files if file]))
"""


def product() -> list[Path]:
    """Every file of code but tests, benchmarks and docs."""
    folders = (ROOT / floor for floor in FLOORS)
    return sorted([*ROOT.glob("*.py"), *(p for f in folders for p in f.rglob("*.py"))])


def floor_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_that_run_up() -> list[str]:
    """Imports of a folder by one below it; those in functions and for types count."""
    found = []
    for path in product():
        for imported in imported_folders(path):
            if FLOORS.index(imported) > FLOORS.index(floor_of(path)):
                found.append(f"{path.relative_to(ROOT)} imports {imported}")
    return found


def imported_folders(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if (folder := name.partition(".")[0]) in FLOORS:
                yield folder


def code_lines(path: Path) -> int:
    source = path.read_text(encoding="utf-8")
    texts: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            value = getattr(statement, "value", None)
            is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
            if isinstance(statement, ast.Expr) and is_text:
                last = statement.end_lineno or statement.lineno
                texts |= set(range(statement.lineno, last + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.string.strip() and token.type != tokenize.COMMENT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - texts)


def single_run() -> list[Path]:
    """The files that one run of `train.py` loads."""
    with tempfile.TemporaryDirectory() as runs:
        done = subprocess.run(
            [sys.executable, "-c", SINGLE_RUN, runs],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    files = map(Path, json.loads(done.stdout.splitlines()[-1]))
    return sorted(set(product()) & {file.resolve() for file in files})


CHANGES = {
    "a model": "Your own architecture",
    "an optimizer": "Your own optimizer",
    "a dataset": "Your own data",
    "a measure that reaches the report": "Your own measure",
}
"""Sections of docs/adapting.md, which `make check-docs` holds to be whole."""


def files_touched(title: str) -> set[str]:
    """The files of the project that a section of docs/adapting.md writes or changes."""
    page = (ROOT / "docs" / "adapting.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^(?:\+\+\+|```python\n#) ([\w/]+\.py)$", section, re.M))


def main() -> None:
    path = single_run()
    lines = dict.fromkeys(FLOORS, 0)
    for file in product():
        lines[floor_of(file)] += code_lines(file)
    entries = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    print(f"one run: {len(path)} files, {sum(map(code_lines, path)):,} lines of code")
    print(f"top level: {len(entries)} entries")
    print(f"imports that run up: {len(imports_that_run_up())}")
    for change, title in CHANGES.items():
        print(f"to add {change}: {len(files_touched(title))} files")
    for floor, count in lines.items():
        print(f"{floor:>14}: {count:,} lines of code")
    print(f"{'in all':>14}: {sum(lines.values()):,}")


if __name__ == "__main__":
    main()
