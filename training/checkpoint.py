"""All that `--resume` needs, in one file."""

import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from errors import UserError
from run_directory import CHECKPOINT
from training.files import replacing
from training.trainer import Trainer

FILE = f"{CHECKPOINT}/state.npz"


def save_checkpoint(directory: Path, trainer: Trainer) -> None:
    arrays = {
        "model": [v.numpy() for v in trainer.model.variables],
        "optimizer": [v.numpy() for v in trainer.optimizer.variables],
        "best": trainer.best_weights,
    }
    named = {
        f"{k}/{i}": array
        for k, group in arrays.items()
        for i, array in enumerate(group)
    }
    state = np.frombuffer(json.dumps(trainer.state()).encode(), np.uint8)
    path = directory / FILE
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, state=state, **named)


def load_checkpoint(directory: Path, trainer: Trainer) -> bool:
    """Put a trainer back to where it was saved.

    Returns:
        Whether there was a checkpoint.

    Raises:
        UserError: It is damaged, or of another architecture or optimizer.
    """
    path = directory / FILE
    model, optimizer = trainer.model.variables, trainer.optimizer.variables
    try:
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(file["state"].tobytes())
            groups = {"model": model, "optimizer": optimizer, "best": model}
            arrays = {
                group: [file[f"{group}/{i}"] for i in range(len(variables))]
                for group, variables in groups.items()
            }
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UserError(f"{path}: damaged ({error}); --overwrite starts anew") from None
    variables = [*model, *optimizer]
    values = [*arrays["model"], *arrays["optimizer"]]
    restored = list(zip(variables, values, strict=True))
    for variable, array in restored:
        if array.shape != tuple(variable.shape):
            raise UserError(
                f"{path}: expected {variable.path} of shape {tuple(variable.shape)}, "
                f"received {array.shape}; --overwrite starts anew"
            )
    for variable, array in restored:
        variable.assign(array)
    trainer.restore(state, arrays["best"])
    return True
