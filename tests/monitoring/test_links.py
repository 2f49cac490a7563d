import json
import re
from urllib.parse import parse_qs, urlsplit

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


def test_pages_filter_runs_where_asked():
    assert page("text") == "?#text"
    assert page("images", "^l2/") == "?#images&regexInput=%5El2/"


def test_single_runs_are_those_of_train_py():
    assert re.search(SINGLE_RUNS, "l2,regularizer.l2=1e-3/seed=00")
    assert not re.search(SINGLE_RUNS, "compare/l2/l2=1e-03/seed=00")
    assert not re.search(SINGLE_RUNS, "compare/mean/l2/train")


def test_front_cards_are_logged_by_every_run():
    measured = {f"{measure.tag}/validation" for measure in MEASURES.values()}
    assert set(FRONT_CARDS) <= measured | SCALARS.keys() | KERNEL_SCALARS.keys()
    assert 4 <= len(FRONT_CARDS) <= 6
