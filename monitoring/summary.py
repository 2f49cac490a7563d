"""The result of a run, on the terminal and on a card for TensorBoard."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitoring import links
from training.measures import OF_A_RUN, Measure

if TYPE_CHECKING:
    import pandas as pd


def show_result(result: Mapping[str, Any], directory: Path, console: Console) -> None:
    """Print the result of a run, its directory, and how to look at it."""
    found = table_of_result(result)
    table = Table("", box=box.SIMPLE_HEAD, show_edge=False)
    for heading in found:
        table.add_column(heading, justify="right")
    for name, numbers in found.iterrows():
        table.add_row(name, *numbers)
    console.print(Text(str(directory), style="bold"), soft_wrap=True)
    console.print(table)
    lines = [f"{result['status']} in {result['seconds']:.1f} s"]
    if result["final"]["weights"] != "as trained":
        lines.append(f"final weights: {result['final']['weights']}")
    if result["changed_before_resume"]:
        changed = ", ".join(result["changed_before_resume"])
        lines.append(f"changed before it was resumed: {changed}")
    if result["status"] == "interrupted":
        config = directory / "config.toml"
        lines.append(f"continue:     {command('train.py', config, '--resume')}")
    lines.append(how_to_look(directory.parent.parent))
    console.print(Text("\n".join(lines)), soft_wrap=True)


def table_of_result(result: Mapping[str, Any]) -> "pd.DataFrame":
    """The numbers of a result as text: a row for each, a column for final and best.

    Args:
        result: The contents of result.json.
    """
    import pandas as pd  # Not before it is needed: it takes half a second.

    moments = [moment for moment in ("final", "best") if result[moment]]
    numbers = pd.json_normalize([result[moment] for moment in moments], sep="_")
    of_layers = {
        f"weight_norm_of_layer_{layer}": Measure(f"norm of {layer}", margin=0.1)
        for layer in result["final"]["weight_norm_of_layer"]
    }
    train = result["final"]["train"]
    if list(train.values()).count(train["loss"]) > 1:  # The same number has one name.
        losses = ["train_loss", "validation_loss", "test_loss"]
        numbers = numbers.drop(columns=losses, errors="ignore")
    rows = {
        measure.label: [measure.number(value) for value in numbers[key].astype(float)]
        for key, measure in {**OF_A_RUN, **of_layers}.items()
        if key in numbers
    }
    headings = [f"{moment} (epoch {result[moment]['epoch']})" for moment in moments]
    return pd.DataFrame.from_dict(rows, "index", columns=headings)


def how_to_look(directory: Path) -> str:
    """The command that opens TensorBoard on a directory."""
    return f"tensorboard:  {command('view.py', directory)}"


def command(*words: str | Path) -> str:
    """The command that runs a script in the same Python as this process."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return shlex.join(map(str, (python, *words)))


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
    """The git commit of this code, "-dirty" if it was changed; None without git."""
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
