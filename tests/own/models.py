"""Models as users write them: images to logits, settings after the star."""

import functools

import keras
import numpy as np
from keras import layers, ops
from pydantic import PositiveInt

from tests.own.layers import (
    Bare,
    Block,
    Body,
    Counter,
    DropCell,
    Longest,
    Noise,
    NumpyNoise,
    Orthogonality,
    Penalized,
    RandomProjection,
    Scale,
    SeededNoise,
    StochasticDepth,
    Subclassed,
    TensorFlowNoise,
    TensorFlowVariable,
    Transposed,
    Unknown,
    WithoutConfig,
    partial_leaky,
)

UNITS = 8


def stack(image_shape, num_classes, *parts):
    """The parts between flattened images and the logits."""
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(name="pixels"),
            *parts,
            layers.Dense(num_classes, name="logits"),
        ]
    )


def hidden(activation=None, **arguments):
    return layers.Dense(UNITS, activation, name="hidden", **arguments)


def plain(image_shape, num_classes, *, units: PositiveInt = UNITS):
    return stack(image_shape, num_classes, layers.Dense(units, "relu", name="hidden"))


# Python functions and objects in Keras' layers


def closure_activation(image_shape, num_classes, *, slope: float = 0.1):
    def activation(x):
        return ops.maximum(x, slope * x)

    return stack(image_shape, num_classes, hidden(activation))


def partial_activation(image_shape, num_classes, *, slope: float = 0.1):
    return stack(image_shape, num_classes, hidden(partial_leaky(slope)))


def plain_object_activation(image_shape, num_classes, *, slope: float = 0.1):
    return stack(image_shape, num_classes, hidden(Unknown(slope)))


def lambda_layer(image_shape, num_classes, *, slope: float = 0.1):
    leaky = layers.Lambda(lambda x: ops.maximum(x, slope * x), name="leaky")
    return stack(image_shape, num_classes, hidden(), leaky)


def closure_regularizer(image_shape, num_classes, *, strength: float = 0.1):
    def penalty(w):
        return strength * ops.sum(ops.absolute(w))

    return stack(image_shape, num_classes, hidden(kernel_regularizer=penalty))


def own_regularizer(image_shape, num_classes, *, strength: float = 0.1):
    regularizer = Orthogonality(strength)
    return stack(image_shape, num_classes, hidden(kernel_regularizer=regularizer))


def own_constraint(image_shape, num_classes, *, limit: float = 0.1):
    return stack(image_shape, num_classes, hidden(kernel_constraint=Longest(limit)))


def closure_initializer(image_shape, num_classes, *, scale: float = 0.1):
    def initializer(shape, dtype=None):
        return scale * keras.random.normal(shape, dtype=dtype)

    return stack(image_shape, num_classes, hidden(kernel_initializer=initializer))


# Layers of one's own


def pipeline(image_shape, num_classes, *, rate: float = 0.2):
    drop = layers.Pipeline([layers.Dropout(rate)], name="pipeline")
    return stack(image_shape, num_classes, hidden("relu"), drop)


def own_block(image_shape, num_classes, *, rate: float = 0.2):
    parts = [layers.Dense(UNITS, "relu"), layers.Dropout(rate, seed=1)]
    return stack(image_shape, num_classes, Block(parts, name="block"))


def own_penalty(image_shape, num_classes, *, l2: float = 0.1):
    part = Penalized(UNITS, keras.regularizers.L2(l2), name="penalized")
    return stack(image_shape, num_classes, part)


def attribute_afterwards(image_shape, num_classes, *, factor: float = 1.0):
    scale = Scale(name="scale")
    scale.factor = factor
    return stack(image_shape, num_classes, hidden("relu"), scale)


def omitted_from_config(image_shape, num_classes, *, factor: float = 1.0):
    return stack(image_shape, num_classes, hidden("relu"), Scale(factor, name="scale"))


def random_projection(image_shape, num_classes, *, units: PositiveInt = 8):
    part = RandomProjection(units, name="projection")
    return stack(image_shape, num_classes, part, hidden("relu"))


def noise(image_shape, num_classes, *, deviation: float = 0.1):
    part = Noise(deviation, name="noise")
    return stack(image_shape, num_classes, part, hidden("relu"))


def seeded_noise(image_shape, num_classes, *, deviation: float = 0.1):
    part = SeededNoise(deviation, name="noise")
    return stack(image_shape, num_classes, part, hidden("relu"))


def tensorflow_noise(image_shape, num_classes, *, deviation: float = 0.1):
    part = TensorFlowNoise(deviation, name="noise")
    return stack(image_shape, num_classes, part, hidden("relu"))


def numpy_noise(image_shape, num_classes, *, deviation: float = 0.1):
    part = NumpyNoise(deviation, name="noise")
    return stack(image_shape, num_classes, part, hidden("relu"))


def tensorflow_variable(image_shape, num_classes, *, growth: float = 0.01):
    part = TensorFlowVariable(growth, name="counter")
    return stack(image_shape, num_classes, hidden("relu"), part)


@functools.cache
def backbone(image_shape):
    return keras.Sequential(
        [keras.Input(image_shape), layers.Flatten(), layers.Dense(UNITS, "relu")],
        name="backbone",
    )


def cached_part(image_shape, num_classes, *, l2: float = 0.01):
    """Made once for all runs of the process: a later run would go on with it."""
    logits = layers.Dense(num_classes, kernel_regularizer=L2(l2), name="logits")
    return keras.Sequential([keras.Input(image_shape), backbone(image_shape), logits])


def stochastic_depth(image_shape, num_classes, *, rate: float = 0.1):
    part = StochasticDepth(layers.Dense(UNITS), rate, name="skipped")
    return stack(image_shape, num_classes, hidden("relu"), part)


def counter(image_shape, num_classes, *, growth: float = 0.01):
    part = Counter(growth, name="counter")
    return stack(image_shape, num_classes, hidden("relu"), part)


def tied_weights(image_shape, num_classes, *, scale: float = 1.0):
    images = keras.Input(image_shape)
    x = layers.Flatten()(images)
    encoder = layers.Dense(UNITS, "relu", name="encoder")
    decoded = Transposed(encoder, scale, name="decoder")(encoder(x))
    return keras.Model(images, layers.Dense(num_classes, name="logits")(decoded))


def tied_without_config(image_shape, num_classes, *, scale: float = 1.0):
    images = keras.Input(image_shape)
    encoder = layers.Dense(UNITS, "relu", name="encoder")
    decoder = Bare(encoder, scale, name="decoder")
    x = decoder(encoder(layers.Flatten()(images)))
    return keras.Model(images, layers.Dense(num_classes, name="logits")(x))


# What Keras' own layers keep outside their config and their variables


def adapted_normalization(image_shape, num_classes, *, share: float = 1.0):
    """Adapted to random numbers, as to a sample of the data."""
    normalization = layers.Normalization(name="normalization")
    pixels = int(np.prod(image_shape))
    normalization.adapt(share * np.random.random((20, pixels)).astype("float32"))
    return stack(image_shape, num_classes, normalization, hidden("relu"))


def random_constant(image_shape, num_classes, *, most: float = 1.0):
    """Keras' own layers alone, with a number that is drawn."""
    leaky = layers.LeakyReLU(float(np.random.uniform(0, most)), name="leaky")
    return stack(image_shape, num_classes, hidden(), leaky)


def random_matrix_operation(image_shape, num_classes, *, scale: float = 1.0):
    """A product with a random matrix that is no layer."""
    images = keras.Input(image_shape)
    x = layers.Flatten()(images)
    matrix = np.random.normal(size=(x.shape[1], UNITS)).astype("float32")
    x = ops.relu(ops.matmul(x, scale * matrix / 8))
    return keras.Model(images, layers.Dense(num_classes, name="logits")(x))


def regularizer_of_variable(image_shape, num_classes, *, strength: float = 0.1):
    """Given to a variable that has been made, where no config tells of it."""
    model = stack(image_shape, num_classes, hidden("relu"))
    kernel = model.get_layer("hidden").kernel
    kernel.regularizer = keras.regularizers.L2(strength * np.random.uniform(1, 2))
    return model


def constraint_of_variable(image_shape, num_classes, *, longest: float = 1.0):
    model = stack(image_shape, num_classes, hidden("relu"))
    kernel = model.get_layer("hidden").kernel
    kernel.constraint = keras.constraints.MaxNorm(longest * np.random.uniform(0.5, 1))
    return model


def frozen_variable(image_shape, num_classes, *, units: PositiveInt = UNITS):
    """The kernel of one of two layers, which of them is drawn for each run."""
    parts = [layers.Dense(units, "relu", name=name) for name in ("a", "b", "c")]
    model = stack(image_shape, num_classes, *parts)
    parts[np.random.randint(1, 3)].kernel.trainable = False
    return model


def frozen_at_random(image_shape, num_classes, *, units: PositiveInt = UNITS):
    """Which of the two layers is trained is drawn for each run, after building."""
    parts = [layers.Dense(units, "relu", name=name) for name in ("a", "b", "c")]
    model = stack(image_shape, num_classes, *parts)
    parts[np.random.randint(1, 3)].trainable = False
    return model


def adapters(image_shape, num_classes, *, rank: PositiveInt = 2):
    """Low-rank adapters on a dense layer that is frozen by them."""
    model = stack(image_shape, num_classes, hidden("relu"))
    model.get_layer("hidden").enable_lora(rank)
    return model


# Dropout


def one_dropout_twice(image_shape, num_classes, *, rate: float = 0.3):
    images = keras.Input(image_shape)
    drop = layers.Dropout(rate, seed=0, name="drop")
    x = drop(layers.Flatten()(images))
    x = drop(layers.Dense(UNITS, "relu", name="hidden")(x))
    return keras.Model(images, layers.Dense(num_classes, name="logits")(x))


def difference_of_masks(image_shape, num_classes, *, rate: float = 0.5):
    """Zero, and never trained, if the two calls of its Dropout draw one mask."""
    images = keras.Input(image_shape)
    drop = layers.Dropout(rate, seed=0, name="drop")
    x = layers.Flatten()(images)
    x = layers.Subtract()([drop(x), drop(x)])
    logits = layers.Dense(num_classes, kernel_initializer="zeros", name="logits")
    return keras.Model(images, logits(x))


def difference_of_moments(image_shape, num_classes, part):
    """Zero, and never trained, if the part does the same at two equal moments."""
    images = keras.Input(image_shape)
    x = layers.RepeatVector(2)(layers.Flatten()(images))
    x = part(x)
    first, second = (layers.Cropping1D(crop) for crop in ((0, 1), (1, 0)))
    x = layers.Flatten()(layers.Subtract()([first(x), second(x)]))
    logits = layers.Dense(num_classes, kernel_initializer="zeros", name="logits")
    return keras.Model(images, logits(x))


def dropout_in_cell(image_shape, num_classes, *, rate: float = 0.5):
    cell = DropCell(int(np.prod(image_shape)), rate)
    part = layers.RNN(cell, return_sequences=True)
    return difference_of_moments(image_shape, num_classes, part)


def dropout_in_time(image_shape, num_classes, *, rate: float = 0.5):
    part = layers.TimeDistributed(layers.Dropout(rate, seed=0))
    return difference_of_moments(image_shape, num_classes, part)


def equal_names(image_shape, num_classes, *, rate: float = 0.3):
    inner = keras.Sequential(
        [layers.Dense(UNITS, "relu"), layers.Dropout(rate, name="drop")], name="inner"
    )
    outer = layers.Dropout(rate / 3, name="drop")
    return stack(image_shape, num_classes, outer, inner)


def subclassed(image_shape, num_classes, *, rate: float = 0.3):
    return Subclassed(UNITS, num_classes, rate)


def without_config(image_shape, num_classes, *, rate: float = 0.3):
    return WithoutConfig(UNITS, num_classes, rate)


def nested_subclass(image_shape, num_classes, *, rate: float = 0.3):
    return stack(image_shape, num_classes, Body(UNITS, rate, name="body"))


def every_noise(image_shape, num_classes, *, rate: float = 0.2):
    """Keras' own layers that draw random numbers."""
    return stack(
        image_shape,
        num_classes,
        layers.GaussianNoise(rate, name="noise"),
        hidden("selu"),
        layers.AlphaDropout(rate, name="alpha"),
        layers.GaussianDropout(rate, name="gaussian"),
        layers.Dropout(rate, noise_shape=(None, 1), name="whole"),
    )


# Ways to put a model together


def unnamed_layers(image_shape, num_classes, *, units: PositiveInt = UNITS):
    images = keras.Input(image_shape)
    x = layers.Dense(units, "relu")(layers.Flatten()(images))
    x = layers.Dense(units, "relu")(x)
    return keras.Model(images, layers.Dense(num_classes)(x))


def without_input(image_shape, num_classes, *, units: PositiveInt = UNITS):
    return keras.Sequential(
        [layers.Flatten(), layers.Dense(units, "relu"), layers.Dense(num_classes)]
    )


def shared_branches(image_shape, num_classes, *, share: float = 0.5):
    """One layer on both halves of an image, and another beside it."""
    images = keras.Input(image_shape)
    shared = layers.Dense(UNITS, "relu", name="shared")
    upper, lower = (
        shared(layers.Flatten()(half)) for half in (images[:, :4], images[:, 4:])
    )
    beside = layers.Dense(UNITS, "tanh", name="beside")(layers.Flatten()(images))
    x = layers.Concatenate()([share * upper, (1 - share) * lower, beside])
    return keras.Model(images, layers.Dense(num_classes, name="logits")(x))


def residual(image_shape, num_classes, *, l2: float = 0.01):
    images = keras.Input((*image_shape, 1)[:3])
    x = layers.Reshape((8, 8, -1))(images)
    x = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2", name="stem")(x)
    y = layers.GroupNormalization(2, name="groups")(x)
    regularizer = keras.regularizers.L2(l2)
    y = layers.Conv2D(
        4, 3, padding="same", kernel_regularizer=regularizer, name="conv"
    )(ops.relu(y))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    logits = layers.Dense(num_classes, name="logits")(x)
    return keras.Model(images, logits)


def convolutional(image_shape, num_classes, *, rate: float = 0.1):
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Reshape((8, 8, 1)),
            layers.SeparableConv2D(4, 3, name="separable"),
            layers.BatchNormalization(name="normalization"),
            layers.SpatialDropout2D(rate, name="maps"),
            layers.Flatten(),
            layers.Dense(num_classes, name="logits"),
        ]
    )


def augmented(image_shape, num_classes, *, most: float = 0.2):
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Reshape((8, 8, 1)),
            layers.RandomTranslation(most, most, name="shift"),
            layers.RandomRotation(most, name="turn"),
            layers.Flatten(),
            layers.Dense(UNITS, name="hidden"),
            layers.BatchNormalization(momentum=0.8, name="normalization"),
            layers.ReLU(),
            layers.Dense(num_classes, name="logits"),
        ]
    )


def recurrent(image_shape, num_classes, *, rate: float = 0.1):
    """Each row of an image is a moment."""
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.SimpleRNN(UNITS, dropout=rate, recurrent_dropout=rate),
            layers.Dense(num_classes, name="logits"),
        ]
    )


def attention(image_shape, num_classes, *, rate: float = 0.1):
    rows = keras.Input(image_shape)
    x = layers.MultiHeadAttention(2, 4, dropout=rate, name="attention")(rows, rows)
    x = layers.LayerNormalization(name="normalization")(layers.Add()([x, rows]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(rows, layers.Dense(num_classes, name="logits")(x))


def embeddings(image_shape, num_classes, *, width: PositiveInt = 3):
    """Grey levels as words."""
    images = keras.Input(image_shape)
    words = ops.cast(ops.round(layers.Flatten()(images) * 15), "int32")
    x = layers.Embedding(16, width, name="words")(words)
    x = layers.Flatten()(x)
    return keras.Model(images, layers.Dense(num_classes, name="logits")(x))


def spectral(image_shape, num_classes, *, power: PositiveInt = 1):
    inner = layers.Dense(UNITS, "relu", name="inner")
    part = layers.SpectralNormalization(inner, power, name="spectral")
    return stack(image_shape, num_classes, part)


def own_activity_penalty(image_shape, num_classes, *, strength: float = 0.01):
    def penalty(x):
        return strength * ops.mean(ops.square(x))

    return stack(image_shape, num_classes, hidden(activity_regularizer=penalty))


def compiled(image_shape, num_classes, *, l2: float = 0.01):
    """Compiled already, as in code that is brought along."""
    model = stack(image_shape, num_classes, hidden(kernel_regularizer=L2(l2)))
    model.compile("adam", "mse", metrics=["accuracy"])
    return model


L2 = keras.regularizers.L2


def several_penalties(image_shape, num_classes, *, l2: float = 0.01):
    x = images = keras.Input(image_shape)
    x = layers.Flatten()(x)
    strong, weak = L2(l2), keras.regularizers.L1L2(l2 / 10, l2 / 10)
    x = layers.Dense(
        UNITS, "relu", kernel_regularizer=strong, bias_regularizer=weak, name="first"
    )(x)
    x = layers.PReLU(alpha_regularizer=weak, name="prelu")(x)
    return keras.Model(images, layers.Dense(num_classes, name="logits")(x))


# Number formats


def half_logits(image_shape, num_classes, *, l2: float = 0.01):
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(),
            layers.Dense(
                num_classes,
                dtype="mixed_bfloat16",
                kernel_regularizer=L2(l2),
                name="logits",
            ),
        ]
    )


def half_logits_alone(image_shape, num_classes, *, units: PositiveInt = UNITS):
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(),
            layers.Dense(units, "relu", dtype="mixed_bfloat16", name="hidden"),
            layers.Dense(num_classes, dtype="mixed_bfloat16", name="logits"),
        ]
    )


def half_variables(image_shape, num_classes, *, units: PositiveInt = UNITS):
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(),
            layers.Dense(units, "relu", dtype="bfloat16", name="hidden"),
            layers.Dense(num_classes, dtype="bfloat16", name="logits"),
        ]
    )


# To be refused


def softmax_at_end(image_shape, num_classes, *, units: PositiveInt = UNITS):
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(),
            layers.Dense(units, "relu"),
            layers.Dense(num_classes, "softmax"),
        ]
    )


def softmax_layer_at_end(image_shape, num_classes, *, units: PositiveInt = UNITS):
    model = plain(image_shape, num_classes, units=units)
    return keras.Sequential([model, layers.Softmax()])


def other_outputs(image_shape, num_classes, *, more: int = 1):
    return plain(image_shape, num_classes + more)


def one_output(image_shape, num_classes):
    return plain(image_shape, 1)


def map_of_outputs(image_shape, num_classes):
    images = keras.Input(image_shape)
    return keras.Model(images, layers.Dense(num_classes)(images))


def two_outputs(image_shape, num_classes):
    images = keras.Input(image_shape)
    x = layers.Flatten()(images)
    heads = [layers.Dense(num_classes)(x) for _ in range(2)]
    return keras.Model(images, heads)
