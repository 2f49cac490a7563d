"""Dense networks, from softmax regression (no hidden layer) upwards."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import MaxLen
from pydantic import NonNegativeFloat, PositiveFloat

from models.settings import Activation, Rate, Units

if TYPE_CHECKING:
    import keras

Initializer = Literal[
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
]


def mlp(
    image_shape: tuple[int, ...],
    num_classes: int,
    *,
    hidden_units: Annotated[Sequence[Units], MaxLen(63)] = (512, 512),
    activation: Activation = "relu",
    activity_l2: NonNegativeFloat = 0.0,
    max_norm: PositiveFloat | None = None,
    dropout: Rate = 0.0,
    input_dropout: Rate = 0.0,
    batch_normalization: bool = False,
    kernel_initializer: Initializer = "glorot_uniform",
    draw_biases: bool = False,
    initial_scale: PositiveFloat = 1.0,
) -> "keras.Model":
    """A multi-layer perceptron that ends in one logit per class.

    Args:
        image_shape: Shape of one image, without the batch axis.
        num_classes: Number of logits.
        hidden_units: Units of each hidden layer; [] is softmax regression. At most 63
            layers: XLA does not finish compiling many more.
        activation: Activation of the hidden layers.
        activity_l2: Penalty activity_l2 * sum(a^2) on what hidden layers give out, as a
            mean over the images of an update. The saved model has it too.
        max_norm: Longest incoming weight vector of a hidden unit; longer ones are
            scaled back after each update (Srivastava et al. 2014, section 5.1).
        dropout: Fraction of the hidden units set to 0 at each training step.
        input_dropout: Fraction of the pixels set to 0 at each training step.
        batch_normalization: Whether to normalize before each activation.
        kernel_initializer: Distribution of the initial kernels.
        draw_biases: Whether biases start uniform in +-sqrt(3 / inputs of the layer), as
            kernels do under lecun_uniform, and not at 0.
        initial_scale: Factor by which the initial kernels and biases are multiplied:
            above 1, a network first fits by its features as they were drawn, and
            generalizes later or not at all (Liu et al. 2023).

    Returns:
        A model from images, (batch, *image_shape), to logits, (batch, num_classes).
    """
    import keras

    def dense(x, units, **arguments):
        biases = "zeros"
        if draw_biases:  # Else no seed is drawn either, from the stream of the kernels.
            limit = (3 / x.shape[-1]) ** 0.5
            biases = keras.initializers.RandomUniform(-limit, limit)
        return keras.layers.Dense(
            units,
            kernel_initializer=kernel_initializer,
            bias_initializer=biases,
            **arguments,
        )(x)

    # Seeded, because an unseeded Dropout draws its seed from the stream that the
    # initial kernels come from: the weights must start the same with and without it.
    def drop(x, rate, name):
        return keras.layers.Dropout(rate, seed=0, name=name)(x) if rate else x

    images = keras.Input(image_shape, name="images")
    x = keras.layers.Flatten(name="pixels")(images)
    x = drop(x, input_dropout, "input_dropout")
    for i, units in enumerate(hidden_units, start=1):
        constraint = keras.constraints.MaxNorm(max_norm) if max_norm else None
        x = dense(x, units, kernel_constraint=constraint, name=f"hidden_{i}")
        if batch_normalization:
            # Keras' own momentum of 0.99 needs hundreds of updates to know the means.
            x = keras.layers.BatchNormalization(
                momentum=0.9, name=f"normalization_{i}"
            )(x)
        penalty = keras.regularizers.L2(activity_l2) if activity_l2 else None
        x = keras.layers.Activation(
            activation, activity_regularizer=penalty, name=f"{activation}_{i}"
        )(x)
        x = drop(x, dropout, f"dropout_{i}")
    model = keras.Model(images, dense(x, num_classes, name="logits"), name="mlp")
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.set_weights([initial_scale * w for w in layer.get_weights()])
    return model
