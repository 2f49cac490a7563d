"""The run card: all there is to know of a run, on TensorBoard's Text page."""

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitoring import links

MEASURES = {"cross_entropy": "cross-entropy", "accuracy": "accuracy"}
SPLITS = ("train", "validation", "test")


def write_card(result: Mapping[str, Any], directory: Path) -> str:
    """Results, settings, versions, and the command that repeats the run, in Markdown.

    Args:
        result: The contents of result.json.
        directory: Of the run.
    """
    config = directory / "config.toml"
    command = shlex.join(["python", "train.py", str(config), "--runs", "repeated"])
    versions = ", ".join(f"{k} {v}" for k, v in result["versions"].items())
    commit = find_commit()
    made_with = f"{versions}, commit {commit}" if commit else versions
    pages = {
        "the curves of all runs": links.time_series(links.SINGLE_RUNS),
        "pictures": links.page("images"),
        "histograms": links.page("histograms"),
        "the graph": links.page("graphs"),
    }
    return "\n\n".join(
        [
            f"# {directory.parent.name}, seed {result['seed']}: {result['status']} "
            f"in {result['seconds']:.1f} s",
            "Look at " + ", ".join(f"[{k}]({v})" for k, v in pages.items()) + ".",
            table(result),
            f"To repeat it: `{command}`",
            f"Made with {made_with}.",
            "```\n" + config.read_text(encoding="utf-8") + "```",
        ]
    )


def table(result: Mapping[str, Any]) -> str:
    """Every number of a result, for the final and the best weights."""
    moments = [name for name in ("final", "best") if result[name]]
    headings = [f"{name} (epoch {result[name]['epoch']})" for name in moments]
    rows = [["", *headings], ["---", *("---:" for _ in moments)]]
    for key, name in MEASURES.items():
        for split in SPLITS:
            values = [result[moment].get(split, {}).get(key) for moment in moments]
            rows.append([f"{name}, {split}", *map(number, values)])
    for key, name in {
        "generalization_gap": "gap in cross-entropy",
        "penalty": "penalty",
        "weight_norm": "norm of all kernels",
    }.items():
        rows.append([name, *(number(result[moment][key]) for moment in moments)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4f}"


def find_commit() -> str | None:
    """The git commit of this code, "-dirty" if changed since; None outside of git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
