"""The table that a run ends with."""

import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitoring.links import ADDRESS, views

SPLITS = ("train", "validation", "test")


def show_result(result: dict[str, Any], directory: Path, console: Console) -> None:
    """Print what a run came to, where it lies, and how to look at it."""
    console.print(Text(str(directory), style="bold"), soft_wrap=True)
    table = Table()
    table.add_column("")
    for name in ("final", "best"):
        if result[name]:
            table.add_column(f"{name} (epoch {result[name]['epoch']})", justify="right")
    shown = [result[name] for name in ("final", "best") if result[name]]
    for measure, digits in (("cross_entropy", ".4f"), ("accuracy", ".2%")):
        for split in SPLITS:
            if split in shown[0]:
                values = [number(column[split][measure], digits) for column in shown]
                table.add_row(f"{measure.replace('_', '-')}, {split}", *values)
        table.add_section()
    rows = {"gap in cross-entropy": "generalization_gap", "penalty": "penalty"}
    for label, key in rows.items():
        table.add_row(label, *(number(column[key], ".4f") for column in shown))
    table.add_section()
    for layer in shown[0]["weight_norm_of_layer"]:
        values = [number(c["weight_norm_of_layer"][layer], ".2f") for c in shown]
        table.add_row(f"norm of {layer}", *values)
    table.add_row(
        "norm of all kernels", *(number(c["weight_norm"], ".2f") for c in shown)
    )
    console.print(table)
    lines = [f"{result['status']} in {result['seconds']:.1f} s"]
    if result["status"] == "interrupted":
        config = str(directory / "config.toml")
        words = [program("python"), "train.py", config, "--resume"]
        lines.append(f"continue:     {shlex.join(words)}")
    lines += how_to_look(directory.parent.parent)
    console.print(Text("\n".join(lines)), soft_wrap=True)


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


def number(value: float | None, digits: str) -> str:
    return "not finite" if value is None else format(value, digits)
