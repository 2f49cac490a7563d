"""The directory of a run: where it is, what is in it, and who may write to it."""

import contextlib
import fcntl
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

from experiment.config import (
    SCHEMA_VERSION,
    Config,
    differences,
    load_config,
    read_toml,
)
from experiment.fingerprint import DIGESTS, Fingerprint
from monitoring.history import read_history
from system.errors import UserError, say_once
from system.files import UNSUPPORTED, first_problem, read_file, replacing
from training import CHECKPOINT

Number = float | None
Values = dict[str, Number]
"""A number that is not finite is None."""


@dataclass(frozen=True)
class Moment:
    """The entry `final` or `best` of result.json."""

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
    recall: Values = field(default_factory=dict)
    images_by_confidence: Values = field(default_factory=dict)
    right_by_confidence: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The contents of result.json, by which a file is checked when it is read."""

    status: Literal["completed", "diverged", "interrupted"]
    seed: int
    seconds: float
    final: Moment
    best: Moment | None
    versions: dict[str, str]
    changed_before_resume: list[str]

    def __post_init__(self):
        moments = (self.final, self.best or self.final)
        if self.status in FINISHED and not all(moment.test for moment in moments):
            raise ValueError("expected an evaluation of the test images")


RESULT = TypeAdapter(Result)
FINISHED = ("completed", "diverged")
State = Literal["free", "finished", "unfinished", "changed", "other"]


class BusyError(UserError):
    """Another process is writing the run."""


@dataclass(frozen=True)
class RunDirectory:
    """The directory of a run, and how what is in it compares with the run.

    Attributes:
        path: Path of the directory.
        state: What is in the directory: "free", nothing; "finished" or "unfinished",
            the run; "changed", the run unfinished, but with other code, data or
            versions; "other", another run.
        config: Config of the run. Settings that are "auto" have the values that were
            chosen when the same run was begun.
        fingerprint: Fingerprint of the run.
        result: The contents of result.json; empty if there is none.
        changes: Entries of the fingerprint that differ from those in the directory.
        difference: How the run in the directory differs, in words; empty if it does
            not.
        resumed: Whether the run in the directory is continued.
    """

    path: Path
    state: State
    config: Config
    fingerprint: Fingerprint
    result: dict[str, Any] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    difference: str = ""
    resumed: bool = False

    def write_config(self, config: Config) -> None:
        with replacing(self.path / "config.toml") as partial:
            partial.write_text(format_config(config, self.fingerprint), "utf-8")


def run_path(runs: Path, config: Config) -> Path:
    return path_within(runs, Path(config.name, f"seed={config.seed:02d}"))


def path_within(root: Path, path: Path) -> Path:
    """Join a path to a directory, and check that the result is inside of it.

    Raises:
        UserError: A symbolic link leads out of the directory, or the path is not UTF-8,
            which TensorBoard cannot open.
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


def inspect_run(path: Path, config: Config, fingerprint: Fingerprint) -> RunDirectory:
    """Compare what is in a directory with a run.

    A directory counts as free if nothing was trained in it yet.
    """
    saved = path / "config.toml"
    trained = any(file != saved for file in run_files(path))

    def found(state: State, config: Config = config, **what: Any) -> RunDirectory:
        state = state if trained else "free"
        return RunDirectory(path, state, config, fingerprint, **what)

    if not trained and not saved.exists():
        return found("free")
    try:
        previous, previous_fingerprint = load_config(saved), read_fingerprint(saved)
        result = read_result(path)
        if result.get("status") in FINISHED:
            read_history(path / "history.csv")
    except UserError as error:
        return found("other", difference=f"cannot be read ({error})")
    decided = config.decide(**previous.training.settings)
    settings = previous.differences(decided)
    changes = differences(previous_fingerprint, fingerprint)
    finished = result.get("status") in FINISHED
    if finished and not settings and not changes:
        return found("finished", decided, result=result)
    words = ", ".join(itertools.starmap(describe_difference, settings + changes))
    what: Any = {
        "changes": tuple(name for name, *_ in changes),
        "difference": f"differs in {words}",
    }
    if finished or (settings and not only_adds_epochs(previous, decided)):
        return found("other", **what)
    return (
        found("changed", decided, **what) if changes else found("unfinished", decided)
    )


def describe_difference(name: str, there: Any, here: Any) -> str:
    if name in DIGESTS:
        return f"the {name} it was made with"
    return f"{name} ({there} there, {here} here)"


def only_adds_epochs(previous: Config, config: Config) -> bool:
    """Whether a config differs in a larger number of epochs alone, and its first
    updates are those of the earlier config."""
    shorter = previous.training.settings["epochs"]
    longer = config.training.settings["epochs"]
    longer_previous = previous.with_settings("training", epochs=longer)
    if longer < shorter or longer_previous.differences(config):
        return False
    if longer > shorter and getattr(config.decay.function, "ends", False):
        return False
    any_number = 100
    begun = config.schedule.build(any_number, shorter)
    whole = config.schedule.build(any_number, longer)
    return np.array_equal(begun, whole[: len(begun)])


@contextlib.contextmanager
def open_run(
    path: Path,
    config: Config,
    fingerprint: Fingerprint,
    *,
    resume: bool = False,
    resume_changed: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[RunDirectory]:
    """Prepare the directory of a run, and lock it against other processes meanwhile.

    Another run that is already there is set aside under a number; nothing is deleted
    unasked. At the end, the checkpoint is removed if the run is finished.

    Args:
        path: Path of the directory.
        config: Config of the run.
        fingerprint: Fingerprint of the run.
        resume: Whether to continue an unfinished run.
        resume_changed: Whether to continue it even if code, data or versions have
            changed.
        overwrite: Whether to replace a run that is already there.
        say: Function that shows a line to the user.

    Yields:
        The directory. Its state is "finished", with a result, or its run is still to be
        made, and its config is written. It has `changes` only if a run is continued.

    Raises:
        UserError: Another process has locked the directory, or what is in it can be
            neither continued nor set aside.
    """
    resume = resume or resume_changed
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{path}: {error.strerror}") from None
    with contextlib.ExitStack() as locks:
        locks.enter_context(lock(path))
        refuse_foreign(path)
        if overwrite:
            run = RunDirectory(path, "free", config, fingerprint)
        else:
            refuse_links(path)
            run = inspect_run(path, config, fingerprint)
            if run.state == "finished" and "callbacks" in fingerprint and not resume:
                was = "was made with callbacks, which these may differ from"
                run = replace(run, state="other", result={}, difference=was)
            refuse_to_lose(run, resume, resume_changed)
        if run.state in ("changed", "other") and not resume:
            aside = set_aside(path)
            say(
                f"The run that lay in {path} {run.difference}; it lies in {aside.name} "
                "now."
            )
            path.mkdir()
            locks.enter_context(lock(path))
        if run.state != "finished":
            if not resume:
                remove_run_files(path)
                run = replace(run, changes=())
            elif not (path / CHECKPOINT).exists():
                say(f"Nothing to resume in {path}: starting at epoch 0.")
            run.write_config(run.config)
        yield replace(run, resumed=resume)
        if read_result(path).get("status") in FINISHED:
            shutil.rmtree(path / CHECKPOINT, ignore_errors=True)


def refuse_foreign(path: Path) -> None:
    """Refuse a directory that holds something else than a run."""
    names = sorted(file.name for file in path.iterdir() if file.name[0] != ".")
    if names and "config.toml" not in names:
        raise UserError(f"{path}: expected a run or nothing, received {names[0]}")


def refuse_links(path: Path) -> None:
    """Refuse a run with symbolic links: nothing is written to where they lead."""
    for file in filter(Path.is_symlink, run_files(path)):
        raise UserError(
            f"{file}: expected a file of a run, received a symbolic link; "
            "--overwrite replaces it"
        )


def refuse_to_lose(run: RunDirectory, resume: bool, resume_changed: bool) -> None:
    """Refuse to replace an unfinished run, or to continue a different one."""
    if run.state == "unfinished" and not resume:
        raise UserError(
            f"{run.path} holds this run unfinished; --resume continues it, "
            "--overwrite replaces it"
        )
    changed = run.state == "changed"
    if resume and run.difference and not (changed and resume_changed):
        hint = "--resume-changed continues it all the same, " if changed else ""
        raise UserError(
            f"{run.path} holds a run that {run.difference}; {hint}without --resume it "
            "is set aside"
        )


def set_aside(path: Path) -> Path:
    """Give a run's directory a number of its own, "seed=00.1", and return its path."""
    numbered = (path.with_name(f"{path.name}.{n}") for n in itertools.count(1))
    aside = next(free for free in numbered if not free.exists())
    path.rename(aside)
    return aside


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Lock a directory; the system releases the lock however the process ends."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"{path}: another process is writing this run") from None
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            say_once("this filesystem has no locks: have one command write each run")
        yield
    finally:
        os.close(descriptor)


def run_files(path: Path) -> list[Path]:
    """The files and folders of a run, half-written ones included.

    The config is the last, so that it is removed last: a directory without a config
    does not count as a run's.
    """
    names = ("result.json", CHECKPOINT, "model.keras", "history.csv", "config.toml")
    files = [path / f"{dot}{name}" for name in names for dot in ("", ".")]
    files[-2:-2] = path.glob("events.out.tfevents.*")
    return [file for file in files if file.exists() or file.is_symlink()]


def remove_run_files(path: Path) -> None:
    """Remove the files of a run, and no others."""
    for file in run_files(path):
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        else:
            file.unlink()


def is_saved(path: Path) -> bool:
    """Whether a config file is the config.toml of a run."""
    return path.name == "config.toml" and bool(read_fingerprint(path))


def read_fingerprint(path: Path) -> Fingerprint:
    """The fingerprint in a run's config.toml; empty in another config."""
    fingerprint = read_toml(path).get("fingerprint", {})
    return fingerprint if isinstance(fingerprint, dict) else {}


def format_config(config: Config, fingerprint: Fingerprint) -> str:
    """The contents of config.toml."""
    head = "# `python train.py` on this file with `--overwrite` repeats the run.\n"
    version = {"schema_version": SCHEMA_VERSION}
    tables = version | config.tables() | {"fingerprint": fingerprint}
    return head + tomli_w.dumps(tables)


def read_result(path: Path) -> dict[str, Any]:
    """The contents of a run's result.json; empty if there is none."""
    file = path / "result.json"
    try:
        text = read_file(file)
        RESULT.validate_json(text, strict=True)
        return json.loads(text)
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise UserError(f"{file}: damaged ({first_problem(error)})") from None
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{file}: damaged ({type(error).__name__})") from None


def write_result(path: Path, result: dict[str, Any]) -> None:
    with replacing(path / "result.json") as partial:
        partial.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
