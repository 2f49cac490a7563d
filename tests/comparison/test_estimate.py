"""What the estimate counts; that it is near the truth, no test can hold."""

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
        conditions = [{model.hidden_units = [8]}, {model.hidden_units = [64]}]
        [methods.none]
        [methods.l2]
        vary.regularizer.l2 = [1e-3, 1e-2]
        """
    )
    return load_comparison(path).runs


def test_one_run_of_a_condition_is_timed_and_a_trial_compiled_once(runs, monkeypatch):
    """Three trials of a condition, of two seeds each."""
    seconds = {(8,): (2.0, 3.0), (64,): (4.0, 5.0)}
    timed = []

    def take(config):
        timed.append(tuple(config.model.settings["hidden_units"]))
        return seconds[timed[-1]]

    monkeypatch.setattr(estimate, "time_run", take)
    whole = 3 * (2.0 + 4.0) + 6 * (3.0 + 5.0)
    one, four = (estimate.estimate_seconds(runs, workers) for workers in (1, 4))
    assert sorted(timed) == sorted([*seconds] * 2)
    assert one == pytest.approx(estimate.SECONDS_TO_START + whole)
    assert four == pytest.approx(estimate.SECONDS_TO_START + whole / 4)


def test_a_run_of_more_epochs_trains_longer_and_leaves_nothing(configure, tmp_path):
    before = sorted(tmp_path.iterdir())
    (_, short), (_, long) = (
        estimate.time_run(configure(f"training.epochs={epochs}"))
        for epochs in (1, 1_000_000)
    )
    assert 0 < short < long
    assert {*tmp_path.iterdir()} <= {*before, tmp_path / "experiment.toml"}
