"""The trajectories that other people's optimizers made on the same task.

`record_oracles.py` makes them; `oracles.npz` holds them, so that the tests need neither
PyTorch nor JAX.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from optimizers import DECAYS, OPTIMIZERS
from optimizers.schedules import constant
from tests.optimizers import task

PATH = Path(__file__).with_name("oracles.npz")
EVERY = 20
"""Updates between the weights that are kept."""

TINY = 1e-30
"""For epsilon, whose place differs: PyTorch and optax correct the bias before it."""

COSINE = task.cosine(warmup_epochs=2)
CONSTANT = constant(task.STEPS, task.EPOCHS)
WARMUP = constant(task.STEPS, task.EPOCHS, warmup_epochs=2)


@dataclass(frozen=True)
class Oracle:
    """One trajectory.

    Attributes:
        optimizer: The name in `OPTIMIZERS`.
        source: Who made it.
        settings: Of the optimizer.
        decay: The name in `DECAYS`.
        decay_settings: Of the rule.
        l2: Of the model.
        global_clipnorm: Longest gradient.
        multipliers: Of the learning rate.
    """

    optimizer: str
    source: str
    settings: dict
    decay: str = "none"
    decay_settings: dict = field(default_factory=dict)
    l2: float = 0.0
    global_clipnorm: float | None = None
    multipliers: np.ndarray = field(default_factory=lambda: COSINE)

    @property
    def peak(self) -> float:
        return self.settings["learning_rate"]

    @property
    def rates(self) -> np.ndarray:
        return np.float32(self.peak * self.multipliers).astype(float)

    @property
    def weight_decay(self) -> float:
        """What the update multiplies by the learning rate and the weights."""
        rule = DECAYS[self.decay](task.STEPS, task.EPOCHS, **self.decay_settings)
        return rule.strength * rule.rate(1, 1.0, self.peak) if rule else 0.0


def adam(rate=0.02, **settings):
    return {"learning_rate": rate, "epsilon": TINY, **settings}


SGD = {"learning_rate": 0.05}
STRENGTH = {"strength": 0.3}

ALL = {
    "sgd": Oracle("sgd", "torch SGD", SGD),
    "sgd, momentum": Oracle(
        "sgd", "torch SGD", SGD | {"momentum": 0.9}, multipliers=CONSTANT
    ),
    "sgd, Nesterov": Oracle(
        "sgd",
        "torch SGD",
        SGD | {"momentum": 0.9, "nesterov": True},
        multipliers=CONSTANT,
    ),
    "sgd + L2": Oracle(
        "sgd",
        "torch SGD(weight_decay)",
        SGD | {"momentum": 0.9},
        l2=0.0625,
        multipliers=CONSTANT,
    ),
    "sgd, decoupled": Oracle(
        "sgd",
        "optax trace + add_decayed_weights",
        SGD | {"momentum": 0.9},
        "decoupled",
        STRENGTH,
        multipliers=CONSTANT,
    ),
    "adam": Oracle("adam", "torch Adam", adam()),
    "adam + L2": Oracle("adam", "torch Adam(weight_decay)", adam(), l2=0.0625),
    "adam, decoupled": Oracle("adam", "torch AdamW", adam(), "decoupled", STRENGTH),
    "adam, decoupled, clipped": Oracle(
        "adam",
        "optax adamw + clip_by_global_norm",
        adam(),
        "decoupled",
        STRENGTH,
        global_clipnorm=0.25,
    ),
    "amsgrad, decoupled": Oracle(
        "adam", "torch AdamW", adam(amsgrad=True), "decoupled", STRENGTH
    ),
    "adam, independent": Oracle(
        "adam",
        "optax scale_by_adam + add_decayed_weights",
        adam(),
        "independent",
        {"strength": 0.005},
    ),
    "adam, normalized": Oracle(
        "adam",
        "optax scale_by_adam + add_decayed_weights",
        adam(),
        "normalized",
        {"strength": 0.1},
    ),
    "adam, timescale": Oracle(
        "adam", "torch AdamW", adam(), "timescale", {"timescale_epochs": 8.0}
    ),
    "adam, corrected": Oracle(
        "adam", "pytorch_optimizer AdamC", adam(), "corrected", STRENGTH
    ),
    "adam, cautious": Oracle("adam", "heavyball AdamW", adam(), "cautious", STRENGTH),
    "adam, fixed_norm": Oracle(
        "adam", "heavyball HyperBallAdamW", adam(beta_1=0.0), "fixed_norm"
    ),
    "adam, constrained": Oracle(
        "adam",
        "pytorch_cpr AdamCPR",
        adam(),
        "constrained",
        {"look_epochs": 0.8, "smoothing": 0.5},
    ),
    "nadam, decoupled": Oracle(
        "nadam",
        "torch NAdam(decoupled, momentum_decay=1)",
        adam(),
        "decoupled",
        STRENGTH,
    ),
    "adopt": Oracle("adopt", "adopt ADOPT", adam(epsilon=1e-6)),
    "schedule_free, decoupled": Oracle(
        "schedule_free",
        "schedulefree AdamWScheduleFree",
        adam(),
        "decoupled",
        STRENGTH,
        multipliers=WARMUP,
    ),
    "lion, decoupled": Oracle(
        "lion", "optax lion", {"learning_rate": 2e-3}, "decoupled", STRENGTH
    ),
    "muon, decoupled": Oracle(
        "muon", "torch Muon and AdamW", adam(0.002), "decoupled", STRENGTH
    ),
}

ORACLES = {
    name: oracle
    for name, oracle in ALL.items()
    if oracle.optimizer in OPTIMIZERS and oracle.decay in DECAYS
}
