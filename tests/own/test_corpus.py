"""Each run of a comparison is the run alone, whatever its user wrote.

`cases.py` is the table of what is tried. Each is compared at two strengths with two
seeds by one worker. A run of another seed than the one before it, and one of another
strength, are held to the same run alone, which is stopped within its second epoch and
continued besides.
"""

import pytest

from system.errors import UserError
from tests.own.cases import CASES, RIGHT_OR_REFUSED
from tests.own.conftest import Asked

TRIED = [
    pytest.param(name, marks=() if case.past else pytest.mark.faults)
    for name, case in CASES.items()
]
"""Always what was wrong once; all by `make test-faults`."""

pytestmark = pytest.mark.filterwarnings("ignore:The object being serialized includes")


@pytest.mark.parametrize("name", TRIED)
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
