"""Architectures and regularizers.

Each function of MODELS returns a plain `keras.Model` of logits. To add yours, write a
function `(image_shape, num_classes, *, settings...)` in a file of its own and name it
here. One of REGULARIZERS returns the penalty on a kernel.
"""

from collections.abc import Callable

from models import regularizers
from models.cnn import cnn
from models.mlp import mlp
from models.regularizers import is_kernel, kernels
from models.residual_mlp import residual_mlp

MODELS: dict[str, Callable] = {
    "mlp": mlp,
    "residual_mlp": residual_mlp,
    "cnn": cnn,
}

REGULARIZERS: dict[str, Callable] = {
    "l1l2": regularizers.l1l2,
    "orthogonal": regularizers.orthogonal,
    "spectral_norm": regularizers.spectral_norm,
    "to_start": regularizers.to_start,
}

__all__ = ["MODELS", "REGULARIZERS", "is_kernel", "kernels", "mlp"]
