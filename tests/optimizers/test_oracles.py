"""Other people's optimizers against the reference, and against ours.

The reference without Keras' roundings equals them to rounding error: it is the same
algorithm. Ours differs from them by these roundings, of constants to float32.
"""

import numpy as np
import pytest

from tests.optimizers import task
from tests.optimizers.oracles import EVERY, ORACLES, PATH, TINY
from tests.optimizers.test_trajectories import (
    build,
    difference,
    expected,
    rules_of,
    steps_of,
    train,
)
from tests.tiny import chosen
from training.losses import cross_entropy
from training.program import Program

pytestmark = pytest.mark.usefixtures("float64")

COUNT = task.STEPS * task.BATCH_SIZE


@pytest.fixture(scope="module")
def recorded():
    with np.load(PATH) as file:
        return dict(file)


def split(flat):
    """One row of numbers as a list of weights."""
    shapes = [w.shape for w in task.initial_weights()]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [
        w.reshape(shape) for w, shape in zip(np.split(flat, ends), shapes, strict=True)
    ]


def test_the_task_is_the_one_that_was_recorded(recorded):
    images, labels = task.images_and_labels()
    weights = [w.ravel() for w in task.initial_weights()]
    inputs = [images.ravel(), labels, *task.batches(), *weights]
    np.testing.assert_array_equal(np.concatenate(inputs), recorded["inputs"])


@pytest.mark.parametrize("name", ORACLES)
def test_trajectory_of_the_reference_is_the_oracles(name, recorded, record):
    oracle = ORACLES[name]
    constants = oracle.settings | {"kept": float, "floor": 0.0}
    count = len(task.initial_weights())
    made = expected(
        steps_of(oracle.optimizer, constants, count),
        rules_of(oracle.decay, oracle.decay_settings, count),
        oracle.multipliers,
        COUNT,
        oracle.peak,
        global_clipnorm=oracle.global_clipnorm,
        l2=oracle.l2,
    )
    theirs = [split(row) for row in recorded[name]]
    ours = made[EVERY // task.STEPS - 1 :: EVERY // task.STEPS]
    reached = difference(ours, theirs)
    record("reference", name, reached)
    # AdamC of pytorch_optimizer adds 1e-15 to the mean square.
    assert reached < (1e-12 if name != "adam, corrected" else 1e-10)


@pytest.mark.parametrize("name", ORACLES)
def test_trajectory_is_the_oracles_but_for_rounded_constants(name, recorded, record):
    oracle = ORACLES[name]
    model, optimizer = build(
        oracle.optimizer,
        oracle.settings,
        oracle.decay,
        oracle.decay_settings,
        {"global_clipnorm": oracle.global_clipnorm},
        l2=oracle.l2,
    )
    program = Program(model, optimizer, cross_entropy(), jit=False)
    found, _ = train(program, oracle.multipliers, COUNT)
    theirs = [split(row) for row in recorded[name]]
    ours = found[EVERY // task.STEPS - 1 :: EVERY // task.STEPS]
    reached = difference(ours, theirs)
    record("ours", name, reached)
    record("oracle", name, oracle.source)
    assert reached < 1e-4


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("cosine", {}),
        ("warm_restarts", {"first_period_epochs": 3.0, "period_factor": 2.0}),
    ],
)
def test_schedules_are_pytorchs(name, settings, recorded):
    ours = chosen("schedule", name)(task.STEPS, task.EPOCHS, **settings)
    np.testing.assert_allclose(ours, recorded[f"schedule/{name}"], atol=1e-12)


def test_the_recorded_epsilon_is_too_small_to_matter():
    epsilons = {o.optimizer: o.settings.get("epsilon", TINY) for o in ORACLES.values()}
    assert epsilons.pop("adopt", 1e-6) == 1e-6  # Whose place does not differ.
    assert set(epsilons.values()) == {TINY}
