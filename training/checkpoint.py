"""All that `--resume` needs, in one file."""

import math
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from experiment.run_directory import CHECKPOINT
from system.errors import DamagedError
from system.files import first_of, read_file, replacing, unpack
from training.trainer import State, Trainer

FILE = f"{CHECKPOINT}/state.npz"
STATE = TypeAdapter(State)
ROOM = 2**20
"""Bytes for the state and for what a zip file has besides its contents."""


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
    state = np.frombuffer(STATE.dump_json(trainer.state()), np.uint8)
    path = directory / FILE
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, state=state, **named)


def load_checkpoint(directory: Path, trainer: Trainer) -> bool:
    """Put a trainer back to where it was saved.

    Returns:
        Whether there was a checkpoint.

    Raises:
        DamagedError: It is damaged, or of another architecture or optimizer.
    """
    path = directory / FILE
    model, optimizer = trainer.model.variables, trainer.optimizer.variables
    groups = {"model": model, "optimizer": optimizer, "best": model}
    expected = {
        f"{group}/{i}": variable
        for group, variables in groups.items()
        for i, variable in enumerate(variables)
    }
    most = ROOM + sum(
        math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in expected.values()
    )
    try:
        arrays = unpack(read_file(path, most), most)
        text = arrays.pop("state").tobytes()
        state = STATE.validate_json(text, strict=True)
    except FileNotFoundError:
        return False
    except ValidationError as error:
        raise DamagedError(path, f"damaged ({first_of(error)})") from None
    except Exception as error:
        raise DamagedError(path, f"damaged ({error})") from None
    if arrays.keys() != expected.keys():
        other = sorted(arrays.keys() ^ expected.keys())[0]
        raise DamagedError(
            path, f"expected the checkpoint of this model, received another at {other}"
        )
    for name, variable in expected.items():
        wanted = np.dtype(variable.dtype), tuple(variable.shape)
        received = arrays[name].dtype, arrays[name].shape
        if received != wanted:
            raise DamagedError(
                path,
                f"expected {variable.path} of {wanted[0]} and shape {wanted[1]}, "
                f"received {received[0]} and {received[1]}",
            )
    if state.update >= trainer.updates_per_epoch * trainer.settings.epochs:
        raise DamagedError(path, "expected an unfinished run, received a later update")
    for i, variable in enumerate(model):
        variable.assign(arrays[f"model/{i}"])
    for i, variable in enumerate(optimizer):
        variable.assign(arrays[f"optimizer/{i}"])
    trainer.restore(state, [arrays[f"best/{i}"] for i in range(len(model))])
    return True
