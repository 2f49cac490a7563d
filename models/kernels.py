"""Which weights of a model a regularizer acts on by default."""

from typing import TYPE_CHECKING

from system.errors import UserError

if TYPE_CHECKING:
    import keras


def kernels(model: "keras.Model") -> "dict[str, keras.Variable]":
    """The kernels of a model by name: what L2 and weight decay act on by default.

    A kernel is a trainable variable of two or more axes that is not a bias and not the
    scale or offset of a normalization. It is named by its layer, `hidden_1`, without
    the model's name, so that the names line up across models.

    Raises:
        UserError: Two have one name.
    """
    found = [
        v
        for v in model.trainable_variables
        if len(v.shape) >= 2 and v.name not in ("bias", "gamma", "beta")
    ]
    named = {
        v.path.removeprefix(f"{model.name}/").removesuffix("/kernel"): v for v in found
    }
    if len(named) < len(found):
        raise UserError(
            f"model {model.name}: expected layers of different names, received "
            f"{', '.join(sorted(v.path for v in found))}"
        )
    return named
