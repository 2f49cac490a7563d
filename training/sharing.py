"""Decides which runs may share a compiled program.

Whatever is not a variable is compiled into a program as a constant: every number,
array, attribute and closure of Python that the model and the optimizer use. So two runs
share a program only if TensorFlow traced the same for both, to the last constant, and
with the same variables, whoever wrote the model. Tracing takes a tenth of the time of
compiling.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import tensorflow as tf

from training.program import Program
from training.trainer import Trainer


def share_program(
    programs: dict[str, Program], tables: Mapping[str, Any], trainer: Trainer
) -> None:
    """Have a trainer use the program of the previous run in this process, if it fits.

    Args:
        programs: The program of the previous run by its key, or nothing; replaced by
            that of the trainer if it does not fit.
        tables: The tables of the config file of the run.
        trainer: Trainer of the run.
    """
    trainer.trace()
    program = trainer.program
    key = sharing_key(tables, program)
    if key in programs:
        programs[key].restart(program)
        trainer.use(programs[key])
        return
    programs.clear()
    if key:
        programs[key] = program


def sharing_key(tables: Mapping[str, Any], program: Program) -> str:
    """A key that is equal for runs which may share a program; "" if a run may not,
    because it uses variables that Keras does not know of, arrays that are none, or
    operations that keep numbers.

    Args:
        tables: The tables of the config file of the run.
        program: Traced program of the run.
    """
    places = {id(handle): place for place, handle in enumerate(program.handles)}
    used = [places.get(id(c)) for graph in program.graphs for c, _ in graph.captures]
    if None in used or program.stateful_operation:
        return ""
    settings = {k: v for k, v in tables.items() if k not in ("name", "seed")}
    traced = [repr([settings, program.jit, used]), *map(text_of, program.graphs)]
    return sha256("\n".join(traced).encode()).hexdigest()


def text_of(graph: tf.Graph) -> str:
    """A graph as text, in which functions are numbered within it, not within the
    process."""
    definition = graph.as_graph_def()
    functions = sorted(definition.library.function, key=age_of)
    text = "".join(map(str, [*definition.node, *functions]))
    for place, function in reversed([*enumerate(functions)]):
        text = text.replace(function.signature.name, f"function {place}")
    return re.sub(r"CustomGradient-\d+", "", text)


def age_of(function) -> tuple[int, int]:
    """When a function was traced, by the last number in its name, which counts up in a
    process; what it was rewritten to has the longer name."""
    name = function.signature.name
    return int(["0", *re.findall(r"\d+", name)][-1]), len(name)
