"""TensorBoard's pages as a person sees them, in the system's Chromium, headless.

Each test opens a link that the project prints or writes, and saves what it saw in
`screenshots/`.
"""

import contextlib
import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from comparison.board import METRICS
from comparison.colors import COLORS
from comparison.links import COMPARED, read_board, views
from comparison.plan import load_comparison
from comparison.report import write_report
from monitoring.links import FRONT_CARDS, page
from tests.board import eventually, serve
from tests.conftest import SCREENSHOTS
from tests.monitoring.conftest import CONFIGS
from tests.monitoring.test_monitor import read_history
from train import train

ROOT = Path(__file__).parents[2]
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


@pytest.fixture(scope="module")
def comparison(tmp_path_factory, digits):
    """A comparison made in this process, and its directory."""
    path = tmp_path_factory.mktemp("comparison") / "small.toml"
    path.with_name("base.toml").write_text(
        f"""
        data = {{name = "npz", path = "{digits}", validation_size = 200}}
        model = {{hidden_units = [40]}}
        training = {{epochs = 8, evaluate_every = 2}}
        """
    )
    path.write_text(
        """
        base = "base.toml"
        seeds = [0, 1, 2]
        [methods.none]
        [methods.l2]
        vary.regularizer.l2 = [1e-3, 1e-2]
        [methods.adamw]
        set.decay.name = "decoupled"
        vary.decay.strength = [1.0, 10.0]
        """
    )
    made, programs = load_comparison(path), {}
    directory = path.with_name("small")
    results = {
        run.path: train(
            run.config,
            directory / run.path,
            pictures=run.pictures,
            programs=programs,
        )
        for run in made.runs
    }
    write_report(made, directory, results)
    return made, directory


@pytest.fixture(scope="module")
def compared(browser, comparison):
    _, directory = comparison
    # 15 runs, the means of three methods, and the root.
    with visit(browser, directory, run_count=15 + 3 + 1) as visitor:
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
    see_front_page(single, views(runs)["front page"], expected)
    single.shoot("front_page_single")


def test_pictures(single, runs):
    page = single.open(views(runs)["pictures"])
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


CARDS = (*COMPARED, "weights/norm/hidden_1", "weights/norm/logits")


def test_a_comparison_in_the_colors_of_its_report(compared, comparison):
    _, directory = comparison
    folders = read_board(directory).folders
    seeds = [f"seed={seed:02d}" for seed in range(3)]
    of_folder = {
        folder: [last_values(directory, f"{folder}/{seed}", CARDS) for seed in seeds]
        for folder in folders
    }
    names = [path.name for path in (directory / "mean").iterdir()]
    means = {}
    for folder, rows in of_folder.items():
        (name,) = (n for n in names if n.split()[0] == folder.partition("/")[0])
        means[f"mean/{name}"] = {t: np.mean([row[t] for row in rows]) for t in CARDS}
    every = {
        f"{folder}/{seed}": row
        for folder, rows in of_folder.items()
        for seed, row in zip(seeds, rows, strict=True)
    }
    report = (directory / "report.html").read_text()
    dot = r'data-for="(\w+)"><span class="dot" style="background: var\(--c(.)'
    expected = {
        method: "rgb({}, {}, {})".format(*bytes.fromhex(COLORS[int(number)][1:]))
        for method, number in re.findall(dot, report)
    }
    for link, runs in (("means over seeds", means), ("every seed", every)):
        found = see_front_page(compared, views(directory)[link], runs, CARDS)
        assert found == expected
        compared.shoot(link.replace(" ", "_"))


def test_view_opens_the_comparisons_of_a_directory_with_the_settings_closed(
    browser, comparison
):
    _, directory = comparison
    with subprocess.Popen(
        [sys.executable, ROOT / "view.py", directory.parent, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            name, _, link = process.stdout.readline().strip().partition(": ")
            assert name == "small, means over seeds"
            visitor = Visitor(browser, "")
            page_ = visitor.open(link)
            page_.wait_for_selector(f"metrics-pinned-view scalar-card {ROWS}")
            assert len(colors_by_run(page_)) == 3
            settings = page_.locator("metrics-dashboard-settings-component")
            expect(settings).to_have_count(0)
            page_.get_by_role("button", name="Settings").last.click()
            expect(settings).to_have_count(1)  # It is there for whoever wants it.
            visitor.shoot("view")
            visitor.page.close()
        finally:
            process.kill()


def test_the_hparams_table(compared, comparison):
    made, directory = comparison
    shown = compared.open(views(directory)["table"])
    cell = "tf-hparams-table-view vaadin-grid-cell-content"
    shown.wait_for_selector(f'{cell}:has-text("l2 0.01")')
    shown.wait_for_load_state("networkidle")
    texts = [text.strip() for text in shown.locator(cell).all_inner_texts()]
    for name in METRICS.values():
        assert any(name in text for text in texts)
    assert not any("seed" in text for text in texts)
    trials = {run.path: run.trial.title for run in made.runs}
    numbers = [float(text) for text in texts if text[:1].isdigit() and "." in text]
    for trial in set(trials.values()):
        assert trial in texts
        runs = [path for path, name in trials.items() if name == trial]
        for tag in METRICS:
            mean = np.mean([float(read_history(directory / r)[-1][tag]) for r in runs])
            assert min(abs(np.array(numbers) - mean)) < 1e-3 * max(1, mean)
    compared.shoot("hparams")


def test_parallel_coordinates_show_every_line(compared, comparison):
    made, directory = comparison
    shown = compared.open(views(directory)["table"])
    shown.get_by_text("PARALLEL COORDINATES VIEW").click()
    lines = "tf-hparams-parallel-coords-plot .foreground path"
    shown.wait_for_selector(lines, state="attached")
    drawn = [
        d
        for d in shown.locator(lines).evaluate_all(
            "l => l.map(p => p.getAttribute('d'))"
        )
        if d
    ]
    assert len(drawn) == len({run.trial for run in made.runs})
    compared.shoot("parallel_coordinates")


def test_the_results_and_their_links(compared, comparison):
    _, directory = comparison
    shown = compared.open(views(directory)["results"])
    shown.wait_for_selector("tf-text-loader table")
    rows = shown.locator("tf-text-loader table:first-of-type tr").all_inner_texts()
    summary = pd.read_csv(directory / "summary.csv")
    control = summary.loc[summary["method"] == "none", "final_test_cross_entropy"]
    (row,) = [row for row in rows if row.startswith("none")]
    assert f"{control.mean():.3f} ± {control.std():.3f}" in row
    links = shown.locator("tf-text-loader a")
    targets = [urllib.parse.unquote(a.get_attribute("href")) for a in links.all()]
    assert targets == [urllib.parse.unquote(link) for link in views(directory).values()]
    compared.shoot("results")


def test_pictures_of_a_comparison_are_those_of_one_seed(compared, comparison):
    _, directory = comparison
    shown = compared.open(views(directory)["pictures"])
    expect(shown.locator("tf-image-loader img:visible")).to_have_count(9)
    compared.shoot("images_compared")
