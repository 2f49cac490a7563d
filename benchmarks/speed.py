"""Time this template against its peers, and its parts against each other.

    python -m benchmarks.speed [--rounds N] [--only TITLE] [--page FILE]

Every peer is a process of its own; they take turns, so that a drift of the machine
falls on all. What counts is the ratio of two turns of one round: its median over the
rounds, and from where to where it goes. Peers that are not installed are left out.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks import comparison
from benchmarks.peers import PEERS, Work

ROOT = Path(__file__).resolve().parent.parent
NEEDS = {
    "JAX scan": "jax",
    "PyTorch eager": "torch",
    "PyTorch compiled": "torch",
}
US, FLOOR = "this template", "matrix products"
TRAINERS = tuple(PEERS)
SMALL = Work((128, 128), batch_size=32)
CONVOLUTIONS = Work((), batch_size=100, train_size=3000, filters=(16, 32))
MIDDLE = Work((512, 512))
LARGE = Work((1024, 1024, 2048))
FEW_IMAGES = replace(MIDDLE, train_size=1000, batch_size=100, epochs=20)

Turns = dict[str, list[dict[str, float]]]


@dataclass(frozen=True)
class Contest:
    """Peers that take turns. A runner is a peer's name and what it does.

    Attributes:
        title: Of the table.
        runners: By the name of their row.
        targets: Highest ratios of the first runner to others.
    """

    title: str
    runners: dict[str, tuple[str, Work]]
    targets: dict[str, float]


def contest(title: str, work: Work, names, **targets: float) -> Contest:
    runners = {name: (name, work) for name in names}
    return Contest(title, runners, {k.replace("_", " "): v for k, v in targets.items()})


LOGGED = replace(MIDDLE, logging="default")
CONTESTS = (
    contest(
        "784-512-512-10, batches of 128, 60,000 images, training alone",
        MIDDLE,
        TRAINERS,
        matrix_products=1.05,
        JAX_scan=1.0,
    ),
    contest(
        "784-128-128-10, batches of 32, 60,000 images, training alone",
        SMALL,
        TRAINERS,
        matrix_products=1.25,
        JAX_scan=1.0,
    ),
    contest(
        "784-1024-1024-2048-10, batches of 128, 60,000 images, training alone",
        LARGE,
        (US, FLOOR, "model.fit tuned", "JAX scan"),
        JAX_scan=1.0,
    ),
    contest(
        "784-512-512-10, batches of 100, 1,000 images, training alone",
        FEW_IMAGES,
        TRAINERS,
        JAX_scan=1.0,
    ),
    Contest(
        "convolutions of 16 and 32 filters, batches of 100, 3,000 images",
        {
            name: (name, CONVOLUTIONS)
            for name in (US, "model.fit", "model.fit tuned", "PyTorch eager")
        },
        {"model.fit": 0.8, "model.fit tuned": 0.8},
    ),
    Contest(
        "784-512-512-10, 60,000 images, with evaluations and logging",
        {
            US: (US, LOGGED),
            FLOOR: (FLOOR, MIDDLE),
            "model.fit": ("model.fit", LOGGED),
            "without logging": (US, replace(MIDDLE, logging="evaluate")),
        },
        {FLOOR: 1.4, "model.fit": 0.33, "without logging": 1.03},
    ),
    Contest(
        "784-512-512-10, 60,000 images, every statistic",
        {
            "every statistic": (US, replace(MIDDLE, logging="detail")),
            "the default": (US, LOGGED),
            "evaluations alone": (US, replace(MIDDLE, logging="evaluate")),
        },
        {"evaluations alone": 1.15},
    ),
    Contest(
        "784-128-128-10, batches of 32, 60,000 images, with evaluations and logging",
        {name: (name, replace(SMALL, logging="default")) for name in (US, "model.fit")},
        {"model.fit": 0.15},
    ),
    Contest(
        "784-512-512-10, 1,000 images, with evaluations and logging",
        {
            name: (name, replace(FEW_IMAGES, logging="default"))
            for name in (US, "model.fit")
        },
        {},
    ),
    Contest(
        "784-512-512-10, 60,000 images, hidden dropout",
        {
            "hidden dropout": (US, replace(MIDDLE, dropout=0.5)),
            "no dropout": (US, MIDDLE),
            "model.fit, hidden dropout": ("model.fit", replace(MIDDLE, dropout=0.5)),
        },
        {"no dropout": 1.15},
    ),
    Contest(
        "784-512-512-10, 60,000 images, input dropout too",
        {
            "all dropout": (US, replace(MIDDLE, dropout=0.5, input_dropout=0.2)),
            "no dropout": (US, MIDDLE),
        },
        {"no dropout": 1.35},
    ),
)


def take_turns(runners: dict[str, tuple[str, Work]], rounds: int) -> Turns:
    """Start a process for each runner, and let them work one after the other."""
    processes = {}
    for name, (peer, work) in runners.items():
        words = [
            sys.executable,
            "-m",
            "benchmarks.peers",
            peer,
            json.dumps(asdict(work)),
        ]
        processes[name] = subprocess.Popen(
            words,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        answer(processes[name], name)
    turns: Turns = {name: [] for name in runners}
    for _ in range(rounds):
        for name, process in processes.items():
            turns[name].append(answer(process, name, "\n"))
    for process in processes.values():
        process.communicate()
    return turns


def answer(process, name: str, question: str = ""):
    process.stdin.write(question)
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"benchmarks.speed: {name} has ended early")
    return json.loads(line)


def devices() -> str:
    """What TensorFlow computes on: CPU, or GPU by its name."""
    code = (
        "import tensorflow as tf; details = tf.config.experimental.get_device_details\n"
        "found = tf.config.list_physical_devices\n"
        "names = [details(gpu).get('device_name', 'GPU') for gpu in found('GPU')]\n"
        "print(', '.join(names) or 'no GPU')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stdout.strip()


def installed(peer: str) -> bool:
    return importlib.util.find_spec(NEEDS.get(peer, "numpy")) is not None


def ratios(turns: Turns, first: str, other: str) -> list[float]:
    pairs = zip(turns[first], turns[other], strict=True)
    return [a["seconds"] / b["seconds"] for a, b in pairs]


def make_table(title: str, turns: Turns, targets: dict[str, float]) -> Table:
    first = next(iter(turns))
    table = Table(title=title, title_justify="left", box=MARKDOWN)
    table.add_column("")
    for heading in ("s/epoch", f"{first} / this", "from - to", "target", "loss", "GB"):
        table.add_column(heading, justify="right")
    for name, taken in turns.items():
        seconds = statistics.median(turn["seconds"] for turn in taken)
        cells = [f"{seconds:.3f}", "", "", ""]
        if name != first:
            found = ratios(turns, first, name)
            ratio = statistics.median(found)
            cells[1:3] = f"{ratio:.2f}", f"{min(found):.2f} - {max(found):.2f}"
            if name in targets:
                met = "met" if ratio <= targets[name] else "MISSED"
                cells[3] = f"{targets[name]:.2f} {met}"
        last = taken[-1]
        loss = "" if last["loss"] != last["loss"] else f"{last['loss']:.4f}"
        table.add_row(name, *cells, loss, f"{last['gigabytes']:.2f}")
    return table


def time_command(status: int, *words: str) -> float:
    """Seconds of a command, which is to end with this exit status."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True)
    seconds = time.perf_counter() - started
    if done.returncode != status:
        raise SystemExit(f"benchmarks.speed: {words} ended with {done.returncode}")
    return seconds


def time_to_first_update() -> float:
    """Until a run has compiled, evaluated epoch 0, and begun to write events."""
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "train.py", "--runs", directory],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        while not list(Path(directory).rglob("events.out.*")):
            time.sleep(0.01)
        seconds = time.perf_counter() - started
        process.kill()
        process.wait()
    return seconds


def memory_of_a_run() -> float:
    """Gigabytes at their most, of a run on all training images."""
    with tempfile.TemporaryDirectory() as directory:
        words = ["-m", "benchmarks.memory", "configs/full.toml", "training.epochs=1"]
        done = subprocess.run(
            [sys.executable, *words, "--runs", directory],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout.splitlines()[-1])


def commands_table(rounds: int) -> Table:
    table = Table(title="Commands", title_justify="left", box=MARKDOWN)
    for heading in ("", "median", "from - to", "target"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, measure, target in (
        ("seconds to the first update", time_to_first_update, 3.5),
        ("seconds of --help", lambda: time_command(0, "train.py", "--help"), 3.0),
        (
            "seconds of a mistake",
            lambda: time_command(2, "train.py", "regularizer.l3=1"),
            3.0,
        ),
        ("GB of a run on 50,000 images", memory_of_a_run, 0.9),
    ):
        found = [measure() for _ in range(rounds)]
        median = statistics.median(found)
        met = "met" if median <= target else "MISSED"
        spread = f"{min(found):.2f} - {max(found):.2f}"
        table.add_row(name, f"{median:.2f}", spread, f"{target:.1f} {met}")
    return table


def replace_tables(page: Path, tables: str) -> None:
    """Put tables, which Markdown reads, where a page has its own, at its end."""
    head, heading, _ = page.read_text(encoding="utf-8").partition("## Tables\n")
    lines = [line.strip() for line in tables.splitlines()]
    page.write_text("\n".join([head + heading, *lines, ""]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="contests whose title has this")
    parser.add_argument("--page", type=Path, help="whose tables all these replace")
    arguments = parser.parse_args()
    console = Console(width=110, record=True)
    console.print(
        f"{platform.machine()}, {os.cpu_count()} processors, {devices()}, Python "
        f"{platform.python_version()}; medians of {arguments.rounds} rounds\n"
    )
    for each in CONTESTS:
        if arguments.only not in each.title:
            continue
        runners = {k: v for k, v in each.runners.items() if installed(v[0])}
        turns = take_turns(runners, arguments.rounds)
        console.print(make_table(each.title, turns, each.targets))
    if arguments.only in "Commands":
        console.print(commands_table(min(3, arguments.rounds)))
    if arguments.only in "The default comparison":
        console.print(comparison.make_table())
    if arguments.page and not arguments.only:
        replace_tables(arguments.page, console.export_text())


if __name__ == "__main__":
    main()
