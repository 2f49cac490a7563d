"""200 updates by every optimizer, weight by weight, against the reference in float64.

The path is the one of every run: `prepare`, a compiled `Program`, a `Trainer`. The runs
that XLA compiles have the optimizers' defaults; the others have other constants, and
all at once: a schedule, clipping, decayed biases, penalties, bounded norms and a
smaller last batch in every epoch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import tensorflow as tf

from data import Data, Split
from experiment.config import call, parameters
from models import mlp
from optimizers import OPTIMIZERS, prepare
from optimizers.schedules import constant, cosine
from tests import reference
from tests.optimizers import task
from tests.reference import float32
from training.checkpoint import load_checkpoint, save_checkpoint
from training.program import Program
from training.settings import TrainingSettings
from training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("float64")

TOLERANCE = 1e-12
"""Relative; Keras' and NumPy's rounding errors reach 1e-15 to 1e-14 in 200 updates."""

UPDATES = task.EPOCHS * task.STEPS


@dataclass(frozen=True)
class Variant:
    """An optimizer and what it should do.

    Attributes:
        rule: In the reference.
        rate: Its default learning rate.
        decay: Its default weight decay, in terms of w <- w - rate * decay * w.
        settings: Others than the defaults.
        other_decay: What they make of the weight decay.
        defaults: Of the constants, where the rule has others.
        rest: The rule of biases and logits, where that differs.
    """

    rule: Callable
    rate: float
    decay: float = 0.0
    settings: dict = field(default_factory=dict)
    other_decay: float = 0.0
    defaults: dict = field(default_factory=dict)
    rest: Callable | None = None


ADAM = {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}
SGD = {"learning_rate": 0.05, "momentum": 0.7, "nesterov": True}

VARIANTS = {
    "sgd": Variant(reference.sgd, 0.1, settings=SGD),
    "sgdw": Variant(
        reference.sgd,
        0.1,
        0.004,
        SGD | {"weight_decay": 0.3},
        0.3,
        defaults={"momentum": 0.9},
    ),
    "adam": Variant(reference.adamw, 1e-3, settings=ADAM),
    "adamw": Variant(reference.adamw, 1e-3, 0.004, ADAM | {"weight_decay": 0.3}, 0.3),
    "adamw_independent": Variant(
        reference.adamw, 1e-3, 4e-6 / 1e-3, ADAM | {"weight_decay": 0.01}, 0.01 / 0.02
    ),
    "adamw_normalized": Variant(
        reference.adamw,
        1e-3,
        0.02 * math.sqrt(1 / UPDATES) / 1e-3,
        ADAM | {"weight_decay": 0.1},
        0.1 * math.sqrt(1 / UPDATES) / 0.02,
    ),
    "adamw_timescale": Variant(
        reference.adamw,
        1e-3,
        1 / (10 * task.STEPS) / 1e-3,
        ADAM | {"timescale_epochs": 7.0},
        1 / (7 * task.STEPS) / 0.02,
    ),
    "adamw_cautious": Variant(
        reference.adamw_cautious, 1e-3, 0.004, ADAM | {"weight_decay": 0.3}, 0.3
    ),
    "adamw_schedule_free": Variant(
        reference.adamw_schedule_free, 2.5e-3, 0.004, ADAM | {"weight_decay": 0.3}, 0.3
    ),
    "amsgradw": Variant(
        reference.amsgradw, 1e-3, 0.004, ADAM | {"weight_decay": 0.3}, 0.3
    ),
    "nadamw": Variant(reference.nadamw, 1e-3, 0.004, ADAM | {"weight_decay": 0.3}, 0.3),
    "lion": Variant(
        reference.lion,
        1e-4,
        0.04,
        {"learning_rate": 2e-3, "beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.3},
        0.3,
    ),
    "muon": Variant(
        reference.muon,
        1e-3,
        0.1,
        ADAM | {"momentum": 0.8, "weight_decay": 0.3},
        0.3,
        rest=reference.adamw,
    ),
}


def build(name, settings, shared=None, **model_settings):
    model = mlp((3, 2), 3, hidden_units=[5, 4], **model_settings)
    for variable, value in zip(
        model.trainable_variables, task.initial_weights(), strict=True
    ):
        variable.assign(value)
    function = OPTIMIZERS[name]
    defaults = {key: p.default for key, p in parameters(function).items()}
    optimizer = call(function, defaults | settings, task.STEPS, task.EPOCHS)
    return model, prepare(optimizer, model, **(shared or {}))


def make_trainer(program, multipliers, count):
    split = Split(*task.images_and_labels(count))
    data = Data(split, split, split, 3)
    settings = TrainingSettings(epochs=task.EPOCHS, batch_size=task.BATCH_SIZE)
    return Trainer(program, data, multipliers, settings, task.SEED)


def train(program, multipliers, count, epochs=task.EPOCHS):
    """The weights after each epoch, and the trainer."""
    trainer, found = make_trainer(program, multipliers, count), []
    while trainer.epoch < epochs:
        for _ in trainer.train_epoch():
            pass
        found.append([v.numpy() for v in program.model.trainable_variables])
    return found, trainer


def expected(variant, rate, decay, constants, multipliers, count, **how):
    """The weights after each epoch by the reference."""
    images, labels = task.images_and_labels(count)
    x = images.reshape(count, -1)
    weights = task.initial_weights()
    rules, of_each = assign_rules(variant, constants, len(weights))
    made = reference.train(
        weights,
        [(x[batch], labels[batch]) for batch in task.batches(count)],
        np.float32(rate * multipliers).astype(float),
        rules,
        decay=float32(decay),
        constants=of_each,
        **how,
    )
    return list(made)[task.STEPS - 1 :: task.STEPS]


def assign_rules(variant, constants, count):
    """The rule of each of the weights, and of its constants those that it has."""
    hidden = [i for i in range(count - 2) if i % 2 == 0]
    rules = [
        variant.rule if variant.rest is None or i in hidden else variant.rest
        for i in range(count)
    ]
    names = [rule.__code__.co_varnames[: rule.__code__.co_argcount] for rule in rules]
    return rules, [{k: constants[k] for k in constants if k in n} for n in names]


def difference(ours, theirs):
    """The largest over all epochs and weights, relative to the largest weight of each.

    Weights that are 0 in the reference are compared on an absolute scale.
    """
    return max(
        np.abs(a - b).max() / (np.abs(b).max() or 1.0)
        for these, those in zip(ours, theirs, strict=True)
        for a, b in zip(these, those, strict=True)
    )


class Programs(dict):
    """Compiled with everything on and other strengths, by variant, to be shared."""

    def __missing__(self, name):
        self[name] = Program(*build_full(name, OTHER), "cross_entropy", jit=False)
        return self[name]


PROGRAMS = Programs()
OTHER = {"learning_rate": 0.01, "weight_decay": 0.7, "timescale_epochs": 3.0}
CLIPNORM, MAX_NORM, COUNT = 0.25, 1.5, 48
STRENGTHS = {"l1": 0.01, "l2": 0.02, "regularize_biases": True}
MULTIPLIERS = cosine(task.STEPS, task.EPOCHS, warmup_epochs=2)


def build_full(name, others=None):
    shared = {"decay_biases": True, "global_clipnorm": CLIPNORM}
    settings = VARIANTS[name].settings | (others or {})
    return build(name, settings, shared, **STRENGTHS, max_norm=MAX_NORM)


@pytest.mark.parametrize("name", VARIANTS)
def test_trajectory_with_the_defaults(name, record):
    variant, multipliers = VARIANTS[name], constant(task.STEPS, task.EPOCHS)
    model, optimizer = build(name, {})
    program = Program(model, optimizer, "cross_entropy", jit=True)
    found, _ = train(program, multipliers, task.STEPS * task.BATCH_SIZE)
    reached = difference(
        found,
        expected(
            variant,
            variant.rate,
            variant.decay,
            variant.defaults,
            multipliers,
            task.STEPS * task.BATCH_SIZE,
        ),
    )
    record(name, defaults=reached)
    assert reached < TOLERANCE


@pytest.mark.parametrize("name", VARIANTS)
def test_trajectory_with_everything_on(name, record):
    variant, program = VARIANTS[name], PROGRAMS[name]
    program.take(*build_full(name), task.SEED)
    found, _ = train(program, MULTIPLIERS, COUNT)

    def project(index, w):
        hidden = index in (0, 2)
        return reference.bound_columns(w, MAX_NORM, 1e-7) if hidden else w

    reached = difference(
        found,
        expected(
            variant,
            variant.settings["learning_rate"],
            variant.other_decay,
            variant.settings,
            MULTIPLIERS,
            COUNT,
            decay_biases=True,
            global_clipnorm=CLIPNORM,
            project=project,
            **{key: float32(value) for key, value in STRENGTHS.items()},
        ),
    )
    record(name, all=reached)
    assert reached < TOLERANCE


@pytest.mark.parametrize("name", VARIANTS)
def test_a_checkpoint_holds_all_that_continues_a_run(name, tmp_path):
    """Cut within an epoch, and another run in between: not a bit differs."""
    program = PROGRAMS[name]
    program.take(*build_full(name), task.SEED)
    whole, _ = train(program, MULTIPLIERS, COUNT, epochs=4)
    program.take(*build_full(name), task.SEED)
    trainer = train(program, MULTIPLIERS, COUNT, epochs=2)[1]
    trainer._updates_per_call = 3
    next(trainer.train_epoch())
    trainer.best_weights = [v.numpy() for v in program.model.variables]
    save_checkpoint(tmp_path, trainer)
    program.take(*build_full(name), task.SEED)
    train(program, MULTIPLIERS[::-1], COUNT, epochs=1)
    program.take(*build_full(name), task.SEED)
    resumed = make_trainer(program, MULTIPLIERS, COUNT)
    assert load_checkpoint(tmp_path, resumed)
    assert resumed.within_epoch
    while resumed.epoch < 4:
        for _ in resumed.train_epoch():
            pass
    for ours, theirs in zip(program.model.trainable_variables, whole[-1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["adamw", "adamw_schedule_free"])
def test_a_moving_average_is_what_is_evaluated(name):
    variant, multipliers = VARIANTS[name], constant(task.STEPS, task.EPOCHS)
    model, optimizer = build(name, {}, {"ema_momentum": 0.9})
    program = Program(model, optimizer, "cross_entropy", jit=False)
    found, _ = train(program, multipliers, COUNT)
    averaged, raw = (
        expected(
            variant,
            variant.rate,
            variant.decay,
            {},
            multipliers,
            COUNT,
            ema_momentum=ema_momentum,
        )
        for ema_momentum in (0.9, None)
    )
    assert difference(found, averaged) < TOLERANCE
    assert difference(found, raw) > 1e-6
    images, labels = task.images_and_labels(COUNT)
    evaluated = program.evaluate(tf.constant(images), tf.constant(labels))
    logits = reference.forward(averaged[-1], images.reshape(COUNT, -1))[-1]
    np.testing.assert_allclose(
        evaluated[0], reference.cross_entropy(labels, logits), rtol=TOLERANCE
    )


def test_every_optimizer_has_a_trajectory():
    assert VARIANTS.keys() == OPTIMIZERS.keys()
