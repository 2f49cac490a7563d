"""Types of settings that several architectures have."""

from typing import Annotated, Literal

from annotated_types import Interval

Activation = Literal[
    "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "tanh", "sigmoid"
]
Units = Annotated[int, Interval(ge=1, le=65_536)]
Rate = Annotated[float, Interval(ge=0, lt=1)]
