"""Rules of decay: what an update does to the weights w besides the optimizer's step.

A rule is a class, which `optimizers.decaying.make` adds to any optimizer; its
keyword-only arguments are its settings. Most rules take something off the weights
before their step or after it:

    w <- w - rate * strength * pull

Below, rate = multiplier * peak is the learning rate of the update, and multiplier the
schedule's. To add a rule, write a class with `before` or `after` in a file of its own
and name it in `optimizers/__init__.py`.

Args:
    steps_per_epoch: Updates in one epoch; rules that need it say so.
    epochs: Length of the whole run; likewise.
    strength: Share of a kernel that is taken off per update and unit of learning rate.
    biases: Whether biases and normalization parameters decay too, as under Keras'
        optimizers by default, and not the kernels alone.
"""

import math
import random
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Interval
from pydantic import NonNegativeFloat, PositiveFloat

Array = Any
"""A tensor; between updates a number."""


class Update(NamedTuple):
    """What a rule knows of an update.

    Attributes:
        number: Number of the update in the run, from 1.
        rate: Factor of the strength, which `Decay.rate` returned.
        strength: The strength, which the optimizer's variable `weight_decay` holds.
        memory: Variables for these weights, with the initial values of `Decay.memory`.
    """

    number: Array
    rate: Array
    strength: Array
    memory: list


@dataclass(frozen=True)
class Decay:
    """Base of all rules.

    Attributes:
        strength: Factor of the rate.
        biases: Whether biases decay, too.
        ends: Whether updates depend on the length of the run.
    """

    steps_per_epoch: int
    epochs: int
    strength = 0.0
    biases = False
    ends = False

    def rate(self, number: Array, rate: Array, peak: float) -> Array:
        """Factor of the strength in an update, from its learning rate and the peak."""
        return rate

    def memory(self, weights: Array) -> list:
        """Initial values of what the rule remembers for some weights."""
        return []

    def before(self, w: Array, update: Update) -> Array:
        """The weights that the step is added to."""
        return w

    def after(self, w: Array, stepped: Array, update: Update) -> Array:
        """The new weights, from those before the update and those after the step."""
        return stepped


@dataclass(frozen=True, kw_only=True)
class Decoupled(Decay):
    """Decay as Keras and PyTorch have it in AdamW: it follows the learning rate.

        w <- w - rate * strength * w

    (Loshchilov & Hutter 2019, with their decay times the peak learning rate.)
    """

    strength: NonNegativeFloat = 0.004
    biases: bool = False

    def before(self, w, update):
        return w - w * update.strength * update.rate


@dataclass(frozen=True, kw_only=True)
class Independent(Decoupled):
    """Decay as the paper of AdamW has it: the peak learning rate is not in it.

        w <- w - multiplier * strength * w

    (Loshchilov & Hutter 2019, algorithm 2, line 12.)

    Args:
        strength: Share of a kernel that is taken off per update, whatever the peak
            learning rate.
    """

    strength: NonNegativeFloat = 4e-6

    def rate(self, number, rate, peak):
        return rate / peak


@dataclass(frozen=True, kw_only=True)
class Normalized(Decoupled):
    """Decay whose best strength depends little on the number of updates of the run.

        w <- w - multiplier * strength * sqrt(1 / (steps_per_epoch * epochs)) * w

    with sqrt(b / (B * T)) for the root in the paper: batch size b, training images B,
    epochs T (Loshchilov & Hutter 2019, appendix B.1).

    Args:
        strength: What a run of a single update would take off a kernel.
    """

    strength: NonNegativeFloat = 0.02
    ends = True

    def rate(self, number, rate, peak):
        return rate / (peak * math.sqrt(self.steps_per_epoch * self.epochs))


@dataclass(frozen=True, kw_only=True)
class Timescale(Decay):
    """Decay whose strength is a time: how many epochs of updates the weights remember.

        w <- w - multiplier / (timescale_epochs * steps_per_epoch) * w

    Weights under AdamW are an exponential moving average of its updates, over
    1 / (rate * strength) of them (Wang & Aitchison 2024).

    Args:
        timescale_epochs: Epochs in which decay alone would shrink a kernel to 1/e; from
            1 to the number of epochs is the range to search.
    """

    timescale_epochs: PositiveFloat = 10.0
    biases: bool = False
    strength = 1.0
    before = Decoupled.before

    def rate(self, number, rate, peak):
        return rate / (peak * self.timescale_epochs * self.steps_per_epoch)


class Corrected(Decoupled):
    """Decay that falls with the square of the learning rate, as its equilibrium needs.

        w <- w - rate * (rate / peak) * strength * w

    (AdamC: Defazio 2025.) Where normalization makes the scale of a kernel meaningless,
    its norm tends to the root of step over decay, which stays put under this schedule.
    The paper corrects the kernels before a normalization; here it is all that decay.
    """

    def rate(self, number, rate, peak):
        return rate * rate / peak


@dataclass(frozen=True, kw_only=True)
class Scheduled(Decoupled):
    """Decay with a schedule of its own, which is not the learning rate's.

        w <- w - peak * schedule(t) * strength * w

    in update t of T, where schedule(t) is 1 if "constant",
    (1 + cos(pi * (t - 1) / T)) / 2 if "cosine", and multiplier / (1 + 10 * t / T) if
    "logarithmic" (Ferbach et al. 2026; the 10 and the multiplier are from their code).

    Args:
        schedule: Schedule of the decay. Under "logarithmic" it takes off about as much
            between updates t and 2 * t as between 2 * t and 4 * t.
    """

    schedule: Literal["constant", "cosine", "logarithmic"] = "constant"
    ends = True

    def rate(self, number, rate, peak):
        from keras import ops

        updates = self.steps_per_epoch * self.epochs
        number = ops.cast(number, rate.dtype)
        if self.schedule == "logarithmic":
            return rate / (1 + 10 * number / updates)
        if self.schedule == "constant":
            return peak
        return peak * (1 + ops.cos(math.pi * (number - 1) / updates)) / 2


@dataclass(frozen=True, kw_only=True)
class Huber(Decoupled):
    """Decay that pulls at all large weights alike: their quadratic penalty ends linear.

        w <- w - rate * strength * clip(w, -d, d)        d = threshold * mean(abs(w))

    (AdamHD: Guo & Fan 2025, who average d over updates, and whose step is the implicit
    one: divided by 1 + rate * strength.)

    Args:
        threshold: Size of the weights, relative to the mean of the kernel, from which
            on the pull is constant.
    """

    threshold: PositiveFloat = 1.0

    def before(self, w, update):
        from keras import ops

        most = self.threshold * ops.mean(ops.abs(w))
        return w - ops.clip(w, -most, most) * update.strength * update.rate


class ToStart(Decoupled):
    """Decay towards the weights that the run began with, instead of 0.

        w <- w - rate * strength * (w - w_0)

    (L2-SP: Li, Grandvalet & Davoine 2018, who have it in the loss, to tune a network
    that was trained before.)
    """

    def memory(self, weights):
        return [weights.numpy()]

    def before(self, w, update):
        return w - (w - update.memory[0]) * update.strength * update.rate


class Cautious(Decoupled):
    """Decay of a weight only where its step u does not make it grow.

        w <- w - u - rate * strength * [u * w >= 0] * w

    (Chen et al. 2025, "Cautious Weight Decay".) The decay never works against the
    step, so it does not move the minima of the loss, as plain decay does.
    """

    before = Decay.before

    def after(self, w, stepped, update):
        from keras import ops

        pulled = self.chosen(w, (w - stepped) * w >= 0, update)
        return stepped - ops.where(pulled, w, 0) * update.strength * update.rate

    def chosen(self, w, aligned, update):
        """Which weights decay, given those that the step does not make grow."""
        return aligned


class RandomMask(Cautious):
    """Decay of as many weights as under `cautious`, but at random.

        w <- w - u - rate * strength * [random < mean(u * w >= 0)] * w

    The control that tells whether it matters which weights decay (Chen et al. 2025).
    """

    def memory(self, weights):
        return [random.getrandbits(24)]

    def chosen(self, w, aligned, update):
        import tensorflow as tf

        seed = [tf.cast(part, tf.int64) for part in (update.memory[0], update.number)]
        draws = tf.random.stateless_uniform(w.shape, seed, dtype=w.dtype)
        return draws < tf.reduce_mean(tf.cast(aligned, w.dtype))


class FixedNorm(Decay):
    """Kernels of the norm R that they began with, and steps of that norm times rate.

        w <- R * normalize(w - rate * R * normalize(u))     normalize(x) = x / norm(x)

    for the step u, by Frobenius norms (Hyperball, as AdamH or MuonH: Wen et al. 2026).
    There is no strength: the learning rate is how far a kernel turns in an update.
    """

    def memory(self, weights):
        import tensorflow as tf  # Its norm takes kernels of more than two axes.

        return [tf.norm(weights)]

    def after(self, w, stepped, update):
        import tensorflow as tf

        def normalize(x):
            return x / tf.maximum(tf.norm(x), 1e-12)

        radius = update.memory[0]
        return radius * normalize(w - update.rate * radius * normalize(w - stepped))


@dataclass(frozen=True, kw_only=True)
class Constrained(Decay):
    """Decay that keeps a kernel's sum of squares S at the inflection of its growth.

        S <- sum(w^2)        average <- smoothing * average + (1 - smoothing) * S
        bound <- S           once, as average grows less between two looks than before
        p <- max(0, p + (S - bound) / size)           w <- w - 2 * p * w

    (CPR: Franke et al. 2024, as their code has it: an augmented Lagrangian for each
    kernel, with the multiplier p.) There is no strength, and no learning rate in it.

    Args:
        look_epochs: Epochs from one look at the average to the next; the bound is set
            at the fourth at the earliest.
        smoothing: Share of the average that an update keeps.
    """

    look_epochs: PositiveFloat = 1.0
    smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.9

    def memory(self, weights):
        return [0.0] * 5

    def after(self, w, stepped, update):
        from keras import ops

        bound, multiplier, average, seen, growth = update.memory
        interval = max(1, round(self.look_epochs * self.steps_per_epoch))
        looks = update.number % interval == 0
        squares = ops.sum(ops.square(stepped))
        excess = (squares - bound) / math.prod(w.shape)
        raised = ops.maximum(multiplier + excess, 0)
        multiplier.assign(ops.where(bound > 0, raised, 0))
        average.assign(self.smoothing * average + (1 - self.smoothing) * squares)
        grown = average - seen
        slows = looks & (update.number > 3 * interval) & (grown < growth)
        bound.assign(ops.where(slows & (bound == 0), squares, bound))
        growth.assign(ops.where(looks, grown, growth))
        seen.assign(ops.where(looks, average, seen))
        return stepped - 2 * multiplier * stepped


def none(steps_per_epoch: int, epochs: int) -> None:
    """No decay."""
