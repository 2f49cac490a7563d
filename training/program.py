"""A model and an optimizer, compiled: the updates of an epoch, and an evaluation.

The loops are written with `tf.while_loop`: AutoGraph, which would make them of
Python's, does not work on Python 3.13 (TensorFlow 2.21).
"""

import json
import re
from typing import Any

import keras
import tensorflow as tf

from models import kernels
from training.losses import LOSSES, cross_entropy
from training.twin import is_replaced, training_twin

EVALUATION_BLOCK = 1000
"""Images evaluated at once: enough for the processor, and little memory."""

STRENGTHS = {"L1": ["l1"], "L2": ["l2"], "L1L2": ["l1", "l2"], "Dropout": ["rate"]}
"""What a program holds in variables, by Keras class: it may differ from run to run."""

PLACES = {
    "Dropout": ("layers",),
    **dict.fromkeys(("L1", "L2", "L1L2"), ("kernel_regularizer", "bias_regularizer")),
}
"""Where in a model's config it does: not in penalties on activations, for instance."""

NAMES = ("name", "keras_history", "input_layers", "output_layers")
"""Where a model's config has names of layers."""

OPTIMIZER_STRENGTHS = ("learning_rate", "decay.strength", "decay.timescale_epochs")
"""The same of the settings of optimizer and decay."""


class Program:
    """What XLA compiles, once for every run of the same graph.

    Attributes:
        model: A plain model; its weights are the ones that are trained.
        optimizer: Built for the model.
        updates: Function `(pixels, labels, batches, rates, first, last)` of tensors:
            makes the updates first to last - 1 of the rows of `batches`, (updates,
            batch), which hold indices of images, at the learning rates `rates`,
            (updates,). Pixels are bytes or floats in [0, 1], as a `Split` holds them.
        evaluate: Function `(pixels, labels)` of tensors to float64 means over the
            images, dropout off, (4,): the cross-entropy, the accuracy, the loss, and
            the standard deviation of the logits over the classes.
        penalty: Function of nothing to the sum of all weight penalties, float64.
        gradients: Function `(pixels, labels)` of tensors to the gradients of the mean
            loss and of the penalty by the kernels, dropout off.
        finite: Function of nothing to whether every weight is a finite number. (A ReLU
            may hide one that is not: the loss does not tell.)
    """

    def __init__(
        self, model: keras.Model, optimizer: keras.Optimizer, loss: str, jit: bool
    ):
        """Compile nothing yet: that happens at the first call of each function.

        Args:
            model: Its L1 and L2 strengths are put into variables.
            optimizer: Built for the model.
            loss: A name in `LOSSES`.
            jit: Whether XLA compiles the calls.
        """
        self.model, self.optimizer = model, optimizer
        self._twin, self._dropouts = training_twin(model, optimizer.iterations, jit)
        self._white = tf.Variable(255.0, trainable=False)
        how = (LOSSES[loss], self._white, jit)
        self.updates = compile_updates(self._twin, optimizer, *how)
        self.evaluate = compile_evaluation(model, *how)
        self.penalty = compile_penalty(model)
        self.gradients = compile_gradients(model, *how)
        self.finite = compile_check(model)

    def take(self, model: keras.Model, optimizer: keras.Optimizer, seed: int) -> None:
        """Start another run: take over its weights, its state and its strengths.

        Args:
            model: Plain and fresh, with the same graph key as the program's.
            optimizer: Fresh, built for that model.
            seed: Of the dropout masks.
        """
        for dropout in self._dropouts:
            dropout.set_seed(seed)
        if model is self.model:
            return
        keyed = {dropout.name: dropout for dropout in self._dropouts}
        pairs = zip(replaced_layers(self.model), replaced_layers(model), strict=True)
        for own, fresh in pairs:
            keyed[own.name].rate.assign(fresh.rate)
        ours = [*self.model.variables, *self.optimizer.variables]
        theirs = [*model.variables, *optimizer.variables]
        for variable, value in zip(ours, theirs, strict=True):
            variable.assign(value)
        weights = zip(
            self.model.trainable_variables, model.trainable_variables, strict=True
        )
        for variable, other in weights:
            for name in ("l1", "l2"):
                strength = getattr(variable.regularizer, name, None)
                if isinstance(strength, keras.Variable):
                    strength.assign(getattr(other.regularizer, name))


def all_layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        yield layer


def replaced_layers(model):
    return filter(is_replaced, all_layers(model))


def graph_key(
    model: keras.Model,
    optimizer: dict[str, Any],
    horizon: tuple[int, int],
    loss: str,
    jit: bool,
) -> str:
    """All that shapes the compiled graph: runs with the same key share a program.

    The shapes of data and batches are not in it: a program recompiles itself for those.
    Nor are the numbers in names of layers, which Keras gives anew to each model.

    Args:
        model: A plain model.
        optimizer: The settings of the config's `[optimizer]`, and those of `[decay]` as
            "decay.<setting>".
        horizon: Updates per epoch and epochs, which decay may depend on.
        loss: A name in `LOSSES`.
        jit: Whether XLA compiles.
    """
    places = {layer.name: i for i, layer in enumerate([model, *all_layers(model)])}

    def mask(node, place=""):
        if isinstance(node, str):
            if place in NAMES:
                return [re.sub("_[0-9]+$", "", node), places.get(node)]
            return node
        if isinstance(node, list | tuple):
            return [mask(item, place) for item in node]
        if not isinstance(node, dict):
            return node
        kind, config = node.get("class_name", ""), node.get("config")
        if place in PLACES.get(kind, ()) and not config.get("noise_shape"):
            strengths = {name: bool(config.get(name)) for name in STRENGTHS[kind]}
            node = {**node, "config": {**config, **strengths}}
        return {key: mask(value, key) for key, value in node.items()}

    shape = {
        key: bool(value) if key in OPTIMIZER_STRENGTHS else value
        for key, value in optimizer.items()
    }
    return json.dumps(
        [mask(model.get_config()), shape, horizon, loss, jit], sort_keys=True
    )


def as_images(pixels, white):
    """Floats in [0, 1], the same bits as `Split.images`.

    Args:
        pixels: Bytes, or floats that are returned as they are.
        white: Variable of 255. By a constant, XLA would multiply instead of divide.
    """
    return tf.cast(pixels, tf.float32) / white if pixels.dtype == tf.uint8 else pixels


def compile_updates(twin, optimizer, loss, white, jit):
    @tf.function(jit_compile=jit, autograph=False)
    def updates(pixels, labels, batches, rates, first, last):
        def make_update(update):
            batch = tf.gather(batches, update)
            exchange_averages(optimizer)
            if hasattr(optimizer, "look_ahead"):
                optimizer.look_ahead()
            with tf.GradientTape() as tape:
                images = as_images(tf.gather(pixels, batch), white)
                logits = twin(images, training=True)
                objective = tf.reduce_mean(loss(tf.gather(labels, batch), logits))
                if twin.losses:
                    objective += tf.add_n(twin.losses)
            gradients = tape.gradient(objective, twin.trainable_variables)
            optimizer.learning_rate.assign(tf.gather(rates, update))
            optimizer.apply(gradients, twin.trainable_variables)
            exchange_averages(optimizer)
            return update + 1

        tf.while_loop(lambda update: update < last, make_update, [first])

    return updates


def exchange_averages(optimizer):
    """Swap the weights that are trained and their moving averages, if it keeps any.

    Between updates the model's variables hold the averages: these are what is evaluated
    and saved.
    """
    if optimizer.use_ema:
        pairs = zip(
            optimizer._trainable_variables,
            optimizer._model_variables_moving_average,
            strict=True,
        )
        for variable, other in pairs:
            held = tf.identity(variable.value)
            variable.assign(other)
            other.assign(held)


def compile_evaluation(model, loss, white, jit):
    def sums(pixels, labels):
        logits = model(as_images(pixels, white), training=False)
        correct = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
        deviation = tf.math.reduce_std(logits, axis=1)
        columns = [
            cross_entropy(labels, logits),
            correct,
            loss(labels, logits),
            deviation,
        ]
        return tf.stack([tf.reduce_sum(tf.cast(c, tf.float64)) for c in columns])

    @tf.function(jit_compile=jit, autograph=False)
    def evaluation(pixels, labels):
        def add_block(start, total):
            block = start + tf.range(EVALUATION_BLOCK)
            found = sums(tf.gather(pixels, block), tf.gather(labels, block))
            return start + EVALUATION_BLOCK, total + found

        count = labels.shape[0]
        whole = count - count % EVALUATION_BLOCK
        _, total = tf.while_loop(
            lambda start, _: start < whole, add_block, [0, tf.zeros(4, tf.float64)]
        )
        if whole < count:
            total += sums(pixels[whole:], labels[whole:])
        return total / count

    return evaluation


def compile_penalty(model):
    @tf.function
    def penalty():
        return total_penalty(model)

    return penalty


def total_penalty(model):
    terms = [v.regularizer(v) for v in model.trainable_variables if v.regularizer]
    return tf.add_n([tf.cast(t, tf.float64) for t in [*terms, 0.0]])


def compile_gradients(model, loss, white, jit):
    @tf.function(jit_compile=jit, autograph=False)
    def gradients(pixels, labels):
        images = as_images(pixels, white)
        with tf.GradientTape(persistent=True) as tape:
            mean = tf.reduce_mean(loss(labels, model(images, training=False)))
            penalty = total_penalty(model)
        variables = [kernel.value for kernel in kernels(model).values()]
        return [
            tape.gradient(target, variables, unconnected_gradients="zero")
            for target in (mean, penalty)
        ]

    return gradients


def compile_check(model):
    @tf.function(autograph=False)
    def finite():
        numbers = [v.value for v in model.variables if v.value.dtype.is_floating]
        whole = [tf.reduce_all(tf.math.is_finite(value)) for value in numbers]
        return tf.reduce_all(tf.stack(whole))

    return finite
