"""The report as a person sees it, in the system's Chromium, headless.

Comparisons of every shape, of results that are made up but lie in files of their true
format; each page is saved in `screenshots/`, wide, narrow, dark and on paper.
"""

import numpy as np
import pytest

from comparison.plan import load_comparison
from comparison.report import write_report
from data import Split
from experiment.config import flatten
from monitoring.events import EventWriter, image_pb
from monitoring.history import History
from monitoring.pictures import draw_filters, draw_mistakes
from tests.conftest import SCREENSHOTS

METHODS = """
[methods.none]
[methods.l2]
vary.regularizer.l2 = [1e-3, 1e-2, 1e-1]
[methods.adamw]
set.decay.name = "decoupled"
vary.decay.strength = [0.3, 1.0, 3.0]
"""
WIDTHS = "[{model.hidden_units = [16]}, {model.hidden_units = [256]}]"
SHAPES = {
    "three": METHODS,
    "fourteen": "[methods.none]\n"
    + "".join(
        f"[methods.with_a_long_name_{i}]\nvary.regularizer.l2 = [1e-3, 1e-2, 1e-1]\n"
        for i in range(13)
    ),
    "noise": "conditions = [{data.label_noise = 0.0}, {data.label_noise = 0.4}]"
    + METHODS,
    "widths": f"conditions = {WIDTHS}" + METHODS,
    "plane": METHODS + "vary.optimizer.learning_rate = [1e-4, 1e-3]\n",
}
WAYS = {
    "1440": {"viewport": {"width": 1440, "height": 900}},
    "800": {"viewport": {"width": 800, "height": 900}},
    "390": {"viewport": {"width": 390, "height": 844}},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "paper": {"viewport": {"width": 700, "height": 900}},
}
FAULTS = """() => {
    const faults = [], inside = (a, b) => a.left >= b.left - 2 && a.right <= b.right + 2
        && a.top >= b.top - 2 && a.bottom <= b.bottom + 2;
    for (const svg of document.querySelectorAll("svg")) {
        const frame = svg.getBoundingClientRect();
        if (!frame.width) continue;
        const texts = [...svg.querySelectorAll("text")].filter(t => t.textContent.trim());
        const boxes = texts.map(text => text.getBoundingClientRect());
        boxes.forEach((box, i) => {
            if (!inside(box, frame)) faults.push("cut off: " + texts[i].textContent);
            boxes.slice(0, i).forEach((other, j) => {
                const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
                const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
                if (wide > 2 && high > 4)
                    faults.push(`overlap: ${texts[i].textContent} ${texts[j].textContent}`);
            });
        });
    }
    for (const image of document.images) {
        const [width, height] = [image.clientWidth, image.clientHeight];
        if (Math.abs(width * image.naturalHeight - height * image.naturalWidth) > 0.05 * width * image.naturalHeight)
            faults.push(`squeezed: ${image.alt} ${width} x ${height}`);
    }
    const width = document.documentElement.scrollWidth;
    if (width > innerWidth) faults.push(`wider than the window: ${width}`);
    for (const cell of document.querySelectorAll(".wide td:not(.text)")) {
        const range = document.createRange();
        range.selectNodeContents(cell);
        if (new Set([...range.getClientRects()].map(line => line.top)).size > 1)
            faults.push("broken number: " + cell.textContent);
    }
    return faults;
}"""  # noqa: E501


def make_up(path, random):
    """Write the files of a comparison's runs; returns what their result.json hold."""
    comparison = load_comparison(path)
    directory = path.with_suffix("")
    results = {}
    for run in comparison.runs:
        method = list(comparison.file.methods).index(run.trial.method)
        place = sum(f"{run.trial.varied}".encode()) % 3
        loss = 0.5 - 0.02 * method + 0.03 * place + random.normal(scale=0.01)
        settings = dict(flatten(run.config.tables()))
        fitted = 0.9 if settings["model.hidden_units"] == [16] else 1.0
        moment = {
            "epoch": 10,
            **{
                split: {"cross_entropy": loss, "loss": loss, "accuracy": 1 - loss / 5}
                for split in ("validation", "test")
            },
            "train": {"cross_entropy": 0.01, "loss": 0.01, "accuracy": fitted},
            "penalty": 0.0,
            "generalization_gap": loss - 0.01,
            "weight_norm": 30.0,
            "weight_norm_of_layer": {"hidden_1": 20.0, "logits": 5.0},
            **in_detail(loss, random),
        }
        moment["test"]["calibration_error"] = loss / 10
        results[run.path] = {
            "status": "completed",
            "seconds": 5.0,
            "final": moment,
            "best": moment,
            "versions": {"keras": "3"},
        }
        noisy = settings["data.label_noise"] > 0
        write_history(directory / run.path, loss, method, noisy)
        if run.pictures:
            writer = EventWriter(directory / run.path, {})
            for epoch in (0, 10):
                png = draw_filters(random.normal(0, 0.05, (784, 32)), (28, 28))
                writer.add(epoch, summary=image_pb("first_layer/filters", png, "F"))
            if noisy and method < 2:
                digits = Split(random.random((12, 28, 28)), np.arange(12) % 10)
                png = draw_mistakes(digits, np.eye(12)[::-1], list(map(str, range(12))))
                writer.add(10, summary=image_pb("memorized/digits", png, "D"))
            writer.close()
    write_report(comparison, directory, results)
    return directory


def in_detail(loss, random):
    """What result.json says of classes, and of bins of confidence."""
    middles = [f"{(number + 0.5) / 15:.3g}" for number in range(3, 15)]
    images = dict(zip(middles, 2 ** np.arange(12), strict=True))
    return {
        "recall": {str(c): 1 - loss / 5 - random.random() / 50 for c in range(10)},
        "images_by_confidence": {k: int(v) for k, v in images.items()},
        "right_by_confidence": {
            k: int(v * float(k) ** (1 + loss)) for k, v in images.items()
        },
    }


def write_history(directory, loss, method, noisy):
    directory.mkdir(parents=True)
    tags = [f"{name}/{split}" for name in ("loss", "accuracy") for split in SPLITS]
    tags += ["gap/loss", "weights/norm", "weights/norm/hidden_1", "weights/norm/logits"]
    tags += ["memorized/wrong_label", "memorized/true_label"] if noisy else []
    history = History(directory, tags)
    for epoch in range(0, 11, 2):
        scalars = dict.fromkeys(tags, 0.5 + 0.04 * epoch / (1 + method))
        scalars["loss/train"] = 2.3 * 0.4**epoch
        scalars["loss/validation"] = loss + 1.8 * 0.5**epoch + 0.01 * epoch
        history.rows.append({"epoch": epoch, "step": epoch, **scalars})
    history.save()


SPLITS = ("train", "validation")


@pytest.fixture(scope="module", params=SHAPES)
def made(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.toml"
    path.with_name("base.toml").write_text(
        "data.train_size = 1000\nmodel.name = 'tiny'"
    )
    opening = 'base = "base.toml"\nseeds = [0, 1, 2]\nquestion = "Which is best?"\n'
    path.write_text(opening + SHAPES[request.param])
    return request.param, make_up(path, np.random.default_rng(0))


def test_pages_are_whole_at_every_width_in_the_dark_and_on_paper(browser, made):
    shape, directory = made
    address = (directory / "report.html").as_uri()
    assert (directory / "report.html").stat().st_size < 1_000_000
    for way, settings in WAYS.items():
        page = browser.new_page(**settings)
        complaints = []
        page.on("console", lambda message, to=complaints: to.append(message.text))
        page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
        page.on("request", lambda request, to=complaints: to.append(request.url))
        if way == "paper":
            page.emulate_media(media="print")
        page.goto(address)
        page.screenshot(path=SCREENSHOTS / f"report_{shape}_{way}.png", full_page=True)
        assert page.evaluate(FAULTS) == [], (shape, way)
        assert [c for c in complaints if not c.startswith(("data:", address))] == []
        page.close()


def test_the_first_screen_says_who_won_by_how_much_and_how_sure(browser, made):
    shape, directory = made
    for way in ("1440", "390"):
        page = browser.new_page(**WAYS[way])
        page.goto((directory / "report.html").as_uri())
        sentences = page.locator(".answer p:visible")
        bottom = sentences.first.bounding_box()
        assert bottom["y"] + bottom["height"] < WAYS[way]["viewport"]["height"]
        text = sentences.first.inner_text()
        assert "lowest test cross-entropy" in text.lower()
        if shape in ("three", "plane", "fourteen"):
            assert "nats" in text
            assert " seeds" in text
            assert "[" in text  # An interval.
        page.close()


def test_a_click_mutes_a_method_and_another_moment_is_one_click_away(browser, made):
    shape, directory = made
    if shape != "three":
        pytest.skip("the same on every page")
    page = browser.new_page(**WAYS["1440"])
    page.goto((directory / "report.html").as_uri())
    lines = page.locator('#when g[data-method="l2"]')
    assert "muted" not in (lines.first.get_attribute("class") or "")
    page.get_by_role("button", name="l2").click()
    assert "muted" in lines.first.get_attribute("class")
    assert page.locator('[data-moment="best"]:visible').count() == 0
    page.get_by_text("best weights").click()
    assert page.locator('[data-moment="final"]:visible').count() == 0
    assert page.locator('[data-moment="best"]:visible').count()
    image = page.locator(".filters img").first
    last = image.get_attribute("src")
    page.locator(".slider input").fill("0")
    assert image.get_attribute("src") != last
    page.close()
