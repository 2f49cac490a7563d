"""Who may write where, and what is not done twice."""

import json
from pathlib import Path

import pytest

from experiment import run_directory
from experiment.run_directory import (
    below,
    claim,
    fingerprint,
    locked,
    run_path,
    write_result,
)
from system.errors import UserError

MARK = {"data": "d", "code": "c"}


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "run"


def result(status):
    """The contents of a result.json."""
    losses = {"cross_entropy": 0.5, "accuracy": 0.9}
    moment = {
        "epoch": 3,
        **dict.fromkeys(("train", "validation", "test"), losses),
        **dict.fromkeys(("penalty", "generalization_gap", "weight_norm"), 1.0),
        "weight_norm_of_layer": {"logits": 1.0},
    }
    ends = {"seed": 0, "seconds": 1.0, "final": moment, "best": None, "versions": {}}
    return {"status": status, **ends}


def begin(directory, config, mark=MARK, status=None, **how):
    """Claim a directory; leave the traces of a run, unfinished or with a status."""
    with claim(directory, config, mark, **how) as finished:
        if finished is None:
            (directory / "history.csv").write_text("")
        if status:
            write_result(directory, result(status))
    return finished


def test_a_finished_run_is_not_repeated(directory, configure):
    assert begin(directory, configure(), status="completed") is None
    assert begin(directory, configure()) == result("completed")
    assert begin(directory, configure(), resume=True) == result("completed")


def test_overwriting_removes_the_runs_files_and_no_other(directory, configure):
    begin(directory, configure(), status="completed")
    own = {"best_model.keras", "my_config.toml", "notes.txt"}
    for name in ("events.out.tfevents.1", "model.keras", ".model.keras", *own):
        (directory / name).write_text("x")
    (directory / "checkpoint").mkdir()
    with claim(directory, configure("model.l2=1.0"), MARK, overwrite=True):
        left = {file.name for file in directory.iterdir()}
    assert left == {"config.toml", *own}


@pytest.mark.parametrize("status", [None, "interrupted"])
def test_an_unfinished_run_is_continued_only_on_request(directory, configure, status):
    begin(directory, configure(), status=status)
    with pytest.raises(UserError, match="--resume continues it"):
        begin(directory, configure())
    assert begin(directory, configure(), resume=True) is None


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("status", [None, "completed"])
def test_another_run_is_refused_with_what_differs(directory, configure, status, resume):
    begin(directory, configure(), status=status)
    with pytest.raises(UserError, match=r"model\.l2 \(0\.0 there, 0\.5 here\)"):
        begin(directory, configure("model.l2=0.5"), resume=resume)


@pytest.mark.parametrize("part", MARK)
def test_other_data_or_code_is_another_run(directory, configure, part):
    begin(directory, configure(), status="completed")
    with pytest.raises(UserError, match=f"the {part} it was made with"):
        begin(directory, configure(), MARK | {part: "other"})


def test_an_unfinished_run_may_grow_in_epochs(directory, configure):
    begin(directory, configure("training.epochs=5"))
    assert begin(directory, configure("training.epochs=8"), resume=True) is None
    with pytest.raises(UserError, match=r"training\.epochs \(8 there, 5 here\)"):
        begin(directory, configure("training.epochs=5"), resume=True)


def test_a_finished_run_does_not_grow(directory, configure):
    begin(directory, configure("training.epochs=5"), status="completed")
    with pytest.raises(UserError, match=r"training\.epochs"):
        begin(directory, configure("training.epochs=8"), resume=True)


def test_a_schedule_with_a_horizon_does_not_grow(directory, configure):
    cosine = "schedule.name=cosine"
    begin(directory, configure("training.epochs=5", cosine))
    with pytest.raises(UserError, match=r"training\.epochs"):
        begin(directory, configure("training.epochs=8", cosine), resume=True)


def test_a_decay_that_depends_on_the_horizon_does_not_grow(directory, configure):
    for name, error in [("timescale", None), ("normalized", "epochs")]:
        decay = f"decay.name={name}"
        place = directory / name
        begin(place, configure("training.epochs=5", decay))
        assert begin(place, configure("training.epochs=5", decay), resume=True) is None
        if error is None:
            longer = configure("training.epochs=8", decay)
            assert begin(place, longer, resume=True) is None
        else:
            with pytest.raises(UserError, match=r"training\.epochs"):
                begin(place, configure("training.epochs=8", decay), resume=True)


def test_only_one_process_writes(directory, configure):
    directory.mkdir()
    with locked(directory), pytest.raises(UserError, match="another process"):
        begin(directory, configure())
    assert begin(directory, configure()) is None


def test_a_directory_of_something_else_is_left_alone(directory, configure):
    directory.mkdir()
    (directory / "thesis.txt").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"received thesis\.txt"):
            begin(directory, configure(), overwrite=overwrite)


def test_a_directory_in_which_nothing_was_trained_is_free(directory, configure):
    """As after a mistake that was found late, and then mended in the config."""
    with pytest.raises(ZeroDivisionError), claim(directory, configure(), MARK):
        raise ZeroDivisionError
    assert begin(directory, configure("model.l2=1.0")) is None


def test_resuming_what_was_not_begun_holds_to_its_settings(directory, configure):
    with pytest.raises(ZeroDivisionError), claim(directory, configure(), MARK):
        raise ZeroDivisionError
    with pytest.raises(UserError, match=r"model\.l2 \(0\.0 there, 1\.0 here\)"):
        begin(directory, configure("model.l2=1.0"), resume=True)
    assert begin(directory, configure(), resume=True) is None


@pytest.mark.parametrize("name", ["history.csv", "checkpoint", ".history.csv"])
def test_nothing_is_written_where_a_link_leads(directory, configure, tmp_path, name):
    begin(directory, configure())
    (tmp_path / "outside").mkdir()
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="received a symbolic link"):
        begin(directory, configure(), resume=True)
    assert begin(directory, configure(), overwrite=True) is None
    assert list((tmp_path / "outside").iterdir()) == []
    assert not (directory / name).is_symlink()


def test_a_run_lies_below_its_root(tmp_path, configure):
    runs = tmp_path / "runs"
    runs.mkdir()
    assert run_path(runs, configure()) == runs / "experiment/seed=00"
    (runs / "experiment").symlink_to(tmp_path)
    with pytest.raises(UserError, match="received a symbolic link"):
        run_path(runs, configure())
    with pytest.raises(UserError, match="printable UTF-8"):
        below(runs, Path("\udcff"))
    (tmp_path / "linked").symlink_to(runs)  # The root itself may be one.
    assert below(tmp_path / "linked", Path("x")) == tmp_path / "linked/x"


def test_an_overwriting_that_is_killed_leaves_a_run(directory, configure, monkeypatch):
    """At any moment: the next --overwrite is not refused as foreign."""
    for moment in range(4):
        begin(directory, configure(), status="completed", overwrite=True)
        (directory / "events.out.tfevents.1").touch()
        unlink, left = Path.unlink, [moment]

        def kill(path, missing_ok=False, unlink=unlink, left=left):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            unlink(path, missing_ok=missing_ok)

        monkeypatch.setattr(Path, "unlink", kill)
        with pytest.raises(KeyboardInterrupt):
            begin(directory, configure(), overwrite=True)
        monkeypatch.undo()
    assert begin(directory, configure(), overwrite=True) is None


def test_a_checkpoint_does_not_outlive_its_run(directory, configure):
    begin(directory, configure(), status="completed")
    (directory / "checkpoint").mkdir()
    begin(directory, configure())
    assert not (directory / "checkpoint").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.toml", "schema_version = 99\n"),
        ("config.toml", "no toml"),
        ("result.json", "{"),
        ("result.json", "[]"),
        ("result.json", '{"status": "completed"}'),
        ("result.json", "[" * 100_000),
    ],
)
def test_damaged_runs_are_refused_and_can_be_replaced(
    directory, configure, name, content
):
    begin(directory, configure(), status="completed")
    (directory / name).write_text(content)
    with pytest.raises(UserError, match="--overwrite replaces it"):
        begin(directory, configure())
    assert begin(directory, configure(), overwrite=True) is None


def test_the_fingerprint_covers_data_and_the_code_that_makes_a_run(
    tmp_path, monkeypatch
):
    folders = ("experiment", "data", "models", "optimizers", "training", "monitoring")
    others = ("tests", "docs", "comparison")
    for folder in folders + others:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "code.py").write_text("1")
    files = ("train.py",)
    for file in files:
        (tmp_path / file).write_text("1")
    monkeypatch.setattr(run_directory, "ROOT", tmp_path)
    before = fingerprint("x")
    assert before["data"] == "x"
    for folder in others:
        (tmp_path / folder / "code.py").write_text("2")
    assert fingerprint("x") == before
    seen = {before["code"]}
    for file in (*[f"{folder}/code.py" for folder in folders], *files):
        (tmp_path / file).write_text("2")
        seen.add(fingerprint("x")["code"])
    assert len(seen) == 1 + len(folders) + len(files)


def test_results_are_written_whole(directory):
    directory.mkdir()
    write_result(directory, result("completed"))
    assert [file.name for file in directory.iterdir()] == ["result.json"]
    assert json.loads((directory / "result.json").read_text())["status"] == "completed"
