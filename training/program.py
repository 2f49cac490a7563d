"""A model and an optimizer, compiled: the updates of an epoch, and an evaluation.

The loops are written with `tf.while_loop`: AutoGraph, which would make them of
Python's, does not work on Python 3.13 (TensorFlow 2.21).
"""

import re

import keras
import tensorflow as tf

from models import kernels
from training.dropout import keyed_masks
from training.losses import LOSSES
from training.measurement import Evaluation
from training.measures import MEASURES, logit_scale_sums

EVALUATION_BLOCK = 1000
"""Images evaluated at once: enough for the processor, and little memory."""

STATEFUL_OPERATIONS = "Random(?!Dataset)|TruncatedNormal|Multinomial|(Eager)?PyFunc"
"""Beginnings of their types; Keras' own generators are called Stateless..."""

LARGEST_CONSTANT = 16
"""Numbers in a constant of a graph of Keras' own layers: shapes and the like."""

WIDTHS = [*(measure.width for measure in MEASURES.values()), 1, 1]
"""Columns of sums of the measures, of the loss and of the logits' scale."""


class Program:
    """What is compiled once for all runs that differ in their seed alone.

    Attributes:
        model: A plain model; its weights are the ones that are trained.
        optimizer: Built for the model.
        loss: Name of what is minimized, in `LOSSES`.
        jit: Whether XLA compiles the calls.
        updates: Function `(pixels, labels, batches, rates, first, last, key)` of
            tensors: makes the updates first to last - 1 of the rows of `batches`,
            (updates, batch), which hold indices of images, at the learning rates
            `rates`, (updates,). Pixels are bytes or floats in [0, 1], as a `Split`
            holds them. The key of dropout masks, (2,), is the seed of the run and the
            number in the run of the first row's update.
        penalty: Function of nothing to the sum of all weight penalties, float64.
        gradients: Function `(pixels, labels)` of tensors to the gradients of the mean
            loss and of the penalty by the kernels, dropout off.
        hidden_variables: Once traced: variables that the updates use and Keras does not
            know of, in their order. The state of Keras' global random generator is one,
            which a layer uses that calls `keras.random` without a `SeedGenerator`.
        may_be_shared: Once traced: whether all that is no constant is in variables that
            Keras knows of.
        stateful_operation: Once traced: the type of an operation that draws or keeps
            numbers where no variable holds them; None without one.
        finite: Function of nothing to whether every weight is a finite number. (A ReLU
            may hide one that is not: the loss does not tell.)
    """

    def __init__(
        self, model: keras.Model, optimizer: keras.Optimizer, loss: str, jit: bool
    ):
        """Compile nothing yet: that happens at the first call of each function.

        Args:
            model: A plain model.
            optimizer: Built for the model.
            loss: A name in `LOSSES`.
            jit: Whether XLA compiles the calls.
        """
        self.model, self.optimizer = model, optimizer
        self.loss, self.jit = loss, jit
        self._white = tf.Variable(255.0, trainable=False)
        how = (LOSSES[loss], self._white, jit)
        self.updates = compile_updates(model, optimizer, *how)
        self._evaluate = compile_evaluation(model, *how)
        self.penalty = compile_penalty(model)
        self.gradients = compile_gradients(model, *how)
        self.finite = compile_check(model)
        self.hidden_variables: list[tf.Variable] = []
        self.may_be_shared = False
        self.stateful_operation: str | None = None

    @property
    def variables(self) -> list[keras.Variable]:
        """All state that Keras knows of: of the model, then of the optimizer."""
        return [*self.model.variables, *self.optimizer.variables]

    def trace(self, *arguments: tf.Tensor) -> None:
        """Look at what the updates use, before any is made.

        Args:
            arguments: Those of `updates`.
        """
        graph = self.updates.get_concrete_function(*arguments).graph
        known = {id(variable.value) for variable in self.variables} | {id(self._white)}
        self.hidden_variables = [v for v in graph.variables if id(v) not in known]
        self.stateful_operation = find_stateful_operation(graph)
        constants = [c for c, _ in graph.captures if c.dtype != tf.resource]
        self.may_be_shared = not (
            constants or self.hidden_variables or has_large_constant(graph)
        )

    def take(self, model: keras.Model, optimizer: keras.Optimizer) -> None:
        """Start another run of the same program: take over its initial state.

        Args:
            model: Plain and fresh, made by the same config but for the seed.
            optimizer: Fresh, built for that model.
        """
        if model is not self.model:
            theirs = [*model.variables, *optimizer.variables]
            for variable, value in zip(self.variables, theirs, strict=True):
                variable.assign(value)

    def evaluate(self, pixels: tf.Tensor, labels: tf.Tensor) -> Evaluation:
        """Evaluate images, dropout off."""
        count = len(labels)
        *sums, loss, logit_scale = self._evaluate(pixels, labels).numpy().tolist()
        found = {"loss": loss / count, "logit_scale": logit_scale / count}
        for name, measure in MEASURES.items():
            found[name] = measure.value(sums[: measure.width], count)
            sums = sums[measure.width :]
        return found


def all_nodes(graph: tf.Graph) -> list:
    """The nodes of a graph and of the functions that it calls."""
    definition = graph.as_graph_def()
    inner = (node for f in definition.library.function for node in f.node_def)
    return [*definition.node, *inner]


def has_large_constant(graph: tf.Graph) -> bool:
    """Whether a graph holds an array, which may be another one with another seed."""
    sizes = [
        tf.TensorShape(node.attr["value"].tensor.tensor_shape).num_elements()
        for node in all_nodes(graph)
        if node.op == "Const"
    ]
    return max(sizes, default=0) > LARGEST_CONSTANT


def find_stateful_operation(graph: tf.Graph) -> str | None:
    """The type of an operation of `tf.random` or of Python's, if a graph has one."""
    found = (n.op for n in all_nodes(graph) if re.match(STATEFUL_OPERATIONS, n.op))
    return next(found, None)


def as_images(pixels, white):
    """Floats in [0, 1], the same bits as `Split.images`.

    Args:
        pixels: Bytes, or floats that are returned as they are.
        white: Variable of 255. By a constant, XLA would multiply instead of divide.
    """
    return tf.cast(pixels, tf.float32) / white if pixels.dtype == tf.uint8 else pixels


def at_least_float32(tensor):
    """Logits and penalties of half precision in float32, as Keras' losses take them."""
    return tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor


def compile_updates(model, optimizer, loss, white, jit):
    @tf.function(jit_compile=jit, autograph=False)
    def updates(pixels, labels, batches, rates, first, last, key):
        def make_update(update):
            batch = tf.gather(batches, update)
            number = key[1] + tf.cast(update, tf.int64)
            exchange_averages(optimizer)
            if hasattr(optimizer, "look_ahead"):
                optimizer.look_ahead()
            with tf.GradientTape() as tape, keyed_masks(key[0], number, jit):
                images = as_images(tf.gather(pixels, batch), white)
                logits = at_least_float32(model(images, training=True))
                objective = tf.reduce_mean(loss(tf.gather(labels, batch), logits))
                for penalty in model.losses:
                    objective += tf.cast(penalty, objective.dtype)
            gradients = tape.gradient(objective, model.trainable_variables)
            optimizer.learning_rate.assign(tf.gather(rates, update))
            optimizer.apply(gradients, model.trainable_variables)
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
    columns = [
        *(measure.sums for measure in MEASURES.values()),
        loss,
        logit_scale_sums,
    ]

    def sum_up(pixels, labels):
        logits = at_least_float32(model(as_images(pixels, white), training=False))
        found = [tf.cast(column(labels, logits), tf.float64) for column in columns]
        return tf.concat(
            [tf.reduce_sum(c if len(c.shape) > 1 else c[:, None], 0) for c in found], 0
        )

    @tf.function(jit_compile=jit, autograph=False)
    def evaluation(pixels, labels):
        def add_block(start, total):
            block = start + tf.range(EVALUATION_BLOCK)
            found = sum_up(tf.gather(pixels, block), tf.gather(labels, block))
            return start + EVALUATION_BLOCK, total + found

        count = labels.shape[0]
        whole = count - count % EVALUATION_BLOCK
        zeros = tf.zeros(sum(WIDTHS), tf.float64)
        _, total = tf.while_loop(lambda start, _: start < whole, add_block, [0, zeros])
        if whole < count:
            total += sum_up(pixels[whole:], labels[whole:])
        return total

    return evaluation


def compile_penalty(model):
    @tf.function(autograph=False)
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
            logits = at_least_float32(model(images, training=False))
            mean = tf.reduce_mean(loss(labels, logits))
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
