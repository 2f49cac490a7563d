"""The curves of a model's weights under `model.fit`."""

import re
from pathlib import Path

import keras

from models import kernels
from monitoring.events import EventWriter
from monitoring.gallery import Gallery
from monitoring.links import ADDRESS, time_series
from monitoring.weights import KERNEL_SCALARS, WeightReader


class WeightMonitor(keras.callbacks.Callback):
    """Shows in TensorBoard what becomes of the kernels of any model in `model.fit`.

    At the start and after each epoch the callback logs the scalars of
    `monitoring.weights`: norm, distance and cosine to the initial weights, update ratio
    and others, of all kernels and of each layer. Ten times over the training it adds
    histograms and, if the first layer is dense and sees images, a picture of its
    filters.

    The initial weights are those before the first epoch that the callback sees. The
    update ratio is left out where `steps_per_execution` hides the last update.

    Attributes:
        front_page: Link to these curves, relative to TensorBoard's address.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        detail: bool = False,
        image_shape: tuple[int, ...] = (),
    ):
        """
        Args:
            directory: Directory of the event file; its name is that of the run.
            detail: Whether to log the scalars of `KERNEL_SCALARS_IN_DETAIL` too.
            image_shape: Rows and columns of the images that the first layer sees, if
                the shape of the model's input does not tell them.
        """
        super().__init__()
        self._directory = Path(directory).resolve()
        self._detail, self._image_shape = detail, image_shape
        self._reader: WeightReader | None = None
        self._events: EventWriter | None = None
        run = f"(^|/){re.escape(self._directory.name)}$"
        self.front_page = time_series(run, cards=list(KERNEL_SCALARS))

    def on_epoch_begin(self, epoch, logs=None):
        if self._events is None:
            self._begin(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        # The number of batches of a generator is not known: any may be the last, and
        # one more is begun than there are.
        last = batch + 1 >= (self.params["steps"] or 0)
        if last and self.model.steps_per_execution == 1:
            self._before_batch = [k.numpy() for k in kernels(self.model).values()]

    def on_train_batch_end(self, batch, logs=None):
        self._previous = self._before_batch

    def on_epoch_end(self, epoch, logs=None):
        self._record(epoch + 1)

    def on_train_end(self, logs=None):
        self._gallery.finish(self._epoch)
        self._events.close()
        self._events = None
        print(
            f"WeightMonitor: tensorboard --logdir {self._directory.parent}, then "
            f"{ADDRESS}{self.front_page}"
        )

    def _begin(self, epoch):
        if not self.model.built:
            raise ValueError(
                "WeightMonitor: expected a model that has its weights; begin it with "
                "keras.Input, or call it on a batch before fit"
            )
        if self._reader is None or self._reader.model is not self.model:
            self._reader = WeightReader(self.model, self._detail)
        shape = getattr(self.model, "input_shape", ())[1:]
        if not all(isinstance(size, int) for size in shape):
            shape = ()
        self._events = EventWriter(self._directory, self._reader.descriptions)
        self._gallery = Gallery(
            self.model, self._image_shape or shape, self._events, self.params["epochs"]
        )
        self._before_batch = self._previous = None
        self._record(epoch)

    def _record(self, epoch):
        self._epoch = epoch
        decay = getattr(self.model.optimizer, "decay_share", None)
        self._events.write(epoch, self._reader(decay, previous=self._previous))
        self._gallery.record(epoch)
