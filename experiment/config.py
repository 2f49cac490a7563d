"""Loads an experiment from TOML and checks all its settings.

The signatures of functions are the schema (`experiment.schema`): the settings of a new
model are checked, saved and listed by `--help` without a change here.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from hashlib import sha256
from inspect import signature
from os.path import normpath
from pathlib import Path
from typing import Annotated, Any, NoReturn

from annotated_types import Interval

from callbacks import CALLBACKS
from data import DATASETS, split
from experiment.schema import (
    REQUIRED,
    describe_type,
    did_you_mean,
    quote,
    refusal,
    settings_of,
    validate,
)
from models import MODELS, REGULARIZERS
from models.regularizers import regularize
from monitoring import MonitoringSettings
from optimizers import DECAYS, OPTIMIZERS, prepare
from optimizers.schedules import SCHEDULES
from system.errors import UserError
from system.files import expand_home, is_file, read_file
from training import TrainingSettings
from training.losses import CLASS_LOSSES, LOSSES, TASKS
from training.measures import watched

SCHEMA_VERSION = 3
"""Raised when a config.toml written by an older version can no longer be read."""

LONGEST_NAME = 100
LARGEST_FILE = 10**6
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]
Settings = dict[str, Any]

RENAMED = {
    "training.loss": "loss.name",
    "optimizer.weight_decay": "decay.strength",
    "optimizer.lr": "optimizer.learning_rate",
}
"""Names of settings in earlier versions or elsewhere, and their names here."""

WITH_DECAY = {f"{name}w": f"{name} with decay.name=decoupled" for name in OPTIMIZERS}
"""Names that people look for, such as AdamW and SGDW, and how to configure them."""


@dataclass(frozen=True)
class Option:
    """The functions that a part of a config may be.

    Attributes:
        table: Table of the config file that holds the settings of the part.
        functions: The functions, by the `name` in the table that chooses one.
        default: Name of the default; empty if there is only one function.
    """

    table: str
    functions: Mapping[str, Callable]
    default: str = ""


OPTIONS = {
    "dataset": Option("data", DATASETS, default="mnist"),
    "split": Option("data", {"": split}),
    "model": Option("model", MODELS, default="mlp"),
    "regularizer": Option("regularizer", REGULARIZERS, default="l1l2"),
    "regularization": Option("regularizer", {"": regularize}),
    "loss": Option("loss", LOSSES, default="cross_entropy"),
    "optimizer": Option("optimizer", OPTIMIZERS, default="adam"),
    "preparation": Option("optimizer", {"": prepare}),
    "decay": Option("decay", DECAYS, default="none"),
    "schedule": Option("schedule", SCHEDULES, default="constant"),
    "training": Option("training", {"": TrainingSettings}),
    "monitoring": Option("monitoring", {"": MonitoringSettings}),
} | {name: Option(name, {"": function}) for name, function in CALLBACKS.items()}
"""All parts of a `Config`, by their names."""

TABLES = list(dict.fromkeys(option.table for option in OPTIONS.values()))


@dataclass(frozen=True)
class Part:
    """A function with its settings: the choice that was made of an `Option`."""

    name: str
    function: Callable
    settings: Settings

    def build(self, *inputs: Any) -> Any:
        """Call the function with arguments of the run and with its settings."""
        return self.function(*inputs, **self.settings)


@dataclass(frozen=True)
class Config:
    """An experiment in which every setting has a value.

    The parts are attributes, too: `config.model`.

    Attributes:
        name: Name of the run.
        seed: Seed of the run.
        parts: The parts by their keys in OPTIONS. Callbacks are among them only if the
            config file has their section.
    """

    name: str
    seed: int
    parts: dict[str, Part]

    def __getattr__(self, key: str) -> Part:
        if key not in OPTIONS:
            raise AttributeError(key)
        return self.parts[key]

    @property
    def functions(self) -> tuple[Callable, ...]:
        return tuple(part.function for part in self.parts.values())

    @property
    def callbacks(self) -> dict[str, Part]:
        return {key: part for key, part in self.parts.items() if key in CALLBACKS}

    def build_callbacks(self) -> list[Any]:
        """Make new callbacks: they hold the state of one run."""
        return [part.build() for part in self.callbacks.values()]

    def tables(self) -> dict[str, Any]:
        """The tables of a config file; None is written as "none", as TOML has no
        null."""
        tables: dict[str, Any] = {"name": self.name, "seed": self.seed}
        for key, part in self.parts.items():
            table = tables.setdefault(OPTIONS[key].table, {})
            if part.name:
                table["name"] = part.name
            for setting, value in part.settings.items():
                table[setting] = "none" if value is None else value
        return tables

    @property
    def identity(self) -> str:
        """Digest of all settings, without the name and the number of epochs: those may
        change when a run is continued."""
        tables = self.with_settings("training", epochs=0).tables() | {"name": ""}
        return sha256(repr(tables).encode()).hexdigest()

    def differences(self, other: "Config") -> list[tuple[str, Any, Any]]:
        """The settings in which two configs differ, without the name, and their values
        in both."""
        mine, others = (
            dict(flatten(config.tables() | {"name": ""})) for config in (self, other)
        )
        return differences(mine, others)

    def with_settings(self, part: str, **settings: Any) -> "Config":
        """A copy in which some settings of a part have other values."""
        old = self.parts[part]
        new = replace(old, settings=old.settings | settings)
        return replace(self, parts=self.parts | {part: new})

    def decide(self, **choices: Any) -> "Config":
        """A copy in which settings of training that are "auto" have these values."""
        settings = self.training.settings
        undecided = {k: v for k, v in choices.items() if settings[k] == "auto"}
        return self.with_settings("training", **undecided)


def differences(
    some: Mapping[str, Any], others: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    """The keys whose values differ, with both values."""
    return [
        (key, some.get(key), others.get(key))
        for key in sorted(some.keys() | others.keys())
        if some.get(key) != others.get(key)
    ]


def load_config(
    path: str | Path,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    keep_name: bool = False,
) -> Config:
    """Load and check an experiment.

    Args:
        path: A TOML file. It may name another file as its `base`, which it changes.
        overrides: Assignments `section.key=value` that replace settings of the file;
            the value is in TOML, or a bare word for a string. Or values by dotted name.
        keep_name: Whether to keep the name of the file although overrides are given.

    Returns:
        The config. Its name includes the overrides of sections, so that the run gets a
        directory of its own, unless `name` is among the overrides or `keep_name` set.

    Raises:
        UserError: With the setting, what was expected and what was received.
    """
    path = Path(path)
    tables = read_tables(path)
    if "methods" in tables:
        raise UserError(path, "one run", f"a comparison: python compare.py {path}")
    tables.setdefault("name", run_name(path.stem) or "run")
    if isinstance(overrides, Mapping):
        assigned = dict(overrides)
        overrides = [f"{key}={value}" for key, value in overrides.items()]
    else:
        assigned = parse_overrides(overrides)
    assign(tables, assigned)
    config = resolve(tables)
    if "name" in assigned or keep_name:
        return config
    named = [override for override in overrides if "." in override.partition("=")[0]]
    return replace(config, name=run_name(config.name, named))


def read_tables(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a config file and its bases.

    Args:
        path: A config file, or the config.toml of a run.
        above: The files of which this one is a base, to detect circles.

    Returns:
        The tables of the base, changed by those of the file.
    """
    tables = read_toml(path)
    saved_version = tables.pop("schema_version", None)
    if saved_version not in (None, SCHEMA_VERSION):
        raise UserError(f"{path} was written by another version of this template")
    tables.pop("fingerprint", None)
    if "base" not in tables:
        return tables
    base = path.parent / expand_home(validate("base", str, tables.pop("base")))
    if base.resolve() in above:
        raise UserError(f"{path}: base: expected another file, received a circle")
    whole = read_tables(base, (*above, path.resolve()))
    whole.pop("name", None)
    assign(whole, dict(flatten(tables)))
    return whole


def assign(tables: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Set values by dotted name, in place.

    If a `name` is set, settings that its function does not have are dropped.
    """
    for key in sorted(values, key=lambda key: not key.endswith(".name")):
        section, _, setting = key.rpartition(".")
        table = tables.setdefault(section, {}) if section else tables
        if not isinstance(table, dict):
            raise refusal(section, "a table", table)
        if setting == "name" and section in TABLES:
            chosen = choose_functions(section, values[key]).values()
            kept = {"name"}.union(*(settings_of(function) for _, function in chosen))
            for foreign in table.keys() - kept:
                del table[foreign]
        table[setting] = values[key]


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_file(path, LARGEST_FILE).decode("utf-8-sig"))
    except FileNotFoundError:
        found = sorted([*path.parent.glob("*.toml"), *Path("configs").rglob("*.toml")])
        near = did_you_mean(path.stem, {file.stem: normpath(file) for file in found})
        raise UserError(f"{path}: no such file{near}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected TOML in UTF-8; {error}") from None


def parse_overrides(overrides: Iterable[str]) -> Settings:
    """Parse assignments `section.key=value`; returns values by dotted name."""
    assigned: Settings = {}
    for key, value in map(parse_override, overrides):
        if key in assigned:
            raise UserError(f"{key}: expected one value, received two")
        assigned[key] = value
    return assigned


def parse_override(text: str) -> tuple[str, Any]:
    """Split `section.key=value` and read the value as TOML, a bare word as a string."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"\w+(\.\w+)?", key, re.ASCII):
        files = (f"{text}.toml", f"configs/{text.lower()}.toml")
        found = next((file for file in files if is_file(Path(file))), None)
        near = f"; did you mean {found}?" if found else ""
        expected = "expected CONFIG.toml or section.key=value"
        raise UserError(f"{expected}, received {quote(text)}{near}")
    if "." not in key and key not in ("name", "seed"):
        refuse_unknown(key, list(all_settings()), "expected name, seed or section.key")
    try:
        tables = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        if not re.fullmatch(r"[^\"'\[\]{}=#\n]+", value):
            expected = f"a TOML value, or text in quotes: {key}='\"...\"'"
            raise refusal(key, expected, value) from None
        return key, value
    if tables.keys() != {"value"}:
        raise refusal(key, "one TOML value", value)
    return key, value if key == "name" and value[0] not in "\"'" else tables["value"]


def resolve(tables: Mapping[str, Any]) -> Config:
    """Check the tables of a config file and fill in the defaults."""
    top = ["name", "seed", *TABLES]
    for key in (key for key in tables if key not in top):
        expected = f"expected name, seed, or a setting of {', '.join(TABLES)}"
        refuse_unknown(key, [*all_settings(), *top], expected)
    parts = resolve_table("data", tables.get("data", {}))
    task = parts["split"].settings["task"]
    for table in TABLES[1:]:
        default = {"name": TASKS[task]} if table == "loss" else {}
        if table in tables or table not in CALLBACKS:
            parts |= resolve_table(table, tables.get(table, default))
    seed = validate("seed", Seed, tables.get("seed", 0))
    config = Config(validate_name(tables["name"]), seed, parts)
    if task == "regression" and config.loss.name in CLASS_LOSSES:
        fitting = ", ".join(name for name in LOSSES if name not in CLASS_LOSSES)
        where = "loss.name with data.task = regression"
        raise UserError(where, f"one of {fitting}", config.loss.name)
    seen = list(watched(task))
    for name, part in config.callbacks.items():
        monitor = part.settings.get("monitor", "loss")
        if monitor not in seen:
            raise refusal(f"{name}.monitor", f"one of {', '.join(seen)}", monitor, seen)
    epochs = config.training.settings["epochs"]
    warmup = config.schedule.settings.get("warmup_epochs", 0)
    if warmup > epochs:
        limit = f"at most training.epochs = {epochs}"
        raise refusal("schedule.warmup_epochs", limit, warmup)
    return config


def validate_name(value: Any) -> str:
    """Check that a name can be that of a folder in the directory of runs."""
    name = validate("name", str, value)
    if len(name) > LONGEST_NAME or not re.fullmatch(
        r"[A-Za-z0-9_=-][A-Za-z0-9_.=,-]*", name
    ):
        characters = "1 to 100 of A-Z a-z 0-9 _ . = , - and no dot or comma first"
        raise refusal("name", characters, name)
    return name


def resolve_table(table: str, content: Any) -> dict[str, Part]:
    """Check a table of a config file; returns the parts that it configures."""
    if not isinstance(content, dict):
        raise refusal(table, f"a table [{table}]", content)
    chosen = choose_functions(table, content.get("name"))
    choice = "".join(name for name, _ in chosen.values())
    where = f"{table} {choice}".strip()
    known = [s for _, function in chosen.values() for s in settings_of(function)]
    positional = {p for _, f in chosen.values() for p in signature(f).parameters}
    for setting in content:
        if setting not in known and not (choice and setting == "name"):
            if setting in positional:
                key = f"parameter {setting} of {where}"
                raise UserError(key, "a setting, behind the *", "one before it")
            expected = f"the settings of {where} are {', '.join(known) or 'none'}"
            if owners := all_settings().get(f"{table}.{setting}"):
                expected = f"{table}.name = {' or '.join(owners)} has it; {expected}"
            names = [*all_settings(), *(f"{table}.{s}" for s in known)]
            refuse_unknown(f"{table}.{setting}", () if owners else names, expected)
    return {
        part: Part(name, function, fill_in(table, where, function, content))
        for part, (name, function) in chosen.items()
    }


def choose_functions(table: str, name: Any) -> dict[str, tuple[str, Callable]]:
    """Choose the functions that a table configures.

    Args:
        table: Name of the table.
        name: The `name` in the table; None if it has none.

    Returns:
        For each part, the name of the function and the function.
    """
    chosen = {}
    for part, option in OPTIONS.items():
        if option.table != table:
            continue
        key = name if option.default and name is not None else option.default
        if not isinstance(key, str) or key not in option.functions:
            near = {name: name for name in option.functions}
            expected = f"one of {', '.join(near)}"
            near |= WITH_DECAY if table == "optimizer" else {}
            raise refusal(f"{table}.name", expected, key, near)
        chosen[part] = key, option.functions[key]
    return chosen


def refuse_unknown(key: str, names: Iterable[str], expected: str) -> NoReturn:
    setting = key.rpartition(".")[2]
    near = did_you_mean(setting, {setting: RENAMED[key]} if key in RENAMED else names)
    raise UserError(f"unknown setting {key}{near or ';'} {expected}")


def fill_in(table: str, where: str, function: Callable, given: Settings) -> Settings:
    """Check the settings of a function and fill in its defaults.

    Args:
        table: Name of the table that holds the settings.
        where: The table and the choice in it, for messages.
        function: The function.
        given: The values in the table.
    """
    settings = {}
    for setting, parameter in settings_of(function).items():
        key = f"{table}.{setting}"
        if setting in given:
            settings[setting] = validate(key, parameter.annotation, given[setting])
        elif parameter.default is REQUIRED:
            expected = describe_type(parameter.annotation)
            raise UserError(f"{key}: {where} needs it; expected {expected}")
        else:
            settings[setting] = copy(parameter.default)
    return settings


def run_name(name: str, overrides: Sequence[str] = ()) -> str:
    """Make a name for the folder of a run from a config's name and overrides."""
    whole = ",".join([name, *sorted(overrides)])
    reduced = re.sub(r"[^A-Za-z0-9_.=,-]", "", whole).lstrip(".,")
    if len(reduced) <= LONGEST_NAME:
        return reduced
    digest = sha256(whole.encode()).hexdigest()[:12]
    return f"{reduced[: LONGEST_NAME - 13]}-{digest}"


def flatten(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of tables by dotted name."""
    for key, value in tables.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{setting}", v) for setting, v in value.items())
        else:
            yield key, value


def all_settings() -> dict[str, list[str]]:
    """All settings by dotted name, with the names of the choices that have them."""
    found: dict[str, list[str]] = {}
    for option in OPTIONS.values():
        for name, function in option.functions.items():
            for setting in settings_of(function):
                found.setdefault(f"{option.table}.{setting}", []).append(name)
    return found
