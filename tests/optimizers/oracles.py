"""The trajectories that other people's optimizers made on the same task.

`record_oracles.py` makes them; `oracles.npz` holds them, so that the tests need neither
PyTorch nor JAX.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from optimizers.schedules import constant, cosine
from tests.optimizers import task
from tests.reference import float32

PATH = Path(__file__).with_name("oracles.npz")
EVERY = 20
"""Updates between the weights that are kept."""

TINY = 1e-30
"""For epsilon, whose place differs: PyTorch and optax correct the bias before it."""

COSINE = cosine(task.STEPS, task.EPOCHS, warmup_epochs=2)
CONSTANT = constant(task.STEPS, task.EPOCHS)
WARMUP = constant(task.STEPS, task.EPOCHS, warmup_epochs=2)


@dataclass(frozen=True)
class Oracle:
    """One trajectory.

    Attributes:
        optimizer: The name in `OPTIMIZERS`.
        source: Who made it.
        settings: Of the optimizer.
        decay: What the update multiplies by the learning rate and the weights.
        l2: Of the model.
        global_clipnorm: Longest gradient.
        multipliers: Of the learning rate.
    """

    optimizer: str
    source: str
    settings: dict
    decay: float = 0.0
    l2: float = 0.0
    global_clipnorm: float | None = None
    multipliers: np.ndarray = field(default_factory=lambda: COSINE)

    @property
    def rates(self) -> np.ndarray:
        return np.float32(self.settings["learning_rate"] * self.multipliers).astype(
            float
        )


def adam(rate=0.02, **settings):
    return {"learning_rate": rate, "epsilon": TINY, **settings}


SGD = {"learning_rate": 0.05}
DECAY = float32(0.3)

ORACLES = {
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
    "sgdw": Oracle(
        "sgdw",
        "optax trace + add_decayed_weights",
        SGD | {"momentum": 0.9, "weight_decay": DECAY},
        DECAY,
        multipliers=CONSTANT,
    ),
    "adam": Oracle("adam", "torch Adam", adam()),
    "adam + L2": Oracle("adam", "torch Adam(weight_decay)", adam(), l2=0.0625),
    "adamw": Oracle("adamw", "torch AdamW", adam(weight_decay=DECAY), DECAY),
    "adamw, clipped": Oracle(
        "adamw",
        "optax adamw + clip_by_global_norm",
        adam(weight_decay=DECAY),
        DECAY,
        global_clipnorm=0.25,
    ),
    "adamw_independent": Oracle(
        "adamw_independent",
        "optax scale_by_adam + add_decayed_weights",
        adam(weight_decay=0.005),
        0.005 / 0.02,
    ),
    "adamw_normalized": Oracle(
        "adamw_normalized",
        "optax scale_by_adam + add_decayed_weights",
        adam(weight_decay=0.1),
        0.1 / np.sqrt(200) / 0.02,
    ),
    "adamw_timescale": Oracle(
        "adamw_timescale",
        "torch AdamW",
        adam(timescale_epochs=8.0),
        1 / (8 * 10) / 0.02,
    ),
    "adamw_schedule_free": Oracle(
        "adamw_schedule_free",
        "schedulefree AdamWScheduleFree",
        adam(weight_decay=DECAY),
        DECAY,
        multipliers=WARMUP,
    ),
    "amsgradw": Oracle(
        "amsgradw", "torch AdamW(amsgrad)", adam(weight_decay=DECAY), DECAY
    ),
    "nadamw": Oracle(
        "nadamw",
        "torch NAdam(decoupled, momentum_decay=1)",
        adam(weight_decay=DECAY),
        DECAY,
    ),
    "lion": Oracle(
        "lion",
        "optax lion",
        {"learning_rate": 2e-3, "weight_decay": DECAY},
        DECAY,
    ),
    "muon": Oracle(
        "muon", "torch Muon and AdamW", adam(0.002, weight_decay=DECAY), DECAY
    ),
}
