"""A full disk, a quota, a read-only folder: one line, exit status 1, nothing lost."""

import errno
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

import keras
import pytest

import training.fit
from experiment.command_line import exit_with_status
from tests.faults.runs import finish, start, state_of
from train import train

SMALL = ("model.hidden_units=[16]", "training.epochs=4")
FULL, LIMITED = os.strerror(errno.ENOSPC), os.strerror(errno.EFBIG)


@pytest.fixture(scope="module")
def programs():
    return {}


@pytest.fixture
def often(monkeypatch):
    """A checkpoint at every epoch."""
    monkeypatch.setattr(training.fit, "CHECKPOINT_SECONDS", 0.0)


@pytest.fixture
def disk(tmp_path):
    """A disk of 4 MB, as far as this user may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a disk needs root")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def network(tmp_path):
    """A folder that a server of files mounts, by SFTP."""
    server = Path("/usr/lib/openssh/sftp-server")
    if not (shutil.which("sshfs") and server.exists()):
        pytest.skip("no network file system: apt install sshfs openssh-sftp-server")
    connect = tmp_path / "connect"
    connect.write_text(f"#!/bin/sh\nexec {server}\n")
    connect.chmod(0o700)
    served, path = tmp_path / "served", tmp_path / "network"
    served.mkdir()
    path.mkdir()
    mount = ["sshfs", "-o", f"ssh_command={connect}", f"here:{served}", str(path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a network file system needs FUSE")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk, leave):
    """Fill a disk but for some bytes."""
    status = os.statvfs(disk)
    free = status.f_bavail * status.f_frsize
    (disk / "filler").write_bytes(b"\0" * max(0, free - leave))


class At(keras.callbacks.Callback):
    """Does something after an epoch, or at the end of training; or nothing."""

    def __init__(self, action=lambda: None, epoch=None):
        super().__init__()
        self.action, self.epoch = action, epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            self.action()

    def on_train_end(self, logs=None):
        if self.epoch is None:
            self.action()


def fails(capsys, action, words):
    """Whether an action ends in one line and exit status 1."""
    capsys.readouterr()
    assert exit_with_status(action) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert words in message


@pytest.fixture
def undisturbed(configure, tmp_path, programs):
    train(configure(*SMALL), tmp_path / "whole", callbacks=[At()], programs=programs)
    return state_of(tmp_path / "whole")


LEVELS = (0, 4_096, 16_384, 65_536)


@pytest.mark.faults
def test_a_disk_that_fills_up(
    configure, disk, often, undisturbed, programs, capsys, tried
):
    """After the second epoch, to different levels: the files do not fit, in turn."""
    config, failed = configure(*SMALL), 0
    for level in LEVELS:
        directory = disk / str(level) / "run"
        full = At(lambda level=level: fill(disk, level), epoch=1)

        def run(directory=directory, full=full):
            train(config, directory, callbacks=[full], programs=programs)

        fails(capsys, run, FULL)
        failed += 1
        assert (directory / "checkpoint/state.npz").exists()
        (disk / "filler").unlink()
        train(config, directory, resume=True, callbacks=[At()], programs=programs)
        assert state_of(directory) == undisturbed
    tried("disk full in the middle of a run", failed, "it goes on and ends the same")


def test_a_disk_too_full_for_the_model(
    configure, disk, often, programs, capsys, tried, undisturbed
):
    """The result and the history are there; the run is not repeated unasked."""
    config, directory = configure(*SMALL), disk / "run"
    full = At(lambda: fill(disk, 16_384))
    fails(
        capsys,
        lambda: train(config, directory, callbacks=[full], programs=programs),
        f"{directory}/model.keras: {FULL}",
    )
    names = {path.name for path in directory.iterdir()}
    assert names >= {"result.json", "history.csv"}
    assert not names & {"model.keras", ".model.keras"}
    (disk / "filler").unlink()
    train(config, directory, callbacks=[At()], programs=programs)
    (directory / "model.keras").touch()
    kept = state_of(directory, weights=False)
    lost = undisturbed["events"].keys() - kept["events"].keys()
    assert lost <= {"validation/confusion", "validation/mistakes"}
    events = {tag: undisturbed["events"][tag] for tag in kept["events"]}
    assert kept == undisturbed | {"weights": None, "events": events}
    tried("disk too full for the model", 1, "result, history and events are kept")


def test_a_disk_that_is_full_from_the_start(configure, disk, programs, capsys, tried):
    fill(disk, 0)
    config = configure(*SMALL)
    fails(capsys, lambda: train(config, disk / "run", programs=programs), FULL)
    (disk / "filler").unlink()
    assert train(config, disk / "run", programs=programs)["status"] == "completed"
    tried("disk full from the start", 1)


@pytest.mark.parametrize("limit", [100, 2_000, 30_000, 70_000])
def test_a_limit_on_the_size_of_files(
    configure, tmp_path, often, undisturbed, programs, capsys, tried, limit
):
    """As a quota: config, events, checkpoint and model are too large, in turn."""
    config, directory = configure(*SMALL), tmp_path / "run"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        fails(
            capsys,
            lambda: train(config, directory, callbacks=[At()], programs=programs),
            LIMITED,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    train(config, directory, resume=True, callbacks=[At()], programs=programs)
    assert state_of(directory) == undisturbed
    tried("quota on the size of files", 1, "the run goes on and ends the same")


def test_a_folder_that_is_read_only(configure, disk, programs, capsys, tried):
    config = configure(*SMALL)
    result = train(config, disk / "run", programs=programs)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    read_only = os.strerror(errno.EROFS)
    fails(capsys, lambda: train(config, disk / "new", programs=programs), read_only)
    assert train(config, disk / "run", programs=programs) == result
    tried("read-only folder", 1)


@pytest.mark.faults
def test_a_comparison_on_a_full_disk(few, disk, tmp_path, tried):
    (tmp_path / "base.toml").write_text("training.epochs = 5")
    path = tmp_path / "small.toml"
    path.write_text('base = "base.toml"\nseeds = [0, 1]\n[methods.none]\n')
    words = ["compare.py", path, *few, "--workers", "2", "--runs", disk]
    fill(disk, 40_960)
    status, _, stderr = finish(start(*words))
    assert (status, stderr.count("\n")) == (1, 1)
    assert FULL in stderr
    (disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
    status, stdout, stderr = finish(start(*words))
    assert (status, stderr) == (0, "")
    tried("disk full under a comparison", 1, "the same command goes on")


@pytest.mark.faults
def test_a_comparison_on_a_network_file_system(few, network, tmp_path, tried):
    """It is killed in the middle, and goes on."""
    (tmp_path / "base.toml").write_text("training.epochs = 40")
    path = tmp_path / "small.toml"
    path.write_text('base = "base.toml"\nseeds = [0, 1]\n[methods.none]\n')
    words = ["compare.py", path, *few, "--workers", "1", "--runs"]
    assert finish(start(*words, tmp_path / "disk"))[0] == 0
    with start(*words, network) as parent:
        while not list(network.glob("small/*/seed=01/history.csv")):
            assert parent.poll() is None
            time.sleep(0.1)
        parent.kill()
        parent.communicate()
    status, stdout, stderr = finish(start(*words, network))
    assert (status, stderr) == (0, "")
    assert "1 finished before, 1 to make" in stdout
    for name in ("seed=00", "seed=01"):
        run = Path("small/none") / name
        assert state_of(network / run) == state_of(tmp_path / "disk" / run)
    tried("a comparison on a network file system (SFTP)", 1, "it goes on after a kill")
