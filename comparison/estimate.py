"""How long runs will take: some updates and an evaluation of each kind, timed."""

import json
import time
from collections.abc import Iterable

from comparison.plan import Run
from data import as_arrays
from experiment.config import Config
from train import make_trainer

SECONDS_TO_START, SECONDS_OF_UPDATES = 4.0, 0.5
"""To load TensorFlow, measured on two cores; and of updates of each kind, at least."""


def estimate_seconds(runs: Iterable[Run], workers: int) -> float:
    """Seconds that runs will take in worker processes of this machine, start included.

    Runs are of one kind if they differ in seed or in numbers with a point alone, such
    as strengths and rates, which take no time.
    """
    kinds: dict[str, tuple[Config, int]] = {}
    for run in runs:
        tables = json.dumps(run.config.tables() | {"name": "", "seed": 0})
        kind = json.dumps(json.loads(tables, parse_float=lambda _: 0.0))
        config, count = kinds.get(kind, (run.config, 0))
        kinds[kind] = config, count + 1
    seconds = sum(count * seconds_of(config) for config, count in kinds.values())
    return SECONDS_TO_START + seconds / workers


def seconds_of(config: Config) -> float:
    """Seconds that one run will take."""
    started = time.perf_counter()
    data = config.split.build(as_arrays(config.dataset.build()), config.seed)
    _, _, trainer = make_trainer(config, data)
    trainer.compile()
    trainer.measure()
    prepared = time.perf_counter()
    trainer.measure()
    evaluated = time.perf_counter()
    for _ in trainer.train_epoch(evaluated=False):
        if time.perf_counter() - evaluated > SECONDS_OF_UPDATES:
            break
    update = (time.perf_counter() - evaluated) / trainer.state.updates
    settings = trainer.settings
    evaluations = 2 + -(-settings.epochs // settings.evaluate_every)
    return (
        (prepared - started)
        + evaluations * (evaluated - prepared)
        + settings.epochs * trainer.updates_per_epoch * update
    )
