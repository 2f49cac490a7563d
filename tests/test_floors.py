"""The folders are floors: each uses those below it and knows nothing of those above."""

from benchmarks.house import imports_that_run_up


def test_no_import_runs_up():
    assert imports_that_run_up() == []
