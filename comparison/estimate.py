"""Estimates how long runs will take, from a few updates and evaluations."""

import time
from collections.abc import Sequence

from comparison.plan import Run
from data import as_arrays
from experiment.config import Config
from system.processes import import_keras
from train import make_trainer

SECONDS_TO_START = 4.0
"""To load TensorFlow, measured on two cores."""


def estimate_seconds(runs: Sequence[Run], workers: int) -> float:
    """Seconds that runs will take in worker processes of this machine.

    One run of each condition is timed, and the others are assumed to take as long. Only
    the first run of a trial compiles.
    """
    import_keras()
    seconds = SECONDS_TO_START * workers
    for condition in {run.trial.condition for run in runs}:
        alike = [run for run in runs if run.trial.condition == condition]
        compiling, training = time_run(alike[0].config)
        trials = {run.trial for run in alike}
        seconds += compiling * len(trials) + training * len(alike)
    return seconds / workers


def time_run(config: Config) -> tuple[float, float]:
    """Time a run: seconds to compile it, and seconds to train and evaluate it."""
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
