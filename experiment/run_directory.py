"""Where a run lies, whether it has been made before, and who may write to it."""

import contextlib
import enum
import functools
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tomli_w
from pydantic import TypeAdapter, ValidationError

from experiment.config import SCHEMA_VERSION, Config, call, load_config, read_toml
from optimizers import DECAYS
from optimizers.schedules import SCHEDULES
from system.errors import UserError
from system.files import first_of, read_file, replacing

try:
    import fcntl
except ImportError:  # Windows has no flock: two writers are not kept apart there.
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parent.parent
CODE = (
    "experiment",
    "data",
    "models",
    "monitoring",
    "optimizers",
    "train.py",
    "system",
    "training",
)
"""What decides the outcome of a run."""

PACKAGES = ("tensorflow", "keras", "numpy", "tensorboard")

Number = float | None


@dataclass(frozen=True)
class Losses:
    """Of a split, as result.json holds them; a number that is not finite is None."""

    cross_entropy: Number
    accuracy: Number


@dataclass(frozen=True)
class Moment:
    """Final or best weights, as result.json holds them."""

    epoch: int
    train: Losses
    validation: Losses
    penalty: Number
    generalization_gap: Number
    weight_norm: Number
    weight_norm_of_layer: dict[str, Number]
    test: Losses | None = None


@dataclass(frozen=True)
class Result:
    """The contents of result.json, to which a file that is read is held."""

    status: Literal["completed", "diverged", "interrupted"]
    seed: int
    seconds: float
    final: Moment
    best: Moment | None
    versions: dict[str, str]


CHECKPOINT = "checkpoint"
FINISHED = ("completed", "diverged")


def run_path(runs: Path, config: Config) -> Path:
    return below(runs, Path(config.name, f"seed={config.seed:02d}"))


def below(root: Path, path: Path) -> Path:
    """A path below a directory, which no symbolic link leads out of it.

    Raises:
        UserError: One does, or the path is not UTF-8, which TensorBoard cannot open.
    """
    directory = root / path
    if not str(directory).isprintable():
        raise UserError(f"{directory}: expected a path of printable UTF-8")
    try:
        inside = directory.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # A loop of links.
        inside = False
    if not inside:
        raise UserError(
            f"{directory}: expected a folder in {root}, received a symbolic link"
        )
    return directory


@functools.cache  # Each search for a package's version keeps some memory.
def package_versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def fingerprint(data_sha256: str) -> dict[str, str]:
    """What a run depends on besides its config: the data file and the code."""
    digest = sha256()
    for name in CODE:
        path = ROOT / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(str(file.relative_to(ROOT)).encode() + b"\0")
            digest.update(file.read_bytes() + b"\0")
    return {"data": data_sha256, "code": digest.hexdigest()}


@contextlib.contextmanager
def claim(
    directory: Path,
    config: Config,
    mark: dict[str, str],
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Iterator[dict[str, Any] | None]:
    """Own a run directory, as the only process that does, for as long as this lasts.

    A checkpoint is removed at the end of it if the run is finished by then.

    Yields:
        The result of the same run if it was finished before, else None: the directory
        then holds the config and is ready to be written to.

    Raises:
        UserError: Another process has it, or another run lies there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{directory}: {error.strerror}") from None
    with locked(directory):
        refuse_foreign(directory)
        if not overwrite:
            refuse_links(directory)
        result = None if overwrite else check_previous(directory, config, mark, resume)
        if result is None:
            if not resume:
                clear(directory)
            with replacing(directory / "config.toml") as partial:
                partial.write_text(dump(config, mark), encoding="utf-8")
        yield result
        if read_result(directory).get("status") in FINISHED:
            shutil.rmtree(directory / CHECKPOINT, ignore_errors=True)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a lock that the system releases when the process ends, however it ends."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"{directory}: another process is writing this run"
            ) from None
        yield
    finally:
        os.close(descriptor)


def refuse_foreign(directory: Path) -> None:
    """Refuse a directory that holds something, but not a run."""
    names = sorted(path.name for path in directory.iterdir() if path.name[0] != ".")
    if names and "config.toml" not in names:
        raise UserError(f"{directory}: expected a run or nothing, received {names[0]}")


def refuse_links(directory: Path) -> None:
    """Refuse a run of which a part lies elsewhere: nothing is written there."""
    for path in run_files(directory):
        if path.is_symlink():
            raise UserError(
                f"{path}: expected a file of a run, received a symbolic link; "
                "--overwrite replaces it"
            )


class BusyError(UserError):
    """Another process is writing the run."""


class Place(enum.Enum):
    """What a run finds where it is to lie."""

    FREE = "nothing"
    FINISHED = "the same run, finished"
    UNFINISHED = "the same run, unfinished"
    OTHER = "another run"


def look(
    directory: Path, config: Config, mark: dict[str, str]
) -> tuple[Place, dict[str, Any], str]:
    """What lies in a run's place, its result, and in what it differs from the run.

    Of a run in which nothing was trained yet, only `--resume` need know the difference:
    its place is free.
    """
    saved = directory / "config.toml"
    begun = any(path != saved for path in run_files(directory))
    if not begun and not saved.exists():
        return Place.FREE, {}, ""
    try:
        previous, previous_mark = load_config(saved), read_mark(saved)
        result = read_result(directory)
    except UserError as error:
        return Place.OTHER if begun else Place.FREE, {}, str(error)
    differing = previous.differences(config)
    stale = [name for name in mark if previous_mark.get(name) != mark[name]]
    finished = result.get("status") in FINISHED
    if not differing and not stale and finished:
        return Place.FINISHED, result, ""
    if not stale and not finished and (not differing or grows(previous, config)):
        return Place.UNFINISHED if begun else Place.FREE, result, ""
    what = [f"{key} ({there} there, {here} here)" for key, there, here in differing]
    what += [f"the {name} it was made with" for name in stale]
    reason = f"another run, which differs in {', '.join(what)}"
    return Place.OTHER if begun else Place.FREE, result, reason


def check_previous(
    directory: Path, config: Config, mark: dict[str, str], resume: bool
) -> dict[str, Any] | None:
    """The result of the same run if finished; None if the directory is free to use."""
    place, result, reason = look(directory, config, mark)
    if place is Place.FINISHED:
        return result
    if place is Place.OTHER or (place is Place.FREE and reason and resume):
        raise UserError(
            f"{directory} holds {reason}; --overwrite replaces it, name=... keeps both"
        )
    if place is Place.UNFINISHED and not resume:
        raise UserError(
            f"{directory} holds this run unfinished; --resume continues it, "
            "--overwrite replaces it"
        )
    return None


def grows(previous: Config, config: Config) -> bool:
    """Whether a config only adds epochs, and so far its updates are the other's."""
    shorter, longer = previous.training["epochs"], config.training["epochs"]
    grown = replace(previous, training={**previous.training, "epochs": longer})
    if longer < shorter or grown.differences(config):
        return False
    if longer > shorter and getattr(DECAYS[config.decay["name"]], "ends", False):
        return False
    schedule, any_number = SCHEDULES[config.schedule["name"]], 100
    begun = call(schedule, config.schedule, any_number, shorter)
    whole = call(schedule, config.schedule, any_number, longer)
    return np.array_equal(begun, whole[: len(begun)])


def run_files(directory: Path) -> list[Path]:
    """The files and folders that a run has written, half-written ones included.

    The config is the last: a directory without one is not taken for a run's.
    """
    names = ("result.json", CHECKPOINT, "model.keras", "history.csv", "config.toml")
    paths = [directory / f"{dot}{name}" for name in names for dot in ("", ".")]
    paths[-2:-2] = directory.glob("events.out.tfevents.*")
    return [path for path in paths if path.exists() or path.is_symlink()]


def clear(directory: Path) -> None:
    """Remove a run's files, and no other."""
    for path in run_files(directory):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def is_saved_config(path: Path) -> bool:
    """Whether a config file is that of a run."""
    return path.name == "config.toml" and bool(read_mark(path))


def read_mark(path: Path) -> dict[str, str]:
    mark = read_toml(path).get("fingerprint", {})
    return mark if isinstance(mark, dict) else {}


def dump(config: Config, mark: dict[str, str]) -> str:
    tables = {"schema_version": SCHEMA_VERSION, **config.tables(), "fingerprint": mark}
    how = "# `python train.py` on this file with `--overwrite` repeats the run.\n"
    return how + tomli_w.dumps(tables)


def read_result(directory: Path) -> dict[str, Any]:
    path = directory / "result.json"
    try:
        text = read_file(path)
        TypeAdapter(Result).validate_json(text, strict=True)
        return json.loads(text)
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise UserError(f"{path}: damaged ({first_of(error)})") from None
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{path}: damaged ({type(error).__name__})") from None


def write_result(directory: Path, result: dict[str, Any]) -> None:
    with replacing(directory / "result.json") as partial:
        partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
