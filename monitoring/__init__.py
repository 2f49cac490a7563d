"""The outputs of a run: event files for TensorBoard, a history, the terminal."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MonitoringSettings:
    """What is written while a run trains, besides its history.

    Args:
        tensorboard: Whether to write event files for TensorBoard.
        detail: Whether to log every statistic of the weights: singular values,
            sparsity, gradients and decay besides norms, distances and updates.
    """

    tensorboard: bool = True
    detail: bool = False
