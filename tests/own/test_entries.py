"""What the dictionaries hold is shared, resumed and saved right, yours included.

A new entry is tried with its defaults, without a line here.
"""

import keras
import numpy as np
import pytest

from data import DATASETS
from models import MODELS, REGULARIZERS
from optimizers import DECAYS, OPTIMIZERS
from optimizers.schedules import SCHEDULES
from tests.own.cases import Case

RATES = ("optimizer.learning_rate", 0.01, 0.02)
ENTRIES = [
    (section, name)
    for section, dictionary in (
        ("model", MODELS),
        ("regularizer", REGULARIZERS),
        ("optimizer", OPTIMIZERS),
        ("decay", DECAYS),
        ("schedule", SCHEDULES),
    )
    for name in dictionary
]


@pytest.mark.parametrize(("section", "name"), ENTRIES)
def test_an_entry_is_the_same_shared_alone_and_continued(section, name, hold):
    hold(Case(name, RATES, section))


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_answers_as_the_run_did(name, run):
    result, directory = run(f"model.name={name}", "optimizer.learning_rate=0.01")
    arrays = DATASETS["squares"]()
    model = keras.models.load_model(directory / "model.keras")
    logits = model.predict(arrays.x_test / np.float32(255), verbose=0)
    accuracy = (logits.argmax(axis=1) == arrays.y_test).mean()
    assert result["final"]["test"]["accuracy"] == pytest.approx(accuracy)
