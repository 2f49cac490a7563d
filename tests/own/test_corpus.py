"""Each run of a comparison is the run alone, whatever its user wrote.

`cases.py` is the table of what is tried.
"""

import pytest

from tests.own.cases import CASES
from tests.own.conftest import differences, state_of
from train import train


class Asked:
    """A `should_stop` that counts how often it is asked, and stops at one of them."""

    def __init__(self, stop_at=0):
        self.times, self.stop_at = 0, stop_at

    def __call__(self):
        self.times += 1
        return self.times == self.stop_at


@pytest.fixture(scope="module", params=CASES)
def compared(request, compare, tmp_path_factory):
    """The runs of a case, made one after another as by one worker.

    Returns:
        Each run with its state, and how often the last was asked whether to stop.
    """
    programs, made = {}, []
    for run in compare(CASES[request.param]):
        directory = tmp_path_factory.mktemp("run")
        asked = Asked()
        result = train(run.config, directory, programs=programs, should_stop=asked)
        assert result["status"] == "completed"
        made.append((run, state_of(directory)))
    return made, asked.times


def test_a_run_in_a_comparison_is_the_run_alone(compared, tmp_path):
    """The last: before it the worker has met its seed and its strength, not both."""
    run, state = compared[0][-1]
    train(run.config, tmp_path / "alone", programs={})
    assert list(differences(state, state_of(tmp_path / "alone"))) == []


def test_the_strengths_and_the_seeds_differ(compared):
    """Or else nothing would be compared."""
    weights = [state["weights"] for _, state in compared[0]]
    assert all(weights.count(of_run) == 1 for of_run in weights)


def test_a_run_stopped_within_an_epoch_continues_as_if_it_were_not(compared, tmp_path):
    made, times = compared
    run, state = made[-1]
    directory = tmp_path / "cut"
    result = train(run.config, directory, should_stop=Asked(times), programs={})
    assert (result["status"], result["final"]["epoch"]) == ("interrupted", 1)
    train(run.config, directory, resume=True, programs={})
    assert list(differences(state, state_of(directory))) == []
