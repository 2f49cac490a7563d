"""Loads a comparison: methods, each with a grid of strengths of its own, and seeds.

A comparison file names a base config and what each method changes of it:

    base = "baseline.toml"          # beside this file
    seeds = [0, 1, 2]               # the same for every method: runs are paired
    control = "none"                # the method that the others are compared with
    select = "final"                # choose strengths by this evaluation, or "best"
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
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from experiment.config import (
    Config,
    Seed,
    Settings,
    change,
    check,
    check_name,
    did_you_mean,
    flatten,
    name_run,
    near_name,
    parse_override,
    read_toml,
    resolve,
    shown,
)
from system.errors import UserError

KNOWN = ("name", "base", "seeds", "control", "select", "set", "conditions", "methods")
Tables = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One experiment of a comparison.

    Attributes:
        method: Its name.
        condition: Its name, "train_size=300"; empty if the comparison has none.
        strength: What the method varies, as text, "l2=0.001".
        strengths: What the method varies, by dotted name.
        seed: Of the run.
        config: The whole experiment.
        path: Of its directory, below that of the comparison.
        pictures: Whether TensorBoard gets histograms and pictures of it: those of one
            seed are enough to look at.
    """

    method: str
    condition: str
    strength: str
    strengths: Settings
    seed: int
    config: Config
    path: Path
    pictures: bool


@dataclass(frozen=True)
class Comparison:
    """Experiments that differ in condition, method, strength and seed alone."""

    name: str
    control: str
    select: str
    conditions: dict[str, Settings]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: tuple[Run, ...]


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
    base = read_toml(path.parent / check("base", str, tables["base"]))
    change(base, flat("set", tables.get("set", {})))
    methods = check_methods(tables["methods"])
    conditions = check_conditions(tables.get("conditions", [{}]))
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
        change(base, {key: value})
    seeds = check("seeds", list[Seed], tables.get("seeds", [0, 1, 2, 3, 4]))
    if not seeds or len(set(seeds)) < len(seeds):
        raise UserError(f"seeds: expected different integers, received {shown(seeds)}")
    control = tables.get("control", next(iter(methods)))
    if not isinstance(control, str) or control not in methods:
        raise UserError(
            f"control: expected one of {', '.join(methods)}, received {shown(control)}"
        )
    name = check_name(tables.get("name", name_run(path.stem, []) or "comparison"))
    runs = tuple(
        make_run(
            name,
            base,
            condition,
            method,
            methods[method],
            strengths,
            seed,
            pictures=seed == seeds[0],
        )
        for condition in conditions.items()
        for method in methods
        for strengths in grid(methods[method].get("vary", {}), method)
        for seed in seeds
    )
    if len({run.path for run in runs}) < len(runs):
        raise UserError("vary: expected different values, received some that are equal")
    select = check("select", Literal["final", "best"], tables.get("select", "final"))
    return Comparison(
        name, control, select, conditions, tuple(methods), tuple(seeds), runs
    )


def refuse_unknown(where: str, table: Tables, known: Sequence[str]) -> None:
    for key in table:
        if key not in known:
            raise UserError(
                f"unknown setting {where}{key}; {did_you_mean(near_name(key, known))}"
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
        if not isinstance(table, dict):
            raise UserError(f"methods.{method}: expected a table")
        refuse_unknown(f"methods.{method}.", table, ("set", "vary"))
    return methods


def check_conditions(tables: Any) -> dict[str, Settings]:
    """The settings of each condition by its name, which its first setting gives."""
    conditions, firsts = {}, set()
    for table in check("conditions", list[dict[str, dict]], tables):
        settings = flat("conditions", table)
        conditions[in_words(dict(list(settings.items())[:1]))] = settings
        firsts |= set(list(settings)[:1])
    if not conditions or len(conditions) < len(tables) or len(firsts) > 1:
        raise UserError(
            "conditions: expected tables that differ in their first setting, received "
            f"{shown(tables)}"
        )
    return conditions


def settings_of_all_runs(
    methods: dict[str, Tables], conditions: dict[str, Settings]
) -> set[str]:
    """What every condition, or every method, sets: the base's value has no effect."""
    of_methods = [
        {
            setting
            for part in ("set", "vary")
            for setting in flat(f"methods.{method}.{part}", table.get(part, {}))
        }
        for method, table in methods.items()
    ]
    of_conditions = [set(settings) for settings in conditions.values()]
    return set.intersection(*of_methods) | set.intersection(*of_conditions)


def grid(vary: Tables, method: str) -> Iterator[dict[str, Any]]:
    """Every combination of the values that a method varies, by dotted name."""
    axes = flat(f"methods.{method}.vary", vary)
    for key, values in axes.items():
        if not isinstance(values, list) or not values:
            raise UserError(
                f"methods.{method}.vary.{key}: expected a list of values, "
                f"received {shown(values)}"
            )
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def make_run(
    name: str,
    base: Tables,
    condition: tuple[str, Settings],
    method: str,
    table: Tables,
    strengths: Settings,
    seed: int,
    pictures: bool,
) -> Run:
    tables = {k: dict(v) if isinstance(v, dict) else v for k, v in base.items()}
    condition_name, settings = condition
    change(tables, settings)
    change(tables, flat(f"methods.{method}.set", table.get("set", {})) | strengths)
    varied = [*list(settings.items())[:1], *strengths.items()]
    # Without the sections: TensorBoard cuts off names of more than 30 characters.
    settings_of = [f"{key.partition('.')[2]}={sortable(v)}" for key, v in varied]
    folders = [method, *settings_of]
    tables |= {"name": name_run(name, folders), "seed": seed}
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


def in_words(settings: Settings) -> str:
    """Settings as text, without their sections: "l2=0.001 learning_rate=0.01"."""
    return " ".join(f"{key.partition('.')[2]}={v}" for key, v in settings.items())


def flat(where: str, tables: Any) -> dict[str, Any]:
    """Values by dotted name."""
    return dict(flatten(check(where, dict[str, dict], tables)))


def sortable(value: Any) -> str:
    """A value in a folder's name: numbers so that they sort, as far as text can."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:06d}"
    if isinstance(value, float):
        mantissa, exponent = f"{value:e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{exponent.replace('+', '')}"
    return re.sub(r"[^A-Za-z0-9_.,-]", "", str(value))
