"""The corpus: what users write, and what became of it before runs were kept apart.

Each case is compared at two values of a setting and with two seeds. `past` says what
the code did wrong before; it is empty where it was right.
"""

from dataclasses import dataclass, field
from typing import Any

from models.regularizers import l1l2
from tests.own import datasets, models, optimizers
from tests.own.regularizers import group_lasso


@dataclass(frozen=True)
class Case:
    """Something of a user's, and the setting in which its two strengths differ.

    Attributes:
        name: What the config chooses: the name of a function of the user's.
        vary: Setting and its two values.
        section: Of the config, which the function is chosen in.
        past: What was wrong before.
        settings: Others of the run.
    """

    name: str
    vary: tuple[str, Any, Any]
    section: str = "model"
    past: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


RATE = ("optimizer.learning_rate", 0.05, 0.2)
XLA = {"training.jit_compile": True}
OTHER = "the second strength had the first one's result"
NAMES = "other names of layers in each run, which cannot be continued"
FIRST = "each seed had the first one's numbers"
ROWS: list[tuple] = [
    # function, setting and its values, what was wrong before, other settings
    (models.closure_activation, "slope", 0.01, 0.9, OTHER),
    (models.lambda_layer, "slope", 0.01, 0.9),
    (models.closure_regularizer, "strength", 0.0, 0.1, OTHER),
    (models.own_regularizer, "strength", 0.0, 0.1, OTHER),
    (models.own_constraint, "limit", 0.05, 0.2, OTHER),
    (models.closure_initializer, "scale", 0.05, 0.5),
    (models.pipeline, "rate", 0.1, 0.6, OTHER),
    (models.own_block, "rate", 0.1, 0.6, OTHER),
    (models.own_penalty, "l2", 0.01, 0.1, OTHER),
    (models.attribute_afterwards, "factor", 0.5, 2.0, OTHER),
    (models.omitted_from_config, "factor", 0.5, 2.0, OTHER),
    (models.random_projection, "units", 8, 12, FIRST),
    (models.noise, "deviation", 0.1, 0.5, "depends on the process"),
    (models.seeded_noise, "deviation", 0.1, 0.5),
    (models.tensorflow_variable, "growth", 0.01, 0.1, "not in the checkpoint"),
    (models.stochastic_depth, "rate", 0.1, 0.5, NAMES),
    (models.counter, "growth", 0.01, 0.1),
    (models.tied_weights, "scale", 0.5, 1.0),
    (models.adapted_normalization, "share", 0.5, 1.0, FIRST),
    (models.random_constant, "most", 0.5, 1.0),
    (models.random_matrix_operation, "scale", 0.5, 1.0),
    (models.regularizer_of_variable, "strength", 0.01, 0.1),
    (models.constraint_of_variable, "longest", 0.2, 0.5, FIRST),
    (models.frozen_variable, "units", 8, 12, "traceback"),
    (models.frozen_at_random, "units", 8, 12),
    (models.adapters, "rank", 1, 2),
    (models.one_dropout_twice, "rate", 0.1, 0.6, "", XLA),
    (models.equal_names, "rate", 0.1, 0.6, "each other's rates"),
    (models.subclassed, "rate", 0.1, 0.6, "KeyError"),
    (models.nested_subclass, "rate", 0.1, 0.6, "KeyError"),
    (models.every_noise, "rate", 0.1, 0.4),
    (models.unnamed_layers, "units", 8, 12, NAMES),
    (models.shared_branches, "share", 0.2, 0.8),
    (models.residual, "l2", 0.01, 0.1),
    (models.convolutional, "rate", 0.1, 0.4),
    (models.augmented, "most", 0.05, 0.3),
    (models.recurrent, "rate", 0.0, 0.3, NAMES),
    (models.attention, "rate", 0.1, 0.4),
    (models.embeddings, "width", 2, 3),
    (models.spectral, "power", 1, 2),
    (models.own_activity_penalty, "strength", 0.1, 2.0, OTHER),
    (models.compiled, "l2", 0.01, 0.1),
    (models.several_penalties, "l2", 0.01, 0.1),
    (models.half_logits, "l2", 0.01, 0.1, "traceback"),
    (models.half_variables, "units", 8, 12, "cannot be resumed"),
]
DECAYS = ("weight_decay", 0.01, 0.5)
LANGEVIN = ("temperature", 0.1, 0.5)
ROWS_OF_OPTIMIZERS: list[tuple] = [
    (optimizers.attribute_decay, *DECAYS, OTHER),
    (optimizers.closure_decay, *DECAYS, OTHER),
    (optimizers.hypergradient, *DECAYS),
    (optimizers.langevin, *LANGEVIN),
    (optimizers.hidden_numbers, "learning_rate", 0.05, 0.2, FIRST),
    (optimizers.drawn_number, "learning_rate", 0.05, 0.2, FIRST),
    (optimizers.accumulating, *DECAYS),
]
ROWS_OF_DATA: list[tuple] = [
    (datasets.coloured, "noise", 0.2, 0.8),
    (datasets.measurements, "columns", 20, 30),
    (datasets.pairs, "classes", 2, 5),
]
ROWS_OF_REGULARIZERS: list[tuple] = [
    (l1l2, "l2", 0.01, 0.1),
    (group_lasso, "strength", 0.01, 0.1),
]
ROWS_OF_SCHEDULES: list[tuple] = [
    (optimizers.saw_tooth, "teeth", 1.0, 3.0),
]


def make(section, function, setting, weak, strong, past="", settings=None):
    vary = (f"{section}.{setting}", weak, strong)
    return Case(function.__name__, vary, section, past, settings or {})


CASES = {
    case.name: case
    for section, rows in {
        "model": ROWS,
        "optimizer": ROWS_OF_OPTIMIZERS,
        "data": ROWS_OF_DATA,
        "regularizer": ROWS_OF_REGULARIZERS,
        "schedule": ROWS_OF_SCHEDULES,
    }.items()
    for case in (make(section, *row) for row in rows)
}

NOISE = ("deviation", 0.1, 0.5)
RIGHT_OR_REFUSED = {
    function.__name__: make(section, function, setting, *values)
    for section, function, setting, *values in [
        ("model", models.partial_activation, "slope", 0.01, 0.9),
        ("model", models.plain_object_activation, "slope", 0.01, 0.9),
        ("model", models.without_config, "rate", 0.1, 0.6),
        ("model", models.tied_without_config, "scale", 0.5, 1.0),
        ("model", models.without_input, "units", 8, 12),
        ("model", models.cached_part, "l2", 0.01, 0.1),
        ("model", models.tensorflow_noise, *NOISE),
        ("model", models.numpy_noise, *NOISE),
        ("optimizer", optimizers.generator_langevin, *LANGEVIN),
    ]
}
"""What Keras cannot save, or what keeps a state where no checkpoint finds it."""
