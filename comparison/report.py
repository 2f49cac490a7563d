"""Writes the results of a comparison: tables, figures, and a page with both."""

import base64
import io
import platform
import re
import shlex
import sys
import time
from collections import ChainMap
from collections.abc import Iterable
from pathlib import Path

import jinja2
import pandas as pd
from matplotlib import rc_context, rcParams
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from comparison.answer import (
    FEW,
    MOMENTS,
    Answer,
    find_answer,
    mean_curves,
    read_curves,
    summarize,
)
from comparison.board import write_board
from comparison.colors import CSS_NAMES, color_of
from comparison.figures import Panels, draw_answer, draw_course, threshold
from comparison.findings import notes, sentences
from comparison.pictures import DIGITS, FILTERS, read_pictures
from comparison.plan import Comparison, Results, Run, short
from comparison.tables import WORDS, all_pairs, latex, matrix, tables_of
from experiment.config import resolve
from experiment.run_directory import path_within
from monitoring.summary import find_commit
from system.files import replacing

TEMPLATE = Path(__file__).with_name("report.html.jinja")
STYLE = Path(__file__).with_name("figures.mplstyle")


def write_tables(
    comparison: Comparison, directory: Path, results: Results
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write summary.csv and curves.csv, and return their tables.

    Args:
        comparison: The comparison.
        directory: Directory of the comparison.
        results: Results of its runs.
    """
    summary = summarize(comparison, results)
    curves = read_curves(directory, comparison.runs)
    directory.mkdir(parents=True, exist_ok=True)
    measured = summary.dropna(axis="columns", how="all")
    write(directory / "summary.csv", measured.to_csv(index=False))
    write(directory / "curves.csv", curves.to_csv(index=False))
    return summary, curves


def write_report(comparison: Comparison, directory: Path, results: Results) -> Answer:
    """Write the results of a comparison.

    These are summary.csv, curves.csv, pairs.csv, report.html, its figures and tables in
    figures/, and what TensorBoard shows of the comparison as a whole.

    Args:
        comparison: The comparison.
        directory: Directory of the comparison.
        results: Results of its runs.

    Returns:
        The answer at the moment that strengths are chosen at.
    """
    summary, of_runs = write_tables(comparison, directory, results)
    answers = {moment: find_answer(comparison, summary, moment) for moment in MOMENTS}
    write(directory / "pairs.csv", all_pairs(answers.values()).to_csv(index=False))
    selected = answers[comparison.file.select.at]
    curves = mean_curves(selected, of_runs)
    folder = path_within(directory, Path("figures"))
    folder.mkdir(exist_ok=True)
    for number, table in enumerate(tables_of(selected), start=1):
        write(folder / f"table-{number}.tex", latex(table))
        write(folder / f"table-{number}.csv", table.to_csv(index=False))
    pictures = read_pictures(selected, directory)
    config, bare = comparison.runs[0].config, resolve({"name": "bare"})
    settings = settings_of(comparison.runs)
    own = {
        method: settings_of(r for r in comparison.runs if r.trial.method == method)
        for method in comparison.file.methods
    }
    shared = set.intersection(*({*each.items()} for each in own.values()))
    versions = ChainMap(*(result["versions"] for result in results.values()))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["base64"] = lambda png: base64.b64encode(png).decode("ascii")
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        comparison=comparison,
        answers=answers,
        moments=MOMENTS,
        sentences=sentences,
        notes=notes(selected),
        settings=settings,
        results=results,
        today=time.strftime("%Y-%m-%d"),
        commit=find_commit(),
        command=shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]]),
        colors={m: CSS_NAMES[color] for m, color in color_of(selected).items()},
        drawn={m: save_panels(draw_answer(a), folder, m) for m, a in answers.items()},
        course=save_panels(draw_course(selected, curves), folder),
        threshold=threshold(selected),
        filters=pictures[FILTERS],
        digits=pictures[DIGITS],
        few=FEW,
        matrix=matrix,
        tables_of=tables_of,
        words=WORDS,
        changed={
            k: here for k, _, here in bare.differences(config) if here is not None
        },
        differing={m: dict(sorted(each.items() - shared)) for m, each in own.items()},
        versions={"machine": f"{platform.system()} {platform.machine()}", **versions},
    )
    write(directory / "report.html", page)
    write_board(selected, directory, curves, results, pictures[FILTERS])
    return selected


def write(path: Path, content: str) -> None:
    with replacing(path) as partial:
        partial.write_text(content, "utf-8")


def save_panels(panels: Panels, folder: Path, *moment: str) -> dict[str, list[str]]:
    """Save figures; returns for each its panels as SVG, for a page."""
    figures: dict[str, list[Figure]] = {}
    with rc_context(fname=STYLE):
        for name, panel in panels:
            if panel:
                figures.setdefault(name, []).append(panel)
        return {
            name: save_figure(drawn, folder / "-".join([name, *moment]))
            for name, drawn in figures.items()
        }


def save_figure(panels: Iterable[Figure], path: Path) -> list[str]:
    """Save a figure: each panel as an SVG file, and all of them as one PDF file.

    (A PDF file for each panel would embed the fonts each time, which is slow.)

    Returns:
        The panels as SVG, for a page.
    """
    shown = []
    with (
        replacing(path.with_name(f"{path.name}.pdf")) as pdf,
        PdfPages(pdf, metadata={"CreationDate": None}) as pages,
    ):
        for number, panel in enumerate(panels, start=1):
            panel.draw_without_rendering()
            panel.set_layout_engine("none")
            # The canvases themselves: `savefig` would lay it out for each file anew.
            FigureCanvasPdf(panel).print_pdf(pages)
            name = f"{path.name}-{number}"
            rcParams["svg.hashsalt"] = name  # Else panels on a page would share ids.
            svg = io.StringIO()
            FigureCanvasSVG(panel).print_svg(svg, metadata={"Date": None})
            write(path.with_name(f"{name}.svg"), svg.getvalue())
            shown.append(inline(svg.getvalue()))
    return shown


def inline(svg: str) -> str:
    """Turn an SVG file of matplotlib into a part of a page, in the page's colors.

    A group with the gid "method|text" of `figures.Panel` gets the name of the method as
    an attribute, and the text as a title, which browsers show when one points at it.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|\n\s*", "", svg, flags=re.S)
    svg = re.sub(
        r'<g id="(\w+)\|([^"]*)">', r'<g data-method="\1"><title>\2</title>', svg
    ).replace("<title></title>", "")
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda g: g[0] if g[1] in used else "", svg)
    for color, name in CSS_NAMES.items():
        svg = svg.replace(color, f"var({name})")
    return svg


def settings_of(runs: Iterable[Run]) -> dict[str, str]:
    """All settings of some runs by dotted name, each with all its values, as text."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for key, value in run.settings.items():
            text = f"{value:,}" if type(value) is int else short(value)
            found.setdefault(key, {})[text] = None
    return {key: " / ".join(values) for key, values in found.items() if key != "name"}
