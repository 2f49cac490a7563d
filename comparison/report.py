"""Writes all that a comparison came to: tables, figures and a page that holds both."""

import base64
import io
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from comparison.answer import MOMENTS, Answer, find_answer
from comparison.board import write_board
from comparison.figures import draw_figures
from comparison.findings import notes, sentences
from comparison.plan import Comparison
from comparison.summary import read_curves, summarize
from comparison.tables import all_pairs, table_of_methods, table_of_pairs
from experiment.config import flatten
from experiment.run_directory import below
from system.files import replacing

TEMPLATE = Path(__file__).with_name("report.html.jinja")
DOTS_PER_INCH, CSS_PIXELS = 150, 96


def write_tables(
    comparison: Comparison, directory: Path, results: dict[Path, dict[str, Any]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write summary.csv and curves.csv, and return what they hold.

    Args:
        comparison: What was asked.
        directory: Of the comparison.
        results: The contents of result.json, by the path of the run.
    """
    summary = summarize((run, results.get(run.path, {})) for run in comparison.runs)
    curves = read_curves(directory, comparison.runs)
    directory.mkdir(parents=True, exist_ok=True)
    for name, table in {"summary": summary, "curves": curves}.items():
        with replacing(directory / f"{name}.csv") as partial:
            table.to_csv(partial, index=False)
    return summary, curves


def write_report(
    comparison: Comparison,
    directory: Path,
    results: dict[Path, dict[str, Any]],
) -> dict[str, Answer]:
    """Write what a comparison came to.

    Writes summary.csv, pairs.csv, curves.csv, figures/*.png, report.html, and what
    TensorBoard shows of the comparison as a whole.

    Args:
        comparison: What was asked.
        directory: Of the comparison.
        results: The contents of result.json, by the path of the run.

    Returns:
        The answers, by moment.
    """
    summary, curves = write_tables(comparison, directory, results)
    answers = {moment: find_answer(comparison, summary, moment) for moment in MOMENTS}
    with replacing(directory / "pairs.csv") as partial:
        all_pairs(answers.values()).to_csv(partial, index=False)
    selected = answers[comparison.select]
    pictures = {}
    figures = below(directory, Path("figures"))
    figures.mkdir(exist_ok=True)
    for name, (drawing, caption) in draw_figures(selected, curves).items():
        png = as_png(drawing)
        with replacing(figures / f"{name}.png") as partial:
            partial.write_bytes(png)
        inches = drawing.get_figwidth()
        pictures[name] = Picture(caption, encode(png), round(inches * CSS_PIXELS))
    page = make_page(answers, pictures, results)
    with replacing(directory / "report.html") as partial:
        partial.write_text(page, encoding="utf-8")
    write_board(selected, directory, curves, results)
    return answers


@dataclass(frozen=True)
class Picture:
    """A figure as the page holds it: PNG in base64, and its width in CSS pixels."""

    caption: str
    png: str
    width: int


def encode(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")


def as_png(drawing: Figure) -> bytes:
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def make_page(
    answers: dict[str, Answer],
    pictures: dict[str, Picture],
    results: dict[Path, dict[str, Any]],
) -> str:
    """One HTML page that needs no other file."""
    comparison = next(iter(answers.values())).comparison
    selected = answers[comparison.select]
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    base = dict(flatten(comparison.runs[0].config.tables()))
    versions: dict[str, str] = {"machine": f"{platform.system()} {platform.machine()}"}
    for result in results.values():
        versions |= result.get("versions", {})
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        comparison=comparison,
        selected=selected,
        moments=MOMENTS,
        sentences=[*sentences(selected), *notes(selected)],
        tables=[
            table_of_methods(selected),
            *(table_of_pairs(selected, measure) for measure in selected.measures[1:]),
            *(table_of_methods(a) for a in answers.values() if a is not selected),
        ],
        pictures=pictures,
        settings={k: v for k, v in base.items() if k not in ("name", "seed")},
        changes={method: changes(comparison, method) for method in comparison.methods},
        missing=[run.path for run in comparison.runs if run.path not in results],
        versions=versions,
    )


def changes(comparison: Comparison, method: str) -> dict[str, Any]:
    """What a method sets that the first run does not, and its grid."""
    runs = [run for run in comparison.runs if run.method == method]
    fixed = {
        key: there
        for key, _, there in comparison.runs[0].config.differences(runs[0].config)
        if key not in runs[0].strengths
    }
    grids = {key: [run.strengths[key] for run in runs] for key in runs[0].strengths}
    return fixed | {
        key: ", ".join(dict.fromkeys(map(str, values))) for key, values in grids.items()
    }
