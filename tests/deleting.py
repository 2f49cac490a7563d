"""Deletes entries of the dictionaries as docs/adapting.md says that they are deleted.

    python -m tests.deleting DIRECTORY SECTION.NAME[:OTHER]...

works in a copy of the project; in `model.mlp:cnn` another takes the place of what is
the default of its section.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from callbacks import CALLBACKS
from experiment.config import OPTIONS, Option

LOADING = """
import sys
from pathlib import Path
from system.errors import UserError
for path in sorted(Path("configs").rglob("*.toml")):
    if "methods" in path.read_text():
        from comparison.plan import load_comparison as load
    else:
        from experiment.config import load_config as load
    try:
        load(path)
    except UserError:
        print(path)
"""


ROOT = Path(__file__).parents[1]
DEFINITIONS = ast.FunctionDef, ast.ClassDef


def copy_project(target: Path) -> None:
    """Copy the files that are in version control, or would be, into a folder."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def delete_paths(root: Path, names: Iterable[str]) -> None:
    """Delete files and folders of a project."""
    for path in map(root.joinpath, names):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def choices() -> dict[str, Option]:
    """Every entry of a dictionary, `section.name`, and the option that it is one of."""
    return {
        f"{option.table}.{name}".rstrip("."): option
        for option in OPTIONS.values()
        for name, function in option.functions.items()
        if (option.default or option.table in CALLBACKS)
        and not function.__module__.startswith("tests.")
    }


def delete_all(root: Path, *entries: str) -> None:
    """Delete entries, `SECTION.NAME` or `SECTION.NAME:HEIR`, and their configs."""
    for entry in entries:
        delete(root, *entry.split(":"))
    delete_configs(root)


def delete(root: Path, entry: str, heir: str = "") -> None:
    """Delete an entry of a dictionary, and what goes with it.

    Args:
        root: A copy of the project.
        entry: Section and name; of a callback the section.
        heir: The name that takes its place as the default of the section.
    """
    name, option = entry.rpartition(".")[2], choices()[entry]
    function = option.functions.get(name) or option.functions[""]
    module, identifier = function.__module__, function.__name__
    file = root.joinpath(*module.split(".")).with_suffix(".py")
    line = rf'^    "{name}": (\w+\.)?{identifier},\n'
    listing = next(f for f in (file, file.with_name("__init__.py")) if find(line, f))
    remove(line, listing)
    if heir:
        config = root / "experiment/config.py"
        content = config.read_text()
        config.write_text(content.replace(f'default="{name}"', f'default="{heir}"'))
    if listing != file and not find(rf"\b{file.stem}\.{identifier}\b", listing):
        remove(rf"^from {module} import {identifier}\n", listing)
        remove(rf'\b{identifier}, |, "?{identifier}\b"?', listing)
    if file.stem == name:
        file.unlink()
    elif not is_used(root, identifier):
        remove_definition(file, identifier)
    for test in (root / "tests").rglob(f"test_{name}*.py"):
        test.unlink()


def find(pattern: str, file: Path) -> bool:
    return re.search(pattern, file.read_text(), re.M) is not None


def remove(pattern: str, file: Path) -> None:
    file.write_text(re.sub(pattern, "", file.read_text(), flags=re.M))


def is_used(root: Path, identifier: str) -> bool:
    """Whether a function or class is named elsewhere than where it is defined."""
    aside = {"tests", "benchmarks", "docs", ".venv"}
    paths = (p for p in root.rglob("*.py") if not aside & {*p.relative_to(root).parts})
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_bytes())))
    return any(
        identifier in (getattr(node, "id", ""), getattr(node, "attr", ""))
        or isinstance(node, ast.ImportFrom)
        and identifier in [name.name for name in node.names]
        for node in nodes
    )


def remove_definition(file: Path, identifier: str) -> None:
    lines = file.read_text().splitlines(keepends=True)
    for node in ast.parse("".join(lines)).body:
        if isinstance(node, DEFINITIONS) and node.name == identifier:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            del lines[first - 1 : node.end_lineno]
    file.write_text("".join(lines))


def delete_configs(root: Path) -> None:
    """Delete the configs that no longer load, and those that are based on them."""
    command = [sys.executable, "-c", LOADING]
    listed = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True)
    for name in listed.stdout.splitlines():
        (root / name).unlink()


if __name__ == "__main__":
    delete_all(Path(sys.argv[1]), *sys.argv[2:])
