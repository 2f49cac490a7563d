"""All that `--resume` needs, in one file."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from system.errors import DamagedError
from system.files import first_of, read_file, replacing, unpack
from training.callbacks import states_of
from training.settings import CHECKPOINT
from training.trainer import State, Trainer

FILE = f"{CHECKPOINT}/state.npz"
STATE = TypeAdapter(State)
ROOM, ROOM_FOR_NAME = 2**20, 2**10
"""Bytes for the state, and for what a zip file has besides each array's contents."""


def save_checkpoint(directory: Path, trainer: Trainer, callbacks) -> None:
    arrays: dict[str, np.ndarray] = {}
    for i, variable in enumerate(trainer.variables):
        arrays[f"variable/{i}"] = variable.numpy()
    for i, array in enumerate(trainer.best_weights):
        arrays[f"best/{i}"] = array
    remembered = json.dumps(encode(states_of(callbacks), arrays))
    for name, text in {
        "state": STATE.dump_json(trainer.state()),
        "callbacks": remembered.encode(),
    }.items():
        arrays[name] = np.frombuffer(text, np.uint8)
    path = directory / FILE
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_checkpoint(directory: Path, trainer: Trainer) -> list[dict[str, Any]] | None:
    """Put a trainer back to where it was saved.

    Returns:
        What each callback remembered; None if there is no checkpoint.

    Raises:
        DamagedError: It is damaged, or of another architecture or optimizer.
    """
    path = directory / FILE
    variables = trainer.variables
    weights = trainer.model.variables
    expected = {f"variable/{i}": v for i, v in enumerate(variables)}
    expected |= {f"best/{i}": v for i, v in enumerate(weights)}
    size = sum(math.prod(v.shape) * dtype_of(v).itemsize for v in expected.values())
    # What callbacks remember may be the weights once more.
    most = 2 * size + ROOM + 2 * ROOM_FOR_NAME * len(expected)
    try:
        arrays = unpack(read_file(path, most), most)
        state = STATE.validate_json(arrays.pop("state").tobytes(), strict=True)
        remembered = json.loads(arrays.pop("callbacks").tobytes())
        remembered = decode(remembered, arrays)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise DamagedError(path, f"damaged ({first_of(error)})") from None
    except Exception as error:
        raise DamagedError(path, f"damaged ({error})") from None
    if operation := trainer.program.stateful_operation:
        raise DamagedError(
            path,
            f"the model draws or keeps numbers by {operation}, which no checkpoint "
            "holds; keras.random with a SeedGenerator can be continued",
        )
    if arrays.keys() != expected.keys():
        other = sorted(arrays.keys() ^ expected.keys())[0]
        raise DamagedError(
            path, f"expected the checkpoint of this model, received another at {other}"
        )
    for name, variable in expected.items():
        wanted = dtype_of(variable), tuple(variable.shape)
        if arrays[name].dtype.kind == "V":  # As NumPy reads bfloat16.
            arrays[name] = arrays[name].view(wanted[0])
        received = arrays[name].dtype, arrays[name].shape
        if received != wanted:
            raise DamagedError(
                path,
                f"expected {getattr(variable, 'path', variable.name)} of {wanted[0]} "
                f"and shape {wanted[1]}, received {received[0]} and {received[1]}",
            )
    if state.update >= trainer.updates_per_epoch * trainer.settings.epochs:
        raise DamagedError(path, "expected an unfinished run, received a later update")
    for i, variable in enumerate(variables):
        variable.assign(arrays[f"variable/{i}"])
    trainer.restore(state, [arrays[f"best/{i}"] for i in range(len(weights))])
    return remembered


def dtype_of(variable) -> np.dtype:
    dtype = variable.dtype
    if hasattr(dtype, "as_numpy_dtype"):
        return np.dtype(dtype.as_numpy_dtype)
    return np.dtype(variable.numpy().dtype if dtype == "bfloat16" else dtype)


def encode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A value as JSON has it; arrays in it are added to those of the file."""
    if isinstance(value, dict):
        return {key: encode(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item, arrays) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        name = f"callback/{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"array": name}
    return value


def decode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """What `encode` was given; the arrays used are taken out of those of the file."""
    if isinstance(value, list):
        return [decode(item, arrays) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"array"}:
            array = arrays.pop(value["array"])
            return array if array.ndim else array[()]
        return {key: decode(item, arrays) for key, item in value.items()}
    return value
