"""How long runs will take: some updates and an evaluation of each kind, timed."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from comparison.plan import Run
from data import as_arrays
from experiment.config import Config
from system.processes import import_keras
from train import make_trainer

SECONDS_TO_START = 4.0
"""To load TensorFlow, measured on two cores."""

MOST_KINDS = 8
"""Kinds of runs that are timed, at most: the others are taken to be like these."""


def estimate_seconds(runs: Iterable[Run], workers: int) -> float:
    """Seconds that runs will take in worker processes of this machine, start included.

    Runs are of one kind if they differ in seed or in numbers with a point alone, such
    as strengths and rates, which take no time.
    """
    kinds: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        tables = json.dumps(run.config.tables() | {"name": "", "seed": 0})
        kind = json.dumps(json.loads(tables, parse_float=lambda _: 0.0))
        kinds[kind].append(run)
    import_keras()
    seconds = count = 0.0
    for alike in list(kinds.values())[:: -(-len(kinds) // MOST_KINDS)]:
        programs: dict[str, Any] = {}
        first, other = (seconds_of(alike[0].config, programs) for _ in range(2))
        settings = len({run.setting for run in alike})
        seconds += settings * first + (len(alike) - settings) * other
        count += len(alike)
    every = sum(map(len, kinds.values()))
    return SECONDS_TO_START + seconds / count * every / workers


def seconds_of(config: Config, programs: dict[str, Any]) -> float:
    """Seconds that one run will take.

    Args:
        config: The run.
        programs: What runs before it have compiled, as `train.train` takes it.
    """
    started = time.perf_counter()
    data = config.split.build(as_arrays(config.dataset.build()), config.seed)
    _, _, trainer = make_trainer(config, data, programs)
    trainer.compile()
    trainer.measure()
    prepared = time.perf_counter()
    trainer.measure()
    evaluated = time.perf_counter()
    next(trainer.train_epoch(evaluated=False))
    trained = time.perf_counter()
    settings = trainer.settings
    updates = settings.epochs * trainer.updates_per_epoch
    return (
        (prepared - started)
        + (evaluated - prepared) * (2 + settings.epochs / settings.evaluate_every)
        + (trained - evaluated) * updates / trainer.state.updates
    )
