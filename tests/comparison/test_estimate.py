"""What the estimate counts; that it is near the truth, no test can hold."""

import itertools

import pytest

from comparison import estimate
from comparison.plan import load_comparison


@pytest.fixture
def runs(tmp_path, configure):
    configure(name="base")
    path = tmp_path / "two.toml"
    path.write_text(
        """
        base = "base.toml"
        seeds = [0, 1]
        [methods.none]
        [methods.l2]
        vary.regularizer.l2 = [1e-3, 1e-2]
        [methods.wide]
        set.model.hidden_units = [64]
        """
    )
    return load_comparison(path).runs


def test_each_kind_of_run_is_timed_once_and_counted_as_often_as_it_is_made(
    runs, monkeypatch
):
    """Another width is another kind; the seeds of a setting share what one compiles."""
    seconds = {(16, 8): 3.0, (64,): 5.0}
    timed = []

    def take(config, programs):
        units, shares = tuple(config.model.settings["hidden_units"]), bool(programs)
        timed.append((units, shares))
        programs["compiled"] = True
        return seconds[units] - 2.0 * shares

    monkeypatch.setattr(estimate, "seconds_of", take)
    whole = 3 * (3.0 + 1.0) + (5.0 + 3.0)
    one, four = (estimate.estimate_seconds(runs, workers) for workers in (1, 4))
    assert sorted(timed) == sorted([*itertools.product(seconds, (False, True))] * 2)
    assert one == pytest.approx(estimate.SECONDS_TO_START + whole)
    assert four == pytest.approx(estimate.SECONDS_TO_START + whole / 4)


def test_a_run_of_more_epochs_takes_longer_and_leaves_nothing(configure, tmp_path):
    before = sorted(tmp_path.iterdir())
    short, long = (
        estimate.seconds_of(configure(f"training.epochs={epochs}"), {})
        for epochs in (1, 1_000_000)
    )
    assert 0 < short < long
    assert {*tmp_path.iterdir()} <= {*before, tmp_path / "experiment.toml"}
