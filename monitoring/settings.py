"""The settings of what a run shows."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MonitoringSettings:
    """What is written while a run trains, besides its history.

    Args:
        tensorboard: Whether to write event files for TensorBoard.
    """

    tensorboard: bool = True
