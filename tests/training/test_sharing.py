"""Which runs share a compiled program; tests/own holds what their results must be."""

import keras
import numpy as np
import pytest

from experiment.config import load_config
from optimizers import prepare
from system.processes import load_keras
from train import BASELINE
from training import sharing
from training.losses import cross_entropy
from training.program import Program
from training.sharing import share_program, sharing_key

LOSS = cross_entropy()
EVERYTHING = (
    "model.name=tiny",
    "model.hidden_units=[4]",
    "regularizer.l2=0.1",
    "model.dropout=0.5",
    "model.max_norm=2.0",
    "model.batch_normalization=true",
    "decay.name=decoupled",
    "training.jit_compile=false",
)


def make(*overrides, model=None):
    """The tables, the model and the optimizer of a run."""
    config = load_config(BASELINE, [*EVERYTHING, *overrides])
    load_keras(config.seed)
    model = model() if model else config.model.build((4, 3), 5)
    config.regularization.build(model, config.regularizer.build)
    optimizer = config.optimizer.build()
    rule = config.decay.build(1, 1)
    return config.tables(), model, config.preparation.build(optimizer, model, rule)


def test_seeds_share_a_program_and_nothing_else_does():
    key = sharing_key(*make())
    assert key
    assert key == sharing_key(*make("seed=1"))
    for other in (
        "regularizer.l1=0.2",
        "model.activation=tanh",
        "decay.strength=0.3",
        "optimizer.learning_rate=0.5",
        "data.label_noise=0.1",
        "training.epochs=7",
    ):
        assert sharing_key(*make(other)) != key, other


def own_activation(x):
    return keras.ops.relu(x) * 0.5


def adapted():
    normalization = keras.layers.Normalization(axis=None)
    normalization.adapt(np.arange(12.0))
    return dense(normalization)


def constant(layer):
    layer.direction = np.ones(3)
    return layer


def dense(*layers):
    ends = keras.layers.Flatten(), keras.layers.Dense(5)
    return keras.Sequential([keras.Input((4, 3)), *layers, *ends])


class Own(keras.layers.Layer):
    """Does nothing, but is the user's."""

    def call(self, x):
        return x


def added():
    images = keras.Input((4, 3))
    flat = keras.layers.Flatten()(images)
    return keras.Model(images, keras.layers.Dense(5)(flat) + 1.0)


USERS = {
    "a function in a Keras layer": lambda: dense(
        keras.layers.Dense(3, activation=own_activation)
    ),
    "Lambda": lambda: dense(keras.layers.Lambda(own_activation)),
    "an adapted layer": adapted,
    "an array in an attribute": lambda: dense(constant(keras.layers.Dense(3))),
    "a layer": lambda: dense(Own()),
    "an operation": added,
    "a nested layer": lambda: dense(keras.Sequential([Own()])),
    "a random augmentation": lambda: dense(keras.layers.GaussianNoise(0.1), Own()),
}


@pytest.mark.parametrize("name", USERS)
def test_what_may_keep_state_elsewhere_compiles_for_itself(name):
    assert sharing_key(*make(model=USERS[name])) is None


def test_an_optimizer_of_the_users_compiles_for_itself():
    class Mine(keras.optimizers.SGD):
        pass

    tables, model, _ = make()
    assert sharing_key(tables, model, prepare(Mine(0.1), model)) is None


def share(programs, *overrides):
    tables, model, optimizer = make(*overrides)
    return share_program(
        programs,
        tables,
        model,
        optimizer,
        lambda: Program(model, optimizer, LOSS, jit=False),
    )


def test_a_process_keeps_the_program_of_the_last_setting_alone(monkeypatch):
    programs = {}
    first = share(programs)
    assert list(programs.values()) == [first]
    monkeypatch.setattr(sharing, "may_be_shared", lambda program: program is first)
    tables, model, optimizer = make("seed=1")
    assert share_program(programs, tables, model, optimizer, pytest.fail) is first
    for ours, theirs in zip(first.model.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = share(programs, "regularizer.l1=0.2")
    assert other is not first
    assert list(programs.values()) == [other]
    again = share(programs, "regularizer.l1=0.2", "seed=1")
    assert again is not other


def test_a_program_is_not_shared_before_or_unless_it_is_known_to_be_safe():
    programs = {}
    first = share(programs)
    assert not sharing.may_be_shared(first)
    assert share(programs, "seed=1") is not first
