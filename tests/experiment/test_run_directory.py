"""Who may write where, and what is not done twice."""

import json
from pathlib import Path

import pytest

from experiment.run_directory import (
    inspect_run,
    lock,
    open_run,
    path_within,
    read_fingerprint,
    run_path,
    write_result,
)
from system.errors import UserError

FINGERPRINT = {"data": "d", "code": "c"}


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "run"


def result(status):
    """The contents of a result.json."""
    losses = {"cross_entropy": 0.5, "accuracy": 0.9}
    moment = {
        "epoch": 3,
        "weights": "as trained",
        "memorized": {},
        **dict.fromkeys(("train", "validation", "test"), losses),
        **dict.fromkeys(("penalty", "generalization_gap", "weight_norm"), 1.0),
        "weight_norm_of_layer": {"logits": 1.0},
    }
    ends = {"seed": 0, "seconds": 1.0, "final": moment, "best": None, "versions": {}}
    return {"status": status, **ends, "changed_before_resume": []}


def begin(directory, config, fingerprint=FINGERPRINT, status=None, **how):
    """Claim a directory; leave the traces of a run, unfinished or with a status."""
    with open_run(directory, config, fingerprint, **how) as run:
        if run.state != "finished":
            (directory / "history.csv").write_text("epoch,step\n0,0\n")
        if status:
            write_result(directory, result(status))
    return run.result or None


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
    with open_run(
        directory, configure("regularizer.l2=1.0"), FINGERPRINT, overwrite=True
    ):
        left = {file.name for file in directory.iterdir()}
    assert left == {"config.toml", *own}


@pytest.mark.parametrize("status", [None, "interrupted"])
def test_an_unfinished_run_is_continued_only_on_request(directory, configure, status):
    begin(directory, configure(), status=status)
    with pytest.raises(UserError, match="--resume continues it"):
        begin(directory, configure())
    assert begin(directory, configure(), resume=True) is None


@pytest.mark.parametrize("status", [None, "interrupted", "completed", "diverged"])
def test_another_run_is_set_aside_under_a_number(directory, configure, status):
    """Twice: every run stays, whole, and one line says what differs and where it is."""
    said = []
    for number, l2 in enumerate(("0.0", "0.5", "0.7")):
        config = configure(f"regularizer.l2={l2}")
        assert begin(directory, config, status=status, say=said.append) is None
        assert inspect_run(directory, config, FINGERPRINT).config == config
        assert len(said) == number
    assert said == [
        f"The run that lay in {directory} differs in regularizer.l2 (0.0 there, "
        "0.5 here); it lies in run.1 now.",
        f"The run that lay in {directory} differs in regularizer.l2 (0.5 there, "
        "0.7 here); it lies in run.2 now.",
    ]
    aside = directory.with_name("run.1")
    assert (aside / "history.csv").exists()
    assert inspect_run(aside, configure("regularizer.l2=0.0"), FINGERPRINT).state == (
        "finished" if status in ("completed", "diverged") else "unfinished"
    )


def test_a_run_that_is_set_aside_takes_no_number_twice(directory, configure):
    begin(directory, configure(), status="completed")
    directory.with_name("run.1").mkdir()
    begin(directory, configure("regularizer.l2=0.5"))
    assert not list(directory.with_name("run.1").iterdir())
    assert (directory.with_name("run.2") / "result.json").exists()


def test_a_run_that_another_process_writes_is_not_set_aside(directory, configure):
    begin(directory, configure())
    with lock(directory), pytest.raises(UserError, match="another process"):
        begin(directory, configure("regularizer.l2=0.5"))
    assert not directory.with_name("run.1").exists()


def test_an_unfinished_run_of_other_code_is_set_aside(directory, configure):
    begin(directory, configure())
    begin(directory, configure(), FINGERPRINT | {"code": "other"})
    assert (directory.with_name("run.1") / "history.csv").exists()


def test_what_another_run_has_decided_is_no_rule_for_this_one(directory, configure):
    with open_run(directory, configure(), FINGERPRINT) as run:
        run.write_config(run.config.decide(threads=3))
        (directory / "history.csv").write_text("")
    other = configure("regularizer.l2=0.5")
    with open_run(directory, other, FINGERPRINT) as run:
        assert run.config == other


def test_the_run_in_the_place_of_another_is_owned_too(directory, configure):
    begin(directory, configure())
    other = configure("regularizer.l2=0.5")
    with (
        open_run(directory, other, FINGERPRINT),
        pytest.raises(UserError, match="another process"),
    ):
        begin(directory, other)


@pytest.mark.parametrize("part", FINGERPRINT)
def test_a_finished_run_of_other_data_or_code_is_another(directory, configure, part):
    begin(directory, configure(), status="completed")
    said = []
    other = FINGERPRINT | {part: "other"}
    assert begin(directory, configure(), other, say=said.append) is None
    assert f"differs in the {part} it was made with" in said[0]
    assert read_fingerprint(directory / "config.toml") == other


def test_another_version_is_named(directory, configure):
    begin(directory, configure(), FINGERPRINT | {"keras": "3.1"}, status="completed")
    said = []
    begin(directory, configure(), FINGERPRINT | {"keras": "3.2"}, say=said.append)
    assert "differs in keras (3.1 there, 3.2 here)" in said[0]


def test_other_settings_are_not_resumed(directory, configure):
    begin(directory, configure())
    for how in ("resume", "resume_changed"):
        with pytest.raises(
            UserError, match=r"regularizer\.l2 \(0\.0 there, 0\.5 here\)"
        ):
            begin(directory, configure("regularizer.l2=0.5"), **{how: True})
    assert not directory.with_name("run.1").exists()


@pytest.mark.parametrize("part", FINGERPRINT)
def test_an_unfinished_run_goes_on_across_a_change_when_told_so(
    directory, configure, part
):
    begin(directory, configure())
    other = FINGERPRINT | {part: "other"}
    for how in ({}, {"resume": True}):
        if how:
            with pytest.raises(UserError, match="--resume-changed continues it"):
                begin(directory, configure(), other, **how)
    with open_run(directory, configure(), other, resume_changed=True) as run:
        assert run.changes == (part,)
        assert (directory / "history.csv").exists()
    with open_run(directory, configure(), other, resume=True) as run:
        assert run.changes == ()


def test_what_the_same_run_has_decided_is_kept(directory, configure):
    """Begun with one thread and without XLA: another machine would decide otherwise."""
    config = configure()
    with open_run(directory, config, FINGERPRINT) as run:
        assert run.config == config
        run.write_config(config.decide(threads=3, jit_compile=False))
        write_result(directory, result("interrupted"))
    with open_run(directory, config, FINGERPRINT, resume=True) as run:
        settings = run.config.training.settings
        assert (settings["threads"], settings["jit_compile"]) == (3, False)
        run.write_config(run.config)
    with pytest.raises(UserError, match=r"training\.threads \(3 there, 4 here\)"):
        begin(directory, configure("training.threads=4"), resume=True)


def test_an_unfinished_run_may_grow_in_epochs(directory, configure):
    begin(directory, configure("training.epochs=5"))
    assert begin(directory, configure("training.epochs=8"), resume=True) is None
    with pytest.raises(UserError, match=r"training\.epochs \(8 there, 5 here\)"):
        begin(directory, configure("training.epochs=5"), resume=True)


def test_a_finished_run_does_not_grow(directory, configure):
    begin(directory, configure("training.epochs=5"), status="completed")
    with pytest.raises(UserError, match=r"training\.epochs"):
        begin(directory, configure("training.epochs=8"), resume=True)
    assert begin(directory, configure("training.epochs=8")) is None
    assert (directory.with_name("run.1") / "result.json").exists()


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
    with lock(directory), pytest.raises(UserError, match="another process"):
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
    with (
        pytest.raises(ZeroDivisionError),
        open_run(directory, configure(), FINGERPRINT),
    ):
        raise ZeroDivisionError
    assert begin(directory, configure("regularizer.l2=1.0")) is None


def test_resuming_what_was_not_begun_holds_to_its_settings(directory, configure):
    with (
        pytest.raises(ZeroDivisionError),
        open_run(directory, configure(), FINGERPRINT),
    ):
        raise ZeroDivisionError
    with pytest.raises(UserError, match=r"regularizer\.l2 \(0\.0 there, 1\.0 here\)"):
        begin(directory, configure("regularizer.l2=1.0"), resume=True)
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
        path_within(runs, Path("\udcff"))
    (tmp_path / "linked").symlink_to(runs)  # The root itself may be one.
    assert path_within(tmp_path / "linked", Path("x")) == tmp_path / "linked/x"


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
        ("result.json", json.dumps(result("completed")).replace("test", "tests")),
        ("history.csv", "epoch,step\n"),
        ("history.csv", "epoch,step\n0,many\n"),
        ("result.json", "[" * 100_000),
    ],
)
def test_damaged_runs_are_not_continued_and_are_set_aside(
    directory, configure, name, content
):
    begin(directory, configure(), status="completed")
    (directory / name).write_text(content)
    with pytest.raises(UserError, match=r"cannot be read \("):
        begin(directory, configure(), resume=True)
    said = []
    assert begin(directory, configure(), say=said.append) is None
    assert "cannot be read (" in said[0]
    assert (directory.with_name("run.1") / name).read_text() == content


def test_results_are_written_whole(directory):
    directory.mkdir()
    write_result(directory, result("completed"))
    assert [file.name for file in directory.iterdir()] == ["result.json"]
    assert json.loads((directory / "result.json").read_text())["status"] == "completed"
