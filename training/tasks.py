"""What a network is trained to tell of an image: the setting `data.task`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """What the labels of a task allow.

    Attributes:
        criterion: Name of the loss that is minimized by default, and of the measure
            that runs are compared by.
        unfit_losses: Names of losses that its labels have no meaning for.
    """

    criterion: str
    unfit_losses: tuple[str, ...] = ()


TASKS = {
    "classification": Task("cross_entropy"),
    "binary": Task("cross_entropy"),
    "regression": Task("mean_squared_error", ("cross_entropy", "focal")),
}
