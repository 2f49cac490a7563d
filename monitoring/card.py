"""The run card: all there is to know of a run, on TensorBoard's Text page."""

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitoring import links
from monitoring.summary import table_of_result


def write_card(result: Mapping[str, Any], directory: Path) -> str:
    """Results, settings, versions, and the command that repeats the run, in Markdown.

    Args:
        result: The contents of result.json.
        directory: Directory of the run.
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
            table_of_result(result).to_html(),
            f"To repeat it: `{command}`",
            f"Made with {made_with}.",
            "```\n" + config.read_text(encoding="utf-8") + "```",
        ]
    )


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
