"""What the README and the docs tell a reader to do works as they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.house import code_lines
from experiment.config import load_config
from monitoring.scalars import SCALARS, SCALARS_IN_DETAIL
from monitoring.weights import (
    FIRST_LAYER,
    KERNEL_SCALARS,
    KERNEL_SCALARS_IN_DETAIL,
    describe,
)
from train import BASELINE, train

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def python_block(path):
    (block,) = re.findall(r"```python\n(.*?)```", path.read_text(), re.S)
    return block


def test_the_snippet_evaluates_and_predicts_with_a_saved_run(tmp_path):
    short = ["training.epochs=2", "model.hidden_units=[32]"]
    config = load_config(BASELINE, short)
    train(config, tmp_path / "runs/baseline/seed=00")
    done = subprocess.run(
        [sys.executable, "-c", python_block(ROOT / "README.md")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    accuracy = re.search(r"accuracy (0\.\d+)", done.stdout)
    assert accuracy, done.stderr
    assert float(accuracy[1]) > 0.8
    assert re.search(r"first digit 7 with probability 0\.\d+", done.stdout)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
    for path in re.findall(
        r"(?<!/)\b(?:configs|data|models|optimizers|monitoring)/\w+\.\w+", text
    ):
        example = "NAME" in path or f"# {path}\n" in text  # A file that a block makes.
        assert (ROOT / path).exists() or example, path


def test_every_curve_and_the_sources_of_its_description_are_in_the_docs():
    page = (ROOT / "docs/tensorboard.md").read_text()
    kernel_scalars = KERNEL_SCALARS | KERNEL_SCALARS_IN_DETAIL
    scalars = SCALARS | SCALARS_IN_DETAIL | FIRST_LAYER | kernel_scalars
    for tag, function in scalars.items():
        assert f"`{tag}`" in page
        for source in re.findall(
            r"([A-Z]\w+(?: & [A-Z]\w+| et al\.)? \d{4})", describe(function)
        ):
            assert source in page, source


def test_every_config_is_in_the_readme():
    """And every one in its table is there."""
    rows = re.findall(
        r"^\| (`\w+\.toml`.*?) \|", (ROOT / "README.md").read_text(), re.M
    )
    named = re.findall(r"`(\w+\.toml)`", " ".join(rows))
    paths = (ROOT / "configs").rglob("*.toml")
    there = {path.name for path in paths if path.parent.name != "studies"}
    assert {*named} - {"config.toml"} == there


def test_the_files_to_read_have_as_many_lines_as_is_said():
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition("## Read one run\n")[2].partition("\n## ")[0]
    first_links = re.findall(r"^\d+\. \[`.*`\]\(\.\./(.*?)\)", section, re.M)
    lines = sum(code_lines(ROOT / file) for file in first_links)
    assert len(first_links) == 10
    assert f"{round(lines, -2):,} lines of code" in section


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_figure_is_left_to_fill_in(page):
    prose = re.sub(r"`[^`\n]+`", "", page.read_text())
    assert not re.search(r"\b[A-Z]+_[A-Z]+\b", prose)


def test_the_baseline_overfits_and_regularizers_stop_it(tmp_path):
    """What the README shows of the default comparison, seen less often."""
    common = ["data.train_size=1000", "training.curve_images=2000"]
    common += ["training.evaluate_every=3", "monitoring.tensorboard=false"]
    common += ["model.hidden_units=[256,256]"]
    ends, programs = {}, {}
    for name, changes in {
        "baseline": [],
        "l2": ["regularizer.l2=3e-3"],
        "adamw": ["decay.name=decoupled", "decay.strength=3.0"],
    }.items():
        config = load_config(BASELINE, [*common, *changes])
        result = train(config, tmp_path / name, programs=programs)
        ends[name] = result["final"]["validation"]["cross_entropy"]
        if name == "baseline":
            assert 0 < result["best"]["epoch"] < result["final"]["epoch"] / 2
            best = result["best"]["validation"]["cross_entropy"]
            assert ends[name] > 1.2 * best
        else:
            assert ends[name] < 0.8 * ends["baseline"]
