import os
import re
from urllib.parse import parse_qs, urlsplit

from comparison.links import Board, views
from monitoring.links import time_series


def test_links_hold_in_markdown_and_in_a_terminal():
    board = Board(["none", "l2"], ["none", "l2/l2=1e-03"], ["logits"])
    for link in (time_series(r"^([^/]+)/ (a)|b"), *board.links("my (first)/").values()):
        assert not re.search(r"[\s()<>\"|\[\]]", link)


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
