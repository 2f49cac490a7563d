"""Optimizers: how weights step, how they decay, and schedules of the learning rate.

A function of OPTIMIZERS returns a fresh `keras.optimizers.Optimizer` without decay; one
of DECAYS, a rule of decay or None. The settings of both are their keyword-only
parameters. To add one, write it in a file of its own and name it here.
"""

from collections.abc import Callable

from optimizers import decay, steps
from optimizers.steps import prepare

OPTIMIZERS: dict[str, Callable] = {
    "sgd": steps.sgd,
    "adam": steps.adam,
    "nadam": steps.nadam,
    "adopt": steps.adopt,
    "schedule_free": steps.schedule_free,
    "lion": steps.lion,
    "muon": steps.muon,
}

DECAYS: dict[str, Callable] = {
    "none": decay.none,
    "decoupled": decay.Decoupled,
    "independent": decay.Independent,
    "normalized": decay.Normalized,
    "timescale": decay.Timescale,
    "corrected": decay.Corrected,
    "scheduled": decay.Scheduled,
    "huber": decay.Huber,
    "to_start": decay.ToStart,
    "cautious": decay.Cautious,
    "random_mask": decay.RandomMask,
    "fixed_norm": decay.FixedNorm,
    "constrained": decay.Constrained,
}

__all__ = ["DECAYS", "OPTIMIZERS", "prepare"]
