"""What TensorBoard shows of single runs, asked of its own plugins and servers."""

import io
import re
from html import unescape

import keras
import numpy as np
import pytest
from PIL import Image

from monitoring.gallery import SHOWINGS
from monitoring.links import SINGLE_RUNS, time_series
from monitoring.scalars import SCALARS, SPLITS
from monitoring.weights import FIRST_LAYER, KERNEL_SCALARS
from tests.board import eventually, open_plugins, open_server, serve
from tests.monitoring.conftest import CONFIGS, EPOCHS
from tests.monitoring.test_monitor import read_history
from train import train
from training.measures import MEASURES, describe

RUNS = {f"{name}/seed={seed:02d}" for name in CONFIGS for seed in (0, 1)}
LAYERS = ("hidden_1", "hidden_2", "logits")
SHOWN = [0, 4, 6, 10, 12, 16, 18, 22, 24, 28, 30]
"""Of evaluations at every other of 30 epochs, the first in each tenth."""


def history(runs, run):
    """The curves of a run in history.csv: values by step, by tag."""
    rows = read_history(runs / run)
    return {
        tag: {int(row["epoch"]): float(row[tag]) for row in rows if row[tag]}
        for tag in rows[0].keys() - {"epoch", "step"}
    }


def test_every_run_is_there_by_its_name(board):
    assert set(board.runs()) == RUNS
    assert all(re.search(SINGLE_RUNS, run) for run in RUNS)


@pytest.mark.parametrize("run", sorted(RUNS))
def test_curves_are_those_of_the_history(board, runs, run):
    expected = history(runs, run)
    assert board("scalars/tags")[run].keys() == expected.keys()
    for tag, curve in expected.items():
        found = board.curve(run, tag)
        assert found == {step: np.float32(value) for step, value in curve.items()}, tag
    assert list(expected["loss/train"]) == list(range(0, EPOCHS + 1, 2))


def test_every_curve_says_what_it_reveals(board):
    functions = SCALARS | FIRST_LAYER | KERNEL_SCALARS
    descriptions = {tag: describe(function) for tag, function in functions.items()} | {
        f"{m.tag}/{split}": m.description for m in MEASURES.values() for split in SPLITS
    }
    for tags in board("scalars/tags").values():
        for tag, about in tags.items():
            expected = descriptions["/".join(tag.split("/")[:2])]
            assert expected.split()[-1] in about["description"], tag


@pytest.mark.parametrize("run", sorted(RUNS))
def test_histograms_count_the_weights_of_the_saved_model(board, runs, run):
    model = keras.models.load_model(runs / run / "model.keras")
    assert len(SHOWN) == SHOWINGS + 1
    for layer in LAYERS:
        found = board("histograms/histograms", run=run, tag=f"kernels/{layer}")
        assert [step for _, step, _ in found] == SHOWN
        buckets = np.array(found[-1][2])
        kernel = model.get_layer(layer).kernel.numpy()
        edges = np.append(buckets[:, 0], buckets[-1, 1])
        np.testing.assert_allclose(edges[[0, -1]], [kernel.min(), kernel.max()])
        assert buckets[:, 2].sum() == kernel.size
        # A weight on an edge may count to either side.
        counts, _ = np.histogram(kernel, edges)
        np.testing.assert_allclose(buckets[:, 2], counts, atol=2)


def pictures(board, run, tag):
    """Step and pixels of each picture."""
    for entry in board("images/images", run=run, tag=tag, sample=0):
        png = board.bytes(f"/data/plugin/images/individualImage?{entry['query']}")
        image = Image.open(io.BytesIO(png))
        assert image.format == "PNG"
        yield entry["step"], np.asarray(image.convert("RGB")).astype(int)


def test_filters_show_the_signs_of_the_weights(board, runs):
    run = "baseline/seed=00"
    (*_, (step, last)) = pictures(board, run, "first_layer/filters")
    assert step == EPOCHS
    assert last.shape == (4 * 29 + 1, 8 * 29 + 1, 3)
    model = keras.models.load_model(runs / run / "model.keras")
    kernel = model.get_layer("hidden_1").kernel.numpy()
    unit = 10  # In the second row, third from the left.
    weights = kernel[:, unit].reshape(28, 28)
    drawn = last[29 + 1 : 29 + 29, 2 * 29 + 1 : 3 * 29]
    blue_not_red = drawn[..., 2] - drawn[..., 0]
    clear = np.abs(weights) > 0.02
    assert clear.sum() > 20
    assert (np.sign(blue_not_red[clear]) == np.sign(weights[clear])).all()


@pytest.mark.parametrize("run", sorted(RUNS))
def test_pictures_are_shown_at_their_steps_and_described(board, run):
    assert [s for s, _ in pictures(board, run, "first_layer/filters")] == SHOWN
    for tag in ("validation/confusion", "validation/mistakes"):
        ((step, pixels),) = pictures(board, run, tag)
        assert step == EPOCHS
        assert pixels.shape == (600, 600, 3)
    tags = board("images/tags")[run]
    assert "blue is 0.1 or more" in tags["first_layer/filters"]["description"]


def test_the_graph_has_a_box_for_each_layer(board):
    for run in RUNS:
        assert board("graphs/info")[run]["run_graph"]
    graph = board.bytes("/data/plugin/graphs/graph?run=l2/seed=01&conceptual=false")
    names = re.findall(rb'node {\s+name: "(.*?)"', graph)
    boxes = {name.partition(b"/")[0].decode() for name in names}
    assert boxes == {"images", "pixels", *LAYERS, "relu_1", "relu_2", "Identity"}
    inputs = set(re.findall(rb'input: "(.*?)"', graph))
    assert inputs <= set(names)


def test_the_card_tells_results_settings_and_how_to_repeat_them(board, runs):
    run = "l2/seed=01"
    (card,) = board("text/text", run=run, tag="card/run")
    assert card["step"] == EPOCHS
    text = unescape(card["text"])
    assert "<table>" in text
    loss = float(read_history(runs / run)[-1]["loss/validation"])
    row = r"<th>validation cross-entropy \(nats\)</th>\s*<td>(.*?)</td>"
    assert re.search(row, text)[1] == f"{loss:.3f}"
    config = runs / run / "config.toml"
    assert f"python train.py {config} --runs repeated" in text
    assert config.read_text() in text
    assert f"keras {keras.__version__}" in text
    link = re.search(r'href="(.*?)"', text)[1]
    assert link == time_series(SINGLE_RUNS)


def test_a_run_is_small(runs):
    """Under 1 MB is promised for a default one, which has larger filters, not more."""
    for run in RUNS:
        size = sum(path.stat().st_size for path in (runs / run).glob("events*"))
        assert size < 500_000


@pytest.mark.parametrize(
    "loader", ["fast", pytest.param("slow", marks=pytest.mark.faults)]
)
def test_an_open_tensorboard_shows_nothing_stale(configure, tmp_path, loader):
    """A run is stopped past a checkpoint and resumed, then overwritten by a shorter."""
    place = tmp_path / "runs/small/seed=00"
    programs = {}
    asked = iter([False] * 4)
    train(
        configure("training.epochs=6"),
        place,
        programs=programs,
        should_stop=lambda: next(asked, True),
    )
    with serve(place.parents[1], f"--load_fast={str(loader == 'fast').lower()}") as url:
        board = open_server(url)

        def shows_the_history():
            curve = history(place.parents[1], "small/seed=00")["loss/train"]
            rounded = {step: np.float32(value) for step, value in curve.items()}
            return board.curve("small/seed=00", "loss/train") == rounded

        eventually(shows_the_history)
        train(configure("training.epochs=6"), place, programs=programs, resume=True)
        eventually(shows_the_history)
        shorter = configure("training.epochs=3", "seed=1")
        train(shorter, place, programs=programs, overwrite=True)
        eventually(shows_the_history)
        of_run = {"run": "small/seed=00"}
        for plugin, tag in (
            ("images/images", "first_layer/filters"),
            ("images/images", "validation/confusion"),
            ("histograms/histograms", "kernels/logits"),
            ("text/text", "card/run"),
        ):
            steps = [3] if tag in ("validation/confusion", "card/run") else [0, 1, 2, 3]
            eventually(
                lambda p=plugin, t=tag, s=steps: (
                    steps_of(board(p, tag=t, sample=0, **of_run)) == s
                )
            )
        (card,) = board("text/text", tag="card/run", **of_run)
        assert ", seed 1: completed" in card["text"]
        environment = board.bytes("/data/environment").decode()
        assert ("Grpc" in environment) == (loader == "fast")


@pytest.mark.parametrize("loader", ["fast", "slow"])
def test_a_run_resumed_after_the_clock_was_set_back_is_shown_whole(
    configure, tmp_path, loader
):
    place, asked = tmp_path / "runs/small/seed=00", iter([False] * 4)
    config, programs = configure("training.epochs=6"), {}
    train(config, place, programs=programs, should_stop=lambda: next(asked, True))
    (first,) = place.glob("events*")
    hour_ahead = int(first.name.split(".")[3]) + 3600
    first.rename(place / f"events.out.tfevents.{hour_ahead}.000000.host.1")
    train(config, place, programs=programs, resume=True)
    expected = history(place.parents[1], "small/seed=00")["loss/train"]
    expected = {step: np.float32(value) for step, value in expected.items()}
    if loader == "slow":
        board = open_plugins(place.parents[1])
        assert board.curve("small/seed=00", "loss/train") == expected
    else:
        with serve(place.parents[1], "--load_fast=true") as url:
            board = open_server(url)
            eventually(lambda: board.curve("small/seed=00", "loss/train") == expected)


def steps_of(entries):
    return [entry["step"] if isinstance(entry, dict) else entry[1] for entry in entries]


def test_pictures_can_be_left_out(configure, tmp_path):
    train(configure("training.epochs=1"), tmp_path / "runs/bare", pictures=False)
    board = open_plugins(tmp_path / "runs")
    assert "bare" in board("scalars/tags")
    for plugin in ("images/tags", "histograms/tags", "graphs/info"):
        assert not board(plugin).get("bare")
    assert board("text/text", run="bare", tag="card/run")
