import pickle
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from experiment.command_line import exit_with_status
from system.errors import DamagedError, UserError, named_causes

DEAF = """
import time
from experiment.command_line import run_until_signal

def work(should_stop):
    print("ready", flush=True)
    while not should_stop():
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep(60)

run_until_signal(work)
"""


def test_a_second_interrupt_ends_work_that_does_not_listen():
    with subprocess.Popen(
        [sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True
    ) as process:
        started = time.monotonic()
        for expected in ("ready\n", "asked\n"):
            while process.stdout.readline() != expected:
                pass
            process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert time.monotonic() - started < 60


def test_a_signal_is_reported_and_the_result_kept():
    script = DEAF.replace("time.sleep(60)", "return 7").replace(
        "run_until_signal(work)", "print(run_until_signal(work))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read().endswith(f"asked\n(7, {int(signal.SIGTERM)})\n")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UserError("a mistake"), 2, "a mistake"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (OSError(13, "Permission denied", "x"), 1, "x: Permission denied"),
    ],
)
def test_errors_are_one_line_and_a_status(capsys, error, status, message):
    def main():
        raise error

    assert exit_with_status(main) == status
    assert capsys.readouterr().err.endswith(f": {message}\n")


def test_a_mistake_is_one_printable_line_whatever_it_quotes():
    assert str(UserError("a\nb\x1b[2Jc \ud800 é")) == "a b\\x1b[2Jc \\ud800 é"


def test_a_tensor_beyond_the_memory_is_told_in_a_line(capsys):
    @named_causes()
    def main():
        return int(tf.zeros([2**20, 2**22])[0, 0])

    assert exit_with_status(main) == 1
    assert capsys.readouterr().err.endswith(
        ": not enough memory; OOM when allocating tensor with shape[1048576,4194304] "
        "and type float\n"
    )


def test_mistakes_come_whole_from_another_process():
    for error in (DamagedError("a/b", "damaged"), UserError("x", "one", "two")):
        copied = pickle.loads(pickle.dumps(error))
        assert (type(copied), str(copied)) == (type(error), str(error))
