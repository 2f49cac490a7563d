import json
import os
import re
from urllib.parse import parse_qs, urlsplit

from comparison.links import Board, views
from monitoring.links import (
    BY_FOLDER,
    FRONT_CARDS,
    SINGLE_RUNS,
    page,
    time_series,
)
from monitoring.scalars import SCALARS
from monitoring.weights import KERNEL_SCALARS
from training.measures import MEASURES


def test_a_front_page_filters_colors_and_pins_in_order():
    address = urlsplit(time_series(r"^l2/", cards=["gap/loss", "loss/train"]))
    assert address.path == ""  # Relative, so that it holds on any port.
    assert address.fragment == "timeseries"
    query = {key: value for key, (value,) in parse_qs(address.query).items()}
    assert json.loads(query.pop("pinnedCards")) == [
        {"plugin": "scalars", "tag": "gap/loss"},
        {"plugin": "scalars", "tag": "loss/train"},
    ]
    assert query == {
        "runFilter": "^l2/",
        "runColorGroup": BY_FOLDER,
        "smoothing": "0",
    }


def test_links_hold_in_markdown_and_in_a_terminal():
    board = Board(["none", "l2"], ["none", "l2/l2=1e-03"], ["logits"])
    for link in (time_series(r"^([^/]+)/ (a)|b"), *board.links("my (first)/").values()):
        assert not re.search(r"[\s()<>\"|\[\]]", link)


def test_pages_filter_runs_where_asked():
    assert page("text") == "?#text"
    assert page("images", "^l2/") == "?#images&regexInput=%5El2/"


def test_single_runs_are_those_of_train_py():
    assert re.search(SINGLE_RUNS, "l2,regularizer.l2=1e-3/seed=00")
    assert not re.search(SINGLE_RUNS, "compare/l2/l2=1e-03/seed=00")
    assert not re.search(SINGLE_RUNS, "compare/mean/l2/train")


def test_the_latest_comparison_is_the_first_link(tmp_path):
    """`make tensorboard` after `make compare` opens what was compared."""
    (tmp_path / "baseline/seed=00").mkdir(parents=True)
    (tmp_path / "baseline/seed=00/history.csv").touch()
    assert list(views(tmp_path)) == ["front page", "pictures", "run cards"]
    for number, name in enumerate(("second", "first")):
        (tmp_path / name).mkdir()
        Board(["none"], ["none"], []).save(tmp_path / name)
        later = (tmp_path / name).stat().st_mtime + 10 - number
        os.utime(tmp_path / name / "board.json", (later, later))
    pages = list(views(tmp_path))
    assert pages[0] == "second, means over seeds"
    assert pages.index("first, every seed") < pages.index("front page")
    assert "second, table" not in pages  # TensorBoard has one table, of any of them.
    (tmp_path / "second/board.json").unlink()
    assert "first, table" in views(tmp_path)


def test_links_to_a_comparison_among_others_show_it_alone():
    link = Board(["none", "l2"], ["none"], []).links("a.b/")["means over seeds"]
    pattern = parse_qs(urlsplit(link).query)["runFilter"][0]
    assert re.search(pattern, "a.b/mean/none")
    assert not re.search(pattern, "axb/mean/none")
    assert not re.search(pattern, "other/a.b/mean/none")


def test_front_cards_are_logged_by_every_run():
    measured = {f"{measure.tag}/validation" for measure in MEASURES.values()}
    assert set(FRONT_CARDS) <= measured | SCALARS.keys() | KERNEL_SCALARS.keys()
    assert 4 <= len(FRONT_CARDS) <= 6
