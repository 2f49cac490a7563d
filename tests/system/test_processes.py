"""What a command and a worker do before they have loaded."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from system import processes

ROOT = Path(__file__).parent.parent.parent
COMMANDS = [name for name in ("train.py", "compare.py") if (ROOT / name).exists()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_python_without_the_packages_is_told_where_to_get_them(command):
    done = subprocess.run(
        [sys.executable, "-S", ROOT / command],  # -S leaves out installed packages.
        capture_output=True,
        text=True,
        env={name: v for name, v in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"{command}: expected the packages of requirements")
    assert "README.md" in done.stderr
    assert done.stderr.count("\n") == 1


def test_windows_is_told_that_it_lacks_what_runs_are_locked_by(capsys):
    error = ModuleNotFoundError("No module named 'fcntl'", name="fcntl")
    with pytest.raises(SystemExit):
        processes.explain(ModuleNotFoundError, error, None)
    assert "received a Python without fcntl" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_ctrl_c_while_it_loads_leaves_no_traceback(command, delay, tmp_path):
    with subprocess.Popen(
        [sys.executable, ROOT / command, "--runs", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while "numpy" not in Path(f"/proc/{process.pid}/maps").read_text():
            time.sleep(0.01)  # It has begun to load, after its first lines.
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == ""
