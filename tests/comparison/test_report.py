"""The report: one page, its figures, and nothing in it that runs."""

import contextlib
import csv
import functools
import io
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from comparison.answer import (
    find_answer,
    find_tags,
    identity,
    mean_curves,
    summarize,
)
from comparison.figures import (
    Panel,
    draw_conditions,
    draw_course,
    draw_curves,
    draw_strengths,
    threshold,
)
from comparison.links import read_board
from comparison.report import write_report
from comparison.tables import all_pairs
from comparison.terminal import show_answer
from monitoring.events import EventWriter, image_pb
from monitoring.pictures import draw_filters
from training.measures import find_measure

CONDITIONS = "conditions = [{data.train_size = 300}, {data.train_size = 3000}]"


@pytest.fixture(scope="module")
def report(simulate, tmp_path_factory):
    """Write a report of simulated runs; returns its directory and what it printed."""

    @functools.cache
    def write(conditions="", lost=(), damaged=()):
        comparison, results, _ = simulate(conditions, lost)
        directory = tmp_path_factory.mktemp("report") / "planted"
        for number, path in enumerate(results):
            (directory / path).mkdir(parents=True)
            lines = ["epoch,step,loss/train,loss/validation,accuracy/train,"]
            lines[0] += "accuracy/validation,gap/loss,weights/norm,weights/norm/logits"
            for epoch in (0, 2, 4):
                lines.append(f"{epoch},{epoch * 5}" + f",{1 / (number + 3)}" * 7)
            if path.as_posix() in damaged:
                lines.append('"')
            (directory / path / "history.csv").write_text("\n".join(lines) + "\n")
        complaints, printed = io.StringIO(), io.StringIO()
        with contextlib.redirect_stderr(complaints):
            answer = write_report(comparison, directory, results)
        show_answer(answer, Console(width=80, file=printed))
        said = complaints.getvalue().count("left out of all curves")
        assert said == len(damaged)
        return directory, comparison, printed.getvalue()

    return write


def test_settings_that_the_first_run_does_not_have_are_not_listed(report):
    directory, *_ = report()
    page = (directory / "report.html").read_text()
    (changed,) = re.findall(r"not the defaults</caption>(.*?)</table>", page, re.S)
    assert "optimizer.ema_momentum" in changed
    assert "None" not in changed


def test_what_tells_methods_apart_has_settings_that_one_of_them_has_alone(report):
    directory, *_ = report()
    page = (directory / "report.html").read_text()
    (differing,) = re.findall(r"from the others</caption>(.*?)</table>", page, re.S)
    assert "decay.strength = 0.3 / 1.0 / 3.0" in differing
    assert "regularizer.l2 = 0.001 / 0.01 / 0.1" in differing
    assert "optimizer.ema_momentum" not in differing


def test_the_page_holds_figures_words_tables_and_versions(report):
    directory, _, printed = report()
    page = (directory / "report.html").read_text()
    panels = {path.stem for path in (directory / "figures").glob("*.svg")}
    of_moments = itertools.product(("methods", "pairs"), ("final", "best"), "12")
    of_course = itertools.product(("when", "strengths", "weights"), "12")
    assert panels == set(map("-".join, [*of_moments, *of_course]))
    assert page.count("<svg") == len(panels)
    figures = {name.rpartition("-")[0] for name in panels}
    assert {path.stem for path in (directory / "figures").glob("*.pdf")} == figures
    assert "better (l2=0.01) has the lowest test cross-entropy" in page
    assert "decay.strength" in page
    assert re.search(r"python</td>\s*<td[^>]*>3<", page)
    assert "better (l2=0.01) has the lowest test cross-entropy" in printed


def test_tables_are_there_for_other_programs(report):
    figures = report()[0] / "figures"
    with open(figures / "table-1.csv", newline="") as file:
        headings, *rows = csv.reader(file)
    assert headings[:2] == ["method", "strength"]
    assert [row[0] for row in rows] == ["none", "better", "equal"]
    latex = (figures / "table-2.tex").read_text()
    assert latex.count(r"\\") == 1 + 3
    assert latex.startswith(r"\begin{tabular}{lrrrr}")


def test_the_page_loads_nothing_and_shows_no_foreign_markup(report):
    page = (report()[0] / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)
    assert not re.findall(r"@import|url\((?!#)|fetch\(|<link", page)
    assert "&lt;b&gt;3&lt;/b&gt;" in page


def test_the_page_and_tensorboard_color_methods_in_one_order(report):
    """The control, then by name: so TensorBoard gives its own colors to groups."""
    directory, _, _ = report()
    page = (directory / "report.html").read_text()
    dot = r'data-for="(\w+)"><span class="dot" style="background: var\((.*?)\)'
    colors = dict(re.findall(dot, page))
    assert colors == {"none": "--c0", "better": "--c1", "equal": "--c2"}
    board = read_board(directory)
    assert board.methods == ["none", "better", "equal"]
    assert board.folders == ["none", "better/l2=1e-02", "equal/strength=1e00"]


def test_conditions_have_a_figure_of_their_own(report):
    directory, _, _ = report(CONDITIONS)
    panels = {path.stem for path in (directory / "figures").glob("*.svg")}
    # The measure, the test error and the training accuracy; then a panel a condition.
    assert {f"conditions-final-{i}" for i in (1, 2, 3)} <= panels
    assert {name for name in panels if name.startswith("methods-final")} == {
        "methods-final-1",
        "methods-final-2",
    }
    page = (directory / "report.html").read_text()
    assert "How the answer changes" in page


@pytest.mark.parametrize("last", [4, 2])
def test_filters_slide_through_epochs_that_all_methods_have(simulate, tmp_path, last):
    comparison, results, _ = simulate()
    for run in comparison.runs:
        if run.pictures:
            writer = EventWriter(tmp_path / run.path, {})
            for epoch in (0, last if run.trial.method == "none" else 4):
                png = draw_filters(np.zeros((16, 32)), (4, 4))
                writer.add(epoch, summary=image_pb("first_layer/filters", png, "F"))
            writer.close()
    write_report(comparison, tmp_path, results)
    page = (tmp_path / "report.html").read_text()
    assert page.count("eight filters of") == 3
    assert ('data-rows="' in page) == (last == 4)


def test_names_stand_at_the_ends_of_their_lines(simulate):
    """Also one that begins with a line, which Matplotlib would leave out of legends."""
    another = "[methods._l2]\nset.regularizer.l2 = 0.1"
    comparison, _, summary = simulate(f"{CONDITIONS}\n{another}")
    for figure in draw_conditions(find_answer(comparison, summary, "final")):
        figure.draw_without_rendering()
        (axes,) = figure.axes
        (bottom, top), names = axes.get_ylim(), axes.texts
        ends = {
            line.get_gid().partition("|")[0]: line.get_ydata()[-1]
            for line in axes.lines
            if line.get_gid() and len(line.get_xdata()) == len(comparison.conditions)
        }
        heights = {name.get_text(): name.xy[1] for name in names}
        order = sorted(heights, key=heights.get)
        assert order == sorted(ends, key=ends.get)
        assert "_l2" in order
        best = (ends[order[0]] - bottom) / (top - bottom)
        assert heights[order[0]] == pytest.approx(best, abs=0.15)


def test_two_varied_settings_are_a_map_with_a_frame_around_the_chosen_cell(simulate):
    comparison, _, summary = simulate(
        """
        control = "none"
        [methods.both]
        set.decay.name = "decoupled"
        vary.regularizer.l2 = [1e-3, 1e-2, 1e-1]
        vary.decay.strength = [0.3, 1.0]
        """
    )
    answer = find_answer(comparison, summary, "final")
    (trial,) = (trial for trial in answer.chosen if trial.method == "both")
    (axes,) = draw_strengths(answer, trial).axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert len(cells) == 6
    (frame,) = axes.lines
    chosen = (min(frame.get_xdata()) + 0.5, min(frame.get_ydata()) + 0.5)
    assert cells[chosen] == min(cells.values())


def test_the_interpolation_threshold_is_the_last_condition_that_is_learned(simulate):
    comparison, results, _ = simulate(CONDITIONS)
    for run in comparison.runs:
        learned = run.trial.condition == "train_size=300"
        moment = results[run.path]["final"]
        moment["train"] = moment["train"] | {"accuracy": 1.0 if learned else 0.95}
    answer = find_answer(comparison, summarize(comparison, results), "final")
    assert threshold(answer) == "train_size=300"
    for figure in draw_conditions(answer):
        (axes,) = figure.axes
        (dashed,) = (line for line in axes.lines if line.get_linestyle() == "--")
        assert dashed.get_xdata() == [300, 300]


def test_numbers_appear_where_one_points_at_what_shows_them(report):
    directory, _, _ = report()
    page = (directory / "report.html").read_text()
    titles = re.findall(r'<g data-method="none"><title>none: mean (.*?)</title>', page)
    summary = pd.read_csv(directory / "summary.csv")
    losses = summary[summary["method"] == "none"]["final_test_cross_entropy"]
    assert f"{losses.mean():.3f}" in titles


def test_shares_that_are_memorized_are_shown_in_percent(simulate):
    comparison, _, summary = simulate()
    rows = [
        {**identity(run), "epoch": epoch, "memorized/wrong_label": epoch / 4}
        for run in comparison.runs
        for epoch in (0, 2, 4)
    ]
    answer = find_answer(comparison, summary, "final")
    curves = mean_curves(answer, pd.DataFrame(rows))
    figure = draw_curves(answer, curves, "", find_measure("memorized_wrong_label"))
    assert figure.axes[0].get_ylabel() == "wrong labels fitted (%)"
    assert figure.axes[0].get_ylim()[1] == pytest.approx(100, abs=5)


def test_losses_over_the_epochs_are_named_by_what_runs_are_compared_by(simulate):
    comparison, _, summary = simulate()
    rows = [
        {**identity(run), "epoch": epoch, "loss/validation": 1.0, "loss/train": 0.5}
        for run in comparison.runs
        for epoch in (0, 2, 4)
    ]
    answer = find_answer(comparison, summary, "final")
    curves = mean_curves(answer, pd.DataFrame(rows))
    panels = [p for name, p in draw_course(answer, curves) if name == "when" and p]
    assert [panel.axes[0].get_ylabel() for panel in panels] == [
        "validation cross-entropy (nats)",
        "train cross-entropy (nats), log",
    ]


def test_what_is_missing_is_said(report):
    lost = ("equal/strength=3e-01/seed=00",)
    page = (report(lost=lost)[0] / "report.html").read_text()
    assert "Missing: equal/strength=3e-01/seed=00." in page


def test_pairs_hold_every_difference_digit_for_digit(report):
    directory, _, _ = report(CONDITIONS)
    with open(directory / "pairs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 3 * 3  # Moments, conditions, pairs and measures.
    first = rows[0]
    assert (first["first"], first["second"]) == ("better", "none")
    assert float(first["low"]) < float(first["difference"]) < float(first["high"])
    assert first["verdict"] == "different"
    assert {row["first_lower_in"] for row in rows} <= set("0123456")


def test_pairs_of_one_method_are_none_that_can_be_read():
    read = pd.read_csv(io.StringIO(all_pairs([]).to_csv(index=False)))
    assert read.empty
    assert {"first", "verdict"} <= {*read}


def test_curves_hold_every_history_digit_for_digit(report):
    directory, comparison, _ = report()
    with open(directory / "curves.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(comparison.runs)
    assert float(rows[3]["loss/train"]) == 1 / 4
    assert float(rows[-1]["loss/train"]) == 1 / (len(comparison.runs) + 2)
    assert rows[-1]["strength"] == "strength=3.0"


def test_a_damaged_history_costs_its_own_curve_alone(report):
    directory, comparison, _ = report(damaged=("none/seed=00",))
    assert (directory / "report.html").exists()
    with open(directory / "curves.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * (len(comparison.runs) - 1)


def test_the_last_layer_is_the_last_though_one_model_has_more(simulate):
    trials = dict.fromkeys(run.trial for run in simulate()[0].runs)
    layers = (["hidden_1", "logits"], ["hidden_1", "skip", "logits"])
    curves = {
        trial: pd.DataFrame(
            0.0, [0], pd.MultiIndex.from_product([[f"norm/{n}" for n in names], ["m"]])
        )
        for trial, names in zip(trials, layers, strict=False)
    }
    assert find_tags(curves, "norm/") == ["norm/hidden_1", "norm/skip", "norm/logits"]


def test_a_line_that_ends_early_has_its_name(simulate):
    """Of models that differ in layers, one has no value at the last."""
    comparison, _, summary = simulate()
    answer = find_answer(comparison, summary, "final")
    columns = ["mean", "min", "max"]
    early = pd.DataFrame([[0.5] * 3, [0.25] * 3, [np.nan] * 3], columns=columns)
    panel = Panel(answer, "")
    panel.lines({answer.chosen[0]: early})
    panel.finish()
    assert "none" in [text.get_text() for text in panel.axes.texts]
