"""A model and its optimizer, compiled: the updates of an epoch, and evaluations.

The loop is written with `tf.while_loop`, because AutoGraph, which would convert a
Python loop, fails on Python 3.13 (TensorFlow 2.21).
"""

import functools
import re
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from models import kernels
from training.dropout import at_least_float32, keyed_masks
from training.losses import Loss
from training.measures import Evaluation, logit_scales, mean, measures_of

EVALUATION_BLOCK = 1000
"""Number of images evaluated at once: as fast as more, and little memory."""

STATEFUL_OPERATIONS = "Random(?!Dataset)|TruncatedNormal|Multinomial|(Eager)?PyFunc"
"""Pattern of the types of operations that draw or keep numbers outside of variables.
Those of Keras' generators begin with "Stateless"."""

SLOW_UNDER_XLA = "Conv|Pool"
"""Pattern in the types of operations that XLA is slow at on a processor."""


class Program:
    """The compiled functions of a run, which runs of other seeds may share.

    Attributes:
        model: Model whose weights are trained.
        optimizer: Optimizer, built for the model.
        loss: Loss that is minimized, to which penalties are added.
        jit: Whether XLA compiles the functions.
        train: Function `(pixels, labels, batches, rates, first, last, key)` of
            tensors that makes updates `first` to `last - 1`. Row i of `batches`,
            (updates, batch), holds the indices of the images of update i, and `rates`,
            (updates,), its learning rate. Pixels are bytes or floats, as in a `Split`.
            `key`, (2,), from which dropout masks are drawn, holds the seed of the run
            and the number in the run of the update of row 0.
        penalty: Function without arguments that returns the sum of all weight
            penalties, float64.
        gradients: Function `(pixels, labels)` of tensors that returns the gradients of
            the mean loss and of the penalty with respect to the kernels, dropout off.
        finite: Function without arguments that returns whether all weights are finite.
            (The loss does not tell: a ReLU may hide a weight that is not.)
        hidden_variables: Variables that the updates use and Keras does not know of,
            such as the state of Keras' global random generator, which layers use that
            call `keras.random` without a `SeedGenerator`. Set by `trace`.
        graphs: Graphs of the updates, for each size of batches, and of the evaluation.
            Set by `trace`.
        stateful_operation: Type of an operation of the updates that draws or keeps
            numbers outside of variables; None if there is none. Set by `trace`.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer,
        loss: Loss,
        jit: bool,
        task: str = "classification",
    ):
        """Wrap the functions; each is compiled when it is first called.

        Args:
            model: Model to train.
            optimizer: Optimizer, built for the model.
            loss: Loss to minimize, to which penalties are added.
            jit: Whether XLA compiles the functions.
            task: Name of the task, a key of `TASKS`.
        """
        self.model, self.optimizer = model, optimizer
        self.loss, self.jit, self.task = loss, jit, task
        self._updater = scaling(model, optimizer)
        self._white = tf.Variable(255.0, trainable=False)
        self._measured = {
            name: (measure.sums or loss, measure.reduce)
            for name, measure in measures_of(task).items()
        }
        self._measured["logit_scale"] = logit_scales, mean
        compiled = functools.partial(tf.function, autograph=False, jit_compile=jit)
        self.train = compiled(self._train)
        self._sums = compiled(self._sum_up)
        self.gradients = compiled(self._gradients)
        self.penalty = tf.function(self._penalty, autograph=False)
        self.finite = tf.function(self._finite, autograph=False)
        self.hidden_variables: list[tf.Variable] = []
        self.graphs: list[tf.Graph] = []
        self.stateful_operation: str | None = None

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of the model, then those of the optimizer."""
        return [*self.model.variables, *self._updater.variables]

    @property
    def handles(self) -> list[tf.Tensor]:
        """What TensorFlow knows the variables by that a program may use."""
        return [*(v.value.handle for v in self.variables), self._white.handle]

    def trace(
        self, updates: Iterable[Sequence[tf.Tensor]], images: Sequence[tf.Tensor]
    ) -> None:
        """Trace updates and an evaluation, and find out what they use, without making
        any.

        Args:
            updates: Arguments of `train`, once for each size of batches.
            images: Pixels and labels to evaluate.
        """
        block = (part[:EVALUATION_BLOCK] for part in images)
        self.graphs = [
            *(self.train.get_concrete_function(*each).graph for each in updates),
            self._sums.get_concrete_function(*block).graph,
        ]
        known, found = set(map(id, self.handles)), self.graphs[0].variables
        self.hidden_variables = [v for v in found if id(v.handle) not in known]
        self.stateful_operation = find_stateful_operation(self.graphs[0])

    def restart(self, other: "Program") -> None:
        """Begin another run with the initial state of that run's own program."""
        assign(self.variables, other.variables)

    def evaluate(
        self, pixels: tf.Tensor, labels: tf.Tensor
    ) -> tuple[Evaluation, np.ndarray]:
        """Evaluate images, dropout off.

        Args:
            pixels: Images, (images, ...).
            labels: Labels, (images,).

        Returns:
            The evaluation, and the outputs of the network, (images, outputs).
        """
        totals = dict.fromkeys(self._measured, np.float64(0))
        outputs = []
        for first in range(0, len(labels), EVALUATION_BLOCK):
            block = slice(first, first + EVALUATION_BLOCK)
            found, of_block = self._sums(pixels[block], labels[block])
            outputs.append(of_block.numpy())
            for name, sums in found.items():
                totals[name] = totals[name] + sums.numpy()
        evaluation = {
            name: float(value(totals[name], len(labels)))
            for name, (_, value) in self._measured.items()
        }
        return evaluation, np.concatenate(outputs)

    def outputs(self, pixels: tf.Tensor, training: bool) -> tf.Tensor:
        """The outputs of the network: logits, (images, classes), or predictions.

        Bytes are scaled as `Split.images` does, to the same bits. The divisor is a
        variable because XLA would turn division by a constant into a multiplication.
        """
        if pixels.dtype == tf.uint8:
            pixels = tf.cast(pixels, tf.float32) / self._white
        outputs = at_least_float32(self.model(pixels, training=training))
        if self.task == "binary":  # The softmax of these two is sigmoid(output).
            return tf.concat([-outputs / 2, outputs / 2], axis=1)
        return outputs

    def _train(self, pixels, labels, batches, rates, first, last, key):
        optimizer, weights = self.optimizer, self.model.trainable_variables

        def update(number):
            batch = tf.gather(batches, number)
            number_in_run = key[1] + tf.cast(number, tf.int64)
            exchange_averages(optimizer)
            with (
                tf.GradientTape() as tape,
                keyed_masks(key[0], number_in_run, self.jit),
            ):
                outputs = self.outputs(tf.gather(pixels, batch), training=True)
                losses = self.loss(tf.gather(labels, batch), outputs)
                objective = tf.reduce_mean(losses)
                for penalty in self.model.losses:
                    objective += tf.cast(penalty, objective.dtype)
                objective = self._updater.scale_loss(objective)
            gradients = tape.gradient(objective, weights)
            optimizer.learning_rate.assign(tf.gather(rates, number))
            self._updater.apply(gradients, weights)
            exchange_averages(optimizer)
            return number + 1

        tf.while_loop(lambda number: number < last, update, [first])

    def _sum_up(self, pixels, labels):
        outputs = self.outputs(pixels, training=False)
        found = {
            name: tf.reduce_sum(tf.cast(sums(labels, outputs), tf.float64), axis=0)
            for name, (sums, _) in self._measured.items()
        }
        return found, outputs

    def _penalty(self):
        weights = self.model.trainable_variables
        terms = [w.regularizer(w) for w in weights if w.regularizer]
        return tf.add_n([tf.cast(term, tf.float64) for term in [*terms, 0.0]])

    def _gradients(self, pixels, labels):
        with tf.GradientTape(persistent=True) as tape:
            outputs = self.outputs(pixels, training=False)
            loss = tf.reduce_mean(self.loss(labels, outputs))
            loss = self._updater.scale_loss(loss)
            penalty = self._penalty()
        variables = [kernel.value for kernel in kernels(self.model).values()]
        of_loss, of_penalty = (
            tape.gradient(target, variables, unconnected_gradients="zero")
            for target in (loss, penalty)
        )
        scale = self._updater.scale_loss(1.0)
        return [gradient / scale for gradient in of_loss], of_penalty

    def _finite(self):
        weights = [v.value for v in self.model.variables if v.value.dtype.is_floating]
        finite = [tf.reduce_all(tf.math.is_finite(weight)) for weight in weights]
        return tf.reduce_all(tf.stack(finite))


def assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def all_nodes(graph: tf.Graph) -> list:
    """The nodes of a graph and of the functions that it calls."""
    definition = graph.as_graph_def()
    inner = (node for f in definition.library.function for node in f.node_def)
    return [*definition.node, *inner]


def find_stateful_operation(graph: tf.Graph) -> str | None:
    """The type of an operation that draws or keeps numbers outside of variables, such
    as one of `tf.random` or a Python function; None if a graph has none."""
    found = (n.op for n in all_nodes(graph) if re.match(STATEFUL_OPERATIONS, n.op))
    return next(found, None)


def scaling(model: keras.Model, optimizer: keras.Optimizer) -> keras.Optimizer:
    """The optimizer, in mixed_float16 wrapped into one that scales the loss.

    Small gradients are 0 in float16. Keras' `compile` wraps the optimizer likewise.
    """
    if model.dtype_policy.name != "mixed_float16":
        return optimizer
    updater = keras.optimizers.LossScaleOptimizer(optimizer)
    updater.build(model.trainable_variables)
    return updater


def exchange_averages(optimizer):
    """Swap the trained weights and their moving averages, if the optimizer keeps them.

    Between updates the variables of the model hold the averages, which are evaluated
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


def compiles_faster(model: keras.Model, image_shape: tuple[int, ...]) -> bool:
    """Whether XLA can compile a model, and trains it faster than TensorFlow does.

    On a processor, XLA takes five to eight times as long for convolutions and pooling
    in a loop (TensorFlow 2.21).
    """
    images = tf.TensorSpec([2, *image_shape], tf.float32)
    step = tf.function(
        lambda x: model(x, training=True), autograph=False, jit_compile=True
    )
    nodes = all_nodes(step.get_concrete_function(images).graph)
    on_processor = not tf.config.list_physical_devices("GPU")
    if on_processor and any(re.search(SLOW_UNDER_XLA, node.op) for node in nodes):
        return False
    try:
        step.experimental_get_compiler_ir(images)(stage="hlo")
    except (tf.errors.OpError, ValueError, TypeError):
        return False
    return True
