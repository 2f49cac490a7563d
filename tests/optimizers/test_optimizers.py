"""What the trajectories do not show: what decays, by how much, and with what."""

import keras
import numpy as np
import pytest

from experiment.config import call, parameters, resolve_section
from models import kernels
from optimizers import OPTIMIZERS, prepare
from system.errors import UserError

pytestmark = pytest.mark.usefixtures("float64")

RATE, DECAY = 0.01, 0.25
STEPS, EPOCHS = 10, 4
SHRINKS_BY = {
    "sgd": 0.0,
    "adam": 0.0,
    "adamw_independent": DECAY,
    "adamw_normalized": DECAY / np.sqrt(STEPS * EPOCHS),
    "adamw_timescale": 1 / (DECAY * STEPS),
}
"""The share of a kernel that an update removes; of all others, RATE * DECAY."""


@pytest.fixture
def model():
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, bias_initializer="ones", name="hidden"),
            keras.layers.BatchNormalization(name="normalization"),
            keras.layers.Dense(2, bias_initializer="ones", name="logits"),
        ]
    )


def make(name, steps=STEPS, epochs=EPOCHS, **settings):
    function = OPTIMIZERS[name]
    defaults = {key: p.default for key, p in parameters(function).items()}
    strengths = {"weight_decay": DECAY, "timescale_epochs": DECAY}
    given = defaults | {"learning_rate": RATE} | strengths | settings
    return call(function, given, steps, epochs)


def update_without_gradient(optimizer, model):
    """The ratio of new to old of each trainable variable after such an update."""
    variables = model.trainable_variables
    before = [v.numpy() for v in variables]
    if hasattr(optimizer, "look_ahead"):
        optimizer.look_ahead()
    optimizer.apply([np.zeros(v.shape) for v in variables], variables)
    with np.errstate(invalid="ignore"):
        ratios = [v.numpy() / w for v, w in zip(variables, before, strict=True)]
    return [np.nan_to_num(ratio, nan=1.0) for ratio in ratios]


@pytest.mark.parametrize("decay_biases", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_without_gradient_kernels_alone_shrink_by_the_decay(model, name, decay_biases):
    """Biases and normalization do not, unless they are to."""
    optimizer = prepare(make(name), model, decay_biases=decay_biases)
    share = SHRINKS_BY.get(name, RATE * DECAY)
    decayed = {id(kernel) for kernel in kernels(model).values()}
    ratios = update_without_gradient(optimizer, model)
    for variable, ratio in zip(model.trainable_variables, ratios, strict=True):
        if np.all(variable.numpy() == 0):
            continue  # The offset of a normalization starts at 0.
        shrinks = decay_biases or id(variable) in decayed
        # Keras passes the weight decay through float32.
        np.testing.assert_allclose(ratio, 1 - share * shrinks, rtol=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("multiplier", [1.0, 0.5])
@pytest.mark.parametrize("peak", [1e-3, 1e-2])
def test_every_decay_follows_the_schedule_and_some_the_peak(
    model, name, peak, multiplier
):
    """Three do not depend on the peak; all are times the schedule's multiplier."""
    optimizer = prepare(make(name, learning_rate=peak), model)
    optimizer.learning_rate = peak * multiplier
    share = SHRINKS_BY.get(name, peak * DECAY) * multiplier
    ratio = update_without_gradient(optimizer, model)[0]
    np.testing.assert_allclose(ratio, 1 - share, rtol=1e-7)


@pytest.mark.parametrize("length", [1, 4])
def test_decay_of_a_whole_run(model, length):
    """As its length grows: by a fixed share, its root, or a fixed time."""
    shares = {}
    for name in ("adamw_independent", "adamw_normalized", "adamw_timescale"):
        optimizer = prepare(make(name, steps=STEPS * length), model)
        shares[name] = STEPS * length * EPOCHS * float(optimizer.weight_decay) * RATE
    assert shares == {
        "adamw_independent": pytest.approx(STEPS * EPOCHS * DECAY * length),
        "adamw_normalized": pytest.approx(np.sqrt(STEPS * EPOCHS * length) * DECAY),
        "adamw_timescale": pytest.approx(EPOCHS / DECAY),
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_exists_before_the_first_update(model, name):
    optimizer = prepare(make(name), model)
    assert optimizer.built
    before = len(optimizer.variables)
    update_without_gradient(optimizer, model)
    assert len(optimizer.variables) == before >= 2


def test_muon_updates_hidden_matrices_and_adamw_the_rest(model):
    optimizer = prepare(make("muon"), model)
    by_adamw = [v is not None for v in optimizer.adam_velocities]
    paths = [v.path.split("/", 1)[1] for v in model.trainable_variables]
    assert [p for p, adamw in zip(paths, by_adamw, strict=True) if not adamw] == [
        "hidden/kernel"
    ]


@pytest.mark.parametrize(
    ("section", "name", "setting", "allowed", "refused"),
    [
        ("optimizer", "sgd", "momentum", [0.0, 0.999], [-0.001, 1.0]),
        ("optimizer", "adam", "beta_1", [0.0, 0.999], [-0.001, 1.0]),
        ("optimizer", "lion", "beta_1", [0.001, 0.999], [0.0, 1.0]),
        ("optimizer", "adamw", "ema_momentum", [0.001, 0.999], [0.0, 1.0]),
        ("schedule", "warm_restarts", "period_factor", [1.0, 3.0], [0.999]),
    ],
)
def test_settings_are_bounded(section, name, setting, allowed, refused):
    for value in allowed:
        table = {"name": name, setting: value}
        assert resolve_section(section, table)[setting] == value
    for value in refused:
        with pytest.raises(UserError, match=f"{section}.{setting}: expected"):
            resolve_section(section, {"name": name, setting: value})


def test_a_decay_is_one_that_float32_holds(model):
    prepare(make("adamw", weight_decay=3.3e38), model)
    for decay in (3.5e38, 6e38, 1e40):
        with pytest.raises(UserError, match=r"at most 3\.4e\+38,.*received [3-6i1]"):
            prepare(make("adamw", weight_decay=decay), model)
