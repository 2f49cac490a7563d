"""A small run to be disturbed, and the table of what was tried and lost."""

import os
from pathlib import Path

import pytest

TABLE: dict[str, list] = {}


@pytest.fixture(scope="session")
def few():
    """Settings of a small run that has every kind of state."""
    return (
        "data.name=digits",
        "data.train_size=100",
        "data.validation_size=50",
        "model.name=tiny",
        "model.hidden_units=[4]",
        "model.dropout=0.2",
        "model.batch_normalization=true",
        "decay.name=decoupled",
        "training.batch_size=50",
        "training.jit_compile=false",
    )


@pytest.fixture(scope="session")
def tried():
    """Note a fault for the table: what, what is compared after it, how often."""

    def note(fault, times=1, kept="all that was complete"):
        TABLE.setdefault(fault, [0, kept])[0] += times

    yield note
    if path := os.environ.get("FAULTS_TABLE"):
        write_table(Path(path))


def write_table(path):
    """Put what was tried into the table that a page ends with; other rows stay."""
    text = path.read_text(encoding="utf-8")
    head, bar, old = text.partition("|---|---|---|\n")
    rows = {row.split(" | ")[0]: row for row in old.splitlines()}
    for fault, (times, kept) in TABLE.items():
        rows[f"| {fault}"] = f"| {fault} | {times} | nothing: {kept} |"
    path.write_text("\n".join([head + bar.rstrip(), *rows.values(), ""]), "utf-8")
