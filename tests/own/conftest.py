"""What the users of this folder have named in the dictionaries, and their runs."""

import csv
import json

import keras
import pytest

from data import DATASETS
from experiment.config import load_config
from models import MODELS, REGULARIZERS
from optimizers import OPTIMIZERS
from optimizers.schedules import SCHEDULES
from tests.faults.runs import weights_of
from tests.own import datasets, models, optimizers, regularizers
from train import train

BASE = """
[data]
name = "squares"
validation_size = 15
[model]
name = "tiny"
[optimizer]
name = "heavy_ball"
learning_rate = 0.1
[training]
epochs = 2
batch_size = 10
jit_compile = false
[monitoring]
tensorboard = false
"""
"""45 images in batches of 10: the smaller last batch is a call of its own, before which
a run can be stopped."""

WITHIN_LAST_EPOCH = 4
"""How often `should_stop` has been asked then: before training, and after each call."""


@pytest.fixture(scope="module", autouse=True)
def named():
    """Name each function of this folder in the dictionary of its kind.

    The classes of optimizers are taken for some in `optimizers/`, as a user's are.
    """
    with pytest.MonkeyPatch.context() as patch:
        for dictionary, module in (
            (MODELS, models),
            (DATASETS, datasets),
            (OPTIMIZERS, optimizers),
            (REGULARIZERS, regularizers),
        ):
            for name, value in vars(module).items():
                if getattr(value, "__module__", "") == module.__name__:
                    patch.setitem(dictionary, name, value)
        patch.setitem(SCHEDULES, "saw_tooth", optimizers.saw_tooth)
        for value in vars(optimizers).values():
            if isinstance(value, type) and value.__module__ == optimizers.__name__:
                patch.setattr(value, "__module__", "optimizers.own")
        yield


@pytest.fixture
def configure(tmp_path):
    """Make a config: a small run on 45 images, and what a test changes of it."""

    def make(*overrides):
        (tmp_path / "own.toml").write_text(BASE)
        return load_config(tmp_path / "own.toml", overrides)

    return make


@pytest.fixture
def run(configure, tmp_path):
    """Train on a config made from overrides, in a directory of its own."""

    def make(*overrides, directory="run", **arguments):
        path = tmp_path / directory
        return train(configure(*overrides), path, **arguments), path

    return make


@pytest.fixture(scope="module")
def compare(tmp_path_factory):
    """Runs of a comparison of a case: of another seed, then of another strength too."""

    def make(case):
        path = tmp_path_factory.mktemp("comparison") / "own.toml"
        path.write_text(BASE)
        setting, weak, strong = case.vary
        settings = {f"{case.section}.name": case.name, **case.settings}
        common = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
        return [
            load_config(path, [*common, f"{setting}={value}", f"seed={seed}"])
            for value, seed in ((weak, 0), (weak, 1), (strong, 1))
        ]

    return make


@pytest.fixture(scope="module")
def hold(compare, tmp_path_factory):
    """Make the runs of a case in one process, and hold them to what they are to be.

    Each may take over what is not its own: the second that of another seed, the third
    that of another strength. So the one is held to the same run stopped within its
    last epoch and continued, the other to the same run, each by itself.
    """

    def complete(config, programs, stop_at=0):
        directory = tmp_path_factory.mktemp("run")
        if stop_at:
            stopped = train(config, directory, programs={}, should_stop=Asked(stop_at))
            assert (stopped["status"], stopped["final"]["epoch"]) == ("interrupted", 1)
        result = train(config, directory, programs=programs, resume=bool(stop_at))
        assert result["status"] == "completed"
        return state_of(directory)

    def make(case):
        configs, programs = compare(case), {}
        states = [complete(config, programs) for config in configs]
        weights = [state["weights"] for state in states]
        assert all(weights.count(of_run) == 1 for of_run in weights), "equal runs"
        continued = complete(configs[1], {}, stop_at=WITHIN_LAST_EPOCH)
        assert list(differences(states[1], continued)) == [], "shared and continued"
        alone = complete(configs[2], {})
        assert list(differences(states[2], alone)) == [], "shared and alone"

    return make


@pytest.fixture
def weights_in():
    """The arrays of a saved model that has no class of its own, by layer and name."""

    def read(directory):
        model = keras.models.load_model(directory / "model.keras")
        return {
            f"{layer.name}/{variable.name}": variable.numpy()
            for layer in model.layers
            for variable in layer.variables
        }

    return read


class Asked:
    """A `should_stop` that counts how often it is asked, and stops at one of them."""

    def __init__(self, stop_at=0):
        self.times, self.stop_at = 0, stop_at

    def __call__(self):
        self.times += 1
        return self.times == self.stop_at


def state_of(directory):
    """The weights, the numbers and the history of a run, whatever takes time aside."""
    with open(directory / "history.csv", newline="") as file:
        history = [timeless(row) for row in csv.DictReader(file)]
    return {
        "weights": weights_of(directory / "model.keras"),
        "result": timeless(json.loads((directory / "result.json").read_text())),
        "history": history,
    }


def timeless(node):
    """Nested dictionaries without what takes time."""
    if not isinstance(node, dict):
        return node
    return {
        key: timeless(value)
        for key, value in node.items()
        if not (key == "seconds" or key.startswith("time/"))
    }


def differences(one, other, place=""):
    """Where two states differ, a line each."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys(), key=str):
            yield from differences(one.get(key), other.get(key), f"{place}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{place}[{i}]")
    elif one != other:
        yield f"{place}: {str(one)[:60]} against {str(other)[:60]}"
