"""Prints how near the trajectories came, as a table at the end of a test run."""

import pytest

DIFFERENCES = pytest.StashKey[dict[str, dict[str, str]]]()
COLUMNS = {
    "defaults": "largest relative difference to the reference, with the defaults",
    "all": "the same, with schedule, clipping, penalties and all else on",
    "exact": "of the reference without Keras' roundings to the outside oracle",
    "outside": "of ours to the outside oracle",
    "oracle": "which",
}


@pytest.fixture
def record(request):
    """Note what a trajectory showed: `record(variant, column=value, ...)`."""
    rows = request.config.stash.setdefault(DIFFERENCES, {})

    def note(variant, **values):
        shown = {k: v if isinstance(v, str) else f"{v:.1e}" for k, v in values.items()}
        rows.setdefault(variant, {}).update(shown)

    return note


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(DIFFERENCES, {})
    if not rows:
        return
    terminalreporter.section("trajectories of 200 updates")
    for column, meaning in COLUMNS.items():
        terminalreporter.write_line(f"{column}: {meaning}")
    header = dict(zip(COLUMNS, COLUMNS, strict=True))
    for variant, row in {"variant": header, **dict(sorted(rows.items()))}.items():
        cells = "".join(f"{row.get(column, ''):9}" for column in COLUMNS)
        terminalreporter.write_line(f"{variant:21}{cells}".rstrip())
