"""The updates and the evaluations of one run."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import tensorflow as tf
from pydantic import AfterValidator, ConfigDict, FiniteFloat, NonNegativeInt

from data import Data, Split
from models import kernels
from system.errors import UserError
from training import TrainingSettings
from training.measures import Evaluation, Measurement, measures_of
from training.program import Program

ORDER_STREAM = 2
GRADIENT_IMAGES = 2000
"""Most training images that gradients are measured on."""

LONGEST_CALL = 1.0
"""Longest time that a compiled call should take, in seconds; signals wait for it."""

INSTEAD = {
    "model.trainable_variables": "the function that makes a model freezes its layers",
    "model.optimizer": "optimizer.name chooses it",
    "optimizer.learning_rate": "a number can be assigned to it",
    "optimizer.weight_decay": "with decay, optimizer.weight_decay.assign(number)",
}
"""What callbacks cannot replace, and what they can do instead."""

AS_TRAINED = "as trained"
RESTORED = "restored from the best evaluation"
CHANGED = "changed by a callback"
"""What may have become of the weights that a run ends with."""


def check_finite(best: Measurement) -> Measurement:
    if not best.finite:
        raise ValueError("expected finite losses")
    return best


@dataclass
class State:
    """How far a run has come. A checkpoint holds this and the variables.

    Attributes:
        run: Identity of the run, which alone a checkpoint can continue.
        updates: Updates made.
        rate_factor: Factor by which callbacks have changed the scheduled learning
            rates.
        seconds: Seconds spent on the run by earlier processes.
        best: Evaluation with the lowest criterion on the validation images; None if
            there is none yet.
        changes: Entries of the fingerprint (code, data or versions) that had changed
            when the run was resumed.
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="constants")

    run: str
    updates: NonNegativeInt
    rate_factor: FiniteFloat
    seconds: FiniteFloat
    best: Annotated[Measurement, AfterValidator(check_finite)] | None
    changes: list[str]


class Block(NamedTuple):
    """Consecutive updates of an epoch with batches of one size.

    Attributes:
        first: Number of the first update, counted from the start of the run.
        batches: Indices of training images, (updates, batch).
        rates: Learning rates, (updates,).
    """

    first: int
    batches: np.ndarray
    rates: np.ndarray


class Trainer:
    """Trains and evaluates a model.

    The order of images, dropout masks and learning rates are functions of the seed and
    of the number of an update. So a run can be interrupted between any two compiled
    calls, and continued from `state`, `best_weights` and `variables`.
    """

    def __init__(
        self,
        program: Program,
        data: Data,
        multipliers: np.ndarray,
        settings: TrainingSettings,
        seed: int,
        identity: str = "",
    ):
        """
        Args:
            program: Program with the model and the optimizer of the run. The learning
                rate of the optimizer is the peak.
            data: Training and validation images.
            multipliers: Multiplier of the peak learning rate in each update,
                (updates,).
            settings: Settings of the training.
            seed: Seed of the order of images and of dropout masks.
            identity: Identity of the run, saved in its checkpoints.
        """
        self.settings, self.seed, self.data = settings, seed, data
        self.use(program)
        self.measures = measures_of(program.task)
        self.criterion = next(iter(self.measures))
        self._train = as_tensors(data.train)
        every, some = len(data.validation), settings.curve_images
        self.curve_images = every if some == "all" else min(some, every)
        self._evaluated = self._first_images(self.curve_images)
        self.count = len(data.train)
        self.updates_per_epoch = settings.updates_per_epoch(self.count)
        self._rates = multipliers * float(self.optimizer.learning_rate)
        self.optimizer.learning_rate = self._rates[0]
        self._updates_per_call = 64
        self._update_seconds, self._timed_updates = 0.0, 0
        self._started = time.monotonic()
        self.state = State(identity, 0, 1.0, 0.0, None, [])
        self.best_weights: list[np.ndarray] = []
        self.previous_kernels: list[np.ndarray] | None = None
        self.trained_weights: list[np.ndarray] = []

    def use(self, program: Program) -> None:
        """Train with a program: that of this run, or of an earlier one."""
        self.program = program
        self.model, self.optimizer = program.model, program.optimizer
        self._compiled = self._replaceable()

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.state.updates // self.updates_per_epoch

    @property
    def within_epoch(self) -> bool:
        return self.state.updates % self.updates_per_epoch > 0

    @property
    def seconds(self) -> float:
        """Seconds spent on the run, by this process and by earlier ones."""
        return self.state.seconds + time.monotonic() - self._started

    @property
    def variables(self) -> list:
        """The variables of the model and the optimizer, and hidden ones: all that
        updates change."""
        return [*self.program.variables, *self.program.hidden_variables]

    def weights(self) -> list[np.ndarray]:
        """The values of all variables of the model."""
        return [variable.numpy() for variable in self.model.variables]

    def trace(self) -> None:
        """Have the program find out what it uses."""
        updates = [self._arguments(block, 0, 0) for block in self._blocks(0)]
        self.program.trace(updates, self._evaluated["train"])

    def compile(self) -> None:
        """Compile the updates, by calls that make none.

        Raises:
            UserError: XLA cannot compile the model.
        """
        self.trace()
        try:
            for block in self._blocks(0):
                self._call(block, 0, 0)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not self.program.jit:
                raise
            reason = str(error).strip().partition("\n")[0][:200]
            raise UserError(
                "XLA cannot compile this model; training.jit_compile=false trains "
                f"it without ({reason})"
            ) from error

    def train_epoch(self, evaluated: bool) -> Iterator[None]:
        """Make the remaining updates of the epoch, and yield after each compiled call.

        Args:
            evaluated: Whether an evaluation follows. It needs the kernels as they were
                before the last update, which are then kept in `previous_kernels`.
        """
        for block in self._blocks(self.epoch):
            count = len(block.batches)
            while (first := self.state.updates - block.first) < count:
                last = min(first + self._updates_per_call, count)
                started = time.perf_counter()
                self._make_updates(block, first, last, evaluated)
                seconds = time.perf_counter() - started
                self._update_seconds += seconds
                self._timed_updates += last - first
                self.state.updates += last - first
                if seconds < LONGEST_CALL / 2:
                    self._updates_per_call *= 2
                elif seconds > LONGEST_CALL:
                    self._updates_per_call = max(1, self._updates_per_call // 2)
                yield

    def _make_updates(self, block, first, last, evaluated):
        """Make updates of a block, from `first` to `last - 1`."""
        if (
            evaluated
            and (self.state.updates + last - first) % self.updates_per_epoch == 0
        ):
            if first < last - 1:
                self._call(block, first, last - 1)
            self.previous_kernels = [k.numpy() for k in kernels(self.model).values()]
            first = last - 1
        self._call(block, first, last)

    def _blocks(self, epoch: int) -> Iterator[Block]:
        """The batches of an epoch: whole ones, then the smaller last one, if any."""
        random = np.random.default_rng([self.seed, ORDER_STREAM, epoch])
        order = random.permutation(self.count).astype(np.int32)
        rates = self._scheduled_rates(epoch) * self.state.rate_factor
        first, size = epoch * self.updates_per_epoch, self.settings.batch_size
        whole = self.count // size
        if whole:
            batches = order[: whole * size].reshape(whole, size)
            yield Block(first, batches, rates[:whole])
        if self.count % size:
            yield Block(first + whole, order[None, whole * size :], rates[whole:])

    def _scheduled_rates(self, epoch: int) -> np.ndarray:
        first = epoch * self.updates_per_epoch
        return self._rates[first : first + self.updates_per_epoch]

    def _arguments(self, block: Block, first: int, last: int) -> list[tf.Tensor]:
        return [
            *self._train,
            tf.constant(block.batches),
            tf.constant(block.rates, tf.float32),
            tf.constant(first),
            tf.constant(last),
            tf.constant([self.seed, block.first], tf.int64),
        ]

    def _call(self, block: Block, first: int, last: int) -> None:
        self.program.train(*self._arguments(block, first, last))

    @contextlib.contextmanager
    def open_to_callbacks(self) -> Iterator[None]:
        """Let callbacks change the learning rate in this context.

        The optimizer holds the highest scheduled rate of the next epoch. If a callback
        assigns another, the whole schedule is scaled by the ratio of the two.

        Raises:
            UserError: A callback replaced something that the updates were compiled
                with.
        """
        highest = max(self._scheduled_rates(self.epoch), default=0.0)
        if self.state.updates < len(self._rates):
            self.optimizer.learning_rate = highest * self.state.rate_factor
        found = float(self.optimizer.learning_rate)
        yield
        rate = float(self.optimizer.learning_rate)
        if highest and rate != found:
            self.state.rate_factor = rate / highest
        for name, objects in self._replaceable().items():
            if list(map(id, objects)) != list(map(id, self._compiled[name])):
                raise UserError(
                    f"callbacks: expected {name} as the updates were compiled with, "
                    f"received another; {INSTEAD[name]}"
                )

    def _replaceable(self) -> dict[str, list[Any]]:
        """Objects that the updates are compiled with, and that would go on being used
        if a callback replaced them."""
        optimizer = getattr(self.model, "optimizer", None) or self.optimizer
        return {
            "model.trainable_variables": self.model.trainable_variables,
            "model.optimizer": [optimizer],
            "optimizer.learning_rate": [self.optimizer._learning_rate],
            "optimizer.weight_decay": [self.optimizer.weight_decay],
        }

    def ends_with(self) -> str:
        """What callbacks have made of the weights since the last update."""
        weights = self.weights()
        if not self.trained_weights or equal_bits(weights, self.trained_weights):
            return AS_TRAINED
        return RESTORED if equal_bits(weights, self.best_weights) else CHANGED

    def evaluate_split(self, split: Split) -> tuple[Evaluation, np.ndarray]:
        """Evaluate images; returns what `Program.evaluate` does."""
        return self.program.evaluate(*as_tensors(split))

    def _first_images(self, most: int) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """The first images of each set to evaluate, by its name."""
        sets = {
            "train": self.data.train[:most],
            "validation": self.data.validation[:most],
            **self.data.memorized(most),
        }
        return {name: as_tensors(images) for name, images in sets.items()}

    def measure(self, all_images: bool = False) -> Measurement:
        """Evaluate the current weights on training and validation images.

        Args:
            all_images: Whether to use all validation images, and as many training
                images; by default the first `curve_images` of each.
        """
        evaluated = self._evaluated
        if all_images and self.curve_images < len(self.data.validation):
            evaluated = self._first_images(len(self.data.validation))
        found = {
            name: self.program.evaluate(*images)[0]
            for name, images in evaluated.items()
        }
        train, validation = found.pop("train"), found.pop("validation")
        losses = [m.validation[self.criterion] for m in [self.state.best] if m]
        decay = self.optimizer.weight_decay
        updates, self._timed_updates = self._timed_updates, 0
        seconds, self._update_seconds = self._update_seconds, 0.0
        return Measurement(
            epoch=self.epoch,
            step=self.state.updates,
            train=train,
            validation=validation,
            memorized={name: each["accuracy"] for name, each in found.items()},
            penalty=float(self.program.penalty()),
            criterion=self.criterion,
            best_validation=min([*losses, validation[self.criterion]]),
            learning_rate=float(self.optimizer.learning_rate),
            weight_decay=0.0 if decay is None else float(decay),
            decay=getattr(self.optimizer, "decay_share", 0.0),
            epoch_seconds=(
                seconds / updates * self.updates_per_epoch if updates else None
            ),
            updates_per_epoch=self.updates_per_epoch,
            weights_finite=bool(self.program.finite()),
        )

    def gradients(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Gradients of the loss and of the penalty with respect to the kernels.

        They are computed on the first GRADIENT_IMAGES training images, dropout off.
        """
        pixels, labels = (part[:GRADIENT_IMAGES] for part in self._evaluated["train"])
        loss, penalty = self.program.gradients(pixels, labels)
        return [g.numpy() for g in loss], [g.numpy() for g in penalty]

    def keep_if_best(self, measurement: Measurement) -> None:
        """Keep the weights if they are finite and have the lowest criterion so far."""
        best, key = self.state.best, self.criterion
        lower = best is None or measurement.validation[key] < best.validation[key]
        if lower and measurement.finite:
            self.state.best, self.best_weights = measurement, self.weights()


def equal_bits(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    """Whether arrays hold the same bits."""
    return [array.tobytes() for array in some] == [a.tobytes() for a in others]


def as_tensors(split: Split) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.constant(split.pixels), tf.constant(split.labels)
