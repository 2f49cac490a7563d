"""Draws the figures of docs/theory.md, from runs that it makes.

    python -m docs.figures [--runs DIR]

needs matplotlib, and two minutes on two cores.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import keras
import matplotlib.pyplot as plt
import numpy as np

from experiment.config import Config, load_config
from train import train

FOLDER = Path(__file__).parent
BLUES, ORANGES = ("#9ecae1", "#4292c6", "#08519c"), ("#fdae6b", "#f16913", "#a63603")
BASELINE = FOLDER.parent / "configs" / "baseline.toml"
SHORT = ("data.train_size=1000", "training.epochs=60", "training.evaluate_every=60")


class Watch(keras.callbacks.Callback):
    """Keeps the first hidden kernels of each epoch, and the last mean squares."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.square = [], [], None

    def on_train_begin(self, logs=None):
        self.note()

    def on_epoch_end(self, epoch, logs=None):
        self.note()

    def note(self):
        first, second = (self.model.get_layer(f"hidden_{i}").kernel for i in (1, 2))
        self.first.append(first.numpy())
        self.second.append(second.numpy())

    def on_train_end(self, logs=None):
        kernel = self.model.get_layer("hidden_2").kernel
        optimizer = self.model.optimizer
        index = optimizer._get_variable_index(kernel)
        self.square = optimizer._velocities[index].numpy()


def watch(runs: Path, *overrides: str) -> tuple[Watch, Config]:
    config = load_config(BASELINE, [*SHORT, *overrides])
    watching = Watch()
    path = runs / config.name / f"seed={config.seed:02d}"
    train(config, path, overwrite=True, callbacks=[watching])
    print(config.name, flush=True)
    return watching, config


def dead_pixels(config: Config) -> np.ndarray:
    """Which pixels are 0 in all training images."""
    data = config.split.build(config.dataset.build(), config.seed)
    return data.train.images.reshape(len(data.train), -1).max(axis=0) == 0


def share_left(watching: Watch, rows: np.ndarray) -> np.ndarray:
    """Norm of some rows of the first kernel, relative to where it began."""
    norms = np.array([np.linalg.norm(kernel[rows]) for kernel in watching.first])
    return norms / norms[0]


def adamw(strength: float, *more: str) -> tuple[str, ...]:
    return ("decay.name=decoupled", f"decay.strength={strength}", *more)


def draw_dead_pixels(runs: Path, axes) -> None:
    for color, l2 in zip(BLUES, (1e-5, 1e-4, 1e-3), strict=True):
        watching, config = watch(runs, f"regularizer.l2={l2}")
        left = share_left(watching, dead_pixels(config))
        axes.plot(left, color=color, label=f"Adam + L2, l2 = {l2:g}")
    for color, decay in zip(ORANGES, (0.1, 1.0, 3.0), strict=True):
        watching, config = watch(runs, *adamw(decay))
        left = share_left(watching, dead_pixels(config))
        axes.plot(left, color=color, label=f"AdamW, strength = {decay:g}")
    axes.set_yscale("log")
    count = dead_pixels(config).sum()
    axes.set_ylabel(f"norm of the weights of {count} dead pixels\nrelative to epoch 0")
    axes.set_xlabel("epoch (10 updates)")
    axes.legend(fontsize=8, loc="lower left")


def draw_shrink_factor(runs: Path, axes) -> None:
    strength = adamw(3.0)
    lines = {
        "AdamW": strength,
        "AdamW, half the learning rate": (*strength, "optimizer.learning_rate=5e-4"),
        "AdamW, cosine": (*strength, "schedule.name=cosine"),
        "AdamW, warm restarts": (
            *strength,
            "schedule.name=warm_restarts",
            "schedule.first_period_epochs=4.0",
        ),
        "timescale of 10 epochs": (
            "decay.name=timescale",
            "decay.timescale_epochs=10.0",
        ),
        "independent, half the learning rate": (
            "decay.name=independent",
            "decay.strength=3e-3",
            "optimizer.learning_rate=5e-4",
        ),
    }
    styles = ("-", "--", "-", "-", "-", "o")
    for (label, overrides), style in zip(lines.items(), styles, strict=True):
        watching, config = watch(runs, *overrides)
        left = share_left(watching, dead_pixels(config))
        axes.plot(left, style, label=label, markevery=4, markersize=3)
    axes.set_ylabel("what decay alone leaves of a weight")
    axes.set_xlabel("epoch (10 updates)")
    axes.set_ylim(0, 1)
    axes.legend(fontsize=8)


def draw_update_rules(runs: Path, shares, results) -> None:
    """Left, the share of a weight that an update removes; right, what comes of it.

    The weights of the second layer are put into ten groups, by the root mean square of
    their gradients: left in the run itself, right in the one without a regularizer.
    """

    def groups(watching):
        edges = np.quantile(watching.square, np.linspace(0, 1, 11)[1:-1])
        return np.searchsorted(edges, watching.square.ravel())

    def mean(values, group):
        return np.array([values.ravel()[group == i].mean() for i in range(10)])

    plain, _ = watch(runs)
    group, tenths = groups(plain), range(1, 11)
    size = np.sqrt(mean(plain.second[-1] ** 2, group))
    for color, l2 in zip(BLUES, (3e-4, 1e-3, 3e-3), strict=True):
        run, config = watch(runs, f"regularizer.l2={l2}")
        updates = config.training.settings["epochs"] * 10
        adam = config.optimizer.settings
        correction = 1 - adam["beta_2"] ** updates
        divisor = np.sqrt(run.square / correction) + adam["epsilon"]
        removed = adam["learning_rate"] * 2 * l2 / divisor
        label = f"Adam + L2, l2 = {l2:g}"
        shares.plot(tenths, mean(removed, groups(run)), "o-", color=color, label=label)
        left = np.sqrt(mean(run.second[-1] ** 2, group)) / size
        results.plot(tenths, left, "o-", color=color, label=label)
    for color, decay in zip(ORANGES, (1.0, 3.0, 10.0), strict=True):
        run, config = watch(runs, *adamw(decay))
        removed = config.optimizer.settings["learning_rate"] * decay
        label = f"AdamW, strength = {decay:g}"
        shares.plot(tenths, [removed] * 10, "s-", color=color, label=label)
        left = np.sqrt(mean(run.second[-1] ** 2, group)) / size
        results.plot(tenths, left, "s-", color=color, label=label)
    for axes in (shares, results):
        axes.set_xlabel("tenth of the weights, from small to large gradients")
    shares.set_yscale("log")
    shares.set_ylabel("share of a weight removed by one update")
    shares.legend(fontsize=7)
    results.set_ylim(0, None)
    results.set_ylabel("root mean square of the weights\nrelative to no regularizer")


FIGURES = {
    "update_rules": (2, draw_update_rules),
    "shrink_factor": (1, draw_shrink_factor),
    "dead_pixels": (1, draw_dead_pixels),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs/figures"))
    runs = parser.parse_args().runs
    for name, (panels, draw) in FIGURES.items():
        size = (3 + 3.5 * panels, 3.7)
        figure, axes = plt.subplots(1, panels, figsize=size, layout="constrained")
        draw(runs, *np.atleast_1d(axes))
        for panel in np.atleast_1d(axes):
            panel.grid(alpha=0.3)
            panel.spines[["top", "right"]].set_visible(False)
        figure.savefig(FOLDER / f"{name}.png", dpi=120)


if __name__ == "__main__":
    main()
