"""What is printed fits, breaks no word, and ends with the answer."""

import re

import pytest
from rich.console import Console

from comparison.answer import find_answer, summarize
from comparison.findings import sentences
from comparison.plan import count
from comparison.tables import WORDS, latex, matrix, table_of_methods, tables_of
from comparison.terminal import show_answer
from training.measures import find_measure

CONDITIONS = "conditions = [{data.train_size = 300}, {data.train_size = 3000}]"


@pytest.fixture
def show(simulate, capsys):
    """The lines that a comparison prints, and its answer."""

    def make(width, *arguments, **keywords):
        comparison, _, summary = simulate(*arguments, **keywords)
        answer = find_answer(comparison, summary, comparison.file.select.at)
        show_answer(answer, Console(width=width))
        return capsys.readouterr().out.splitlines(), answer

    return make


WIDE = "conditions = [{model.hidden_units = [128]}, {model.hidden_units = [1024]}]"


@pytest.mark.parametrize("conditions", ["", CONDITIONS, WIDE])
def test_at_80_columns_no_line_is_wider_and_no_word_is_broken(show, conditions):
    lines, answer = show(80, conditions)
    assert max(len(line.rstrip()) for line in lines) <= 80
    text = "\n".join(lines)
    assert all(name in text for name in answer.comparison.conditions)
    of_methods, of_pairs, _ = tables_of(answer)
    for table, number in (
        (of_methods, "validation cross-entropy (nats)"),
        (of_pairs, "difference"),
    ):
        assert all(cell in text for cell in table[number])
        for name in table.columns.intersection(WORDS):
            assert all(word in text for cell in table[name] for word in cell.split())
    assert (
        len(re.findall(r"\[[+−]\d\.\d{3},\N{NO-BREAK SPACE}[+−]\d\.\d{3}\]", text)) >= 3
    )


@pytest.mark.parametrize("survivors", [1, 2])
def test_there_are_tables_of_pairs_if_there_are_pairs(simulate, survivors):
    methods = ["none", "better", "equal"]
    lost = [
        run.path.as_posix()
        for run in simulate()[0].runs
        if run.trial.method in methods[survivors:]
    ]
    comparison, _, summary = simulate(lost=lost)
    tables = list(tables_of(find_answer(comparison, summary, "final")))
    assert len(tables) == (1 if survivors == 1 else 3)
    assert not any(table.empty for table in tables)


def test_the_answer_is_the_last_that_is_printed(show):
    lines, answer = show(80)
    ends = " ".join(" ".join(lines).split())
    assert ends.endswith(" ".join(" ".join(sentences(answer)).split()))


def test_a_wide_terminal_shows_every_column_and_a_narrow_one_the_first(show):
    headings = " ".join(" ".join(show(200)[0]).split())
    for name in ("train accuracy", "gap", "norm of all kernels"):
        assert name.split()[0] in headings


@pytest.mark.parametrize("width", [40, 60])
@pytest.mark.parametrize("conditions", ["", CONDITIONS])
def test_a_narrow_terminal_shows_every_verdict_and_names_what_it_leaves_out(
    show, conditions, width
):
    lines, answer = show(width, conditions)
    assert max(len(line.rstrip()) for line in lines) <= width
    text = " ".join(" ".join(lines).split())
    for table in tables_of(answer):
        verdicts = table.get("verdict", ())
        assert all(
            text.count(verdict) >= list(verdicts).count(verdict) for verdict in verdicts
        )
    left_out = re.findall(r"Too wide, in the report: (.*?)\.", text)
    assert len(left_out) == 3
    assert "norm of all kernels" in left_out[0]
    assert "lower in" in left_out[1]


def test_the_table_of_methods_is_what_latex_shows(simulate):
    comparison, _, summary = simulate()
    table = table_of_methods(find_answer(comparison, summary, "final"))
    text = latex(table)
    assert all(cell in text for cell in table.iloc[:, -1])
    assert "strength=1.0" in text
    assert r"\begin{tabular}{llrrrrrr}" in text
    assert list(table)[-3:] == [
        "train accuracy (%)",
        "gap",
        "norm of all kernels",
    ]


def test_a_matrix_holds_every_pair_the_best_first(simulate):
    comparison, _, summary = simulate()
    answer = find_answer(comparison, summary, "final")
    table = matrix(answer, answer.headline, "")
    assert list(table) == ["", "better", "none", "equal"]
    better, none, _ = table.to_numpy()
    assert (better[0], better[1], none[2]) == ("better", "", "")
    assert better[2].endswith("*")
    assert better[2].replace("−", "+") == none[1]


def test_memorized_labels_and_calibration_have_columns_where_runs_have_them(simulate):
    comparison, results, _ = simulate()
    for result in results.values():
        result["final"] |= {"memorized": {"wrong_label": 0.98, "clean_label": 1.0}}
        result["final"]["validation"] |= {"calibration_error": 0.132}
    answer = find_answer(comparison, summarize(comparison, results), "final")
    table = table_of_methods(answer)
    row = table.iloc[0]
    assert row["wrong labels fitted (%)"].startswith("98.00 ± 0.00")
    assert row["validation calibration error (%)"].startswith("13.20 ± 0.00")
    assert "wrong labels corrected (%)" not in row


def test_one_format_for_each_number():
    loss, accuracy = find_measure("test_cross_entropy"), find_measure("test_accuracy")
    assert loss.value(0.34567) == "0.346\N{NO-BREAK SPACE}nats"
    assert accuracy.value(0.90809) == "90.81\N{NO-BREAK SPACE}%"
    assert (loss.change(-0.0274), accuracy.change(0.0114)) == ("−0.027", "+1.14")
    assert accuracy.interval(-0.01, 0.02) == "[−1.00,\N{NO-BREAK SPACE}+2.00]"
    assert loss.interval(float("nan"), float("nan")) == "no interval"
    assert loss.label == "test cross-entropy (nats)"
    finer = find_measure("test_cross_entropy", margin=0.001)
    assert finer.value(0.34567) == "0.3457\N{NO-BREAK SPACE}nats"
    assert find_measure("weight_norm_of_layer_logits").name == (
        "weight norm of layer logits"
    )
    assert (count(1, "seed"), count(2, "seed")) == ("1 seed", "2 seeds")
