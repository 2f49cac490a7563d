import io

from rich.console import Console

from monitoring.progress import ProgressDisplay, RunDisplay
from training.measures import Measurement


def measurement(epoch):
    at = {"cross_entropy": 0.25, "accuracy": 0.9, "loss": 0.25, "logit_scale": 1.0}
    return Measurement(
        epoch=epoch,
        step=epoch * 5,
        train=at,
        validation=at,
        penalty=0.0,
        criterion="cross_entropy",
        best_validation=0.25,
        learning_rate=1e-3,
        weight_decay=0.0,
        decay=None,
        epoch_seconds=None,
        updates_per_epoch=5,
    )


def show(epochs, **console):
    file = io.StringIO()
    with RunDisplay(Console(file=file, width=120, **console), epochs, 5, 500) as p:
        p.record(measurement(0))
        for epoch in range(1, epochs + 1):
            p.advance(epoch * 5 - 2)
            p.advance(epoch * 5)
            p.record(measurement(epoch))
    return file.getvalue()


def test_plain_lines_away_from_a_terminal():
    lines = show(epochs=50).splitlines()
    assert len(lines) == 11
    assert lines[0] == "epoch 0/50  cross-entropy: train 0.2500  validation 0.2500"
    assert lines[-1].startswith("epoch 50/50")
    assert "images/s" in lines[-1]
    assert lines[-1].endswith("0 s left")


def test_a_bar_on_a_terminal():
    shown = show(epochs=50, force_terminal=True)
    assert "epoch 50/50" in shown
    assert "train 0.2500  validation 0.2500" in shown
    assert "images/s" in shown


def test_the_time_left_counts_from_the_start_of_runs_that_end_together():
    """The first line has none: of two runs at a time, one would count for both."""
    file, seconds = io.StringIO(), [0.0]
    console = Console(file=file, width=120, get_time=lambda: seconds[-1])
    with ProgressDisplay(console, 10) as display:
        display.show(0, "0/10 runs")
        for done, now in enumerate((20.0, 20.1), start=1):
            seconds.append(now)
            display.show(done, "")
            display.show_line(done, f"{done}/10 runs")
    lines = file.getvalue().splitlines()
    assert lines == ["1/10 runs", "2/10 runs  81 s left"]
