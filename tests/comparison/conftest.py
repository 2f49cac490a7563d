"""Comparisons whose truth is known."""

import numpy as np
import pytest

from comparison.answer import summarize
from comparison.plan import load_comparison

FILE = """
base = "base.toml"
seeds = [0, 1, 2, 3, 4, 5]
{conditions}
[methods.none]

[methods.better]
vary.regularizer.l2 = [1e-3, 1e-2, 1e-1]

[methods.equal]
set.decay.name = "decoupled"
vary.decay.strength = [0.3, 1.0, 3.0]
"""


@pytest.fixture(scope="module")
def simulate(tmp_path_factory):
    """A comparison and its simulated results: `better` is by an effect, `equal` not.

    Runs of one seed share most of their noise; the middle strength is the best.
    """
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "base.toml").write_text(
        "model.name = 'tiny'\noptimizer.ema_momentum = 0.5"
    )

    def make(conditions="", lost=(), seed=0, effect=0.1):
        path = folder / "planted.toml"
        path.write_text(FILE.format(conditions=conditions))
        comparison = load_comparison(path)
        random = np.random.default_rng(seed)
        of_seed = random.normal(scale=0.2, size=len(comparison.file.seeds))
        results = {}
        for run in comparison.runs:
            if run.path.as_posix() in lost:
                continue
            loss = 1.0 + of_seed[run.seed] + random.normal(scale=0.02)
            middle = {
                "none": True,
                "better": run.trial.varied.get("regularizer.l2") == 1e-2,
            }
            equal = run.trial.varied.get("decay.strength") == 1.0
            if not middle.get(run.trial.method, equal):
                loss += 0.5
            elif run.trial.method == "better":
                loss -= effect
            split = {"cross_entropy": loss, "accuracy": 1 - loss / 10, "loss": loss}
            moment = {
                "epoch": 4,
                **dict.fromkeys(("train", "validation", "test"), split),
                "generalization_gap": loss / 2,
                "weight_norm": 10 * loss,
                "weight_norm_of_layer": {"logits": 10 * loss},
                "penalty": 0.0,
            }
            results[run.path] = {
                "status": "completed",
                "seconds": 1.0,
                "final": moment,
                "best": moment,
                "versions": {"python": "3", "keras": "<b>3</b>"},
            }
        return comparison, results, summarize(comparison, results)

    return make
