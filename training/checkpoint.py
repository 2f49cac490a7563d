"""The checkpoint of a run: one file from which `--resume` continues."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from system.errors import DamagedError
from system.files import first_problem, read_file, replacing, unpack
from training import CHECKPOINT
from training.callbacks import states_of
from training.program import assign
from training.trainer import State, Trainer

FILE = f"{CHECKPOINT}/state.npz"
STATE = TypeAdapter(State)
ROOM, ROOM_FOR_NAME = 2**20, 2**10
"""Bytes that a checkpoint may take besides its arrays: for the state, and for the name
and headers of each array in the zip file."""


def save_checkpoint(directory: Path, trainer: Trainer, callbacks) -> None:
    arrays = named_arrays(trainer.variables, trainer.best_weights)

    def name_array(value: Any) -> dict[str, str]:
        name = f"callback/{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"array": name}

    remembered = json.dumps(states_of(callbacks), default=name_array)
    state = replace(trainer.state, seconds=trainer.seconds)
    arrays["callbacks"] = np.frombuffer(remembered.encode(), np.uint8)
    arrays["state"] = np.frombuffer(STATE.dump_json(state), np.uint8)
    path = directory / FILE
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def named_arrays(variables: Iterable, best_weights: Iterable) -> dict[str, np.ndarray]:
    arrays = {"variable": variables, "best": best_weights}
    return {
        f"{kind}/{i}": np.asarray(value)
        for kind, values in arrays.items()
        for i, value in enumerate(values)
    }


def load_checkpoint(directory: Path, trainer: Trainer) -> list[dict[str, Any]] | None:
    """Restore a trainer from its checkpoint.

    Returns:
        The state of each callback; None if there is no checkpoint.

    Raises:
        DamagedError: The checkpoint is damaged, or of another run, architecture or
            optimizer.
    """
    path = directory / FILE
    expected = named_arrays(trainer.variables, trainer.weights())
    # Callbacks may hold another copy of the weights.
    most = 2 * sum(array.nbytes for array in expected.values())
    most += ROOM + 2 * ROOM_FOR_NAME * len(expected)
    try:
        arrays = unpack(read_file(path, most), most)
        state = STATE.validate_json(arrays.pop("state").tobytes(), strict=True)
        remembered = json.loads(
            arrays.pop("callbacks").tobytes(),
            object_hook=lambda found: (
                arrays.pop(found["array"])[()] if found.keys() == {"array"} else found
            ),
        )
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise DamagedError(path, f"damaged ({first_problem(error)})") from None
    except Exception as error:
        raise DamagedError(path, f"damaged ({error})") from None
    if state.run != trainer.state.run:
        raise DamagedError(
            path, "expected the checkpoint of this run, received another's"
        )
    if operation := trainer.program.stateful_operation:
        raise DamagedError(
            path,
            f"the model draws or keeps numbers by {operation}, which no checkpoint "
            "holds; keras.random with a SeedGenerator can be continued",
        )
    for name in sorted(arrays.keys() | expected.keys()):
        wanted, received = (dtype_and_shape(of.get(name)) for of in (expected, arrays))
        if wanted != received:
            raise DamagedError(
                path,
                f"expected the checkpoint of this model, with {wanted} for {name}, "
                f"received {received}",
            )
    if state.updates >= trainer.updates_per_epoch * trainer.settings.epochs:
        raise DamagedError(path, "expected an unfinished run, received a later update")
    values = [arrays[name].view(array.dtype) for name, array in expected.items()]
    count = len(trainer.variables)
    assign(trainer.variables, values[:count])
    state.changes += trainer.state.changes
    trainer.state, trainer.best_weights = state, values[count:]
    return remembered


def dtype_and_shape(array: np.ndarray | None) -> str:
    if array is None:
        return "nothing"
    # NumPy has no bfloat16, and loads it as "V".
    dtype = "bfloat16" if array.dtype.kind == "V" else array.dtype
    return f"{dtype} of shape {array.shape}"
