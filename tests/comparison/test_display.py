"""How far a comparison has come is said as it is."""

import dataclasses

import pytest
from rich.console import Console

from comparison.display import CompareDisplay


@pytest.fixture
def comparison(simulate):
    return simulate()[0]


def result(loss, accuracy=0.5):
    evaluation = {"cross_entropy": loss, "accuracy": accuracy}
    return {"status": "completed", "final": {"validation": evaluation}}


@pytest.mark.parametrize("terminal", [True, False])
def test_brackets_in_a_strength_are_text(comparison, capsys, terminal):
    odd = dataclasses.replace(comparison.runs[0], strength="path=/a/[/b]")
    console = Console(width=150, force_terminal=terminal)
    with CompareDisplay(console, comparison, 1) as display:
        display.advance(odd, result(0.5))
    assert "path=/a/[/b]" in capsys.readouterr().out


def test_interrupted_runs_are_not_counted_as_failed(comparison, capsys):
    with CompareDisplay(Console(width=150), comparison, 3) as display:
        display.advance(comparison.runs[0], {"status": "interrupted"})
        assert "failed" not in capsys.readouterr().out
        display.advance(comparison.runs[1], {})
        display.advance(comparison.runs[2], {"status": "diverged"})
    assert "2 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("by", "best"),
    [
        ("cross_entropy", "best validation cross-entropy 0.200\N{NO-BREAK SPACE}nats"),
        ("accuracy", "best validation accuracy 70.00\N{NO-BREAK SPACE}%"),
    ],
)
def test_the_best_is_that_of_the_measure_strengths_are_chosen_by(
    comparison, capsys, by, best
):
    asked = dataclasses.replace(comparison, select_by=by)
    with CompareDisplay(Console(width=150), asked, 3) as display:
        display.advance(comparison.runs[0], result(0.3, 0.7))
        display.advance(comparison.runs[1], result(0.2, 0.6))
        display.advance(comparison.runs[2], result(0.4, 0.5))
    assert best in capsys.readouterr().out.splitlines()[-1]
