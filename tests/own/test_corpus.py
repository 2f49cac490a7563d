"""Each run of a comparison is the run alone, whatever its user wrote.

`cases.py` is the table of what is tried. Each is compared at two strengths with two
seeds by one worker. Each of the four runs is held to the same run alone, which is
stopped within its second epoch and continued besides.
"""

import pytest

from system.errors import UserError
from tests.own.cases import CASES, RIGHT_OR_REFUSED
from tests.own.conftest import Asked, differences, state_of
from train import train

pytestmark = pytest.mark.filterwarnings("ignore:The object being serialized includes")


@pytest.fixture(scope="module")
def hold(compare, tmp_path_factory):
    """Make the runs of a case, and hold them to what they are to be."""

    def make(case):
        programs, weights = {}, []
        for run in compare(case):
            asked, shared = Asked(), tmp_path_factory.mktemp("shared")
            result = train(run.config, shared, programs=programs, should_stop=asked)
            assert result["status"] == "completed"
            weights.append(state_of(shared)["weights"])
            hold_to_itself_alone(run.config, shared, asked.times)
        assert all(weights.count(of_run) == 1 for of_run in weights), "equal runs"

    def hold_to_itself_alone(config, shared, times):
        cut = tmp_path_factory.mktemp("cut")
        stopped = train(config, cut, should_stop=Asked(times), programs={})
        assert (stopped["status"], stopped["final"]["epoch"]) == ("interrupted", 1)
        train(config, cut, resume=True, programs={})
        if state_of(cut) != state_of(shared):
            alone = tmp_path_factory.mktemp("alone")
            train(config, alone, programs={})
            states = [state_of(directory) for directory in (shared, alone, cut)]
            assert list(differences(*states[:2])) == [], "in a comparison and alone"
            assert list(differences(*states[1:])) == [], "alone and continued"

    return make


@pytest.mark.parametrize("name", CASES)
def test_a_run_is_the_run_alone_and_continued(name, hold):
    hold(CASES[name])


@pytest.mark.parametrize("name", RIGHT_OR_REFUSED)
def test_a_run_that_would_not_be_right_is_refused_in_a_line(name, hold):
    try:
        hold(RIGHT_OR_REFUSED[name])
    except UserError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("jit", [True, False])
def test_each_call_of_a_dropout_has_a_mask_of_its_own(run, weights_in, jit):
    _, path = run(
        "model.name=difference_of_masks", f"training.jit_compile={str(jit).lower()}"
    )
    kernel = weights_in(path)["logits/kernel"]
    assert abs(kernel).max() > 0


@pytest.mark.parametrize("name", ["dropout_in_cell", "dropout_in_time"])
def test_each_round_of_a_loop_has_a_mask_of_its_own(run, weights_in, name):
    _, path = run(f"model.name={name}")
    assert abs(weights_in(path)["logits/kernel"]).max() > 0


def test_the_state_of_many_variables_is_read_back(run):
    stopped, _ = run("optimizer.name=counting", should_stop=Asked(2))
    assert stopped["status"] == "interrupted"
    assert run("optimizer.name=counting", resume=True)[0]["status"] == "completed"
