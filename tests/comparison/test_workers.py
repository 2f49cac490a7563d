"""Who makes the runs of a comparison, and what becomes of a run whose worker dies."""

from collections import Counter
from pathlib import Path

import pytest

from comparison import workers
from comparison.cluster import find_hindrance
from comparison.plan import Run, Trial
from comparison.workers import Order, make_runs, perform
from data import as_arrays
from experiment.fingerprint import all_choices, compute_fingerprint, digest_of_modules
from experiment.run_directory import RunDirectory
from system.errors import ChangedError
from tests.processes import serve_lightly


def make_run(method, config=None, seed=0):
    path = Path(method, str(seed))
    return Run(Trial("", method, {}), seed, config, path, pictures=False)


@pytest.fixture
def make(monkeypatch, tmp_path):
    """Make runs in real processes that need no TensorFlow: what comes of each."""
    monkeypatch.setattr(workers, "serve", serve_lightly)

    def make(runs, code="", count=2):
        orders = [Order(run, tmp_path / run.path, {}) for run in runs]
        with workers.local_workers(count, code) as pool:
            return list(make_runs(orders, pool, lambda: False))

    return make


def test_a_run_that_kills_its_process_is_given_up_and_takes_no_other_with_it(make):
    """After two deaths; one that does so once is made again."""
    names = ("a", "killer", "b", "once", "c")
    came = {run.trial.method: result for run, result in make(map(make_run, names))}
    assert came.keys() == set(names)
    assert str(came.pop("killer")) == "its process died 2 times (SIGKILL)"
    assert all(result["status"] == "completed" for result in came.values())


def test_the_first_process_that_cannot_start_ends_a_comparison(make):
    with pytest.raises(ChildProcessError) as caught:
        make(map(make_run, "abcdef"), code="cannot start")
    assert str(caught.value) == "a worker process could not start: exit status 7"


def test_seeds_of_one_setting_go_to_the_process_that_has_compiled_it(make):
    """Only where nothing else is left do two processes make those of one."""
    runs = [make_run(method, seed=seed) for method in "abcd" for seed in range(9)]
    came = make(runs)
    assert len(came) == len(runs)
    compiled = {(run.trial.method, result["process"]) for run, result in came}
    assert 4 <= len(compiled) <= 5


def test_a_process_ends_when_its_memory_has_grown(make):
    """By half a gigabyte, also if the runs are those of one setting."""
    runs = [make_run("leak", seed=seed) for seed in range(10)]
    made = Counter(result["process"] for _, result in make(runs, count=1))
    assert list(made.values()) == [4, 4, 2]


def test_one_compilation_makes_the_seeds_of_a_setting(configure, tmp_path):
    """One for whole batches and one for the last of an epoch, whatever the seeds."""
    programs, made = {}, []
    for seed in range(3):
        config = configure("training.epochs=1", f"seed={seed}")
        digest = as_arrays(config.dataset.build()).sha256
        fingerprint = compute_fingerprint(config, digest)
        order = Order(make_run("none", config, seed), tmp_path / str(seed), fingerprint)
        assert perform(order, lambda: False, programs)["status"] == "completed"
        made += programs.values()
    assert len({*map(id, made)}) == 1
    assert made[0].train.experimental_get_tracing_count() == 2


def test_a_run_on_other_data_than_the_comparison_has_is_no_result(configure, tmp_path):
    config = configure("training.epochs=1")
    fingerprint = compute_fingerprint(config, "of another file")
    order = Order(make_run("none", config), tmp_path / "run", fingerprint)
    with pytest.raises(ChangedError, match="^data changed while the comparison was"):
        perform(order, lambda: False, {})


def test_a_run_of_other_versions_than_the_comparison_has_is_not_made(
    configure, tmp_path
):
    config = configure("training.epochs=1")
    fingerprint = compute_fingerprint(config, "d") | {"keras": "0.1"}
    order = Order(make_run("none", config), tmp_path / "run", fingerprint)
    with pytest.raises(ChangedError, match="^keras changed while the comparison was"):
        perform(order, lambda: False, {})
    assert not (tmp_path / "run").exists()


def test_a_process_that_finds_other_code_makes_no_run():
    with (
        workers.local_workers(1, "of other code") as pool,
        pytest.raises(ChangedError, match="^code changed while the comparison was"),
    ):
        list(make_runs([Order(make_run("a"), Path(), {})], pool, lambda: False))


def test_a_cluster_needs_the_same_folder_code_and_packages(configure, tmp_path):
    config = configure()
    here, code = compute_fingerprint(config, "d"), digest_of_modules(all_choices())

    def hindrance(code=code, probe=tmp_path, **changed):
        first = RunDirectory(tmp_path, "free", config, here | changed)
        return find_hindrance(code, probe, first)

    assert hindrance() is None
    assert hindrance(keras="0.1") == f"has keras {here['keras']}, expected 0.1 as here"
    assert hindrance(files="0.1") == "has other files than this folder"
    assert hindrance("other") == "has other code than this folder"
    elsewhere = tmp_path / "x/.probe"
    assert hindrance(probe=elsewhere) == f"does not see {tmp_path / 'x'}"
