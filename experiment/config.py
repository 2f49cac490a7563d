"""Loads an experiment from TOML and checks every setting before any work is done.

The code is the schema. The settings of a section are the keyword-only parameters of
the functions it configures: their annotations say what is allowed, their defaults what
happens otherwise, and the `Args:` of their docstrings what they mean. A new model with
a new setting is therefore checked, saved and listed by `--help` without a line here.
"""

import difflib
import inspect
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from annotated_types import Interval
from pydantic import ConfigDict, TypeAdapter, ValidationError

from data import DATASETS, split
from models import MODELS
from monitoring.settings import MonitoringSettings
from optimizers import DECAYS, OPTIMIZERS, prepare
from optimizers.schedules import SCHEDULES
from system.errors import UserError
from system.files import is_file, read_file
from training.settings import TrainingSettings

SCHEMA_VERSION = 1
"""Raised when a config.toml written by an older version can no longer be read."""

LONGEST_NAME = 100
LARGEST_FLOAT, SMALLEST_FLOAT = 3.4e38, 1.2e-38
"""In float32, the numbers beyond are infinite and 0."""
LARGEST_INTEGER = 2**63 - 1
LARGEST_FILE = 10**6
BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
}
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]
Settings = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A table of the config: a choice by `name`, settings that always apply, both."""

    choices: Mapping[str, Callable]
    default: str | None = None
    always: Callable | None = None

    def functions(self, name: str | None) -> list[Callable]:
        chosen = [self.choices[name]] if name else []
        return chosen + ([self.always] if self.always else [])


SECTIONS = {
    "data": Section(DATASETS, default="mnist", always=split),
    "model": Section(MODELS, default="mlp"),
    "optimizer": Section(OPTIMIZERS, default="adam", always=prepare),
    "decay": Section(DECAYS, default="none"),
    "schedule": Section(SCHEDULES, default="constant"),
    "training": Section({}, always=TrainingSettings),
    "monitoring": Section({}, always=MonitoringSettings),
}


@dataclass(frozen=True)
class Config:
    """A resolved experiment: every setting of every section has its value."""

    name: str
    seed: int
    data: Settings
    model: Settings
    optimizer: Settings
    decay: Settings
    schedule: Settings
    training: Settings
    monitoring: Settings

    def tables(self) -> dict[str, Any]:
        """The config as TOML holds it, which has no null: what is None is left out."""
        return {
            key: {k: v for k, v in value.items() if v is not None}
            if isinstance(value, dict)
            else value
            for key, value in asdict(self).items()
        }

    def differences(self, other: "Config") -> list[tuple[str, Any, Any]]:
        """The settings, `name` aside, in which two configs differ, with both values."""
        mine, theirs = dict(flatten(asdict(self))), dict(flatten(asdict(other)))
        return [
            (key, mine.get(key), theirs.get(key))
            for key in sorted(mine.keys() | theirs.keys())
            if key != "name" and mine.get(key) != theirs.get(key)
        ]


def call(function: Callable, settings: Settings, *inputs: Any) -> Any:
    """Call `function` with the settings and as many of the inputs as it declares."""
    declared = inspect.signature(function).parameters.values()
    taken = inputs[: sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in declared)]
    return function(*taken, **{name: settings[name] for name in parameters(function)})


def load_config(
    path: str | Path, overrides: Sequence[str] = (), *, keep_name: bool = False
) -> Config:
    """Load and check an experiment.

    Args:
        path: A TOML file.
        overrides: Assignments `section.key=value` that replace the file's, the value
            in TOML; a bare word is a string.
        keep_name: Whether overrides of a run's own config.toml mean that same run.

    Returns:
        The resolved config. Overrides of sections become a part of its name, so that
        they get a run directory of their own.

    Raises:
        UserError: With the setting, what was expected and what was received.
    """
    path = Path(path)
    tables = read_toml(path)
    saved_version = tables.pop("schema_version", None)
    if saved_version not in (None, SCHEMA_VERSION):
        raise UserError(f"{path} was written by another version of this template")
    tables.pop("fingerprint", None)
    tables.setdefault("name", name_run(path.stem, []) or "run")
    assigned = dict(map(parse_override, overrides))
    if len(assigned) < len(overrides):
        raise UserError(f"expected one value for each setting, received {overrides}")
    change(tables, assigned)
    config = resolve(tables)
    if keep_name and saved_version:
        return config
    named = [override for override in overrides if "." in override.partition("=")[0]]
    return replace(config, name=name_run(config.name, named))


def change(tables: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Set values by dotted name, in place.

    Where another `name` is chosen, settings that it does not have are dropped.
    """
    for key in sorted(values, key=lambda key: not key.endswith(".name")):
        section, _, setting = key.rpartition(".")
        table = tables.setdefault(section, {}) if section else tables
        if not isinstance(table, dict):
            raise UserError(f"{section}: expected a table, received {shown(table)}")
        choices = SECTIONS[section].choices if section in SECTIONS else {}
        if setting == "name" and values[key] in choices:
            functions = SECTIONS[section].functions(values[key])
            known = [name for function in functions for name in parameters(function)]
            for foreign in table.keys() - {"name", *known}:
                del table[foreign]
        table[setting] = values[key]


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_file(path, LARGEST_FILE).decode("utf-8"))
    except FileNotFoundError:
        found = [*path.parent.glob("*.toml"), *Path("configs").glob("*.toml")]
        stems = {file.stem: str(file) for file in sorted(found)}
        near = stems.get(near_name(path.stem, stems) or "")
        raise UserError(
            f"{path}: no such file; {did_you_mean(near)}".rstrip("; ")
        ) from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: expected TOML in UTF-8, received other bytes"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected TOML; {error}") from None


def parse_override(text: str) -> tuple[str, Any]:
    """Split `section.key=value` and read the value as TOML, a bare word as a string."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"\w+(\.\w+)?", key, re.ASCII):
        config = Path(f"{text}.toml")
        near = str(config) if is_file(config) else None
        raise UserError(
            f"{did_you_mean(near)}expected CONFIG.toml or section.key=value, "
            f"received {shown(text)}"
        )
    if "." not in key and key not in ("name", "seed"):
        near = did_you_mean(near_name(key, all_settings()))
        raise UserError(
            f"unknown setting {key}; {near}expected name, seed or section.key"
        )
    try:
        tables = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        if not re.fullmatch(r"[^\"'\[\]{}=#\n]+", value):
            raise UserError(
                f"{key}: expected a TOML value, received {shown(value)}"
            ) from None
        return key, value
    if tables.keys() != {"value"}:
        raise UserError(f"{key}: expected one TOML value, received {shown(value)}")
    return key, tables["value"]


def resolve(tables: Mapping[str, Any]) -> Config:
    """Check all tables against the signatures and fill in the defaults."""
    top = ["name", "seed", *SECTIONS]
    for key in tables.keys() - set(top):
        near = near_name(key, top) or near_name(key, all_settings())
        raise UserError(
            f"unknown setting {key}; {did_you_mean(near)}"
            f"expected name, seed, or a setting of {', '.join(SECTIONS)}"
        )
    config = Config(
        name=check_name(tables["name"]),
        seed=check("seed", Seed, tables.get("seed", 0)),
        **{key: resolve_section(key, tables.get(key, {})) for key in SECTIONS},
    )
    epochs, warmup = config.training["epochs"], config.schedule.get("warmup_epochs", 0)
    if warmup > epochs:
        raise UserError(
            f"schedule.warmup_epochs: expected at most training.epochs = {epochs}, "
            f"received {warmup:g}"
        )
    return config


def check_name(value: Any) -> str:
    """A name that makes one folder, and one that cannot climb out of its parent."""
    name = check("name", str, value)
    if len(name) > LONGEST_NAME or not re.fullmatch(
        r"[A-Za-z0-9_=-][A-Za-z0-9_.=,-]*", name
    ):
        raise UserError(
            "name: expected 1 to 100 of A-Z a-z 0-9 _ . = , - and no dot or comma "
            f"first, received {shown(name)}"
        )
    return name


def resolve_section(key: str, table: Any) -> Settings:
    section = SECTIONS[key]
    if not isinstance(table, dict):
        raise UserError(f"{key}: expected a table [{key}], received {shown(table)}")
    given = dict(table)
    resolved: Settings = {}
    name = None
    if section.choices:
        name = given.pop("name", section.default)
        if not isinstance(name, str) or name not in section.choices:
            near = near_name(name, section.choices)
            raise UserError(
                f"{key}.name: {did_you_mean(near)}"
                f"expected one of {', '.join(section.choices)}, received {shown(name)}"
            )
        resolved["name"] = name
    known = {
        setting: parameter
        for function in section.functions(name)
        for setting, parameter in parameters(function).items()
    }
    for setting in given:
        if setting not in known:
            owner = f"{key} {name}" if name else key
            owners = [n for n, f in section.choices.items() if setting in parameters(f)]
            near = near_name(setting, known)
            near = f"{key}.{near}" if near else near_name(setting, all_settings())
            hint = (
                f"{key}.name = {' or '.join(owners)} has it; "
                if owners
                else did_you_mean(near)
            )
            raise UserError(
                f"unknown setting {key}.{setting}; {hint}"
                f"the settings of {owner} are {', '.join(known)}"
            )
    for setting, parameter in known.items():
        if setting in given:
            value = check(f"{key}.{setting}", parameter.annotation, given[setting])
        elif parameter.default is parameter.empty:
            raise UserError(
                f"{key}.{setting}: {key} {name} needs it; "
                f"expected {expectation(parameter.annotation)}"
            )
        else:
            value = parameter.default
        resolved[setting] = list(value) if isinstance(value, tuple) else value
    return resolved


def parameters(function: Callable) -> dict[str, inspect.Parameter]:
    """The settings of a function: its keyword-only parameters."""
    return {
        name: parameter.replace(annotation=annotation_of(function, parameter))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def annotation_of(function: Callable, parameter: inspect.Parameter) -> Any:
    if parameter.annotation is parameter.empty:
        raise UserError(
            f"setting {parameter.name} of {function.__name__}: expected a type "
            f"annotation in its signature, such as {parameter.name}: int"
        )
    if isinstance(parameter.annotation, str):
        return eval(parameter.annotation, vars(sys.modules[function.__module__]))
    return parameter.annotation


def meanings(function: Callable) -> dict[str, str]:
    """What the `Args:` of a docstring, or else of its module, say of each parameter."""
    found: dict[str, str] = {}
    for documented in (sys.modules[function.__module__], function):
        args = re.search(
            r"^Args:\n((?:    .*\n?|\n)*)", inspect.getdoc(documented) or "", re.M
        )
        found |= re.findall(
            r"^    (\w+): (.*(?:\n {8}.*)*)", args[1] if args else "", re.M
        )
    return {name: " ".join(text.split()) for name, text in found.items()}


def check(key: str, annotation: Any, value: Any) -> Any:
    """A value as its annotation has it, strictly; "none" where None is allowed."""
    if value == "none" and type(None) in get_args(annotation):
        return None
    if get_origin(annotation) is tuple and isinstance(value, list):
        value = tuple(value)
    adapter = TypeAdapter(
        annotation, config=ConfigDict(strict=True, allow_inf_nan=False)
    )
    try:
        valid = adapter.validate_python(value)
        refuse_what_no_file_holds(key, valid)
        return valid
    except ValidationError:
        near = near_name(value, get_args(annotation))
        raise UserError(
            f"{key}: {did_you_mean(near)}"
            f"expected {expectation(annotation)}, received {shown(value)}"
        ) from None


def refuse_what_no_file_holds(key: str, value: Any) -> None:
    """Refuse values that config.toml or a float32 cannot hold."""
    if isinstance(value, list | tuple):
        for item in value:
            refuse_what_no_file_holds(key, item)
    if isinstance(value, float) and not (
        value == 0 or SMALLEST_FLOAT <= abs(value) <= LARGEST_FLOAT
    ):
        raise UserError(
            f"{key}: expected 0 or a number from {SMALLEST_FLOAT:g} to "
            f"{LARGEST_FLOAT:g}, which is what float32 holds, received {shown(value)}"
        )
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise UserError(
            f"{key}: expected an integer of at most {LARGEST_INTEGER}, "
            f"received {shown(value)}"
        )
    if isinstance(value, str) and not value.isprintable():
        raise UserError(f"{key}: expected printable text, received {shown(value)}")


def expectation(annotation: Any) -> str:
    """What a type and its constraints allow, in words: "a number >= 0"."""
    return describe(TypeAdapter(annotation).json_schema())


def describe(schema: Mapping[str, Any], plural: bool = False) -> str:
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return " or ".join(describe(kind, plural) for kind in kinds)
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    word = schema.get("type", "value")
    if word == "boolean":
        return "true or false"
    if "prefixItems" in schema:
        return "a list of " + ", ".join(map(describe, schema["prefixItems"]))
    if word == "array":
        most = f"at most {schema['maxItems']} " if "maxItems" in schema else ""
        return f"a list of {most}{describe(schema.get('items', {}), plural=True)}"
    limits = [f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema]
    article = "an" if word[0] in "aeiou" else "a"
    noun = f"{word}s" if plural else f"{article} {word}"
    return f"{noun} {' and '.join(limits)}".strip()


def near_name(word: Any, names: Iterable[Any]) -> str | None:
    """The name that a word may be a misspelling of, its section left out of account."""
    if not isinstance(word, str):
        return None
    named = {name.rpartition(".")[2]: name for name in names if isinstance(name, str)}
    near = difflib.get_close_matches(word, named, n=1, cutoff=0.5)
    return named[near[0]] if near else None


def did_you_mean(name: str | None) -> str:
    return f"did you mean {name}? " if name else ""


def shown(value: Any) -> str:
    """A value as one line of at most 80 characters, for a message."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # An integer of more digits than Python converts.
        text = "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


def name_run(name: str, overrides: Sequence[str]) -> str:
    full = reduce_name(",".join([name, *sorted(overrides)]))
    if len(full) <= LONGEST_NAME:
        return full
    digest = sha256(",".join([name, *sorted(overrides)]).encode()).hexdigest()[:12]
    return f"{full[: LONGEST_NAME - 13]}-{digest}"


def reduce_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.=,-]", "", text).lstrip(".,")


def flatten(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{setting}", v) for setting, v in value.items())
        else:
            yield key, value


def all_settings() -> Iterator[str]:
    for key, section in SECTIONS.items():
        for function in [*section.choices.values(), *section.functions(None)]:
            yield from (f"{key}.{setting}" for setting in parameters(function))


def help_settings() -> str:
    """Every setting with its type, default and meaning, as `--help` prints it."""
    lines = [
        "settings, by section of the config file (or section.key=value):",
        "",
        "  name: a string = the config file's stem",
        "      names the run directory",
        f"  seed: {expectation(Seed)} = 0",
        "      fixes split, initial weights, order, dropout masks and label noise",
    ]
    for key, section in SECTIONS.items():
        if section.always:
            lines += ["", f"[{key}]", *help_function(section.always)]
        for name, function in section.choices.items():
            chosen = " (the default)" if name == section.default else ""
            lines += ["", f'[{key}] name = "{name}"{chosen}: {summary(function)}']
            lines += help_function(function)
    return "\n".join(lines)


def help_function(function: Callable) -> Iterator[str]:
    texts = meanings(function)
    for setting, parameter in parameters(function).items():
        if parameter.default is parameter.empty:
            default = " (required)"
        elif parameter.default is None:
            default = " = none"
        else:
            default = f" = {shown(parameter.default)}"
        yield f"  {setting}: {expectation(parameter.annotation)}{default}"
        yield textwrap.indent(textwrap.fill(texts.get(setting, ""), 80), "      ")


def summary(function: Callable) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]
