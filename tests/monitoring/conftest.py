"""Runs to look at in TensorBoard, made once for all tests."""

import itertools

import pytest

from experiment.config import load_config
from tests.board import open_plugins
from train import train

CONFIGS = {
    "baseline": (),
    "l2": ("regularizer.l2=1e-2",),
    "adamw": ("decay.name=decoupled", "decay.strength=30.0"),
}
EPOCHS = 30


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Three configs over two seeds; the L2 runs were stopped and resumed."""
    directory = tmp_path_factory.mktemp("board") / "runs"
    path = directory.with_name("small.toml")
    path.write_text(
        f"""
        data = {{name = "digits", validation_size = 200}}
        model = {{name = "tiny", hidden_units = [40, 8]}}
        [training]
        epochs = {EPOCHS}
        batch_size = 50
        evaluate_every = 2
        jit_compile = false
        """
    )
    programs = {}
    for name, overrides in CONFIGS.items():
        for seed in (0, 1):
            config = load_config(path, [*overrides, f"seed={seed}"])
            place = directory / name / f"seed={seed:02d}"
            train(config, place, programs=programs, should_stop=at_epoch_10(name))
            train(config, place, programs=programs, resume=True)
    return directory


def at_epoch_10(name):
    """Stops the L2 runs after twenty calls, two an epoch; the others never."""
    calls = itertools.count()
    return lambda: name == "l2" and next(calls) > 20


@pytest.fixture(scope="session")
def board(runs):
    """TensorBoard's plugins on these runs."""
    return open_plugins(runs)
