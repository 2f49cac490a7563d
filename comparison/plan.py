"""Loads a comparison: methods, each with a grid of strengths of its own, and seeds.

A comparison file names a base config and what each method changes of it:

    question = "Does AdamW help?"   # the head of the report
    base = "baseline.toml"          # beside this file; may be a run's config.toml
    seeds = [0, 1, 2]               # the same for every method: runs are paired
    control = "none"                # the method that the others are compared with
    select.at = "final"             # choose strengths by this evaluation, or "best"
    select.by = "cross_entropy"     # or "accuracy", or "loss": the one that is trained
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

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval
from pydantic import PositiveFloat

from experiment.config import (
    Config,
    Seed,
    Settings,
    assign,
    flatten,
    parse_override,
    read_tables,
    read_toml,
    resolve,
    run_name,
    validate_name,
)
from experiment.schema import did_you_mean, quote, validate
from system.errors import UserError

KNOWN = (
    *("name", "question", "base", "seeds", "control", "select", "grow", "margins"),
    *("set", "conditions", "methods"),
)

OWN_FOLDERS = ("figures", "mean")
"""Folders of a comparison that hold no method's runs."""

Tables = dict[str, Any]
By = Literal["cross_entropy", "accuracy", "loss"]


@dataclass(frozen=True)
class Run:
    """One experiment of a comparison.

    Attributes:
        method: Its name.
        condition: Its name, "train_size=300"; empty if the comparison has none.
        strength: What the method varies, as text, "l2=0.001".
        varied: What the method varies, by dotted name.
        seed: Seed of the run; those of one seed are paired.
        config: The whole experiment.
        path: Path of its directory, below that of the comparison.
        pictures: Whether TensorBoard gets histograms and pictures of it: those of one
            seed are enough to look at.
    """

    method: str
    condition: str
    strength: str
    varied: Settings
    seed: int
    config: Config
    path: Path
    pictures: bool


@dataclass(frozen=True)
class Comparison:
    """Experiments that differ in condition, method, strength and seed alone.

    Attributes:
        name: Name of its directory.
        question: That it asks; empty if its file has none.
        control: The method that means "without".
        select: The moment that strengths are chosen at: "final" or "best".
        select_by: What they are chosen by: "cross_entropy", "accuracy" or "loss".
        loss: What the updates minimize: "cross_entropy", or "loss" for any other.
        grow: How many values are added beyond a best one on its grid's edge, at most.
        margins: Within which methods are practically equal, where the file says so.
        conditions: Their settings, by name.
        methods: Their names.
        seeds: The same for every method.
        runs: In order of conditions, methods, strengths and seeds.
    """

    name: str
    question: str
    control: str
    select: str
    select_by: str
    loss: str
    grow: int
    margins: dict[str, float]
    conditions: dict[str, Settings]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: tuple[Run, ...]

    def grid(self, condition: str, method: str) -> dict[str, Settings]:
        """The strengths of a method under a condition, by their text."""
        return {
            run.strength: run.varied
            for run in self.runs
            if (run.condition, run.method) == (condition, method)
        }


def load_comparison(path: Path, overrides: Sequence[str] = ()) -> Comparison:
    """Load a comparison and check each of its experiments.

    Args:
        path: A TOML file.
        overrides: Assignments `section.key=value` that apply to the base config.

    Raises:
        UserError: With the setting, what was expected and what was received.
    """
    tables = read_toml(path)
    refuse_unknown("", tables, KNOWN)
    for key in ("base", "methods"):
        if key not in tables:
            raise UserError(f"{path}: {key}: a comparison needs it")
    methods = check_methods(tables["methods"])
    conditions = check_conditions(tables.get("conditions", [{}]))
    base = load_base(path, tables, methods, conditions, overrides)
    seeds = validate("seeds", list[Seed], tables.get("seeds", [0, 1, 2, 3, 4]))
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"seeds: expected different integers, received {quote(seeds)}")
    control = tables.get("control", next(iter(methods)))
    if not isinstance(control, str) or control not in methods:
        raise UserError(
            f"control: expected one of {', '.join(methods)}, received {quote(control)}"
        )
    name = validate_name(tables.get("name", run_name(path.stem) or "comparison"))
    runs: list[Run] = []
    for condition in conditions.items():
        for method, table in methods.items():
            made = [
                make_run(
                    name,
                    [base, condition[1], settings_of(method, "set", table) | strengths],
                    condition,
                    method,
                    strengths,
                    seed,
                    pictures=seed == seeds[0],
                )
                for strengths in combine(settings_of(method, "vary", table), method)
                for seed in seeds
            ]
            refuse_lost_condition(made[0], condition[1], table)
            refuse_equal(made)
            runs += made
    select, by = check_select(tables.get("select", "final"))
    loss = trained_loss(runs)
    margins = validate("margins", dict[By, PositiveFloat], tables.get("margins", {}))
    grow = validate(
        "grow", Annotated[int, Interval(ge=0, le=10)], tables.get("grow", 2)
    )
    return Comparison(
        name,
        validate("question", str, tables.get("question", "")),
        control,
        select,
        by or loss,
        loss,
        grow,
        margins,
        conditions,
        tuple(methods),
        tuple(seeds),
        tuple(runs),
    )


def load_base(
    path: Path,
    tables: Tables,
    methods: dict[str, Tables],
    conditions: dict[str, Settings],
    overrides: Sequence[str],
) -> Tables:
    """What all runs share: the base config, what the file sets of it, overrides."""
    named = Path(validate("base", str, tables["base"])).expanduser()
    base = read_tables(path.parent / named)
    assign(base, flat("set", tables.get("set", {})))
    without_effect = settings_of_all_runs(methods, conditions)
    for override in overrides:
        key, value = parse_override(override)
        if "." not in key:
            raise UserError(
                f"{key}: expected section.key=value: a comparison has its own"
            )
        if key in without_effect:
            raise UserError(
                f"{key}: expected a setting that runs share, received one that {path} "
                "sets for each method or condition"
            )
        assign(base, {key: value})
    return base


def check_select(select: Any) -> tuple[str, str | None]:
    """The moment that strengths are chosen at, and what by."""
    if not isinstance(select, dict):
        return validate("select", Literal["final", "best"], select), None
    refuse_unknown("select.", select, ("at", "by"))
    at = validate("select.at", Literal["final", "best"], select.get("at", "final"))
    return at, validate("select.by", By, select["by"]) if "by" in select else None


def trained_loss(runs: Iterable[Run]) -> str:
    """What to compare by: "loss" if all runs minimize one other than cross-entropy."""
    names = {run.config.training.settings["loss"] for run in runs}
    return (
        "loss" if len(names) == 1 and "cross_entropy" not in names else "cross_entropy"
    )


def refuse_unknown(where: str, table: Tables, known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            raise UserError(
                f"unknown setting {where}{key}; {did_you_mean(key, known)}"
                f"expected {', '.join(known)}"
            )


def check_methods(methods: Any) -> dict[str, Tables]:
    if not isinstance(methods, dict) or not methods:
        raise UserError("methods: expected tables [methods.<name>]")
    for method, table in methods.items():
        if not re.fullmatch(r"[A-Za-z0-9_]+", method, re.ASCII):
            raise UserError(
                f"methods: expected names of letters, digits and _, received {method}"
            )
        if method in OWN_FOLDERS:
            raise UserError(
                f"methods.{method}: expected another name: the folder {method} holds "
                "what the comparison came to"
            )
        if not isinstance(table, dict):
            raise UserError(f"methods.{method}: expected a table")
        refuse_unknown(f"methods.{method}.", table, ("set", "vary"))
    return methods


def check_conditions(tables: Any) -> dict[str, Settings]:
    """The settings of each condition by its name, which its first setting gives."""
    conditions, firsts = {}, set()
    for table in validate("conditions", list[dict], tables):
        settings = flat("conditions", table)
        conditions[in_words(dict(list(settings.items())[:1]))] = settings
        firsts |= set(list(settings)[:1])
    if not conditions or len(conditions) < len(tables) or len(firsts) > 1:
        raise UserError(
            "conditions: expected tables that differ in their first setting, received "
            f"{quote(tables)}"
        )
    return conditions


def refuse_lost_condition(run: Run, settings: Settings, table: Tables) -> None:
    """Refuse a method that would replace what a condition sets, or has no use for it.

    Args:
        run: One of the method's, under the condition.
        settings: Settings of the condition.
        table: Table of the method.
    """
    found = dict(flatten(run.config.tables()))
    for key, value in settings.items():
        which = [
            f"which {verb} it"
            for part, verb in (("set", "sets"), ("vary", "varies"))
            if key in settings_of(run.method, part, table)
        ]
        if key not in found:
            name = found.get(f"{key.partition('.')[0]}.name")
            which.append(f"whose {name} does not have it")
        if which:
            raise UserError(
                f"conditions: {key} = {quote(value)}: expected a setting that methods "
                f"leave alone, received methods.{run.method}, {which[0]}"
            )


def refuse_equal(runs: Sequence[Run]) -> None:
    """Refuse strengths of a method that make one experiment, or one folder, twice."""
    seen: dict[Any, Run] = {}
    for run in runs:
        experiment = json.dumps(run.config.tables() | {"name": ""}, sort_keys=True)
        for same in (experiment, run.path):
            other = seen.setdefault(same, run)
            if other is not run:
                what = "folder" if same == run.path else "experiment"
                raise UserError(
                    f"methods.{run.method}.vary: expected different values, received "
                    f"{other.strength} and {run.strength}, which make one {what}"
                )


def settings_of_all_runs(
    methods: dict[str, Tables], conditions: dict[str, Settings]
) -> set[str]:
    """What every condition, or every method, sets: the base's value has no effect."""
    of_methods = [
        settings_of(method, "set", table).keys()
        | settings_of(method, "vary", table).keys()
        for method, table in methods.items()
    ]
    of_conditions = [set(settings) for settings in conditions.values()]
    return set.intersection(*of_methods) | set.intersection(*of_conditions)


def settings_of(method: str, part: str, table: Tables) -> Settings:
    """What a method sets, or varies, by dotted name."""
    return flat(f"methods.{method}.{part}", table.get(part, {}))


def combine(axes: Settings, method: str) -> Iterator[Settings]:
    """Every combination of the values that a method varies, by dotted name."""
    for key, values in axes.items():
        if not isinstance(values, list) or not values:
            raise UserError(
                f"methods.{method}.vary.{key}: expected a list of values, "
                f"received {quote(values)}"
            )
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def make_run(
    name: str,
    layers: Sequence[Tables],
    condition: tuple[str, Settings],
    method: str,
    strengths: Settings,
    seed: int,
    pictures: bool,
) -> Run:
    """One experiment.

    Args:
        name: Name of the comparison.
        layers: Tables of a config, and settings by dotted name that change them in
            turn.
        condition: Its name and its settings.
        method: Its name.
        strengths: What the method varies.
        seed: Seed of the run.
        pictures: Whether TensorBoard gets pictures of it.
    """
    first, *changes = layers
    tables = {k: dict(v) if isinstance(v, dict) else v for k, v in first.items()}
    for settings in changes:
        assign(tables, settings)
    condition_name, of_condition = condition
    varied = [*list(of_condition.items())[:1], *strengths.items()]
    # Without the sections: TensorBoard cuts off names of more than 30 characters.
    settings_of = [f"{key.partition('.')[2]}={sortable(v)}" for key, v in varied]
    folders = [method, *settings_of]
    # One thread for each run: bits then do not depend on the number of workers.
    tables["training"] = {"threads": 1} | tables.get("training", {})
    tables |= {"name": run_name(name, folders), "seed": seed}
    path = Path(*folders, f"seed={seed:02d}")
    return Run(
        method,
        condition_name,
        in_words(strengths),
        strengths,
        seed,
        resolve(tables),
        path,
        pictures,
    )


def against_itself(comparison: Comparison) -> Comparison:
    """The same comparison with the control in the place of every method and strength.

    Each draws seeds of its own, so that whatever this finds is chance.
    """
    copies = list(dict.fromkeys((run.method, run.strength) for run in comparison.runs))
    controls = {
        run.condition: run.config
        for run in reversed(comparison.runs)
        if run.method == comparison.control
    }

    def copy(run: Run) -> Run:
        number = copies.index((run.method, run.strength))
        seed = (run.seed + number * (max(comparison.seeds) + 1)) % 2**32
        control = controls[run.condition]
        return replace(run, config=replace(control, name=run.config.name, seed=seed))

    name = run_name(f"{comparison.name}_against_itself")
    return replace(
        comparison, name=name, runs=tuple(map(copy, comparison.runs)), grow=0
    )


def in_words(settings: Settings) -> str:
    """Settings as text, without their sections: "l2=0.001 learning_rate=0.01"."""
    return " ".join(f"{key.partition('.')[2]}={v}" for key, v in settings.items())


def flat(where: str, tables: Any) -> Settings:
    """Values by dotted name."""
    if not isinstance(tables, dict):
        raise UserError(f"{where}: expected a table, received {quote(tables)}")
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise UserError(
                f"{where}.{key}: expected a setting {where}.section.key, received "
                f"{quote(value)}"
            )
    return dict(flatten(tables))


def sortable(value: Any) -> str:
    """A value in a folder's name: numbers so that they sort, as far as text can."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:06d}"
    if isinstance(value, float):
        text = np.format_float_scientific(value, trim="-", exp_digits=2)
        return text.replace("+", "")
    return re.sub(r"[^A-Za-z0-9_.,-]", "", str(value))
