"""The command that opens TensorBoard, in a process of its own."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import view
from monitoring.links import OF_RUNS
from system.errors import UserError

ROOT = Path(__file__).parent.parent
VIEW = [sys.executable, str(ROOT / "view.py")]


def test_it_serves_this_machine_alone_and_prints_links_that_open(tmp_path):
    with subprocess.Popen(
        [*VIEW, tmp_path, "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        printed = [process.stdout.readline() for _ in OF_RUNS]
        assert "Ctrl-C" in process.stdout.readline()
        for line, (name, link) in zip(printed, OF_RUNS.items(), strict=True):
            found = re.fullmatch(rf"{name}: (http://127\.0\.0\.1:\d+/)open(.*)\n", line)
            assert found[2] == link
            for address in (found[1] + "open" + link, found[1] + link):
                with urllib.request.urlopen(address) as answer:
                    assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_a_directory_that_is_not_there_is_one_line(tmp_path):
    done = subprocess.run(
        [*VIEW, tmp_path / "no"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"view.py: {tmp_path}/no: expected a directory of runs\n"


def test_a_port_that_is_no_number_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["view.py", str(tmp_path), "--port", "0x"])
    with pytest.raises(UserError, match="^argument --port: invalid int value: '0x'$"):
        view.main()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_there_cannot_be_is_one_line(tmp_path, monkeypatch, port):
    monkeypatch.setattr(sys, "argv", ["view.py", str(tmp_path), "--port", str(port)])
    with pytest.raises(
        UserError, match=f"^--port: expected 0 to 65535, received {port}$"
    ):
        view.main()
