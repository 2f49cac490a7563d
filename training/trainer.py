"""The updates and the evaluations of one run."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from pydantic import ConfigDict, NonNegativeInt

from data import Data, Split
from models import kernels
from optimizers import decay_share
from system.errors import UserError
from training.measurement import Evaluation, Measurement
from training.program import EVALUATION_BLOCK, Program
from training.settings import TrainingSettings

ORDER_STREAM = 2
GRADIENT_IMAGES = 2000
"""Training images, at most, that gradients are measured on."""

LONGEST_CALL = 1.0
"""Seconds after which a compiled call should return, so that a signal is heard."""


@dataclass(frozen=True)
class State:
    """What continues a run, besides its arrays.

    Attributes:
        update: Updates made.
        rate_factor: That callbacks have put on the learning rate.
        seconds: Since the run began, without the time it lay interrupted.
        best: The evaluation with the lowest validation cross-entropy.
    """

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    update: NonNegativeInt
    rate_factor: float
    seconds: float
    best: Measurement | None


class Trainer:
    """A model, its optimizer and its data, and how far training has come.

    An update depends on the seed and its own number alone: order, dropout masks and
    learning rate are functions of them. So a run can be cut between any two calls, and
    continued from `state()`, `best_weights` and the variables of model and optimizer.
    """

    def __init__(
        self,
        program: Program,
        data: Data,
        multipliers: np.ndarray,
        settings: TrainingSettings,
        seed: int,
    ):
        """
        Args:
            program: Has taken over the model and the optimizer of the run; the learning
                rate of the optimizer is its peak.
            data: Training and validation images.
            multipliers: Of the peak learning rate, one per update.
            settings: Of the training.
            seed: Of the order.
        """
        self.program, self.settings, self.seed = program, settings, seed
        self.data = data
        self.model, self.optimizer = program.model, program.optimizer
        self._train = as_tensors(data.train)
        self._train_subset = as_tensors(data.train[: len(data.validation)])
        self._validation = as_tensors(data.validation)
        self.count = len(data.train)
        self.updates_per_epoch = settings.updates_per_epoch(self.count)
        self._rates = multipliers * float(self.optimizer.learning_rate)
        self._rate_factor = 1.0
        self.optimizer.learning_rate = self._rates[0]
        self._rate_left = float(self.optimizer.learning_rate)
        self._updates_per_call = 64
        self._update_seconds, self._timed_updates = 0.0, 0
        self._earlier_seconds, self._started = 0.0, time.monotonic()
        self.update = 0
        self.best: Measurement | None = None
        self.best_weights: list[np.ndarray] = []
        self.previous_kernels: list[np.ndarray] | None = None

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.update // self.updates_per_epoch

    @property
    def within_epoch(self) -> bool:
        return self.update % self.updates_per_epoch > 0

    @property
    def seconds(self) -> float:
        """Since the run began, without the time it lay interrupted."""
        return self._earlier_seconds + time.monotonic() - self._started

    def state(self) -> State:
        return State(self.update, self._rate_factor, self.seconds, self.best)

    def restore(self, state: State, best_weights: list[np.ndarray]) -> None:
        """Continue from a state; the variables have been restored already."""
        self.update, self._rate_factor = state.update, state.rate_factor
        self._rate_left = float(self.optimizer.learning_rate)
        self._earlier_seconds = state.seconds
        self.best, self.best_weights = state.best, best_weights

    def compile(self) -> None:
        """Compile the updates now, by making none of them.

        Raises:
            UserError: XLA cannot compile the model.
        """
        try:
            for batches, rates in self._blocks(0):
                self._call(batches, rates, 0, 0)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not self.settings.jit_compile:
                raise
            reason = str(error).strip().partition("\n")[0][:200]
            raise UserError(
                "XLA cannot compile this model; training.jit_compile=false trains it "
                f"without, slower ({reason})"
            ) from error

    def train_epoch(self) -> Iterator[None]:
        """Make what is left of the current epoch, pausing after each compiled call."""
        done = self.update % self.updates_per_epoch
        for batches, rates in self._blocks(self.epoch):
            count = len(batches)
            first, done = min(done, count), max(done - count, 0)
            while first < count:
                last = min(first + self._updates_per_call, count)
                started = time.perf_counter()
                self._make_updates(batches, rates, first, last)
                seconds = time.perf_counter() - started
                self._update_seconds += seconds
                self._timed_updates += last - first
                self.update += last - first
                first = last
                if seconds < LONGEST_CALL / 2:
                    self._updates_per_call *= 2
                elif seconds > LONGEST_CALL:
                    self._updates_per_call = max(1, self._updates_per_call // 2)
                self._rate_left = float(self.optimizer.learning_rate)
                yield

    def _make_updates(self, batches, rates, first, last):
        """Make updates; keep the kernels that the last before an evaluation meets."""
        epochs, rest = divmod(self.update + last - first, self.updates_per_epoch)
        if rest == 0 and self.settings.evaluates_after(epochs):
            if first < last - 1:
                self._call(batches, rates, first, last - 1)
            self.previous_kernels = [k.numpy() for k in kernels(self.model).values()]
            first = last - 1
        self._call(batches, rates, first, last)

    def _blocks(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """An epoch's whole batches, then its smaller last one, each with its rates."""
        random = np.random.default_rng([self.seed, ORDER_STREAM, epoch])
        order = random.permutation(self.count).astype(np.int32)
        first = epoch * self.updates_per_epoch
        rates = self._rates[first : first + self.updates_per_epoch] * self._rate_factor
        size = self.settings.batch_size
        whole = self.count // size
        if whole:
            yield order[: whole * size].reshape(whole, size), rates[:whole]
        if self.count % size:
            yield order[None, whole * size :], rates[whole:]

    def _call(self, batches, rates, first, last):
        self.program.updates(
            *self._train,
            tf.constant(batches),
            tf.constant(rates, tf.float32),
            tf.constant(first),
            tf.constant(last),
        )

    def follow_rate_changes(self) -> None:
        """Take over what a callback did to the learning rate: a factor from now on."""
        rate = float(self.optimizer.learning_rate)
        if rate != self._rate_left and self._rate_left > 0:
            self._rate_factor *= rate / self._rate_left
            self._rate_left = rate

    def evaluate(self, pixels: tf.Tensor, labels: tf.Tensor) -> Evaluation:
        return Evaluation(*self.program.evaluate(pixels, labels).numpy().tolist())

    def evaluate_split(self, split: Split) -> Evaluation:
        return self.evaluate(*as_tensors(split))

    def predict(self, split: Split) -> np.ndarray:
        """Logits, (images, classes), dropout off."""
        blocks = [
            split[first : first + EVALUATION_BLOCK]
            for first in range(0, len(split), EVALUATION_BLOCK)
        ]
        return np.concatenate([self.model(block.images).numpy() for block in blocks])

    def measure(self) -> Measurement:
        """Evaluate train, validation and penalty on the weights as they are."""
        train = self.evaluate(*self._train_subset)
        validation = self.evaluate(*self._validation)
        loss = validation.cross_entropy
        decay = self.optimizer.weight_decay
        per_update = (
            self._update_seconds / self._timed_updates if self._timed_updates else None
        )
        self._update_seconds, self._timed_updates = 0.0, 0
        return Measurement(
            epoch=self.epoch,
            step=self.update,
            train=train,
            validation=validation,
            penalty=float(self.program.penalty()),
            best_validation=(
                min(self.best.validation.cross_entropy, loss) if self.best else loss
            ),
            learning_rate=float(self.optimizer.learning_rate),
            weight_decay=0.0 if decay is None else float(decay),
            decay=decay_share(self.optimizer),
            epoch_seconds=per_update and per_update * self.updates_per_epoch,
            updates_per_epoch=self.updates_per_epoch,
            weights_finite=bool(self.program.finite()),
        )

    def gradients(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Gradients of the loss and of the penalty by the kernels.

        They are those on the first GRADIENT_IMAGES training images and the weights as
        they are, dropout off.
        """
        pixels, labels = (part[:GRADIENT_IMAGES] for part in self._train_subset)
        loss, penalty = self.program.gradients(pixels, labels)
        return [g.numpy() for g in loss], [g.numpy() for g in penalty]

    def keep_if_best(self, measurement: Measurement) -> None:
        """Keep the weights if no evaluation had a lower validation cross-entropy."""
        loss = measurement.validation.cross_entropy
        if self.best is None or loss < self.best.validation.cross_entropy:
            self.best = measurement
            self.best_weights = [v.numpy() for v in self.model.variables]


def as_tensors(split: Split) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.constant(split.pixels), tf.constant(split.labels)
