"""A callback that a config names is part of what a run is."""

import io
import json
from pathlib import Path

import pandas
import pytest
from rich.console import Console

from experiment.config import load_config
from system.errors import UserError
from tests.faults.runs import state_of

OVERFITTING = ("training.epochs=40", "optimizer.learning_rate=0.01")
STOPPING = ("early_stopping.patience=2", "early_stopping.restore_best_weights=true")


@pytest.fixture(scope="module")
def programs():
    return {}


def test_early_stopping_ends_a_run_and_is_what_it_is_known_by(run, configure, programs):
    result, directory = run(*OVERFITTING, *STOPPING, programs=programs)
    best, final = result["best"], result["final"]
    assert final["epoch"] == best["epoch"] < 38
    assert final["weights"] == "restored from the best evaluation"
    saved = load_config(directory / "config.toml")
    assert saved.callbacks == configure(*OVERFITTING, *STOPPING).callbacks
    assert run(*OVERFITTING, *STOPPING)[0] == result
    console = Console(file=io.StringIO(), width=1000)
    run(*OVERFITTING, console=console, should_stop=lambda: True)
    said = console.file.getvalue().splitlines()[0]
    assert "early_stopping.patience (2 there, None here)" in said
    aside = json.loads((directory.with_name("run.1") / "result.json").read_text())
    assert aside == result


def test_a_run_with_callbacks_of_its_config_is_resumed_bit_for_bit(run, programs):
    settings = (*OVERFITTING, *STOPPING, "reduce_on_plateau.patience=1")
    _, whole = run(*settings, directory="whole", programs=programs)
    asked = iter([False, False, False, True, True])
    stop = lambda: next(asked, True)  # noqa: E731
    run(*settings, directory="cut", should_stop=stop, programs=programs)
    run(*settings, directory="cut", resume=True, programs=programs)
    assert state_of(whole) == state_of(Path(whole).with_name("cut"))


def test_reduce_on_plateau_lowers_the_rate(run, programs):
    _, directory = run(
        "training.epochs=8",
        "optimizer.learning_rate=0.05",
        "reduce_on_plateau.patience=0",
        "reduce_on_plateau.factor=0.25",
        "reduce_on_plateau.min_delta=10",
        programs=programs,
    )
    rates = pandas.read_csv(directory / "history.csv")["optimizer/learning_rate"]
    # The first epoch improves on nothing.
    assert list(rates[2:5] / rates[3:6].values) == pytest.approx([4, 4, 4])


def test_a_callback_without_its_section_is_none_and_needs_what_it_needs(configure):
    assert configure().callbacks == {}
    with pytest.raises(UserError, match="early_stopping needs it"):
        configure("early_stopping.min_delta=0.1")
    with pytest.raises(UserError, match=r"did you mean early_stopping\.patience"):
        configure("early_stopping.patiense=3")
