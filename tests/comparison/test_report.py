"""The report: one page, its figures, and nothing in it that runs."""

import csv
import re

import pytest
from rich.console import Console

from comparison.report import write_report
from comparison.terminal import show_answers

CONDITIONS = "conditions = [{data.train_size = 300}, {data.train_size = 3000}]"


@pytest.fixture
def report(simulate, tmp_path, capsys):
    """Write a report of simulated runs; returns its directory and what it printed."""

    def write(conditions="", lost=(), damaged=()):
        comparison, results, _ = simulate(conditions, lost)
        directory = tmp_path / "planted"
        for number, path in enumerate(results):
            (directory / path).mkdir(parents=True)
            lines = ["epoch,step,loss/train,loss/validation,accuracy/train,"]
            lines[0] += "accuracy/validation,gap/loss,weights/norm,weights/norm/logits"
            for epoch in (0, 2, 4):
                lines.append(f"{epoch},{epoch * 5}" + f",{1 / (number + 3)}" * 7)
            if path.as_posix() in damaged:
                lines.append('"')
            (directory / path / "history.csv").write_text("\n".join(lines) + "\n")
        answers = write_report(comparison, directory, results)
        show_answers(answers, Console(width=80))
        printed, complaints = capsys.readouterr()
        assert complaints.count("left out of all curves") == len(damaged)
        return directory, comparison, printed

    return write


def test_the_page_holds_tables_figures_words_and_versions(report):
    directory, _, printed = report()
    page = (directory / "report.html").read_text()
    names = {path.stem for path in (directory / "figures").glob("*.png")}
    assert names == {
        *("differences", "gap", "learning_curves", "norm_and_gap", "strengths"),
        "weight_norms",
    }
    assert page.count('src="data:image/png;base64,') == len(names)
    assert "better (l2=0.01) has the lowest test cross-entropy" in page
    assert "decay.strength" in page
    assert re.search(r"python</td>\s*<td[^>]*>3<", page)
    assert "better (l2=0.01) has the lowest test cross-entropy" in printed


def test_the_page_needs_no_other_file_and_runs_nothing(report):
    page = (report()[0] / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "<script" not in page
    assert "&lt;b&gt;3&lt;/b&gt;" in page


def test_conditions_have_a_figure_of_their_own(report):
    directory, _, _ = report(CONDITIONS)
    assert (directory / "figures/conditions.png").exists()
    page = (directory / "report.html").read_text()
    assert page.count(">train_size=3000<") == 13


def test_what_is_missing_is_said(report):
    lost = {"equal/strength=3e-01/seed=00"}
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


def test_curves_hold_every_history_digit_for_digit(report):
    directory, comparison, _ = report()
    with open(directory / "curves.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(comparison.runs)
    assert float(rows[3]["loss/train"]) == 1 / 4
    assert float(rows[-1]["loss/train"]) == 1 / (len(comparison.runs) + 2)
    assert rows[-1]["strength"] == "strength=3.0"


def test_a_damaged_history_costs_its_own_curve_alone(report):
    directory, comparison, _ = report(damaged={"none/seed=00"})
    assert (directory / "report.html").exists()
    with open(directory / "curves.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * (len(comparison.runs) - 1)
