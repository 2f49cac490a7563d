"""How long runs will take: some updates and an evaluation of a few, timed."""

import time
from collections import Counter
from collections.abc import Sequence

from comparison.plan import Run
from data import as_arrays
from experiment.config import Config
from system.processes import import_keras
from train import make_trainer

SECONDS_TO_START = 4.0
"""To load TensorFlow, measured on two cores."""

MOST_TIMED = 6
"""Trials that are timed, at most: the others are taken to be like these."""


def estimate_seconds(runs: Sequence[Run], workers: int) -> float:
    """Seconds that runs will take in worker processes of this machine, start included.

    What is compiled for the first run of a trial serves the others.
    """
    import_keras()
    counts = Counter(run.trial for run in runs)
    first = {run.trial: run for run in reversed(runs)}
    timed = list(counts)[:: -(-len(counts) // MOST_TIMED)]
    seconds = 0.0
    for trial in timed:
        compiling, training = time_run(first[trial].config)
        seconds += compiling + counts[trial] * training
    every = sum(counts.values()) / sum(counts[trial] for trial in timed)
    return SECONDS_TO_START + seconds * every / workers


def time_run(config: Config) -> tuple[float, float]:
    """Seconds that a run takes to compile, and to train and evaluate."""
    data = config.split.build(as_arrays(config.dataset.build()), config.seed)
    started = time.perf_counter()
    _, _, trainer = make_trainer(config, data)
    trainer.compile()
    trainer.measure()
    compiled = time.perf_counter()
    trainer.measure()
    evaluated = time.perf_counter()
    next(trainer.train_epoch(evaluated=False))
    trained = time.perf_counter()
    epochs = trainer.settings.epochs
    calls = epochs * trainer.updates_per_epoch / trainer.state.updates
    evaluations = 2 + epochs / trainer.settings.evaluate_every
    training = (evaluated - compiled) * evaluations + (trained - evaluated) * calls
    return compiled - started, training
