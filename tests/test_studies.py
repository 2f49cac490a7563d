"""The pages of docs/results/ say what the committed results of their studies say."""

import re

import pytest

from benchmarks.studies import CONFIGS, IDENTITY, PAGES, STUDIES, filled, read
from comparison.plan import load_comparison

pytestmark = pytest.mark.docs

SECTIONS = (
    "What was published|What we expected",
    "Command",
    "Result",
    "Reading",
    "What differs",
    "Verdict",
)
NUMBER = r"\d[\d,]*\.\d+"


def page_of(name):
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STUDIES)
def test_tables_are_those_of_the_committed_results(name):
    page = page_of(name)
    assert filled(page, STUDIES[name].tables(read(PAGES / name))) == page


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_is_whole_and_its_numbers_are_in_its_tables(name):
    page = page_of(name)
    parts = re.split(r"^## (.*)\n", page, flags=re.M)
    titles, texts = parts[1::2], parts[2::2]
    for pattern, title in zip(SECTIONS, titles, strict=True):
        assert re.fullmatch(pattern, title)
    assert f"python -m benchmarks.studies {name}\n" in page
    assert f"({name}/figure.png)" in page
    text = dict(zip(titles, texts, strict=True))
    tables = " ".join(re.findall(r"<!-- table.*?<!-- end -->", page, re.S))
    known = set(re.findall(NUMBER, tables + texts[0]))
    for section in ("Reading", "Verdict"):
        assert set(re.findall(NUMBER, text[section])) <= known
    assert re.match(
        r"\*\*(Reproduced|Reproduced in shape|Not reproduced|Ours)\b",
        text["Verdict"].strip(),
    )


def test_every_study_has_all_runs_of_its_files_and_a_row_in_the_overview():
    overview = (PAGES / "README.md").read_text(encoding="utf-8")
    planned = {
        (file.stem, run.trial.condition, run.trial.method, run.trial.strength, run.seed)
        for file in CONFIGS.glob("*.toml")
        for run in load_comparison(file).runs
    }
    made: list[tuple] = []
    for name in STUDIES:
        assert f"({name}.md)" in overview
        made += read(PAGES / name).runs[[*IDENTITY, "seed"]].itertuples(index=False)
    assert sorted(map(tuple, made)) == sorted(planned)
