"""TensorBoard's pages as a person sees them, in the system's Chromium, headless.

Each test opens a link that the project prints or writes, and saves what it saw in
`screenshots/`.
"""

import contextlib
import json
import shutil
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect, sync_playwright
from rich.console import Console

from comparison.board import METRICS, TITLES
from comparison.hparams import list_trials
from comparison.plan import load_comparison
from comparison.report import write_report
from monitoring.links import FRONT_CARDS, page, views
from tests.board import eventually, serve
from tests.monitoring.conftest import CONFIGS
from tests.monitoring.test_monitor import read_history
from train import train

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ROWS = "tb-data-table-content-row"


@pytest.fixture(scope="session")
def browser():
    """A page that notes what goes wrong on it."""
    found = [path for name in CHROMIUM if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium to look with: apt install chromium, or Google Chrome")
    SCREENSHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found[0], args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


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
        vary.model.l2 = [1e-3, 1e-2]
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
    write_report(made, directory, results, Console(quiet=True))
    return made, directory


@pytest.fixture(scope="module")
def compared(browser, comparison):
    _, directory = comparison
    # 15 runs, train and validation means of three methods, and the root.
    with visit(browser, directory, run_count=15 + 6 + 1) as visitor:
        yield visitor


def colors_by_run(page):
    """Of the rows of the run list, as they are drawn."""
    rows = page.locator(f"runs-data-table {ROWS}")
    return dict(
        rows.evaluate_all(
            """rows => rows.map(row => [
                row.innerText.trim().split(/\\s+/)[0],
                getComputedStyle(row.querySelector('.run-color-swatch')).backgroundColor
            ])"""
        )
    )


def values_by_run(card):
    """Of the table beneath a chart: the value at the last step."""
    return {
        row.split()[0]: float(row.split()[1])
        for row in card.locator(ROWS).all_inner_texts()
    }


def see_front_page(visitor, link, expected):
    """Check a front page against {run: {tag: value of the last evaluation}}."""
    page = visitor.open(link)
    page.wait_for_selector(f"metrics-pinned-view scalar-card {ROWS}")
    colors = colors_by_run(page)
    assert set(colors) == set(expected)
    groups = {}
    for run, color in colors.items():
        groups.setdefault(run.partition("/")[0], set()).add(color)
    assert all(len(of_group) == 1 for of_group in groups.values())
    assert len(set.union(*groups.values())) == len(groups)
    cards = page.locator("metrics-pinned-view scalar-card")
    expect(cards).to_have_count(len(FRONT_CARDS))
    for card, tag in zip(cards.all(), FRONT_CARDS, strict=True):
        assert "".join(card.locator(".tag").first.inner_text().split()) == tag
        shown = values_by_run(card)
        assert shown == {
            # Four decimals, or four digits, are shown.
            run: pytest.approx(values[tag], rel=6e-4, abs=6e-5)
            for run, values in expected.items()
        }
    smoothing = page.locator("metrics-dashboard input[type=number], .slider-input")
    assert smoothing.first.input_value() == "0"


def last_values(directory, run):
    row = read_history(directory / run)[-1]
    return {tag: float(row[tag]) for tag in FRONT_CARDS}


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


def chosen_runs(directory):
    folders = sorted(path.parent for path in directory.glob("mean/**/validation"))
    return [folder.relative_to(directory / "mean").as_posix() for folder in folders]


def test_the_front_page_of_a_comparison(compared, comparison):
    _, directory = comparison
    names = [f"{run}/seed={s:02d}" for run in chosen_runs(directory) for s in range(3)]
    expected = {name: last_values(directory, name) for name in names}
    see_front_page(compared, views(directory)["front page"], expected)
    compared.shoot("front_page")


CHARTS = "tf-custom-scalar-multi-line-chart-card, tf-custom-scalar-margin-chart-card"
DRAWN = "path.line[d], path.area[d]"


def test_charts_of_means(compared, comparison):
    _, directory = comparison
    shown = compared.open(views(directory)["means over seeds"])
    charts = shown.locator(CHARTS)
    expect(charts).to_have_count(len(TITLES))
    shown.wait_for_load_state("networkidle")
    shown.wait_for_timeout(1500)
    titles = [chart.evaluate("chart => chart.title") for chart in charts.all()]
    assert titles == list(TITLES.values())
    for chart, lines in zip(charts.all(), (6, 6, 3, 3, 3), strict=True):
        strokes = chart.evaluate(
            """chart => {
                const loader = chart.shadowRoot
                    .querySelector('tf-line-chart-data-loader').shadowRoot;
                const lines = loader.querySelector('vz-line-chart2').shadowRoot
                    .querySelectorAll('path.line');
                return [...lines].filter(line => line.getAttribute('d')?.length > 20)
                    .map(line => line.getAttribute('stroke')).filter(Boolean);
            }"""
        )
        assert len(set(strokes)) == len(strokes) == lines
    compared.shoot("custom_scalars")


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
    trials = {path: trial.name for path, trial in list_trials(made).items()}
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
    assert len(drawn) == len({trial.name for trial in list_trials(made).values()})
    compared.shoot("parallel_coordinates")


def test_the_results_and_their_links(compared, comparison):
    _, directory = comparison
    shown = compared.open(views(directory)["results"])
    shown.wait_for_selector("tf-text-loader table")
    rows = shown.locator("tf-text-loader table:first-of-type tr").all_inner_texts()
    summary = pd.read_csv(directory / "summary.csv")
    control = summary.loc[summary["method"] == "none", "final_test_cross_entropy"]
    (row,) = [row for row in rows if row.startswith("none")]
    assert f"{control.mean():.4f} ± {control.std():.4f}" in row
    links = shown.locator("tf-text-loader a")
    targets = [urllib.parse.unquote(a.get_attribute("href")) for a in links.all()]
    assert targets == [urllib.parse.unquote(link) for link in views(directory).values()]
    compared.shoot("results")


def test_pictures_of_a_comparison_are_those_of_one_seed(compared, comparison):
    _, directory = comparison
    shown = compared.open(views(directory)["pictures"])
    expect(shown.locator("tf-image-loader img:visible")).to_have_count(9)
    compared.shoot("images_compared")
