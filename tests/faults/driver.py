"""Runs train.py or compare.py, and has it killed at a moment of one's choice.

    python driver.py train.py|compare.py ARGUMENTS...

Environment variables say when: FAULT is `<moment>:<file>:<n>`, of the n-th time that a
process writes that file, or `time::<seconds>` after the first history. SPENT
names a file that is made when the fault has come, so that it comes once. FINAL names a
file for the state in which training ends, CHECKPOINT_SECONDS is what it says.
"""

import os
import signal
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))
from tests import tiny  # noqa: E402, F401 (names them)

seen: dict[tuple[str, str], int] = {}


def reach(moment: str, name: str, tear=lambda: None) -> None:
    """Die here, if here is the moment; tear a file apart before."""
    key = (moment, name)
    seen[key] = seen.get(key, 0) + 1
    fault, _, number = os.environ.get("FAULT", "::").partition("::")
    if fault == "time" and key == ("renamed", "history.csv") and seen[key] == 1:
        threading.Timer(float(number), die).start()
    elif os.environ.get("FAULT") == f"{moment}:{name}:{seen[key]}":
        die(tear)


def die(tear=lambda: None) -> None:
    try:
        Path(os.environ["SPENT"]).touch(exist_ok=False)
    except FileExistsError:
        return
    tear()
    os.kill(os.getpid(), signal.SIGKILL)


def install() -> None:
    """Watch every file that is replaced, and every event that is written."""
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_file():
            size = path.stat().st_size
            reach("half", path.name[1:], lambda: os.truncate(path, size // 2))
        fsync(descriptor)

    def watched_replace(source, target):
        reach("written", Path(target).name)
        replace(source, target)
        reach("renamed", Path(target).name)

    def watch_open(event, arguments):
        if event == "open" and isinstance(arguments[0], str | Path):
            name = Path(arguments[0]).name
            writes = isinstance(arguments[1], str) and set(arguments[1]) & set("wx")
            if writes and name[:1] == ".":
                reach("open", name[1:])

    setattr(os, "fsync", watched_fsync)  # noqa: B010 (mypy refuses assignments)
    setattr(os, "replace", watched_replace)  # noqa: B010
    sys.addaudithook(watch_open)


def install_in_training(threads: int | str = "auto") -> None:
    """What needs TensorFlow: torn events, frequent checkpoints, the final state."""
    from system.processes import load_keras

    load_keras(0, threads)
    import numpy as np

    import training.fit
    import training.result
    from monitoring import events

    append = events.append

    def watched_append(file, step, **content):
        before = os.path.getsize(file.name)
        append(file, step, **content)
        torn = (before + os.path.getsize(file.name)) // 2
        reach("half", "events", lambda: os.truncate(file.name, torn))
        reach("written", "events")

    compute_result = training.result.compute_result

    def watched_compute_result(status, trainer, *rest):
        groups = {
            "model": [v.numpy() for v in trainer.model.variables],
            "optimizer": [v.numpy() for v in trainer.optimizer.variables],
            "best": trainer.best_weights,
        }
        named = {f"{k}/{i}": a for k in groups for i, a in enumerate(groups[k])}
        np.savez(os.environ["FINAL"], **named)
        return compute_result(status, trainer, *rest)

    events.append = watched_append
    training.fit.CHECKPOINT_SECONDS = float(os.environ["CHECKPOINT_SECONDS"])
    if "FINAL" in os.environ:
        training.result.compute_result = watched_compute_result


install()
if __name__ == "__main__":
    from experiment.command_line import exit_with_status

    sys.argv = sys.argv[1:]
    if sys.argv[0] == "train.py":
        install_in_training()
        from train import main
    else:
        from compare import main
    sys.exit(exit_with_status(main))
elif __name__ == "__mp_main__":
    from system import processes

    processes.begin_worker()
    install_in_training(threads=1)
