"""How far a comparison has come is said as it is."""

import dataclasses

import pytest
from rich.console import Console

from comparison.display import CompareDisplay


@pytest.fixture
def runs(simulate):
    return simulate()[0].runs


@pytest.mark.parametrize("terminal", [True, False])
def test_brackets_in_a_strength_are_text(runs, capsys, terminal):
    odd = dataclasses.replace(runs[0], strength="path=/a/[/b]")
    result = {"status": "completed", "final": {"validation": {"cross_entropy": 0.5}}}
    with CompareDisplay(Console(width=150, force_terminal=terminal), 1) as display:
        display.advance(odd, result, 0)
    assert "path=/a/[/b]" in capsys.readouterr().out


def test_interrupted_runs_are_not_counted_as_failed(runs, capsys):
    with CompareDisplay(Console(width=150), 3) as display:
        display.advance(runs[0], {"status": "interrupted"}, 2)
        assert "failed" not in capsys.readouterr().out
        display.advance(runs[1], None, 1)
        display.advance(runs[2], {"status": "diverged"}, 0)
    assert "2 failed" in capsys.readouterr().out
