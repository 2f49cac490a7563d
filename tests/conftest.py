"""Fixtures: Keras loaded as the entry points load it, and some of MNIST's digits."""

import shutil
from pathlib import Path

import pytest

from experiment.config import Config, load_config
from system.processes import load_keras
from train import train

load_keras(seed=0, threads=1)

SCREENSHOTS = Path(__file__).parents[1] / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """An .npz file of MNIST's first 1,000 training and 200 test digits."""
    path = Path(__file__).with_name("digits.npz")
    return Path(shutil.copy(path, tmp_path_factory.mktemp("digits")))


@pytest.fixture
def float64(monkeypatch):
    """Let Keras compute in float64, so that formulas can be held to their digits."""
    import keras

    monkeypatch.setattr("system.processes.FLOATX", "float64")
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def configure(tmp_path, digits):
    """Make a config: a small network on few digits, and what a test changes of it."""

    def make(*overrides: str, name: str = "experiment") -> Config:
        path = tmp_path / f"{name}.toml"
        path.write_text(
            f"""
            [data]
            name = "npz"
            path = "{digits}"
            train_size = 230
            validation_size = 200
            [model]
            hidden_units = [16, 8]
            [training]
            epochs = 3
            batch_size = 50
            """
        )
        return load_config(path, overrides)

    return make


@pytest.fixture
def run(configure, tmp_path):
    """Train on a config made from overrides, in a directory of its own."""

    def make(*overrides: str, directory: str = "run", **arguments):
        path = tmp_path / directory
        return train(configure(*overrides), path, **arguments), path

    return make


@pytest.fixture(scope="session")
def browser():
    """A page that notes what goes wrong on it."""
    from playwright.sync_api import sync_playwright

    found = [path for name in CHROMIUM if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium to look with: apt install chromium, or Google Chrome")
    SCREENSHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found[0], args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()
