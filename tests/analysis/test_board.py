"""What TensorBoard's own plugins say of a comparison."""

import pandas as pd
import pytest
from tensorboard.backend.event_processing.data_ingester import LocalDataIngester
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin
from tensorboard.util.tensor_util import make_ndarray
from werkzeug.test import Client

from analysis.answer import find_answer
from analysis.board import write_experiment, write_board
from analysis.summary import identity
from monitoring.events import EventWriter
from workers import trial_of

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
        writer = EventWriter(directory / run.path, {}, trial_of(run))
        for epoch in EPOCHS:
            scalars = {tag: float(number + epoch) for tag in (*TAGS, *OTHERS)}
            rows.append({**identity(run), "epoch": epoch, **scalars})
            writer.write(epoch, scalars)
        if run.seed > 0 or run.method == "equal":
            writer.end("diverged" if run.method == "none" else "completed")
        writer.close()
    curves = pd.DataFrame(rows)
    write_board(find_answer(comparison, summary, "final"), directory, curves)
    return directory, comparison, curves


def scalars(path):
    """Values by (tag, step) of a directory's only event file."""
    (file,) = path.glob("events.out.tfevents.*")
    return {
        (value.tag, event.step): float(make_ndarray(value.tensor))
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
    }


def test_mean_runs_hold_means_and_bands_over_seeds(board):
    directory, _, curves = board
    found = scalars(directory / "mean/better/model.l2=1e-02/validation")
    chosen = curves[(curves["method"] == "better") & (curves["strength"] == "l2=0.01")]
    for epoch in EPOCHS:
        values = chosen.loc[chosen["epoch"] == epoch, "weights/norm"]
        assert len(values) == 6
        assert found["mean/loss", epoch] == pytest.approx(values.mean())
        assert found["band/norm/low", epoch] == values.min()
        assert found["band/norm/high", epoch] == values.max()
    train = scalars(directory / "mean/better/model.l2=1e-02/train")
    assert {tag for tag, _ in train} == {"mean/loss", "mean/accuracy"}


def test_a_new_report_replaces_the_mean_runs(board, simulate):
    directory, _, curves = board
    before = {path.name for path in (directory / "mean").rglob("events*")}
    comparison, _, summary = simulate(
        lost={"equal/optimizer.weight_decay=1e00/seed=00"}
    )
    write_board(find_answer(comparison, summary, "final"), directory, curves)
    after = [path.name for path in (directory / "mean").rglob("events*")]
    assert len(after) == 6
    assert not before & set(after)


def session_groups(directory):
    """The rows of the HParams table, as the page gets them."""
    flags = type(
        "Flags",
        (),
        {
            "logdir": str(directory),
            "logdir_spec": "",
            "reload_interval": 0,
            "reload_task": "blocking",
            "max_reload_threads": 1,
            "samples_per_plugin": {},
            "window_title": "",
            "path_prefix": "",
            "purge_orphaned_data": True,
            "reload_multifile": False,
            "reload_multifile_inactive_secs": 0,
            "generic_data": "auto",
            "detect_file_replacement": None,
        },
    )
    ingester = LocalDataIngester(flags)
    ingester.start()
    provider = ingester.data_provider
    plugin = HParamsPlugin(TBContext(data_provider=provider, flags=flags))
    client = Client(plugin.get_plugin_apps()["/session_groups"])
    body = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_UNKNOWN"],
        "startIndex": 0,
        "sliceSize": 100,
        "aggregationType": "AGGREGATION_AVG",
    }
    return client.post("/", json=body).get_json()["sessionGroups"]


def test_hparams_has_one_row_per_method_and_strength(board):
    directory, comparison, curves = board
    groups = {group["name"]: group for group in session_groups(directory)}
    assert sorted(groups) == [
        "better l2=0.001",
        "better l2=0.01",
        "better l2=0.1",
        "equal weight_decay=0.3",
        "equal weight_decay=1.0",
        "equal weight_decay=3.0",
        "none",
    ]
    group = groups["equal weight_decay=1.0"]
    assert group["hparams"] == {"method": "equal", "strength": "weight_decay=1.0"}
    assert len(group["sessions"]) == 6
    last = curves[(curves["strength"] == "weight_decay=1.0") & (curves["epoch"] == 4)]
    shown = {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]}
    assert shown["gap/loss"] == pytest.approx(last["gap/loss"].mean())
    statuses = {
        name: [s["status"] for s in g["sessions"]] for name, g in groups.items()
    }
    assert set(statuses["equal weight_decay=1.0"]) == {"STATUS_SUCCESS"}
    assert sorted(statuses["none"]) == ["STATUS_FAILURE"] * 5 + ["STATUS_UNKNOWN"]
