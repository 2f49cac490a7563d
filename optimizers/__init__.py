"""Optimizers: how weights step, and how they decay.

A function of OPTIMIZERS returns a fresh `keras.optimizers.Optimizer` without decay; one
of DECAYS, a rule of decay or None. The settings of both are their keyword-only
parameters. To add an optimizer, write a function in a file of its own and name it here.
"""

from collections.abc import Callable

from optimizers.adam import adam, adopt, nadam, schedule_free
from optimizers.decay import DECAYS
from optimizers.lion import lion
from optimizers.muon import muon
from optimizers.prepare import decay_share, make, prepare
from optimizers.sgd import sgd

OPTIMIZERS: dict[str, Callable] = {
    "sgd": sgd,
    "adam": adam,
    "nadam": nadam,
    "adopt": adopt,
    "schedule_free": schedule_free,
    "lion": lion,
    "muon": muon,
}

__all__ = ["DECAYS", "OPTIMIZERS", "decay_share", "make", "prepare", *OPTIMIZERS]
