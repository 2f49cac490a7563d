"""Prints how near the trajectories came, as tables at the end of a test run."""

import pytest

DIFFERENCES = pytest.StashKey[dict[str, dict[str, str]]]()


@pytest.fixture
def record(request):
    """Note a difference in a table: `record(row, column, value)`."""
    rows = request.config.stash.setdefault(DIFFERENCES, {})

    def note(row, column, value):
        text = value if isinstance(value, str) else f"{value:.0e}"
        rows.setdefault(column, {})[row] = text

    return note


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(DIFFERENCES, {})
    if not rows:
        return
    terminalreporter.section("largest relative differences over 200 updates")
    oracles = {name: row for name, row in rows.items() if "ours" in row}
    pairs = {name: row for name, row in rows.items() if name not in oracles}
    for table, width in ((pairs, 14), (oracles, 12)):
        columns = list(
            dict.fromkeys(column for row in table.values() for column in row)
        )
        for name, row in {"": {c: c for c in columns}, **table}.items():
            cells = "".join(f" {row.get(column, '-'):<{width}}" for column in columns)
            terminalreporter.write_line(f"{name:26}{cells}".rstrip())
