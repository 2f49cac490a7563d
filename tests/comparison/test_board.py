"""What TensorBoard's own plugins say of a comparison."""

import re
import urllib.parse
from html import unescape

import pandas as pd
import pytest
from scipy import stats
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

from comparison.answer import find_answer, identity, mean_curves
from comparison.board import (
    METRICS,
    SESSION_FILE,
    ensure_session,
    list_rows,
    write_board,
    write_experiment,
)
from comparison.links import views
from monitoring.events import EventWriter
from tests.board import open_plugins

TAGS = ("loss/train", "loss/validation", "accuracy/train", "accuracy/validation")
OTHERS = ("gap/loss", "weights/norm", "best/validation_loss")
EPOCHS = (0, 2, 4)


@pytest.fixture
def board(simulate, tmp_path):
    """The directory of a comparison with events, its comparison and its curves."""
    comparison, results, summary = simulate()
    directory = tmp_path / "planted"
    write_experiment(comparison, directory)
    rows = []
    for number, run in enumerate(comparison.runs):
        writer = EventWriter(directory / run.path, {})
        for epoch in EPOCHS:
            scalars = {tag: float(number + epoch) for tag in (*TAGS, *OTHERS)}
            rows.append({**identity(run), "epoch": epoch, **scalars})
            writer.write(epoch, scalars)
        writer.close()
        if run.trial.method == "none":
            results[run.path] = {**results[run.path], "status": "diverged"}
    curves = pd.DataFrame(rows)
    answer = find_answer(comparison, summary, "final")
    write_board(answer, directory, mean_curves(answer, curves), results, {})
    return directory, comparison, curves


def scalars(path):
    """Values by (tag, step) of a directory's only event file."""
    (file,) = path.glob("events.out.tfevents.*")
    return {
        (value.tag, event.step): float(make_ndarray(value.tensor))
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
    }


def test_mean_runs_hold_the_means_of_all_scalars(board):
    directory, _, curves = board
    found = scalars(directory / "mean/better 0.01")
    chosen = curves[(curves["method"] == "better") & (curves["strength"] == "l2=0.01")]
    for epoch in EPOCHS:
        values = chosen.loc[chosen["epoch"] == epoch, "weights/norm"]
        assert len(values) == 6
        assert found["weights/norm", epoch] == pytest.approx(values.mean())
    assert {tag for tag, _ in found} == {*TAGS, *OTHERS}


def test_a_new_report_replaces_the_mean_runs(board, simulate):
    directory, _, curves = board
    before = {path.name for path in (directory / "mean").rglob("events*")}
    mine = directory / "mean/none/notes.txt"
    mine.write_text("kept")
    comparison, _, summary = simulate(lost={"equal/strength=1e00/seed=00"})
    answer = find_answer(comparison, summary, "final")
    write_board(answer, directory, mean_curves(answer, curves), {}, {})
    assert mine.exists()
    assert not list((directory / "mean/equal 1.0").iterdir())
    after = [path.name for path in (directory / "mean").rglob("events*")]
    assert len(after) == 3
    assert not before & set(after)


def test_hparams_has_one_row_per_method_and_strength(board):
    directory, comparison, curves = board
    groups = open_plugins(directory).trials()
    assert sorted(groups) == [
        "better 0.001",
        "better 0.01",
        "better 0.1",
        "equal 0.3",
        "equal 1.0",
        "equal 3.0",
        "none",
    ]
    group = groups["equal 1.0"]
    assert group["hparams"] == {"method": "equal", "strength": 1.0, "chosen": "yes"}
    assert groups["none"]["hparams"]["strength"] == 0
    assert len(group["sessions"]) == 6
    last = curves[(curves["strength"] == "strength=1.0") & (curves["epoch"] == 4)]
    shown = {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]}
    assert shown["gap/loss"] == pytest.approx(last["gap/loss"].mean())
    statuses = {
        name: [s["status"] for s in g["sessions"]] for name, g in groups.items()
    }
    assert set(statuses["equal 1.0"]) == {"STATUS_SUCCESS"}
    assert set(statuses["none"]) == {"STATUS_FAILURE"}


def test_a_run_that_failed_and_was_completed_later_is_a_success(board):
    directory, comparison, _ = board
    path, trial = comparison.runs[0].path, comparison.runs[0].trial
    row = list_rows(comparison)[trial]
    statuses = []
    for result in ({}, {"status": "interrupted"}, {"status": "completed"}):
        ensure_session(directory / path, trial, row, result)
        sessions = open_plugins(directory).trials()["none"]["sessions"]
        statuses += [s["status"] for s in sessions if s["name"] == path.as_posix()]
    assert statuses == ["STATUS_FAILURE", "STATUS_FAILURE", "STATUS_SUCCESS"]
    written = (directory / path / SESSION_FILE).stat()
    ensure_session(directory / path, trial, row, {"status": "completed"})
    assert (directory / path / SESSION_FILE).stat() == written


def test_hparams_columns_can_be_filtered_and_none_is_the_seed(board):
    experiment = open_plugins(board[0])("hparams/experiment", {"experimentName": ""})
    columns = {column["name"]: column for column in experiment["hparamInfos"]}
    assert set(columns) == {"method", "strength", "chosen"}
    assert all(column["differs"] for column in columns.values())
    assert columns["method"]["domainDiscrete"] == ["none", "better", "equal"]
    assert columns["strength"]["type"] == "DATA_TYPE_FLOAT64"
    assert columns["strength"]["domainDiscrete"] == [0, 0.001, 0.01, 0.1, 0.3, 1, 3]
    shown = [metric["name"]["tag"] for metric in experiment["metricInfos"]]
    assert shown == list(METRICS)


def test_the_text_has_means_deviations_intervals_and_links(board, simulate):
    directory, _, _ = board
    _, _, summary = simulate()
    (entry,) = open_plugins(directory)("text/text", run=".", tag="card/comparison")
    text = unescape(entry["text"])
    rows = re.findall(r"<tr>\s*<td>better\b.*?</tr>", text, re.S)
    cells = [re.findall(r"<td.*?>(.*?)</td>", row) for row in rows]
    of_means, of_losses, of_accuracies = cells
    chosen = summary[
        (summary["method"] == "better") & (summary["strength"] == "l2=0.01")
    ].set_index("seed")
    control = summary[summary["method"] == "none"].set_index("seed")
    loss, other = (rows["final_test_cross_entropy"] for rows in (chosen, control))
    assert of_means[:2] == ["better", "l2=0.01"]
    assert of_means[3] == f"{loss.mean():.3f} ± {loss.std():.3f}"
    interval = stats.ttest_1samp(loss - other, 0).confidence_interval(1 - 0.05 / 3)
    assert of_losses[:3] == [
        "better − none",
        f"{(loss - other).mean():+.3f}".replace("-", "−"),
        f"[{interval.low:+.3f},\N{NO-BREAK SPACE}{interval.high:+.3f}]".replace(
            "-", "−"
        ),
    ]
    assert of_accuracies[0] == "better − none"
    links = re.findall(r'href="(.*?)"', text)
    assert links == list(views(directory).values())


def test_links_show_means_and_the_runs_at_the_chosen_strengths(board):
    directory, comparison, _ = board
    names = open_plugins(directory).runs()
    expected = {
        "means over seeds": {"mean/none", "mean/better 0.01", "mean/equal 1.0"},
        "every seed": {
            f"{folder}/seed={seed:02d}"
            for folder in ("none", "better/l2=1e-02", "equal/strength=1e00")
            for seed in comparison.file.seeds
        },
    }
    for page, runs in expected.items():
        assert shown(views(directory)[page], names) == runs
        above = [f"planted/{name}".removesuffix("/.") for name in names]
        link = views(directory.parent)[f"planted, {page}"]
        assert shown(link, above) == {f"planted/{run}" for run in runs}


def shown(link, names):
    (pattern,) = re.findall(r"runFilter=(.*?)&", link)
    pattern = urllib.parse.unquote(pattern)
    return {name for name in names if re.search(pattern, name)}


def test_the_root_and_the_control_are_the_first_group_of_colors(board):
    """TensorBoard goes through the runs by name, and gives each new group a color."""
    directory, _, _ = board
    link = urllib.parse.unquote(views(directory)["means over seeds"])
    (pattern,) = re.findall(r"runColorGroup=regex:(.*?)&smoothing", link)
    groups = {}
    for run in sorted(open_plugins(directory).runs()):
        found = re.search(pattern, run)
        if found:
            groups.setdefault(found.groups(), []).append(run.partition("/")[0])
    assert [set(runs) - {"mean"} for runs in groups.values()] == [
        {".", "none"},
        {"better"},
        {"equal"},
    ]


def test_before_the_answer_links_show_all_runs(board):
    directory, _, _ = board
    (directory / "board.json").unlink()
    assert list(views(directory)) == ["every run", "table"]
