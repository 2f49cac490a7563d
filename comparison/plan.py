"""Loads a comparison: methods, each with a grid of strengths of its own, and seeds.

A comparison file names a base config and what each method changes of it:

    question = "Does AdamW help?"   # the head of the report
    base = "../baseline.toml"       # from this file's folder; or a run's config.toml
    seeds = [0, 1, 2]               # the same for every method: runs are paired
    control = "none"                # the method that the others are compared with
    select.at = "final"             # choose strengths by this evaluation, or "best"
    select.by = "cross_entropy"     # or another measure, or "loss": the trained one
    grow = 2                        # values added beyond a best one on its grid's edge
    margins.accuracy = 0.005        # methods that differ by less are practically equal
    set.training.epochs = 40        # changes for all methods

    [methods.none]

    [methods.adamw]
    set.decay.name = "decoupled"
    vary.decay.strength = [0.3, 1.0, 3.0]

Where the answer may depend on something else, the whole comparison is made under each
of several conditions, with strengths of their own. The first setting of each names it:

    conditions = [
        {data.train_size = 300, training.epochs = 200},
        {data.train_size = 3000, training.epochs = 40},
    ]
"""

import copy
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval, MinLen
from pydantic import BaseModel, PositiveFloat, StringConstraints, ValidationError

from experiment.config import (
    TABLES,
    Config,
    Seed,
    Settings,
    assign,
    flatten,
    parse_overrides,
    read_tables,
    read_toml,
    resolve,
    run_name,
    validate_name,
)
from experiment.schema import did_you_mean, quote, refusal
from system.errors import UserError
from system.files import expand_home
from training.losses import TASKS
from training.measures import MEASURES, measures_of

OWN_FOLDERS = ("figures", "mean")
"""Folders of a comparison that are not those of methods."""

Tables = dict[str, dict[str, Any]]
Grids = dict[str, dict[str, Annotated[list[Any], MinLen(1)]]]
MethodName = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_]+$")]
Moment = Literal["final", "best"]
By: Any = Literal[tuple(MEASURES)]
Result = dict[str, Any]
"""The contents of a run's result.json."""
Results = dict[Path, Result]
"""The results of runs, by their paths; runs without a result are missing."""


class Method(BaseModel, strict=True, extra="forbid"):
    """A table [methods.<name>] of a comparison file."""

    set: Tables = {}
    vary: Grids = {}


class Select(BaseModel, strict=True, extra="forbid"):
    """The table [select] of a comparison file."""

    at: Moment = "final"
    by: By | None = None


class ComparisonFile(BaseModel, strict=True, extra="forbid"):
    """A comparison file: its keys and their types."""

    base: str
    methods: Annotated[dict[MethodName, Method], MinLen(1)]
    name: str = ""
    question: str = ""
    seeds: Annotated[list[Seed], MinLen(1)] = [0, 1, 2, 3, 4]
    control: str = ""
    select: Select = Select()
    grow: Annotated[int, Interval(ge=0, le=10)] = 2
    margins: dict[By, PositiveFloat] = {}
    set: Tables = {}
    conditions: Annotated[list[Tables], MinLen(1)] = [{}]


@dataclass(frozen=True)
class Trial:
    """A method at one strength, under one condition: runs that differ in seed alone.

    Attributes:
        condition: Name of the condition, such as "train_size=300"; empty if the
            comparison has none.
        method: Name of the method.
        varied: Settings that the method varies, and their values here, by dotted name.
    """

    condition: str
    method: str
    varied: Settings = field(hash=False)

    @property
    def strength(self) -> str:
        """The values that the method varies, as text: "l2=0.001"."""
        return in_words(self.varied)

    @property
    def label(self) -> str:
        """The method under its condition: "adamw train_size=300"."""
        return f"{self.method} {self.condition}".rstrip()

    @property
    def name(self) -> str:
        """The method and its strength in short: "adamw 3.0"."""
        return " ".join([self.method, *map(short, self.varied.values())])

    @property
    def title(self) -> str:
        """Method, strength and condition in short: "adamw 3.0 train_size=300"."""
        return f"{self.name} {self.condition}".rstrip()


@dataclass(frozen=True)
class Run:
    """One experiment of a comparison.

    Attributes:
        trial: Trial that it belongs to.
        seed: Seed of the run. Runs of one seed are paired.
        config: Config of the run.
        path: Path of its directory, relative to that of the comparison.
        pictures: Whether TensorBoard gets histograms and pictures of it, as it does of
            one seed.
    """

    trial: Trial
    seed: int
    config: Config
    path: Path
    pictures: bool

    @property
    def settings(self) -> Settings:
        """Every setting, by dotted name."""
        return dict(flatten(self.config.tables()))


@dataclass(frozen=True)
class Comparison:
    """Runs that differ in condition, method, strength and seed alone.

    Attributes:
        name: Name of the directory of the comparison.
        file: The comparison file, with its defaults for `control` and `select.by`
            filled in.
        base: Tables of the config that conditions and methods change.
        conditions: Settings of each condition by dotted name, by the condition's name.
        grids: For each condition and method, the values of each setting that the method
            varies.
        runs: The runs, in the order of conditions, methods, strengths and seeds.
        loss: Key of the measure that is shown as the loss: the criterion of the task,
            or "loss" if all runs minimize another one.
    """

    name: str
    file: ComparisonFile
    base: Tables
    conditions: dict[str, Settings]
    grids: dict[tuple[str, str], dict[str, list[Any]]]
    runs: tuple[Run, ...] = ()
    loss: str = ""

    def runs_of(self, trial: Trial) -> list[Run]:
        return [run for run in self.runs if run.trial == trial]

    def grid(self, trial: Trial) -> list[Trial]:
        """All strengths of the same method under the same condition."""
        trials = dict.fromkeys(run.trial for run in self.runs)
        return [other for other in trials if other.label == trial.label]

    def edges(self, trial: Trial) -> Iterator[str]:
        """Settings whose value is the least or the greatest of three or more numbers in
        the grid, so that a better one may be beyond."""
        for key, value in trial.varied.items():
            axis = [other.varied[key] for other in self.grid(trial)]
            numbers = all(type(v) in (int, float) for v in axis)
            if numbers and len(set(axis)) > 2 and value in (min(axis), max(axis)):
                yield key


def load_comparison(path: Path, overrides: Sequence[str] = ()) -> Comparison:
    """Load a comparison and check all its runs.

    Args:
        path: A comparison file in TOML.
        overrides: Assignments `section.key=value` that change the base config.

    Raises:
        UserError: With the setting, what was expected and what was received.
    """
    file = read_comparison(path)
    base = read_tables(path.parent / expand_home(file.base))
    assign(base, dict(flatten(file.set)))
    given = parse_overrides(overrides)
    for key in given:
        if "." not in key:
            raise UserError(
                f"{key}: expected section.key=value: a comparison has its own"
            )
    assign(base, given)
    name = validate_name(file.name or run_name(path.stem) or "comparison")
    conditions = name_conditions(file.conditions)
    grids = {
        (condition, method): dict(flatten(table.vary))
        for condition in conditions
        for method, table in file.methods.items()
    }
    comparison = Comparison(name, file, base, conditions, grids)
    runs = plan_runs(comparison)
    for key, value in given.items():
        if not any(run.settings.get(key) == value for run in runs):
            received = f"one that {path} sets for each method or condition"
            raise UserError(key, "a setting that runs share", received)
    loss = decide_loss(file, runs)
    file.select.by = file.select.by or loss
    return replace(comparison, runs=runs, loss=loss)


def decide_loss(file: ComparisonFile, runs: Sequence[Run]) -> str:
    """Decide which loss to show: the criterion of the task, or "loss" if all runs
    minimize another one. Refuse a `select.by` that cannot choose strengths."""
    task, by = runs[0].config.split.settings["task"], file.select.by
    losses = {run.config.loss.name for run in runs}
    trained = {(run.trial.condition, str(run.config.loss)) for run in runs}
    shared = len(trained) == len(file.conditions)
    if by not in (None, *measures_of(task)):
        measures = f"one of {', '.join(measures_of(task))}"
        raise UserError(f"select.by with data.task = {task}", measures, by)
    if by == "loss" and not shared:
        one = "a measure: the runs of a condition train different losses"
        raise UserError("select.by", one, by)
    criterion = TASKS[task]
    own = shared and len(losses) == 1 and criterion not in losses
    return "loss" if own else criterion


def read_comparison(path: Path) -> ComparisonFile:
    """Read a comparison file, and check all but the settings of its runs."""
    tables = read_toml(path)
    if "methods" not in tables and tables.keys() & TABLES:
        raise UserError(path, "a comparison", f"one run: python train.py {path}")
    try:
        file = ComparisonFile.model_validate(tables)
    except ValidationError as error:
        raise UserError(f"{path}: {explain(error)}") from None
    if len(set(file.seeds)) < len(file.seeds):
        raise refusal("seeds", "different integers", file.seeds)
    file.control = file.control or next(iter(file.methods))
    if file.control not in file.methods:
        methods = f"one of {', '.join(file.methods)}"
        raise refusal("control", methods, file.control, list(file.methods))
    for method in file.methods.keys() & OWN_FOLDERS:
        raise UserError(
            f"methods.{method}: expected another name: the folder {method} holds what "
            "the comparison came to"
        )
    return file


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong first in a comparison file."""
    first = error.errors(include_url=False)[0]
    *above, key = (str(part) for part in first["loc"] if part != "[key]")
    where = ".".join([*above, key])
    if first["type"] == "missing":
        return f"{where}: a comparison needs it"
    if first["type"] == "extra_forbidden":
        known = list([ComparisonFile, Select, Method][len(above)].__annotations__)
        near = did_you_mean(key, known)
        return f"unknown setting {where}{near or ';'} expected {', '.join(known)}"
    expected = re.sub("^.* should (be|have|match) ", "", first["msg"])
    expected = expected.replace("a valid integer", "an integer").replace("valid ", "")
    expected = expected.partition(" after validation")[0]
    if first["type"] in ("dict_type", "model_type"):
        expected = "a table, whose settings are named section.key"
    return f"{where}: expected {expected}, received {quote(first['input'])}"


def name_conditions(tables: Sequence[Tables]) -> dict[str, Settings]:
    """The settings of each condition by its name, made of the first setting."""
    conditions = {
        in_words(first_of(dict(flatten(t)))): dict(flatten(t)) for t in tables
    }
    firsts = {key for settings in conditions.values() for key in first_of(settings)}
    if len(conditions) < len(tables) or len(firsts) > 1:
        expected = "tables that differ in their first setting"
        raise refusal("conditions", expected, tables)
    return conditions


def first_of(settings: Settings) -> Settings:
    return dict(list(settings.items())[:1])


def plan_runs(comparison: Comparison) -> tuple[Run, ...]:
    """Make and check the runs of all conditions, methods, strengths and seeds."""
    runs: list[Run] = []
    for (condition, method), grid in comparison.grids.items():
        for values in itertools.product(*grid.values()):
            trial = Trial(condition, method, dict(zip(grid, values, strict=True)))
            runs += runs_of_seeds(comparison, trial)
    refuse_lost_conditions(runs, comparison.conditions)
    refuse_equal(runs)
    return tuple(runs)


def runs_of_seeds(comparison: Comparison, trial: Trial) -> Iterator[Run]:
    """The runs of a trial, one for each seed; the first has pictures."""
    seeds, condition = comparison.file.seeds, comparison.conditions[trial.condition]
    tables = copy.deepcopy(comparison.base)
    assign(tables, condition)
    own = dict(flatten(comparison.file.methods[trial.method].set))
    assign(tables, own | trial.varied)
    # With one thread per run, results do not depend on the number of workers.
    tables["training"] = {"threads": 1} | tables.get("training", {})
    # Folders leave out sections: TensorBoard cuts names off after 30 characters.
    named = first_of(condition) | trial.varied
    values = [f"{key.partition('.')[2]}={sortable(v)}" for key, v in named.items()]
    folders = [trial.method, *values]
    config = resolve(tables | {"name": run_name(comparison.name, folders)})
    for seed in seeds:
        path = Path(*folders, f"seed={seed:02d}")
        yield Run(trial, seed, replace(config, seed=seed), path, seed == seeds[0])


def refuse_lost_conditions(
    runs: Iterable[Run], conditions: Mapping[str, Settings]
) -> None:
    """Refuse methods that change or drop a setting of a condition."""
    for run in runs:
        found = run.settings
        for key, value in conditions[run.trial.condition].items():
            if found.get(key) != value:
                there = quote(found[key]) if key in found else "no such setting"
                raise UserError(
                    f"conditions: {key} = {quote(value)}",
                    "a setting that methods leave alone",
                    f"methods.{run.trial.method}, whose runs have {there}",
                )


def refuse_equal(runs: Iterable[Run]) -> None:
    """Refuse two strengths of a method that make the same run, or the same folder."""
    seen: dict[Any, Trial] = {}
    for run in runs:
        trial = run.trial
        experiment = json.dumps(run.config.tables() | {"name": ""}, sort_keys=True)
        for what, same in (("experiment", experiment), ("folder", run.path)):
            other = seen.setdefault((trial.label, same), trial)
            if other is not trial:
                both = f"{other.strength} and {trial.strength}, which make one {what}"
                raise UserError(
                    f"methods.{trial.method}.vary", "different values", both
                )


def against_itself(comparison: Comparison) -> Comparison:
    """A comparison with copies of the control in place of all methods and strengths.

    Each copy has seeds of its own, so that all differences are due to chance.
    """
    places = [(run.trial.method, run.trial.strength) for run in comparison.runs]
    copies = list(dict.fromkeys(places))
    controls = {
        run.trial.condition: run.config
        for run in reversed(comparison.runs)
        if run.trial.method == comparison.file.control
    }

    def copy(run: Run, place: tuple[str, str]) -> Run:
        seed = run.seed + copies.index(place) * (max(comparison.file.seeds) + 1)
        control = controls[run.trial.condition]
        config = replace(control, name=run.config.name, seed=seed % 2**32)
        return replace(run, config=config)

    name = run_name(f"{comparison.name}_against_itself")
    runs = tuple(map(copy, comparison.runs, places))
    file = comparison.file.model_copy(update={"grow": 0})
    return replace(comparison, name=name, file=file, runs=runs)


def count(number: int, noun: str, plural: str = "s") -> str:
    """A number with its noun: "1 seed", "5 seeds"."""
    return f"{number} {noun}{'' if number == 1 else plural}"


def short(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def in_words(settings: Settings) -> str:
    """Settings as text, without their sections: "l2=0.001 learning_rate=0.01"."""
    return " ".join(f"{key.partition('.')[2]}={v}" for key, v in settings.items())


def sortable(value: Any) -> str:
    """A value as part of the name of a folder; names sort in the order of numbers."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:06d}"
    if isinstance(value, float):
        text = np.format_float_scientific(value, trim="-", exp_digits=2)
        return text.replace("+", "")
    return re.sub(r"[^A-Za-z0-9_.,-]", "", str(value))
