"""What a run shows in TensorBoard besides curves: histograms, pictures, its graph."""

import re

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.histogram.summary_v2 import histogram_pb

from models import kernels
from monitoring import pictures
from monitoring.events import EventWriter, image_pb
from training.trainer import Trainer

SHOWINGS = 10
"""Times that kernels are shown over a run, besides the start."""

MOST_CLASSES = 100
"""In a confusion matrix; more would take gigabytes to draw."""

HISTOGRAM = "Distribution of the weights: what L1, L2 and weight decay narrow."
FILTERS = (
    f"Weights from all pixels to each of the first {np.prod(pictures.FILTERS)} units. "
    f"In every run blue is {pictures.FILTER_SCALE:g} or more, white 0, and red "
    f"-{pictures.FILTER_SCALE:g} or less. A regularizer clears the noise."
)
CONFUSION = (
    "Percent of the validation images of each true class that are taken for each "
    "class, at the end; below 0.5 is left blank."
)
MISTAKES = (
    "The wrong answers on validation images that the network is surest of, at the end: "
    "true class, predicted class."
)

MEMORIZED = (
    "Training images that are taken, surest of all, for the wrong label that they were "
    "given, at the end: what they are, the label."
)


class Gallery:
    """Writes them to a run's event file."""

    def __init__(self, trainer: Trainer, events: EventWriter):
        self._trainer, self._events = trainer, events
        self._shown = -1
        shape = trainer.data.image_shape
        drawable = len(shape) >= 2 and shape[2:] in ((), (1,), (3,))
        self._image_shape = shape[:2] if drawable else ()

    def record(self, epoch: int) -> None:
        """At an evaluation: show the kernels now and then, and at the start the graph.

        Args:
            epoch: Epochs completed. When something is shown depends on it alone, so
                that a resumed run shows the same.
        """
        settings = self._trainer.settings
        tenth = epoch * SHOWINGS // settings.epochs
        previous = (epoch - settings.evaluate_every) * SHOWINGS // settings.epochs
        if tenth > previous:
            self._show_kernels(epoch)
        if epoch == 0:
            graph = serialize_graph(self._trainer.model, self._trainer.data.image_shape)
            self._events.add(0, graph_def=graph)

    def finish(self, epoch: int) -> None:
        """At the end of a run, show what it came to."""
        if self._shown != epoch:
            self._show_kernels(epoch)
        images, names = self._trainer.data.validation, self._trainer.data.class_names
        logits = self._trainer.predict(images)
        if not np.isfinite(logits).all():
            return
        if len(names) <= MOST_CLASSES:
            predicted = logits.argmax(1)
            confusion = pictures.draw_confusion(images.labels, predicted, names)
            self._show("validation/confusion", confusion, CONFUSION, epoch)
        if self._image_shape:
            mistakes = pictures.draw_mistakes(images, logits, names)
            self._show("validation/mistakes", mistakes, MISTAKES, epoch)
            self._show_memorized(epoch)

    def _show_memorized(self, epoch: int) -> None:
        data = self._trainer.data
        noisy = data.memorized(len(data.validation))
        if noisy:
            logits = self._trainer.predict(noisy["wrong_label"])
            learned = logits.argmax(axis=1) == noisy["wrong_label"].labels
            true = noisy["true_label"][learned]
            digits = pictures.draw_mistakes(true, logits[learned], data.class_names)
            self._show("memorized/digits", digits, MEMORIZED, epoch)

    def _show_kernels(self, epoch: int) -> None:
        self._shown = epoch
        arrays = {k: v.numpy() for k, v in kernels(self._trainer.model).items()}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            return
        for layer, array in arrays.items():
            histogram = histogram_pb(f"kernels/{layer}", array, description=HISTOGRAM)
            self._events.add(epoch, summary=histogram)
        first = next(iter(arrays.values()), np.empty(0))
        if self._image_shape and len(first) == np.prod(self._image_shape):
            filters = pictures.draw_filters(first, self._image_shape)
            self._show("first_layer/filters", filters, FILTERS, epoch)

    def _show(self, tag: str, png: bytes | None, text: str, epoch: int) -> None:
        if png is not None:
            self._events.add(epoch, summary=image_pb(tag, png, text))


def serialize_graph(model: keras.Model, image_shape: tuple[int, ...]) -> bytes:
    """What a model computes, as the page shows it best: one box for each layer.

    TensorFlow puts all layers into one box, appends numbers to their names, and ties
    every operation to one more that does nothing.
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
