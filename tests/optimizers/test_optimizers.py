"""What the trajectories do not show: what decays, by how much, and what is saved."""

import os
import subprocess
import sys
from dataclasses import asdict

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiment.config import resolve_table
from models import is_kernel
from optimizers import DECAYS, OPTIMIZERS, prepare
from optimizers.decay import Decoupled, Update
from optimizers.decaying import make
from system.errors import UserError
from tests import reference
from tests.tiny import chosen, tiny
from training.losses import cross_entropy
from training.program import Program

RATE, STRENGTH = 0.01, 0.25
STEPS, EPOCHS = 10, 4
SHARES = {
    "decoupled": RATE * STRENGTH,
    "independent": STRENGTH,
    "normalized": STRENGTH / np.sqrt(STEPS * EPOCHS),
    "timescale": 1 / (STRENGTH * STEPS),
    "corrected": RATE * STRENGTH,
    "scheduled": RATE * STRENGTH,
    "cautious": RATE * STRENGTH,
    "random_mask": RATE * STRENGTH,
    "to_start": 0.0,
    "none": 0.0,
    "fixed_norm": 0.0,
    "constrained": 0.0,
}
"""What the first update takes off a kernel without gradient; of `huber` less."""


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


def fields_of(name):
    return getattr(chosen("decay", name), "__dataclass_fields__", {})


def rule_of(name, steps=STEPS, epochs=EPOCHS, **settings):
    key = "timescale_epochs" if name == "timescale" else "strength"
    strength = {key: STRENGTH} if key in fields_of(name) else {}
    return chosen("decay", name)(steps, epochs, **strength, **settings)


def update_without_gradient(optimizer, model):
    """The ratio of new to old of each trainable variable after such an update."""
    variables = model.trainable_variables
    before = [v.numpy() for v in variables]
    optimizer.apply([tf.zeros_like(v) for v in variables], variables)
    with np.errstate(invalid="ignore"):
        ratios = [v.numpy() / w for v, w in zip(variables, before, strict=True)]
    return [np.nan_to_num(ratio, nan=1.0) for ratio in ratios]


@pytest.mark.parametrize("name", [name for name in DECAYS if name in SHARES])
@pytest.mark.parametrize("biases", [False, True])
def test_without_gradient_kernels_alone_shrink_by_the_decay(
    float64, model, name, biases
):
    """Biases and normalization do not, unless they are to."""
    has_biases = "biases" in fields_of(name)
    if biases and not has_biases:
        pytest.skip("is for kernels alone")
    rule = rule_of(name, **({"biases": biases} if has_biases else {}))
    optimizer = prepare(keras.optimizers.Adam(learning_rate=RATE), model, rule)
    ratios = update_without_gradient(optimizer, model)
    for variable, ratio in zip(model.trainable_variables, ratios, strict=True):
        if np.all(variable.numpy() == 0):
            continue  # The offset of a normalization starts at 0.
        share = SHARES[name] * (biases or is_kernel(variable))
        np.testing.assert_allclose(ratio, 1 - share, rtol=1e-12)


FOLLOWS = {
    "decoupled": (1, 1),
    "independent": (0, 1),
    "normalized": (0, 1),
    "timescale": (0, 1),
    "corrected": (1, 2),
    "scheduled": (1, 0),
}
"""By which powers of the peak learning rate and of the multiplier a share grows."""


@pytest.mark.parametrize("name", [name for name in DECAYS if name in FOLLOWS])
@pytest.mark.parametrize("multiplier", [1.0, 0.5])
@pytest.mark.parametrize("peak", [1e-2, 2e-2])
def test_every_decay_follows_the_schedule_and_the_peak_as_it_says(
    float64, model, name, peak, multiplier
):
    stepper = chosen("optimizer", "sgd")(learning_rate=peak)
    optimizer = prepare(stepper, model, rule_of(name))
    optimizer.learning_rate = peak * multiplier
    of_peak, of_multiplier = FOLLOWS[name]
    share = SHARES[name] * (peak / RATE) ** of_peak * multiplier**of_multiplier
    assert optimizer.decay_share == pytest.approx(share, rel=1e-12)
    ratio = update_without_gradient(optimizer, model)[0]
    np.testing.assert_allclose(ratio, 1 - share, rtol=1e-12)


def test_the_share_is_none_where_weights_are_not_decayed_alike(model):
    for name in DECAYS.keys() - FOLLOWS.keys() - {"none"}:
        optimizer = prepare(keras.optimizers.Adam(), model, rule_of(name))
        assert optimizer.decay_share is None
        has_strength = "strength" in fields_of(name)
        assert float(optimizer.weight_decay) == STRENGTH * has_strength


def test_the_share_is_that_of_the_last_update_and_before_it_of_the_first(
    float64, model
):
    rule = rule_of("scheduled", schedule="cosine")
    optimizer = prepare(chosen("optimizer", "sgd")(learning_rate=RATE), model, rule)
    shares = [optimizer.decay_share]
    for _ in range(2):
        ratio = update_without_gradient(optimizer, model)[0]
        shares.append(optimizer.decay_share)
        np.testing.assert_allclose(ratio, 1 - shares[-1], rtol=1e-12)
    assert shares[0] == shares[1] > shares[2]


def test_a_bound_is_set_where_the_growth_of_the_average_slows(float64):
    """Also for a kernel of small weights that is looked at in every update."""
    rule = chosen("decay", "constrained")(1, 12, look_epochs=0.1, smoothing=0.5)
    starts = rule.memory(np.ones((1, 1)))
    memory = [keras.Variable(start, dtype="float64") for start in starts]
    sizes = (0.1, 0.3, 0.5, 0.7, 0.9, 0.91, 0.92, 0.95, 0.97, 0.98, 0.6, 0.99)
    state = {}
    for t, size in enumerate(sizes, start=1):
        stepped = np.full((1, 1), size)
        update = Update(t, 0.0, 0.0, memory)
        found = rule.after(stepped, tf.constant(stepped), update)
        now = reference.Now(0.0, 1.0)
        expected = reference.constrained(stepped, 0.0, state, t, now, 0.1, 0.5)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        names = ["bound", "p"] if t > 6 else ["bound", "p", "average", "seen", "growth"]
        ours = dict(zip(names, memory, strict=False))
        for name, variable in ours.items():
            assert float(variable) == pytest.approx(state.get(name, 0.0), rel=1e-12)
    assert state["bound"] == pytest.approx(0.91**2)


@pytest.mark.parametrize("length", [1, 4])
def test_decay_of_a_whole_run(model, length):
    """As its length grows: by a fixed share, its root, or a fixed time."""
    shares = {}
    for name in ("independent", "normalized", "timescale"):
        rule = rule_of(name, steps=STEPS * length)
        optimizer = prepare(keras.optimizers.Adam(), model, rule)
        shares[name] = STEPS * length * EPOCHS * optimizer.decay_share
    assert shares == {
        "independent": pytest.approx(STEPS * EPOCHS * STRENGTH * length),
        "normalized": pytest.approx(np.sqrt(STEPS * EPOCHS * length) * STRENGTH),
        "timescale": pytest.approx(EPOCHS / STRENGTH),
    }


def test_assigning_to_the_decay_has_an_effect(model):
    optimizer = prepare(
        chosen("optimizer", "sgd")(learning_rate=RATE), model, rule_of("decoupled")
    )
    optimizer.weight_decay.assign(10.0)
    np.testing.assert_allclose(
        update_without_gradient(optimizer, model)[0], 1 - 10 * RATE, rtol=1e-6
    )


def test_a_bound_on_weights_holds_for_the_fast_sequence_of_schedule_free(model):
    model.layers[0].kernel.constraint = keras.constraints.MaxNorm(1.0)
    optimizer = prepare(chosen("optimizer", "schedule_free")(learning_rate=1.0), model)
    for _ in range(3):
        gradients = [tf.ones_like(v) for v in model.trainable_variables]
        optimizer.apply(gradients, model.trainable_variables)
    fast, bound = optimizer._momentums, 1 + 1e-5
    assert np.linalg.norm(fast[0].numpy(), axis=0).max() < bound
    assert np.linalg.norm(fast[-2].numpy(), axis=0).max() > bound


@pytest.mark.parametrize("name", DECAYS)
@pytest.mark.parametrize("stepper", OPTIMIZERS)
def test_state_exists_before_the_first_update_and_config_makes_it_anew(
    model, stepper, name
):
    if (stepper, name) == ("schedule_free", "fixed_norm"):
        return
    optimizer = prepare(chosen("optimizer", stepper)(), model, rule_of(name))
    assert optimizer.built
    before = len(optimizer.variables)
    update_without_gradient(optimizer, model)
    assert len(optimizer.variables) == before >= 2
    optimizer.learning_rate = 1e-9
    config = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(optimizer)
    if name != "none":
        assert asdict(again.decay) == asdict(optimizer.decay)
        assert float(again.weight_decay) == float(optimizer.weight_decay)


def test_a_shared_program_takes_over_what_a_rule_remembers():
    """Another seed draws other random masks, also in the program of an earlier run."""

    def build(seed):
        keras.utils.set_random_seed(seed)
        model = tiny((3,), 2, hidden_units=[4])
        rule = chosen("decay", "random_mask")(2, 3)
        return model, prepare(keras.optimizers.Adam(), model, rule)

    def seeds(optimizer):
        return [float(seed) for (seed,) in optimizer._memory]

    program, other = (
        Program(*build(seed), cross_entropy(), jit=False) for seed in (0, 1)
    )
    assert seeds(program.optimizer) != seeds(other.optimizer)
    program.restart(other)
    assert seeds(program.optimizer) == seeds(other.optimizer)


CHOSEN = {
    "sgd": {"learning_rate": 0.1},
    "adopt": {"beta_2": 0.9999, "epsilon": 1e-6},
    "schedule_free": {"epsilon": 1e-7},
    "lion": {"learning_rate": 1e-4},
}
"""Defaults that are not those of the class of Keras."""


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_constants_are_by_default_those_of_keras_but_for_a_few(name):
    made = OPTIMIZERS[name]()
    base = next(c for c in type(made).__mro__ if c.__module__.startswith("keras."))
    theirs = base().get_config()
    other = {
        key: value
        for key, value in made.get_config().items()
        if isinstance(value, float) and value != theirs[key]
    }
    assert other == pytest.approx(CHOSEN.get(name, {}))


def test_muon_updates_hidden_matrices_and_adam_the_rest(model):
    optimizer = prepare(chosen("optimizer", "muon")(), model)
    by_adam = [v is not None for v in optimizer.adam_velocities]
    paths = [v.path.split("/", 1)[1] for v in model.trainable_variables]
    assert [p for p, adam in zip(paths, by_adam, strict=True) if not adam] == [
        "hidden/kernel"
    ]


# An optimizer for a `model.fit` of one's own.

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(40, 3)).astype("float32"), RANDOM.integers(2, size=40)


def fit(model, epochs=1):
    model.fit(X, Y, batch_size=20, epochs=epochs, shuffle=False, verbose=0)
    return [v.numpy() for v in model.trainable_variables]


@pytest.mark.parametrize(
    ("stepper", "rule"),
    [
        ("schedule_free", "decoupled"),
        ("adam", "decoupled"),
        ("muon", "constrained"),
        ("adopt", "fixed_norm"),
        ("lion", "random_mask"),
    ],
)
def test_an_optimizer_of_ones_own_is_compiled_saved_and_loaded(
    model, tmp_path, stepper, rule
):
    """It goes on as if it had not been: it decays the same weights by as much."""
    optimizer = make(chosen("optimizer", stepper)(learning_rate=RATE), rule_of(rule, 2))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=True)
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(fit(model), fit(loaded), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_make_is_keras_adamw_on_kernels_bit_for_bit():
    model = tiny((3,), 2, hidden_units=[4])
    ends, start = [], model.get_weights()
    theirs = keras.optimizers.AdamW(RATE)
    theirs.weight_decay = keras.Variable(3.0, trainable=False)  # No folded constant.
    theirs.exclude_from_weight_decay(
        var_list=[v for v in model.trainable_variables if not is_kernel(v)]
    )
    ours = make(
        keras.optimizers.Adam(learning_rate=RATE), Decoupled(2, 3, strength=3.0)
    )
    for optimizer in (theirs, ours):
        model.set_weights(start)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, jit_compile=True)
        ends.append(fit(model, epochs=3))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_process_loads_any_after_one_import(model, tmp_path):
    rule = rule_of("cautious")
    optimizer = make(chosen("optimizer", "nadam")(), rule)
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    names = [type(make(step(), rule)).__name__ for step in OPTIMIZERS.values()]
    code = (
        "import sys, keras, optimizers.decaying\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print(type(model.optimizer).__name__, model.optimizer.decay)\n"
        "for name in sys.argv[2:]:\n"
        "    print(keras.saving.get_registered_object(f'optimizers>{name}').__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.keras"), *names],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    first, *registered = done.stdout.splitlines()
    assert first.startswith(f"DecayingNadam {rule}")
    assert registered == names


def test_schedule_free_in_fit_is_schedule_free_in_a_run():
    """Its average is what the model is left with, built within the compiled step."""
    model = tiny((3,), 2, hidden_units=[4])
    start = model.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(chosen("optimizer", "schedule_free")(learning_rate=RATE), loss)
    ours = fit(model, epochs=3)
    again = tiny((3,), 2, hidden_units=[4])
    again.set_weights(start)
    optimizer = prepare(chosen("optimizer", "schedule_free")(learning_rate=RATE), again)
    program = Program(again, optimizer, cross_entropy(), jit=False)
    batches = tf.tile(tf.reshape(tf.range(len(X)), (2, 20)), [3, 1])
    data = (tf.constant(X), tf.constant(Y, tf.int32), batches, tf.fill([6], RATE))
    program.train(*data, tf.constant(0), tf.constant(6), tf.constant([0, 0], tf.int64))
    for a, b in zip(ours, again.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-7)  # Both in float32.


def test_a_moving_average_of_averages_is_refused(model):
    optimizer = chosen("optimizer", "schedule_free")()
    with pytest.raises(
        UserError, match="ema_momentum: expected none.* itself, received 0.9"
    ):
        prepare(optimizer, model, ema_momentum=0.9)


def test_make_refuses_a_second_decay():
    message = r"optimizer: expected one without decay, .* AdamW\(weight_decay=0.004\)"
    with pytest.raises(UserError, match=message):
        make(keras.optimizers.AdamW(), Decoupled(1, 1))


@pytest.mark.parametrize(
    ("section", "name", "setting", "allowed", "refused"),
    [
        ("optimizer", "sgd", "momentum", [0.0, 0.999], [-0.001, 1.0]),
        ("optimizer", "adam", "beta_1", [0.0, 0.999], [-0.001, 1.0]),
        ("optimizer", "lion", "beta_1", [0.001, 0.999], [0.0, 1.0]),
        ("optimizer", "adam", "ema_momentum", [0.001, 0.999], [0.0, 1.0]),
        ("schedule", "warm_restarts", "period_factor", [1.0, 3.0], [0.999]),
        *(
            ("decay", name, "strength", [0.0, 1e30], [-0.001])
            for name in DECAYS
            if "strength" in fields_of(name)
        ),
        ("decay", "timescale", "timescale_epochs", [0.1], [0.0]),
        ("decay", "huber", "threshold", [0.1], [0.0]),
        ("decay", "constrained", "smoothing", [0.0, 0.999], [-0.1, 1.0]),
        (
            *("decay", "scheduled", "schedule"),
            *(["constant", "cosine", "logarithmic"], ["linear"]),
        ),
    ],
)
def test_settings_are_bounded(section, name, setting, allowed, refused):
    for value in allowed:
        table = resolve_table(section, {"name": name, setting: value})
        assert value in [part.settings.get(setting) for part in table.values()]
    for value in refused:
        with pytest.raises(UserError, match=f"{section}.{setting}: "):
            resolve_table(section, {"name": name, setting: value})


@pytest.mark.parametrize("name", [name for name in DECAYS if name != "none"])
def test_a_kernel_of_four_axes_decays_as_if_it_had_two(float64, name):
    """Under every rule: that of a convolution counts as a matrix."""
    numbers = np.random.default_rng(0).normal(size=(3, 3, 4, 4))
    ends = []
    for shape in ((3, 3, 4, 4), (36, 4)):
        keras.utils.set_random_seed(0)
        kernel = keras.Variable(numbers.reshape(shape), dtype="float64", name="kernel")
        optimizer = make(keras.optimizers.Adam(RATE), rule_of(name))
        optimizer.build([kernel])
        for part in (0.5, -0.2):
            optimizer.apply([tf.constant(part * numbers.reshape(shape))], [kernel])
        ends.append(kernel.numpy().reshape(36, 4))
    np.testing.assert_allclose(*ends, rtol=1e-12)
    assert not np.allclose(ends[0], numbers.reshape(36, 4))
