"""Who makes the runs of a comparison, and what becomes of a run whose worker dies."""

import contextlib
import threading
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from comparison import workers
from comparison.plan import Run
from experiment.run_directory import fingerprint, package_versions
from system.errors import UserError


def make_run(name, config=None):
    return Run(name, "", "", {}, 0, config, Path(name), pictures=False)


class BreakablePool:
    """Makes runs of methods, unless one called "killer" is among them."""

    def __init__(self):
        self.futures, self.broken = [], False

    def submit(self, run, directory, mark):
        if self.broken:
            raise BrokenProcessPool
        future = Future()
        self.futures.append(future)
        if run.method == "killer":
            self.broken = True
            for other in self.futures:
                if not other.done():
                    other.set_exception(BrokenProcessPool())
        else:
            threading.Timer(0.1, self.finish, [future]).start()
        return future

    def finish(self, future):
        if not future.done():
            future.set_result({"status": "completed"})


def test_a_run_that_kills_its_workers_is_given_up_and_takes_no_other_with_it():
    names = ("a", "killer", "b", "c")
    runs = [make_run(name) for name in names]
    maker = workers.RunMaker(Path(), {run.path: {} for run in runs})
    ended = []

    @contextlib.contextmanager
    def open_pool():
        breakable = BreakablePool()
        yield workers.Pool(breakable.submit, lambda: 2, lambda: None)

    def note(run):
        if run:
            ended.append(run.method)

    maker.make(runs, open_pool, lambda: False, note)
    assert maker.failures == {Path("killer"): "its process died 2 times"}
    assert maker.results.keys() == {Path(name) for name in ("a", "b", "c")}
    assert sorted(ended) == sorted(names)


def test_a_run_on_other_data_than_the_comparison_has_is_no_result(configure, tmp_path):
    config = configure("training.epochs=1")
    mark = fingerprint(data_sha256="of another file")
    with pytest.raises(UserError, match="made of other data than the comparison's"):
        workers.perform(make_run("none", config), tmp_path / "run", mark)


def test_a_cluster_needs_the_same_packages(tmp_path):
    here = package_versions()
    assert workers.find_hindrance(tmp_path, workers.code(), here) is None
    other = here | {"keras": "0.1"}
    hindrance = workers.find_hindrance(tmp_path, workers.code(), other)
    assert hindrance == f"has keras {here['keras']}, expected 0.1 as here"
