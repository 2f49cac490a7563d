"""Architectures: each function returns a plain `keras.Model` of logits.

To add yours, write a function `(image_shape, num_classes, *, settings...)` in a file of
its own and name it here.
"""

from collections.abc import Callable

from models.cnn import cnn
from models.kernels import is_kernel, kernels
from models.mlp import mlp
from models.residual_mlp import residual_mlp

MODELS: dict[str, Callable] = {
    "mlp": mlp,
    "residual_mlp": residual_mlp,
    "cnn": cnn,
}

__all__ = ["MODELS", "is_kernel", "kernels", "mlp"]
