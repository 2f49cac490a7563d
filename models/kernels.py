"""Which weights of a model a regularizer acts on by default."""

from typing import TYPE_CHECKING

from system.errors import UserError

if TYPE_CHECKING:
    import keras


def is_kernel(variable: "keras.Variable") -> bool:
    """Whether a variable is what L2 and weight decay act on by default.

    That is, if it has two or more axes and is not a bias and not the scale or offset of
    a normalization.
    """
    return len(variable.shape) >= 2 and variable.name not in ("bias", "gamma", "beta")


def kernels(model: "keras.Model") -> "dict[str, keras.Variable]":
    """The trainable kernels of a model by name.

    A kernel is named by its layer, `hidden_1`, without the model's name, so that the
    names line up across models.

    Raises:
        UserError: Two have one name.
    """
    found = [variable for variable in model.trainable_variables if is_kernel(variable)]
    named = {
        v.path.removeprefix(f"{model.name}/").removesuffix("/kernel"): v for v in found
    }
    if len(named) < len(found):
        raise UserError(
            f"model {model.name}: expected layers of different names, received "
            f"{', '.join(sorted(v.path for v in found))}"
        )
    return named
