"""The fingerprint of a run: what it depends on besides its settings."""

import ast
import functools
import importlib
import inspect
import linecache
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from experiment.config import OPTIONS, Config
from system.errors import UserError
from system.files import expand_home, is_file
from system.processes import ROOT, package_versions

ENTRY = ROOT / "train.py"
CHOICES = ("callbacks", "data", "models", "optimizers")
"""Folders whose `__init__.py` imports all choices: only those that are made count."""

DIGESTS = ("data", "code", "files", "callbacks")
"""Entries of a fingerprint that are digests, which say nothing to a reader."""

Fingerprint = dict[str, str]


def compute_fingerprint(
    config: Config, data_sha256: str, code: str | None = None
) -> Fingerprint:
    """Compute the fingerprint of a run.

    Args:
        config: Config of the run.
        data_sha256: Digest of its data.
        code: Digest of its code, if this process has loaded what may have changed on
            disk since.

    Returns:
        `data`; `code`, a digest of all modules of this project that the run loads,
        without comments, docstrings and formatting; `files`, of files that settings
        name, if there are any; and the versions of Python and of the packages that
        compute.
    """
    found = {"data": data_sha256, "code": code or code_of(config.functions)}
    files = list(files_named_by(config))
    if files:
        found["files"] = digest(path.read_bytes() for path in files)
    python = ".".join(platform.python_version_tuple()[:2])
    return found | {"python": python, **package_versions()}


def code_of(functions: Iterable[Callable]) -> str:
    """Digest of the code that a run loads if its config holds these functions."""
    cells = [f for f in functions if not hasattr(sys.modules[f.__module__], "__file__")]
    files = [file_of(function) for function in functions if function not in cells]
    code = digest_of_modules([ENTRY, *files])
    return digest([code.encode(), *map(source_of, cells)]) if cells else code


def source_of(function: Callable) -> bytes:
    """Source of a function in a notebook, without that of functions which it calls."""
    found: list[str] = []
    if code := getattr(function, "__code__", None):
        # `inspect.getsource` would look into lazy modules, and so load TensorFlow.
        found = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    if not found:
        where = f"{function.__name__} of {function.__module__}"
        raise UserError(
            where, "a function in a file, or in a notebook's cell", "neither"
        )
    return "".join(inspect.getblock(found)).encode()


def all_choices() -> list[Path]:
    """Modules from which imports lead to all code that any run may load."""
    functions = (f for option in OPTIONS.values() for f in option.functions.values())
    return [ENTRY, *map(file_of, functions)]


def load_code() -> str:
    """Import all code that any run may load, and return its digest."""
    for path in {ENTRY} | read_modules(all_choices()).keys() - all_choices():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        importlib.import_module(name.removesuffix(".__init__"))
    return digest_of_modules(all_choices())


def file_of(function: Callable) -> Path:
    return Path(sys.modules[function.__module__].__file__ or "")


def digest_of_modules(paths: Iterable[Path]) -> str:
    """Digest of modules and of all modules of this project that they import."""
    found = read_modules(paths)
    return digest(found[path] for path in sorted(found))


def read_modules(paths: Iterable[Path]) -> dict[Path, bytes]:
    """Read modules and all modules of this project that they import."""
    waiting, found = list(paths), dict[Path, bytes]()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path], imported = read_module(path, path.stat().st_mtime_ns)
            waiting += imported
    return found


@functools.cache
def read_module(path: Path, _: int) -> tuple[bytes, list[Path]]:
    """Read the code of a module without comments, docstrings and formatting.

    Args:
        path: File of the module.
        _: Time of its last change, as a key of the cache.

    Returns:
        The code, and the files of this project that it imports.
    """
    tree = ast.parse(path.read_bytes())
    imported = list(imports_of(path, tree))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [statement for statement in body if not is_text(statement)]
    return ast.dump(tree).encode(), imported


def is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def imports_of(path: Path, tree: ast.Module) -> Iterator[Path]:
    """Files of this project that a module imports, also in functions."""
    for node in ast.walk(tree):
        modules: list[Path] = []
        if isinstance(node, ast.Import):
            modules = [ROOT.joinpath(*name.name.split(".")) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            where = path.parents[node.level - 1] if node.level else ROOT
            base = where.joinpath(*(node.module or "").split("."))
            modules = [base, *(base / name.name for name in node.names)]
        for module in modules:
            packages = [p for p in (module, *module.parents) if ROOT in p.parents]
            listed = [p / "__init__.py" for p in packages if p.name not in CHOICES]
            for file in (module.with_suffix(".py"), *listed):
                if file.is_file():
                    yield file


def files_named_by(config: Config) -> Iterator[Path]:
    """Files whose paths are the values of settings."""
    for part in config.parts.values():
        for value in part.settings.values():
            if isinstance(value, str) and ("/" in value or "." in value):
                path = expand_home(value)
                if is_file(path):
                    yield path


def digest(parts: Iterable[bytes]) -> str:
    found = sha256()
    for part in parts:
        found.update(sha256(part).digest())
    return found.hexdigest()
