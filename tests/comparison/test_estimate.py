"""The estimate counts the images that runs really look at."""

from collections import Counter

import keras
import pytest

from comparison import estimate
from comparison.plan import load_comparison
from data.npz import read_npz
from training.program import Program

OVERRIDES = ("training.evaluate_every=2", "data.train_size=150")


def test_images_are_counted_as_a_run_makes_them(run, configure, digits, monkeypatch):
    seen = Counter()
    compile_program = Program.__init__

    def compile_and_count(self, *arguments):
        compile_program(self, *arguments)
        updates, evaluate = self.updates, self.evaluate

        def count_updates(images, labels, batches, rates, first, last):
            seen["trained"] += int(last - first) * batches.shape[1]
            return updates(images, labels, batches, rates, first, last)

        def count_evaluated(images, labels):
            seen["evaluated"] += len(labels)
            return evaluate(images, labels)

        self.updates, self.evaluate = count_updates, count_evaluated

    monkeypatch.setattr(Program, "__init__", compile_and_count)
    result, _ = run(*OVERRIDES)
    config = configure(*OVERRIDES)
    if result["best"]["epoch"] == result["final"]["epoch"]:
        seen["evaluated"] += 200
    expected = seen["trained"], seen["evaluated"]
    assert estimate.count_images(config, read_npz(digits)) == expected


def test_a_weight_costs_six_operations_trained_and_two_evaluated(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "operations_per_second", lambda: 1e9)
    (tmp_path / "base.toml").write_text("")
    path = tmp_path / "two.toml"
    path.write_text('base = "base.toml"\nseeds = [0, 1]\n[methods.none]\n')
    runs = load_comparison(path).runs
    weights = 785 * 512 + 513 * 512 + 513 * 10
    trained, evaluated = 100 * 50_000, 102 * 20_000 + 2 * 10_000
    seconds = weights * (6 * trained + 2 * evaluated) / 1e9 / estimate.EFFICIENCY
    start = estimate.SECONDS_TO_START
    one, four = (estimate.estimate_seconds(runs, workers) for workers in (1, 4))
    assert one == pytest.approx(start + 2 * seconds)
    assert four == pytest.approx(start + seconds / 2)


def test_weights_of_a_convolution_are_used_at_each_position():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(2, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    assert sum(map(estimate.uses, model.layers)) == (9 + 1) * 2 * 16 + (32 + 1) * 5
