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
        [methods.none]
        [methods.l2]
        vary.regularizer.l2 = [1e-3, 1e-2]
        [methods.wide]
        set.model.hidden_units = [64]
        """
    )
    return load_comparison(path).runs


def test_a_trial_is_timed_once_and_compiled_once_whatever_its_seeds(runs, monkeypatch):
    """Three small trials and a wide one, of two runs each."""
    timed = []

    def take(config):
        timed.append(tuple(config.model.settings["hidden_units"]))
        return 2.0, len(timed)

    monkeypatch.setattr(estimate, "time_run", take)
    start, compiled, trained = estimate.SECONDS_TO_START, 4 * 2.0, 2 * (1 + 2 + 3 + 4)
    one = estimate.estimate_seconds(runs, 1)
    assert timed == [(16, 8)] * 3 + [(64,)]
    assert one == pytest.approx(start + compiled + trained)
    timed.clear()
    monkeypatch.setattr(estimate, "MOST_TIMED", 2)
    few = estimate.estimate_seconds(runs, 4)
    assert timed == [(16, 8)] * 2
    assert few == pytest.approx(start + 2 * (2 * 2.0 + 2 * (1 + 2)) / 4)


def test_a_run_of_more_epochs_trains_longer_and_leaves_nothing(configure, tmp_path):
    before = sorted(tmp_path.iterdir())
    (_, short), (_, long) = (
        estimate.time_run(configure(f"training.epochs={epochs}"))
        for epochs in (1, 1_000_000)
    )
    assert 0 < short < long
    assert {*tmp_path.iterdir()} <= {*before, tmp_path / "experiment.toml"}
