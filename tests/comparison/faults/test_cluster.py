"""What happens to a cluster while it makes a comparison."""

import signal
import time

import pytest

from tests.test_compare import (
    EPOCHS,
    free_port,
    start,
    started,
    summary,
    wait_for_results,
    workers,
)

pytestmark = pytest.mark.faults


def start_scheduler(address):
    port = address.rpartition(":")[2]
    options = ["--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    return started("dask_scheduler", *options)


@pytest.fixture
def address():
    return f"tcp://127.0.0.1:{free_port()}"


@pytest.fixture
def begin(tmp_path, address):
    """Begin a comparison on the cluster, in a folder of its own."""

    def begin(*words, folder="one", **parts):
        directory = tmp_path / folder
        directory.mkdir(exist_ok=True)
        return start(directory, "--cluster", address, *words, **parts)

    return begin


def finish(process):
    stdout, stderr = process.communicate(timeout=300)
    return process.returncode, stdout, stderr


def test_a_scheduler_that_dies_and_comes_back(
    begin,
    address,
    tmp_path,
    alone,
    tried,
):
    with start_scheduler(address) as scheduler, workers(address, 2):
        process = begin(epochs=EPOCHS)
        wait_for_results(tmp_path / "one/small", 2, process)
        scheduler.kill()
        status, _, stderr = finish(process)
    assert status == 1
    assert stderr == (
        f"compare.py: the scheduler at {address} is gone; what is finished stays, and "
        "the same command goes on from it\n"
    )
    with start_scheduler(address), workers(address, 2):
        status, stdout, stderr = finish(begin(epochs=EPOCHS))
    assert (status, stderr) == (0, "")
    assert " 0 finished before" not in stdout
    assert summary(tmp_path / "one") == alone
    tried(
        "a cluster's scheduler killed, and started again",
        1,
        "one line; the same command goes on and ends the same",
    )


def test_two_comparisons_on_one_cluster(begin, address, tmp_path, alone, tried):
    with start_scheduler(address), workers(address, 2):
        processes = [begin(epochs=EPOCHS, folder=folder) for folder in ("one", "two")]
        assert [finish(process)[::2] for process in processes] == [(0, "")] * 2
    for folder in ("one", "two"):
        assert summary(tmp_path / folder) == alone
    tried("two comparisons on one cluster", 1, "both end the same as alone")


def test_a_worker_with_other_packages_that_comes_late(
    begin,
    address,
    tmp_path,
    alone,
    monkeypatch,
    tried,
):
    with start_scheduler(address), workers(address, 1):
        process = begin(epochs=EPOCHS)
        wait_for_results(tmp_path / "one/small", 1, process)
        metadata = tmp_path / "other/keras-99.0.dist-info/METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text("Name: keras\nVersion: 99.0\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
        with workers(address, 2):
            status, _, stderr = finish(process)
    assert status == 0
    lines = stderr.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("left out: worker tcp://127.0.0.1:")
        assert "has keras 99.0, expected 3." in line
    assert summary(tmp_path / "one") == alone
    tried(
        "workers of a cluster that come late, with other packages",
        2,
        "they are left out, with a line",
    )


def test_an_interrupt_of_a_comparison_on_a_cluster(
    begin, address, tmp_path, alone, tried
):
    with start_scheduler(address), workers(address, 2):
        with begin(epochs=2000) as process:
            directory = tmp_path / "one/small"
            while not list(directory.glob("**/history.csv")):
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            status, stdout, stderr = finish(process)
        assert (status, stderr) == (130, "")
        assert "goes on where this stopped" in stdout
        assert len(list(directory.glob("**/checkpoint/state.npz"))) == 2
        assert not list(directory.glob(".*"))
        assert finish(begin(epochs=EPOCHS, folder="two"))[::2] == (0, "")
    assert summary(tmp_path / "two") == alone
    tried(
        "Ctrl-C in a comparison on a cluster",
        1,
        "two checkpoints; the cluster goes on working",
    )
