"""Which runs may share a compiled program.

A program holds as constants what is no variable: every Python number, array, attribute
and closure that the model and the optimizer use. So runs share one only if their
configs are the same but for seed and name, and only if nothing but Keras' own code and
variables can differ between their models. All others compile for themselves.
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
"""Modules of layers whose state is in variables. Layers of preprocessing keep what they
adapt to, or where a picture is moved, elsewhere too."""

LARGEST_CONSTANT = 16
"""Numbers in a constant of a graph of Keras' own layers: shapes and the like."""


def share_program(
    programs: dict[str, Program],
    tables: Mapping[str, Any],
    model: keras.Model,
    optimizer: keras.Optimizer,
    make_program: Callable[[], Program],
) -> Program:
    """A program for a run: that of the run before in this process, or a new one.

    Args:
        programs: At most one, by its key, which is replaced by a new one.
        tables: The tables of the run's config file.
        model: Model of the run, fresh.
        optimizer: Optimizer of the run, built for the model.
        make_program: Makes the new one.
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
    """Whether all of a program that is no constant is in variables that Keras knows of.

    That is known once it is traced.
    """
    graph = program.graph
    if graph is None or program.hidden_variables:
        return False
    constants = [c for c, _ in graph.captures if c.dtype != tf.resource]
    return not constants and not has_large_constant(graph)


def has_large_constant(graph: tf.Graph) -> bool:
    """Whether a graph holds an array, which may be another one with another seed."""
    sizes = [
        tf.TensorShape(node.attr["value"].tensor.tensor_shape).num_elements()
        for node in all_nodes(graph)
        if node.op == "Const"
    ]
    return max(sizes, default=0) > LARGEST_CONSTANT


def sharing_key(
    tables: Mapping[str, Any], model: keras.Model, optimizer: keras.Optimizer
) -> str | None:
    """What the programs of two runs have to agree in; None for a run that shares none.

    Args:
        tables: The tables of the run's config file.
        model: Model of the run, fresh.
        optimizer: Optimizer of the run, fresh, one of Keras' or of this project's.
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
    """Whether a model is wholly made of layers and functions that Keras has."""
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
    """Whether a layer is a model of other operations than layers, such as `x + y`."""
    operations = getattr(layer, "operations", [])
    return not all(isinstance(operation, keras.Layer) for operation in operations)


def holds_only(thing: Any, origins: tuple[str, ...]) -> bool:
    """Whether the attributes of an object are no arrays, and no code from elsewhere."""
    if not type(thing).__module__.startswith(origins):
        return False
    for value in vars(thing).values():
        if isinstance(value, np.ndarray | tf.Tensor):
            return False
        code = value if hasattr(value, "__module__") else type(value)
        if callable(value) and not (code.__module__ or "").startswith(origins):
            return False
    return True
