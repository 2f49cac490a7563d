"""Who makes the runs of a comparison, and what becomes of a run whose worker dies."""

import time
from pathlib import Path

import pytest

from comparison import workers
from comparison.cluster import find_hindrance
from comparison.plan import Run
from experiment.fingerprint import compute_fingerprint
from system.errors import ChangedError
from tests.processes import LONGEST, begin_lightly, perform_or_die


def make_run(method, config=None, seed=0):
    path = Path(method, str(seed))
    return Run(method, "", "", {}, seed, config, path, pictures=False)


@pytest.fixture
def pool(monkeypatch):
    """Two real processes, for runs that take a moment or kill theirs."""
    monkeypatch.setattr(workers, "start_worker", begin_lightly)
    monkeypatch.setattr(workers, "perform", perform_or_die)
    with workers.local_pool(2) as pool:
        yield pool


def test_a_run_that_kills_its_process_is_given_up_and_takes_no_other_with_it(
    pool, tmp_path
):
    """After two deaths; one that does so once is made again."""
    names = ("a", "killer", "b", "once", "c")
    runs = [make_run(name) for name in names]
    maker = workers.RunMaker(tmp_path, {run.path: {} for run in runs})
    ended = []

    def note(run):
        if run:
            ended.append(run.method)

    maker.make(runs, pool, lambda: False, note)
    assert maker.failures == {Path("killer/0"): "its process died 2 times"}
    others = {Path(name, "0") for name in names if name != "killer"}
    assert maker.results.keys() == others
    assert sorted(ended) == sorted(names)


def begin_one(pool, waiting, tmp_path):
    """Begin a run as soon as a process is free, and wait for its end."""
    deadline = time.monotonic() + LONGEST
    marks = {run.path: {} for run in waiting}
    while (begun := pool.begin(waiting, tmp_path, marks)) is None:
        assert time.monotonic() < deadline
    waiting.remove(begun[0])
    return begun


def test_seeds_of_one_setting_go_to_the_process_that_has_compiled_it(pool, tmp_path):
    waiting = [make_run(method, seed=seed) for method in "ab" for seed in range(3)]
    first, first_future = begin_one(pool, waiting, tmp_path)
    second, second_future = begin_one(pool, waiting, tmp_path)
    assert (first.method, second.method) == ("a", "b")
    processes = {
        "a": first_future.result()["process"],
        "b": second_future.result()["process"],
    }
    assert processes["a"] != processes["b"]
    while waiting:
        run, future = begin_one(pool, waiting, tmp_path)
        if len({run.method for run in waiting} | {run.method}) == 2:
            assert future.result()["process"] == processes[run.method]
        future.result()


def test_a_run_on_other_data_than_the_comparison_has_is_no_result(configure, tmp_path):
    config = configure("training.epochs=1")
    mark = compute_fingerprint(config, "of another file")
    with pytest.raises(ChangedError, match="^data changed while the comparison was"):
        workers.perform(make_run("none", config), tmp_path / "run", mark)


def test_a_run_of_other_code_than_the_comparison_has_is_not_made(configure, tmp_path):
    config = configure("training.epochs=1")
    mark = compute_fingerprint(config, "d") | {"code": "other", "keras": "0.1"}
    with pytest.raises(ChangedError, match="^code and keras changed while the compa"):
        workers.perform(make_run("none", config), tmp_path / "run", mark)
    assert not (tmp_path / "run").exists()


def test_a_cluster_needs_the_same_folder_code_and_packages(configure, tmp_path):
    config = configure()
    here = compute_fingerprint(config, "d")
    assert find_hindrance(tmp_path, config, here) is None
    hindrances = {
        name: find_hindrance(tmp_path, config, here | {name: "0.1"})
        for name in ("keras", "code", "files")
    }
    assert hindrances == {
        "keras": f"has keras {here['keras']}, expected 0.1 as here",
        "code": "has other code than this folder",
        "files": "has other files than this folder",
    }
    hindrance = find_hindrance(tmp_path / "x/.probe", config, here)
    assert hindrance == f"does not see {tmp_path / 'x'}"
