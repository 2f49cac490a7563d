"""How long runs will take: some updates and an evaluation of one, timed."""

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
    """Seconds that runs will take in worker processes of this machine, start included.

    One run of each condition is timed, and the others are taken to be like it. What is
    compiled for the first run of a trial serves the others.
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
