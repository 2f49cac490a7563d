"""TensorBoard's pages as a person sees them, in the system's Chromium, headless.

Each test opens a link that the project prints or writes, and saves what it saw in
`screenshots/`.
"""

import contextlib
import json
import re
import urllib.parse
import urllib.request

import pytest
from playwright.sync_api import expect

from monitoring.links import FRONT_CARDS, OF_RUNS, page
from tests.board import eventually, serve
from tests.conftest import SCREENSHOTS
from tests.monitoring.conftest import CONFIGS
from tests.monitoring.test_monitor import read_history

ROWS = "tb-data-table-content-row"


class Visitor:
    """Opens links of one TensorBoard."""

    def __init__(self, chromium, address):
        self.address, self.complaints = address, []
        self.page = chromium.new_page(viewport={"width": 1600, "height": 1000})
        self.page.set_default_timeout(60_000)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note_message)
        self.page.on("response", self._note_answer)
        self.page.on("requestfailed", self._note_failure)

    def _note_message(self, message):
        if message.type == "error":
            self.complaints.append(message.text)

    def _note_answer(self, response):
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def _note_failure(self, request):
        # `view.PAGE` goes on to TensorBoard, at times before it is whole.
        if request.failure != "net::ERR_ABORTED" or "/open?" not in request.url:
            self.complaints.append(f"{request.failure} {request.url}")

    def open(self, link):
        self.page.goto("about:blank")  # A change behind the # alone does not reload.
        self.page.goto(self.address + link)
        return self.page

    def shoot(self, name):
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(1000)  # Lines are drawn after the last answer.
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        assert not self.complaints


@contextlib.contextmanager
def visit(chromium, directory, run_count):
    with serve(directory, "--samples_per_plugin=images=100") as address:

        def complete():
            with urllib.request.urlopen(address + "data/runs") as answer:
                return len(json.load(answer)) == run_count

        eventually(complete)
        visitor = Visitor(chromium, address)
        yield visitor
        visitor.page.close()


@pytest.fixture(scope="module")
def single(browser, runs):
    with visit(browser, runs, run_count=6) as visitor:
        yield visitor


def colors_by_run(page):
    """Of the rows of the run list, as they are drawn."""
    rows = page.locator(f"runs-data-table {ROWS}")
    return dict(
        rows.evaluate_all(
            """rows => rows.map(row => [
                row.innerText.trim().split('\\n')[0],
                getComputedStyle(row.querySelector('.run-color-swatch')).backgroundColor
            ])"""
        )
    )


def values_by_run(card):
    """Of the table beneath a chart: the value at the last step."""
    return {
        lines[0]: float(lines[1])
        for row in card.locator(ROWS).all_inner_texts()
        for lines in [[line for line in row.split("\n") if line.strip()]]
    }


def see_front_page(visitor, link, expected, tags=FRONT_CARDS):
    """Check a front page against {run: {tag: value of the last evaluation}}.

    Returns:
        The colors by group of runs.
    """
    page = visitor.open(link)
    page.wait_for_selector(f"metrics-pinned-view scalar-card {ROWS}")
    colors = colors_by_run(page)
    assert set(colors) == set(expected)
    groups = {}
    for run, color in colors.items():
        group = re.match("(?:mean/)?([a-z0-9]+)", run)[1]
        groups.setdefault(group, set()).add(color)
    assert all(len(of_group) == 1 for of_group in groups.values())
    assert len(set.union(*groups.values())) == len(groups)
    cards = page.locator("metrics-pinned-view scalar-card")
    expect(cards).to_have_count(len(tags))
    for card, tag in zip(cards.all(), tags, strict=True):
        assert "".join(card.locator(".tag").first.inner_text().split()) == tag
        shown = values_by_run(card)
        assert shown == {
            # Four decimals, or four digits, are shown.
            run: pytest.approx(values[tag], rel=6e-4, abs=6e-5)
            for run, values in expected.items()
        }
    smoothing = page.locator("metrics-dashboard input[type=number], .slider-input")
    assert smoothing.first.input_value() == "0"
    return {group: color for group, (color,) in groups.items()}


def last_values(directory, run, tags=FRONT_CARDS):
    row = read_history(directory / run)[-1]
    return {tag: float(row[tag]) for tag in tags}


def test_the_front_page_of_single_runs(single, runs):
    names = [f"{name}/seed={seed:02d}" for name in CONFIGS for seed in (0, 1)]
    expected = {name: last_values(runs, name) for name in names}
    see_front_page(single, OF_RUNS["front page"], expected)
    single.shoot("front_page_single")


def test_pictures(single, runs):
    page = single.open(OF_RUNS["pictures"])
    images = page.locator("tf-image-loader img:visible")
    expect(images).to_have_count(3 * len(CONFIGS) * 2)
    widths = images.evaluate_all("images => images.map(i => i.naturalWidth)")
    assert sorted(set(widths)) == [8 * 29 + 1, 600]
    single.shoot("images")


def test_histograms(single):
    page_ = single.open(page("histograms", "^l2/seed=00"))
    expect(page_.locator("tf-histogram-loader:visible")).to_have_count(3)
    page_.wait_for_selector("vz-histogram-timeseries path")
    single.shoot("histograms")


def test_the_graph(single):
    shown = single.open(page("graphs"))
    shown.wait_for_selector("tf-graph-scene svg g.node", state="attached")
    nodes = shown.locator("tf-graph-scene svg g.node")
    names = nodes.evaluate_all("nodes => nodes.map(n => n.getAttribute('data-name'))")
    assert {"hidden_1", "hidden_2", "logits", "pixels"} <= set(names)
    assert not shown.get_by_text("Graph visualization failed").is_visible()
    single.shoot("graph")


def test_the_link_in_a_run_card_opens_the_front_page(single, runs):
    shown = single.open(page("text", "^l2/seed=00"))
    shown.wait_for_selector("tf-text-loader table")
    heading = shown.locator("tf-text-loader h1:visible")
    assert heading.inner_text().startswith("l2")
    single.shoot("run_card")
    target = shown.locator("tf-text-loader a").first.get_attribute("href")
    opened = single.open(target)
    opened.wait_for_selector(f"metrics-pinned-view scalar-card {ROWS}")
    assert len(colors_by_run(opened)) == 6
    assert "baseline" in "".join(colors_by_run(opened))
