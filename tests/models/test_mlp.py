from typing import get_args

import keras
import numpy as np
import pytest

from experiment.config import resolve_table
from models import kernels, mlp
from models.mlp import Initializer
from models.settings import Activation
from system.errors import UserError
from system.processes import load_keras


def build(seed=0, **settings):
    load_keras(seed)
    return mlp((4, 3), 5, **{"hidden_units": [7, 6], **settings})


def test_layers_are_named_alike_in_every_variant():
    names = {"hidden_1", "hidden_2", "logits"}
    assert kernels(build()).keys() == names
    assert kernels(build(dropout=0.5, batch_normalization=True)).keys() == names


def test_no_hidden_layer_is_softmax_regression():
    model = build(hidden_units=[])
    kernel, bias = (v.numpy() for v in model.trainable_variables)
    images = np.random.default_rng(0).random((2, 4, 3), np.float32)
    expected = images.reshape(2, 12) @ kernel + bias
    np.testing.assert_allclose(model(images), expected, rtol=1e-5)


def test_the_penalty_on_activations_is_a_mean_over_images():
    model = build(activity_l2=0.1)
    images = np.random.default_rng(0).random((3, 4, 3), np.float32)
    (first, bias), (second, _) = (
        model.get_layer(f"hidden_{i}").get_weights() for i in (1, 2)
    )
    hidden = np.maximum(images.reshape(3, 12) @ first + bias, 0)
    squares = (hidden**2).sum() + (np.maximum(hidden @ second, 0) ** 2).sum()
    model(images)
    assert float(sum(model.losses)) == pytest.approx(0.1 * squares / 3, rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.5},
        {"input_dropout": 0.2},
        {"max_norm": 3.0},
    ],
    ids=str,
)
def test_one_seed_starts_every_method_from_the_same_weights(settings):
    plain, other = kernels(build(seed=3)), kernels(build(seed=3, **settings))
    for name, kernel in plain.items():
        np.testing.assert_array_equal(kernel, other[name])
    assert not np.array_equal(plain["hidden_1"], kernels(build(seed=4))["hidden_1"])


def test_max_norm_bounds_the_incoming_weights_of_each_hidden_unit():
    model = build(max_norm=0.5)
    for name in ("hidden_1", "hidden_2"):
        constrained = model.get_layer(name).kernel.constraint(np.ones((9, 4), "f"))
        norms = np.linalg.norm(constrained, axis=0)
        np.testing.assert_allclose(norms, [0.5] * 4, rtol=1e-5)
    assert model.get_layer("logits").kernel.constraint is None


def test_every_option_survives_saving_without_custom_objects(tmp_path):
    model = build(
        activation="gelu",
        max_norm=2.0,
        dropout=0.5,
        input_dropout=0.2,
        batch_normalization=True,
        kernel_initializer="he_normal",
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((2, 4, 3), np.float32)
    np.testing.assert_array_equal(model(images), loaded(images))
    assert [layer.name for layer in loaded.layers] == [x.name for x in model.layers]
    assert loaded.get_layer("hidden_1").kernel.constraint.max_value == 2.0
    assert loaded.get_layer("dropout_1").rate == 0.5


@pytest.mark.parametrize(
    ("setting", "names"),
    [("activation", Activation), ("kernel_initializer", Initializer)],
)
def test_every_name_is_known_to_keras(setting, names):
    for name in get_args(names):
        assert build(**{setting: name}).count_params() == 174


def test_the_initial_kernels_are_the_ones_asked_for():
    kernel = kernels(build(kernel_initializer="orthogonal"))["hidden_1"].numpy()
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(7), atol=1e-5)


def test_by_default_two_layers_of_512_units_and_no_regularizer():
    model = mlp((4, 3), 5)
    names = ["images", "pixels", "hidden_1", "relu_1", "hidden_2", "relu_2", "logits"]
    assert [layer.name for layer in model.layers] == names
    assert [v.shape[1] for v in kernels(model).values()] == [512, 512, 5]
    assert model.losses == []
    assert all(v.constraint is None for v in model.trainable_variables)


def test_normalization_comes_before_activation():
    model = build(
        hidden_units=[4], batch_normalization=True, dropout=0.5, input_dropout=0.2
    )
    assert model.name == "mlp"
    assert [layer.name for layer in model.layers] == [
        *("images", "pixels", "input_dropout"),
        *("hidden_1", "normalization_1", "relu_1", "dropout_1"),
        "logits",
    ]


def test_normalization_knows_its_means_after_a_few_dozen_updates():
    model = build(batch_normalization=True)
    images = np.random.default_rng(0).normal(3, 2, (64, 4, 3)).astype(np.float32)
    for _ in range(60):
        trained = model(images, training=True)
    evaluated = model(images, training=False)
    # 0.9^60 of the start is left; with Keras' own 0.99 it is more than half.
    assert np.abs(evaluated - trained).max() < 0.05 * np.abs(trained).max()


def test_kernels_are_neither_biases_nor_normalization_parameters():
    names = kernels(build(batch_normalization=True))
    assert all(len(kernel.shape) == 2 for kernel in names.values())
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3, name="conv")], name="mine"
    )
    assert kernels(model).keys() == {"conv"}


@pytest.mark.parametrize(
    ("setting", "allowed", "refused"),
    [
        ("hidden_units", [[], [1, 65_536], [2] * 63], [[0], [65_537], [2] * 64]),
        ("dropout", [0.0, 0.999], [-0.001, 1.0]),
    ],
)
def test_settings_are_bounded(setting, allowed, refused):
    for value in allowed:
        settings = resolve_table("model", {setting: value})["model"].settings
        assert settings[setting] == value
    for value in refused:
        with pytest.raises(UserError, match=f"model.{setting}: expected"):
            resolve_table("model", {setting: value})


def test_biases_of_two_axes_are_no_kernels_and_names_must_differ():
    def attend(name):
        image = keras.Input((4, 6))
        attended = keras.layers.MultiHeadAttention(2, 3, name="attend")(image, image)
        normal = keras.layers.LayerNormalization(axis=(1, 2), name="normal")(attended)
        return keras.Model(image, normal, name=name)

    named = kernels(attend("one"))
    assert len(named) == 4
    assert all(v.name == "kernel" for v in named.values())
    image = keras.Input((4, 6))
    twice = keras.Model(image, attend("two")(attend("one")(image)))
    expected = (
        r"^model functional\w*: expected layers of different names, received \w+/"
    )
    with pytest.raises(UserError, match=expected + r".*, \w+/"):
        kernels(twice)


def test_biases_start_at_0_or_uniform_within_the_bound_of_their_layer():
    assert not any(v.numpy().any() for v in build().variables if v.name == "bias")
    model = build(draw_biases=True, hidden_units=[1000, 5000])
    for layer, inputs in {"hidden_1": 12, "hidden_2": 1000}.items():
        bias = model.get_layer(layer).bias.numpy()
        limit = (3 / inputs) ** 0.5
        assert 0.98 * limit < np.abs(bias).max() <= limit
        assert bias.std() == pytest.approx(limit / 3**0.5, rel=0.05)


def test_initial_kernels_and_biases_are_scaled():
    settings = {"draw_biases": True, "batch_normalization": True}
    plain, scaled = (
        [v.numpy() for v in build(**settings, initial_scale=scale).variables]
        for scale in (1.0, 8.0)
    )
    names = [v.path for v in build(**settings).variables]
    for name, one, other in zip(names, plain, scaled, strict=True):
        factor = 1 if "normalization" in name else 8
        np.testing.assert_array_equal(other, factor * one)


def test_kernels_are_those_of_the_same_layers_alone():
    """What is not asked for draws nothing from the stream that kernels come from."""
    ours = build().trainable_variables[::2]
    load_keras(0)
    units = [keras.layers.Dense(units) for units in (7, 6, 5)]
    alone = keras.Sequential([keras.Input((4, 3)), keras.layers.Flatten(), *units])
    for kernel, theirs in zip(ours, alone.trainable_variables[::2], strict=True):
        np.testing.assert_array_equal(kernel, theirs)
