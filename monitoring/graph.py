"""The graph of a network, for TensorBoard's Graphs page."""

import re

import keras
import tensorflow as tf


def serialize_graph(model: keras.Model, image_shape: tuple[int, ...]) -> bytes:
    """What a model computes, as the page shows it best: one box for each layer.

    TensorFlow puts all layers into one box, appends numbers to their names, and ties
    every operation to one more that does nothing.
    """
    images = tf.TensorSpec([None, *image_shape], tf.float32, name="images")
    function = tf.function(model, autograph=False).get_concrete_function(images)
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
