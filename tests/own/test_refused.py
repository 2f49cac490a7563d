"""Models and optimizers that cannot be right are refused in a line, untrained."""

import pytest

from experiment.config import load_config
from models import MODELS
from optimizers import OPTIMIZERS
from system.errors import UserError
from train import BASELINE

REFUSED = {
    "softmax_at_end": "softmax",
    "softmax_layer_at_end": "softmax",
    "other_outputs": "5",
    "one_output": "1",
    "map_of_outputs": "8",
    "two_outputs": "2",
}
"""Models by what the message is to name: 4 logits are expected."""


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_does_not_end_in_a_logit_a_class_is_refused(run, tmp_path, name):
    with pytest.raises(UserError, match=REFUSED[name]) as refusal:
        run(f"model.name={name}")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "run/history.csv").exists()


def test_a_keras_schedule_in_an_optimizer_is_refused(run, tmp_path):
    with pytest.raises(UserError, match="schedule") as refusal:
        run("optimizer.name=scheduled")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "run/history.csv").exists()


def test_what_is_no_optimizer_is_refused(run, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "nothing", lambda: None)
    with pytest.raises(UserError, match="returns an Optimizer, received one.*NoneType"):
        run("optimizer.name=nothing")


def test_a_setting_before_the_star_is_named(monkeypatch):
    monkeypatch.setitem(MODELS, "starless", lambda image_shape, classes, width=3: None)
    with pytest.raises(UserError, match="parameter width of model starless: expected"):
        load_config(BASELINE, ["model.name=starless", "model.width=4"])
