"""Where a run lies, whether it has been made before, and who may write to it."""

import contextlib
import enum
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tomli_w
from pydantic import TypeAdapter, ValidationError

from experiment.config import SCHEMA_VERSION, Config, load_config, read_toml
from system.errors import UserError
from system.files import first_of, read_file, replacing
from training.settings import CHECKPOINT

try:
    import fcntl
except ImportError:  # Windows has no flock: two writers are not kept apart there.
    fcntl = None  # type: ignore[assignment]

Number = float | None
Values = dict[str, Number]
"""A number that is not finite is None."""


@dataclass(frozen=True)
class Moment:
    """Final or best weights, as result.json holds them."""

    epoch: int
    weights: str
    train: Values
    validation: Values
    penalty: Number
    generalization_gap: Number
    weight_norm: Number
    weight_norm_of_layer: Values
    memorized: Values
    test: Values | None = None


@dataclass(frozen=True)
class Result:
    """The contents of result.json, to which a file that is read is held."""

    status: Literal["completed", "diverged", "interrupted"]
    seed: int
    seconds: float
    final: Moment
    best: Moment | None
    versions: dict[str, str]
    changed_before_resume: list[str]


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


@dataclass(frozen=True)
class Claim:
    """A run directory that this process owns.

    Attributes:
        directory: The directory.
        config: Config of the run, decided where the same run was decided before.
        mark: Fingerprint of the run.
        result: The contents of result.json, if the run was finished before.
        changes: What has changed since the run that is continued was begun.
    """

    directory: Path
    config: Config
    mark: dict[str, str]
    result: dict[str, Any] | None = None
    changes: tuple[str, ...] = ()

    def write_config(self, config: Config) -> None:
        with replacing(self.directory / "config.toml") as partial:
            partial.write_text(dump(config, self.mark), encoding="utf-8")


@contextlib.contextmanager
def claim(
    directory: Path,
    config: Config,
    mark: dict[str, str],
    *,
    resume: bool = False,
    resume_changed: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Claim]:
    """Own a run directory, as the only process that does, for as long as this lasts.

    Another run that lies there is set aside, under a number of its own; nothing is
    deleted unasked. A checkpoint is removed at the end if the run is finished by then.

    Args:
        directory: Directory of the run.
        config: Config of the run. What it leaves to be decided ("auto") is as the same
            run had it before.
        mark: Fingerprint of the run.
        resume: Whether to continue an unfinished run of the same kind.
        resume_changed: Whether to continue it though code, data or versions have
            changed.
        overwrite: Whether to replace what lies there.
        say: Told where another run was set aside.

    Yields:
        What is to be made. Unless it was finished before, the directory then holds the
        config and is ready to be written to.

    Raises:
        UserError: Another process has it, or it cannot be continued.
    """
    resume = resume or resume_changed
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{directory}: {error.strerror}") from None
    with contextlib.ExitStack() as held:
        held.enter_context(locked(directory))
        refuse_foreign(directory)
        found = look(directory, config, mark)
        claimed = Claim(directory, found.config, mark)
        if not overwrite:
            refuse_links(directory)
            refuse_to_continue(directory, found, resume, resume_changed)
            if found.place is Place.FINISHED:
                claimed = replace(claimed, result=found.result)
            elif resume_changed:
                claimed = replace(claimed, changes=found.stale)
            elif found.place is Place.OTHER:
                aside = set_aside(directory)
                say(
                    f"The run that lay in {directory} {found.reason}; it lies in "
                    f"{aside.name} now."
                )
                directory.mkdir()
                held.enter_context(locked(directory))
        if not claimed.result:
            if not resume:
                clear(directory)
            claimed.write_config(config)
        yield claimed
        if read_result(directory).get("status") in FINISHED:
            shutil.rmtree(directory / CHECKPOINT, ignore_errors=True)


def set_aside(directory: Path) -> Path:
    """Give a run's directory a number of its own, "seed=00.1", and return its path."""
    numbers = itertools.count(1)
    aside = next(
        path
        for number in numbers
        if not (path := directory.with_name(f"{directory.name}.{number}")).exists()
    )
    directory.rename(aside)
    return aside


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
    CHANGED = "the same run, unfinished, of other code, data or versions"
    OTHER = "another run"


@dataclass(frozen=True)
class Found:
    """What lies in a run's place.

    Attributes:
        place: Whether it is the run, and how far.
        config: Config of the run that is looked for, decided as that which lies there.
        result: The contents of result.json; empty if there is none.
        stale: What of the fingerprint differs.
        reason: In what it differs from the run, in words; empty if it does not.
    """

    place: Place
    config: Config
    result: dict[str, Any] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    reason: str = ""


def look(directory: Path, config: Config, mark: dict[str, str]) -> Found:
    """What lies in a run's place.

    Of a run in which nothing was trained yet, only `--resume` need know the difference:
    its place is free.
    """
    saved = directory / "config.toml"
    begun = any(path != saved for path in run_files(directory))
    if not begun and not saved.exists():
        return Found(Place.FREE, config)
    other = Place.OTHER if begun else Place.FREE
    try:
        previous, previous_mark = load_config(saved), read_mark(saved)
        result = read_result(directory)
    except UserError as error:
        return Found(other, config, reason=f"cannot be read ({error})")
    decided = decide_as(config, previous)
    differing = previous.differences(decided)
    stale = tuple(
        sorted(
            name
            for name in mark.keys() | previous_mark.keys()
            if previous_mark.get(name) != mark.get(name)
        )
    )
    finished = result.get("status") in FINISHED
    if not differing and not stale and finished:
        return Found(Place.FINISHED, decided, result)
    if not finished and (not differing or grows(previous, decided)):
        if not stale:
            place = Place.UNFINISHED if begun else Place.FREE
            return Found(place, decided, result)
        other = Place.CHANGED if begun else Place.FREE
    what = [f"{key} ({there} there, {here} here)" for key, there, here in differing]
    what += [describe_stale(name, previous_mark, mark) for name in stale]
    return Found(other, decided, result, stale, f"differs in {', '.join(what)}")


def describe_stale(name: str, there: dict[str, str], here: dict[str, str]) -> str:
    if name in ("data", "code", "files"):
        return f"the {name} it was made with"
    return f"{name} ({there.get(name)} there, {here.get(name)} here)"


def decide_as(config: Config, previous: Config) -> Config:
    """A config, with what it leaves to be decided as an earlier one has it."""
    training = previous.training.settings
    undecided = {
        key: training[key]
        for key, value in config.training.settings.items()
        if value == "auto"
    }
    return config.with_settings("training", **undecided)


def refuse_to_continue(
    directory: Path, found: Found, resume: bool, resume_changed: bool
) -> None:
    """Refuse what would leave an unfinished run, or continue one that is another's."""
    changed = found.place is Place.CHANGED
    other = found.place is Place.OTHER or (
        found.place is Place.FREE and bool(found.reason)
    )
    if resume and changed and not resume_changed:
        raise UserError(
            f"{directory} holds this run unfinished, but it {found.reason}; "
            "--resume-changed continues it all the same, without --resume it is set "
            "aside"
        )
    if resume and other:
        raise UserError(
            f"{directory} holds another run, which {found.reason}; without --resume "
            "it is set aside"
        )
    if found.place is Place.UNFINISHED and not resume:
        raise UserError(
            f"{directory} holds this run unfinished; --resume continues it, "
            "--overwrite replaces it"
        )


def grows(previous: Config, config: Config) -> bool:
    """Whether a config only adds epochs, and so far its updates are the other's."""
    shorter = previous.training.settings["epochs"]
    longer = config.training.settings["epochs"]
    grown = previous.with_settings("training", epochs=longer)
    if longer < shorter or grown.differences(config):
        return False
    if longer > shorter and getattr(config.decay.function, "ends", False):
        return False
    any_number = 100
    begun = config.schedule.build(any_number, shorter)
    whole = config.schedule.build(any_number, longer)
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
