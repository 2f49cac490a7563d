"""200 updates by every optimizer and every rule of decay, weight by weight.

They are held to the reference in float64. The path is the one of every run: `prepare`,
a compiled `Program`, a `Trainer`. The runs that XLA compiles have the defaults; the
others have other constants, and all at once: a schedule, clipping, decayed biases,
penalties and bounded norms. Those of single rules have a smaller last batch besides.
"""

import inspect
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from data import Data, Split
from optimizers import DECAYS, OPTIMIZERS, prepare
from optimizers.schedules import constant
from system.errors import UserError
from tests import reference
from tests.optimizers import task
from tests.penalties import penalized
from tests.reference import float32
from tests.tiny import chosen, tiny
from training import TrainingSettings
from training.checkpoint import load_checkpoint, save_checkpoint
from training.losses import cross_entropy
from training.program import Program
from training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("float64")

TOLERANCE = 1e-12
"""Relative; Keras' and NumPy's rounding errors reach 1e-15 to 1e-14 in 200 updates."""

ADAM = {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}
CONSTANTS = {
    "sgd": {"learning_rate": 0.05, "momentum": 0.7, "nesterov": True},
    "adam": ADAM | {"amsgrad": True},
    "nadam": ADAM,
    "adopt": ADAM,
    "schedule_free": ADAM,
    "lion": {"learning_rate": 2e-3, "beta_1": 0.8, "beta_2": 0.95},
    "muon": ADAM | {"momentum": 0.8},
}
"""Of each optimizer, others than its defaults."""

STRONG = {"strength": 0.3, "biases": True}
SETTINGS = {
    "none": {},
    "decoupled": STRONG,
    "independent": {"strength": 0.01, "biases": True},
    "normalized": {"strength": 0.1, "biases": True},
    "timescale": {"timescale_epochs": 9.0, "biases": True},
    "corrected": STRONG,
    "scheduled": STRONG | {"schedule": "cosine"},
    "huber": STRONG | {"threshold": 0.7},
    "to_start": STRONG,
    "cautious": STRONG,
    "random_mask": STRONG,
    "fixed_norm": {},
    "constrained": {"look_epochs": 0.7, "smoothing": 0.8},
}
"""The same of each rule."""

ALL = [(o, d) for o in OPTIMIZERS for d in DECAYS]
REFUSED = {("schedule_free", "fixed_norm")} & {*ALL}
PAIRS = [pair for pair in ALL if pair not in REFUSED]
HORIZON = (task.STEPS, task.EPOCHS)
CLIPNORM, MAX_NORM = 0.25, 1.5
IMAGES = task.STEPS * task.BATCH_SIZE
COUNT = IMAGES - 2
"""So many make a smaller last batch."""
PENALTY = {"l1": 0.01, "l2": 0.02, "biases": True}
MULTIPLIERS = task.cosine(warmup_epochs=2)


def build(
    optimizer,
    constants,
    decay="none",
    settings=None,
    shared=None,
    max_norm=None,
    **penalty,
):
    model = penalized(
        tiny((3, 2), 3, hidden_units=[5, 4], max_norm=max_norm), **penalty
    )
    for variable, value in zip(
        model.trainable_variables, task.initial_weights(), strict=True
    ):
        variable.assign(value)
    rule = chosen("decay", decay)(*HORIZON, **(settings or {}))
    return model, prepare(
        chosen("optimizer", optimizer)(**constants), model, rule, **(shared or {})
    )


def build_full(optimizer, decay):
    return build(
        optimizer,
        CONSTANTS[optimizer],
        decay,
        SETTINGS[decay],
        {"global_clipnorm": CLIPNORM},
        max_norm=MAX_NORM,
        **PENALTY,
    )


def make_trainer(program, multipliers, count):
    split = Split(*task.images_and_labels(count))
    data = Data(split, split, split, 3, split.labels, "012")
    settings = TrainingSettings(epochs=task.EPOCHS, batch_size=task.BATCH_SIZE)
    return Trainer(program, data, multipliers, settings, task.SEED)


def train(program, multipliers, count, epochs=task.EPOCHS):
    """The weights after each epoch, and the trainer."""
    trainer, found = make_trainer(program, multipliers, count), []
    while trainer.epoch < epochs:
        for _ in trainer.train_epoch(evaluated=False):
            pass
        found.append([v.numpy() for v in program.model.trainable_variables])
    return found, trainer


def defaults(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def taken(function, constants):
    """A function with those of the constants that it has."""
    names = inspect.signature(function).parameters
    return partial(function, **{k: v for k, v in constants.items() if k in names})


def steps_of(optimizer, constants, count):
    """The step in the reference of each of the weights."""
    step = taken(getattr(reference, optimizer), constants)
    rest = taken(reference.adam, constants) if optimizer == "muon" else step
    hidden = [i for i in range(count - 2) if i % 2 == 0]
    return [step if i in hidden else rest for i in range(count)]


def rules_of(decay, settings, count, draws=()):
    """The rule in the reference of each of the weights."""
    rule = taken(getattr(reference, decay), settings)
    decayed = [settings.get("biases", False) or i % 2 == 0 for i in range(count)]
    of_each = [partial(rule, draw=draw) for draw in draws] or [rule] * count
    return [
        rule if decays else reference.none
        for rule, decays in zip(of_each, decayed, strict=True)
    ]


def expected(steps, rules, multipliers, count, peak, **how):
    """The weights after each epoch by the reference."""
    images, labels = task.images_and_labels(count)
    x = images.reshape(count, -1)
    made = reference.train(
        task.initial_weights(),
        [(x[batch], labels[batch]) for batch in task.batches(count)],
        np.float32(peak * multipliers).astype(float),
        steps,
        rules,
        peak=peak,
        horizon=HORIZON,
        **how,
    )
    return list(made)[task.STEPS - 1 :: task.STEPS]


def make_draws(optimizer, decay, jit):
    """What random masks are made from, of each of the weights."""
    if decay != "random_mask":
        return []

    @tf.function(jit_compile=jit)
    def draw_all(seed, shape):
        def draw(t):
            return tf.random.stateless_uniform(shape, [seed, t], dtype=tf.float64)

        updates = tf.range(task.EPOCHS * (task.STEPS + 1), dtype=tf.int64)
        return tf.map_fn(draw, updates, fn_output_signature=tf.float64)

    def make_draw(memory, shape):
        drawn = draw_all(tf.cast(memory[0].value, tf.int64), tuple(shape)).numpy()
        return lambda t: drawn[t]

    return [
        make_draw(memory, variable.shape)
        for memory, variable in zip(
            optimizer._memory, optimizer._trainable_variables, strict=True
        )
    ]


def difference(ours, theirs):
    """The largest over all epochs and weights, relative to the largest weight of each.

    Weights that are 0 in the reference are compared on an absolute scale.
    """
    return max(
        np.abs(a - b).max() / (np.abs(b).max() or 1.0)
        for these, those in zip(ours, theirs, strict=True)
        for a, b in zip(these, those, strict=True)
    )


@pytest.mark.parametrize(("optimizer", "decay"), PAIRS)
def test_trajectory_with_everything_on(optimizer, decay, record, tmp_path):
    """And the same again, cut within an epoch: then not a bit differs."""
    model, made = build_full(optimizer, decay)
    program = Program(model, made, cross_entropy(), jit=False)
    start = [v.numpy() for v in [*model.variables, *made.variables]]
    whole, _ = train(program, MULTIPLIERS, IMAGES)

    def project(index, w):
        hidden = index in (0, 2)
        return reference.bound_columns(w, MAX_NORM, 1e-7) if hidden else w

    constants, count = CONSTANTS[optimizer], len(model.trainable_variables)
    draws = make_draws(made, decay, jit=False)
    reached = difference(
        whole,
        expected(
            steps_of(optimizer, constants, count),
            rules_of(decay, SETTINGS[decay], count, draws),
            MULTIPLIERS,
            IMAGES,
            constants["learning_rate"],
            global_clipnorm=CLIPNORM,
            project=project,
            **{key: float32(value) for key, value in PENALTY.items()},
        ),
    )
    record(optimizer, decay, reached)
    assert reached < TOLERANCE

    def restart():
        for variable, value in zip(
            [*model.variables, *made.variables], start, strict=True
        ):
            variable.assign(value)

    restart()
    trainer = train(program, MULTIPLIERS, IMAGES, epochs=5)[1]
    trainer._updates_per_call = 3
    next(trainer.train_epoch(evaluated=False))
    trainer.best_weights = [v.numpy() for v in model.variables]
    save_checkpoint(tmp_path, trainer, [])
    train(program, MULTIPLIERS[::-1], IMAGES, epochs=1)
    restart()
    resumed = make_trainer(program, MULTIPLIERS, IMAGES)
    assert load_checkpoint(tmp_path, resumed) is not None
    assert resumed.within_epoch
    while resumed.epoch < 7:
        for _ in resumed.train_epoch(evaluated=False):
            pass
    for ours, theirs in zip(model.trainable_variables, whole[6], strict=True):
        np.testing.assert_array_equal(ours, theirs)


COMPILED = [
    (list(OPTIMIZERS)[-i % len(OPTIMIZERS)], decay) for i, decay in enumerate(DECAYS)
]
"""Each rule once, each optimizer once or twice."""


@pytest.mark.parametrize(("optimizer", "decay"), COMPILED)
def test_trajectory_with_the_defaults(optimizer, decay):
    multipliers = constant(task.STEPS, task.EPOCHS)
    model, made = build(optimizer, {}, decay)
    program = Program(model, made, cross_entropy(), jit=True)
    found, _ = train(program, multipliers, IMAGES)
    constants, count = defaults(OPTIMIZERS[optimizer]), len(model.trainable_variables)
    draws = make_draws(made, decay, jit=True)
    theirs = expected(
        steps_of(optimizer, constants, count),
        rules_of(decay, defaults(DECAYS[decay]), count, draws),
        multipliers,
        IMAGES,
        constants["learning_rate"],
    )
    assert difference(found, theirs) < TOLERANCE


@pytest.mark.parametrize("schedule", ["constant", "logarithmic"])
def test_trajectory_under_the_other_schedules_of_decay(schedule):
    settings = STRONG | {"schedule": schedule}
    model, made = build("sgd", {}, "scheduled", settings)
    program = Program(model, made, cross_entropy(), jit=False)
    found, _ = train(program, MULTIPLIERS, COUNT)
    count = len(model.trainable_variables)
    theirs = expected(
        steps_of("sgd", {}, count),
        rules_of("scheduled", settings, count),
        MULTIPLIERS,
        COUNT,
        peak=0.1,
    )
    assert difference(found, theirs) < TOLERANCE


def test_a_bound_is_found_and_presses():
    model, made = build("adam", ADAM, "constrained", SETTINGS["constrained"])
    program = Program(model, made, cross_entropy(), jit=False)
    train(program, MULTIPLIERS, COUNT)
    for kernel in made._memory[::2]:
        bound, multiplier, *_ = map(float, kernel)
        assert bound > 0
        assert multiplier >= 0
    assert any(float(kernel[1]) > 0 for kernel in made._memory[::2])


def test_a_moving_average_is_what_is_evaluated():
    multipliers = constant(task.STEPS, task.EPOCHS)
    model, made = build("adam", {}, "decoupled", shared={"ema_momentum": 0.9})
    program = Program(model, made, cross_entropy(), jit=False)
    found, _ = train(program, multipliers, COUNT)
    constants, count = defaults(OPTIMIZERS["adam"]), len(model.trainable_variables)
    averaged, raw = (
        expected(
            steps_of("adam", constants, count),
            rules_of("decoupled", defaults(DECAYS["decoupled"]), count),
            multipliers,
            COUNT,
            constants["learning_rate"],
            ema_momentum=ema_momentum,
        )
        for ema_momentum in (0.9, None)
    )
    assert difference(found, averaged) < TOLERANCE
    assert difference(found, raw) > 1e-6
    images, labels = task.images_and_labels(COUNT)
    evaluated, _ = program.evaluate(tf.constant(images), tf.constant(labels))
    logits = reference.forward(averaged[-1], images.reshape(COUNT, -1))[-1]
    np.testing.assert_allclose(
        evaluated["cross_entropy"],
        reference.cross_entropy(labels, logits),
        rtol=TOLERANCE,
    )


@pytest.mark.parametrize(("optimizer", "decay"), REFUSED)
def test_pairs_that_make_no_sense_are_refused(optimizer, decay, record):
    record(optimizer, decay, "refused")
    with pytest.raises(UserError, match=f"{decay} does not go with .* = {optimizer}"):
        build(optimizer, {}, decay)


@pytest.mark.docs
def test_no_optimizer_and_no_rule_is_missing():
    """Those that a dictionary has lost would not be tested, without a word."""
    assert CONSTANTS.keys() == OPTIMIZERS.keys()
    assert SETTINGS.keys() == DECAYS.keys()
