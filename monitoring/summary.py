"""The table that a run ends with."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitoring.links import ADDRESS, views
from training.measures import MEASURES, MEMORIZED

SPLITS = ("train", "validation", "test")


def show_result(result: dict[str, Any], directory: Path, console: Console) -> None:
    """Print what a run came to, where it lies, and how to look at it."""
    console.print(Text(str(directory), style="bold"), soft_wrap=True)
    headings, *rows = result_rows(result)
    table = Table(*headings[:1])
    for heading in headings[1:]:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    lines = [f"{result['status']} in {result['seconds']:.1f} s"]
    if result["final"]["weights"] != "as trained":
        lines.append(f"final weights: {result['final']['weights']}")
    if result["changed_before_resume"]:
        changed = ", ".join(result["changed_before_resume"])
        lines.append(f"changed before it was resumed: {changed}")
    if result["status"] == "interrupted":
        config = str(directory / "config.toml")
        words = [program("python"), "train.py", config, "--resume"]
        lines.append(f"continue:     {shlex.join(words)}")
    lines += how_to_look(directory.parent.parent)
    console.print(Text("\n".join(lines)), soft_wrap=True)


def result_rows(result: Mapping[str, Any]) -> Iterator[list[str]]:
    """Every number of a result as text: headings, then a row for each.

    Args:
        result: The contents of result.json.
    """
    moments = [result[name] for name in ("final", "best") if result[name]]
    epochs = [moment["epoch"] for moment in moments]
    names = ("final", "best")
    yield ["", *(f"{n} (epoch {e})" for n, e in zip(names, epochs, strict=False))]
    for key, measure in MEASURES.items():
        for split in SPLITS:
            if split in moments[0]:
                values = [moment[split][key] for moment in moments]
                yield [
                    f"{measure.label}, {split}",
                    *(in_digits(v, measure.digits) for v in values),
                ]
    for key, share in MEMORIZED.items():
        if key in moments[0]["memorized"]:
            yield [
                share.label,
                *(in_digits(m["memorized"][key], ".2%") for m in moments),
            ]
    for key, name in {
        "generalization_gap": "gap in cross-entropy",
        "penalty": "penalty",
    }.items():
        yield [name, *(in_digits(moment[key], ".4f") for moment in moments)]
    for layer in moments[0]["weight_norm_of_layer"]:
        values = [moment["weight_norm_of_layer"][layer] for moment in moments]
        yield [f"norm of {layer}", *(in_digits(value, ".2f") for value in values)]
    norms = [in_digits(moment["weight_norm"], ".2f") for moment in moments]
    yield ["norm of all kernels", *norms]


def how_to_look(directory: Path) -> list[str]:
    """How to open TensorBoard on a directory, and the link to look at first."""
    command = shlex.join([program("python"), "view.py", str(directory)])
    front, *_ = views(directory).values()
    return [f"tensorboard:  {command}", f"front page:   {ADDRESS}{front}"]


def program(name: str) -> str:
    """How to call a program of the environment that this runs in."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        return name
    return str(
        path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    )


def in_digits(value: float | None, digits: str) -> str:
    return "not finite" if value is None else format(value, digits)
