"""Decides which runs may share a compiled program.

Whatever is not a variable is compiled into a program as a constant: every number,
array, attribute and closure of Python that the model and the optimizer use. So two runs
share a program only if their configs differ in seed and name alone, and if their models
consist of Keras' own layers, so that they can differ in variables alone. All other runs
compile programs of their own.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from training.program import Program, all_nodes

KERAS_LAYERS = re.compile(r"keras\.src\.(layers\.(?!preprocessing)|models\.)")
"""Modules of layers that keep all their state in variables. Preprocessing layers do
not: they keep what they are adapted to, or how far an image is moved, elsewhere too."""

LARGEST_CONSTANT = 16
"""Most elements of a constant in the graph of Keras' own layers, such as a shape."""


def share_program(
    programs: dict[str, Program],
    tables: Mapping[str, Any],
    model: keras.Model,
    optimizer: keras.Optimizer,
    make_program: Callable[[], Program],
) -> Program:
    """The program of the previous run in this process, if it fits, or a new one.

    Args:
        programs: The program of the previous run by its key, or nothing; replaced by a
            new program.
        tables: The tables of the config file of the run.
        model: Untrained model of the run.
        optimizer: Optimizer of the run, built for the model.
        make_program: Function that makes a new program.
    """
    key = sharing_key(tables, model, optimizer)
    earlier = programs.get(key) if key else None
    if earlier and may_be_shared(earlier):
        earlier.restart(model, optimizer)
        return earlier
    program = make_program()
    programs.clear()
    if key:
        programs[key] = program
    return program


def may_be_shared(program: Program) -> bool:
    """Whether all state of a traced program is in variables that Keras knows of."""
    graph = program.graph
    if graph is None or program.hidden_variables:
        return False
    constants = [c for c, _ in graph.captures if c.dtype != tf.resource]
    return not constants and not has_large_constant(graph)


def has_large_constant(graph: tf.Graph) -> bool:
    """Whether a graph holds an array as a constant, which may depend on the seed."""
    sizes = [
        tf.TensorShape(node.attr["value"].tensor.tensor_shape).num_elements()
        for node in all_nodes(graph)
        if node.op == "Const"
    ]
    return max(sizes, default=0) > LARGEST_CONSTANT


def sharing_key(
    tables: Mapping[str, Any], model: keras.Model, optimizer: keras.Optimizer
) -> str | None:
    """A key that is equal for runs which may share a program.

    Args:
        tables: The tables of the config file of the run.
        model: Untrained model of the run.
        optimizer: Optimizer of the run.

    Returns:
        The key; None if the run may not share a program.
    """
    if not is_keras_own(model) or not holds_only(optimizer, ("keras.", "optimizers.")):
        return None
    settings = {k: v for k, v in tables.items() if k not in ("name", "seed")}
    layers = re.sub(r'"seed": \d+', '"seed": 0', model.to_json())
    weights = [
        [v.path, v.trainable, *map(attributes_of, (v.regularizer, v.constraint))]
        for v in model.variables
    ]
    numbers = {
        name: value
        for name, value in vars(optimizer).items()
        if isinstance(value, bool | int | float | str)
    }
    return json.dumps([settings, layers, weights, numbers], sort_keys=True, default=str)


def attributes_of(thing: Any) -> Any:
    return thing and [type(thing).__qualname__, vars(thing)]


def is_keras_own(model: keras.Model) -> bool:
    """Whether a model is made of Keras' own layers and functions alone."""
    given = [(v.regularizer, v.constraint) for v in model.variables]
    if not all(holds_only(x, ("keras.",)) for pair in given for x in pair if x):
        return False
    return all(
        KERAS_LAYERS.match(type(layer).__module__)
        and holds_only(layer, ("keras.",))
        and not is_foreign_model(layer)
        for layer in model._flatten_layers()
    )


def is_foreign_model(layer: keras.Layer) -> bool:
    """Whether a layer is a model with operations besides layers, such as `x + y`."""
    operations = getattr(layer, "operations", [])
    return not all(isinstance(operation, keras.Layer) for operation in operations)


def holds_only(thing: Any, origins: tuple[str, ...]) -> bool:
    """Whether an object and its attributes hold no arrays, and only code from some
    modules.

    Args:
        thing: The object.
        origins: Beginnings of the names of these modules.
    """
    if not type(thing).__module__.startswith(origins):
        return False
    for value in vars(thing).values():
        if isinstance(value, np.ndarray | tf.Tensor):
            return False
        code = value if hasattr(value, "__module__") else type(value)
        if callable(value) and not (code.__module__ or "").startswith(origins):
            return False
    return True
