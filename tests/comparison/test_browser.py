"""TensorBoard's pages of a comparison as a person sees them."""

import re
import subprocess
import sys
import urllib.parse
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
from tests.monitoring.test_browser import (
    ROWS,
    Visitor,
    colors_by_run,
    last_values,
    see_front_page,
    visit,
)
from tests.monitoring.test_monitor import read_history
from train import train

ROOT = Path(__file__).parents[2]
CARDS = (*COMPARED, "weights/norm/hidden_1", "weights/norm/logits")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """A comparison made in this process, and its directory."""
    path = tmp_path_factory.mktemp("comparison") / "small.toml"
    path.with_name("base.toml").write_text(
        """
        data = {name = "digits", validation_size = 200}
        model = {name = "tiny", hidden_units = [40]}
        training = {epochs = 8, evaluate_every = 2, jit_compile = false}
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
