"""Histograms, pictures and the graph of a run, for TensorBoard."""

import re
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.histogram.summary_v2 import histogram_pb

from data import Data, Split
from models import kernels
from monitoring import pictures
from monitoring.events import EventWriter, image_pb
from training.measures import describe

SHOWINGS = 10
"""How often kernels are shown in a run, besides at its start."""

MOST_CLASSES = 100
"""Most classes in a confusion matrix; more would take gigabytes to draw."""

HISTOGRAM = "Distribution of the weights: what L1, L2 and weight decay narrow."


class Gallery:
    """Writes histograms and pictures of a model to an event file."""

    def __init__(
        self,
        model: keras.Model,
        image_shape: tuple[int, ...],
        events: EventWriter,
        epochs: int,
        evaluate_every: int = 1,
    ):
        """
        Args:
            model: Model of the run.
            image_shape: Shape of its images, (rows, columns, ...).
            events: Writer of the event file.
            epochs: Number of epochs of the run.
            evaluate_every: Number of epochs between evaluations.
        """
        self._model, self._image_shape, self._events = model, image_shape, events
        self._epochs, self._evaluate_every = epochs, evaluate_every
        self._shown = -1
        channels = image_shape[2:]
        self._drawable = len(image_shape) >= 2 and channels in ((), (1,), (3,))

    def show_graph(self) -> None:
        graph = serialize_graph(self._model, self._image_shape)
        self._events.add(0, graph_def=graph)

    def record(self, epoch: int) -> None:
        """Show the kernels at the first evaluation in each tenth of the run.

        Args:
            epoch: Epochs completed. Whether the kernels are shown depends on this
                alone, so that a resumed run shows them at the same epochs.
        """
        previous = epoch - self._evaluate_every
        if epoch * SHOWINGS // self._epochs > previous * SHOWINGS // self._epochs:
            self._show_kernels(epoch)

    def finish(self, epoch: int) -> None:
        """Show the kernels at the end of the run, unless they were just shown."""
        if self._shown != epoch:
            self._show_kernels(epoch)

    def show_answers(
        self, data: Data, predict: Callable[[Split], np.ndarray], epoch: int
    ) -> None:
        """Show the answers of a classifier: confusions, mistakes, memorized labels.

        Args:
            data: Data of the run.
            predict: Function from images to logits, (images, classes).
            epoch: Epochs completed.
        """
        images, names = data.validation, data.class_names
        logits = predict(images)
        if not names or not np.isfinite(logits).all():
            return
        answers = images, logits, names
        if len(names) <= MOST_CLASSES:
            self._show("validation/confusion", epoch, pictures.draw_confusion, *answers)
        if self._drawable:
            self._show("validation/mistakes", epoch, pictures.draw_mistakes, *answers)
            if noisy := data.memorized(len(images)):
                logits = predict(noisy["wrong_label"])
                draw = pictures.draw_memorized
                self._show("memorized/digits", epoch, draw, noisy, logits, names)

    def _show_kernels(self, epoch: int) -> None:
        self._shown = epoch
        arrays = {k: v.numpy() for k, v in kernels(self._model).items()}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            return
        for layer, array in arrays.items():
            histogram = histogram_pb(f"kernels/{layer}", array, description=HISTOGRAM)
            self._events.add(epoch, summary=histogram)
        first, shape = next(iter(arrays.values()), np.empty(0)), self._image_shape[:2]
        if self._drawable and len(first) == np.prod(shape):
            draw = pictures.draw_filters
            self._show("first_layer/filters", epoch, draw, first, shape)

    def _show(self, tag: str, epoch: int, draw: Callable, *arguments) -> None:
        """Add a picture, unless there is nothing to draw, with its description."""
        png = draw(*arguments)
        if png is not None:
            self._events.add(epoch, summary=image_pb(tag, png, describe(draw)))


def serialize_graph(model: keras.Model, image_shape: tuple[int, ...]) -> bytes:
    """The graph of a model for TensorBoard's Graphs page, with one box for each layer.

    As TensorFlow traces it, all layers are in one box, numbers are appended to their
    names, and every operation is tied to another that does nothing.
    """
    images = tf.TensorSpec([None, *image_shape], tf.float32, name="images")
    step = tf.function(lambda x: model(x, training=False), autograph=False)
    function = step.get_concrete_function(images)
    traced = function.graph.as_graph_def()
    layers = {layer.name for layer in model.layers}

    def tidy(name: str) -> str:
        name = re.sub(rf"^{re.escape(model.name)}(_\d+)?/", "", name)
        scope, slash, rest = name.partition("/")
        numbered = re.fullmatch(r"(.+)_\d+", scope)
        if numbered and numbered[1] in layers:
            scope = numbered[1]
        return scope + slash + rest

    graph = tf.compat.v1.GraphDef(versions=traced.versions)
    for node in traced.node:
        if node.op != "NoOp":
            inputs = [tidy(name) for name in node.input if not name.startswith("^")]
            del node.input[:]
            node.input.extend(inputs)
            node.name = tidy(node.name)
            graph.node.append(node)
    return graph.SerializeToString()
