"""Every number of a result has a column, and what is missing is said."""

import pandas as pd

from comparison.answer import read_curves, summarize

HISTORY = "epoch,step,loss/train\n0,0,2.3\n4,20,0.5\n"


def test_every_number_of_a_result_has_a_column_of_its_own(simulate):
    comparison, results, _ = simulate()
    first = results[comparison.runs[0].path]
    first["final"] |= {"memorized": {"wrong_label": 0.25}, "test": None}
    summary = summarize(comparison, results)
    row = summary.iloc[0]
    assert row["final_memorized_wrong_label"] == 0.25
    assert row["final_weight_norm_of_layer_logits"] == row["best_weight_norm"]
    assert pd.isna(row["final_test_accuracy"])
    assert summary.iloc[1]["final_test_accuracy"] > 0


def test_a_run_without_a_result_is_not_said_to_have_failed(simulate):
    """After Ctrl-C, most runs have none."""
    comparison, _, summary = simulate(lost={"none/seed=00"})
    assert summary["status"].tolist() == ["no result"] + ["completed"] * (
        len(comparison.runs) - 1
    )


def test_a_finished_run_whose_history_is_gone_is_said(simulate, tmp_path, capsys):
    comparison, _, _ = simulate()
    gone, kept, never, *_ = (tmp_path / run.path for run in comparison.runs)
    for directory in (gone, kept):
        directory.mkdir(parents=True)
        (directory / "result.json").write_text("{}")
    (kept / "history.csv").write_text(HISTORY)
    curves = read_curves(tmp_path, comparison.runs)
    assert curves["epoch"].tolist() == [0, 4]
    assert curves["seed"].unique().tolist() == [1]
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 1
    assert complaints[0].startswith(f"left out of all curves: {gone}")
    assert not never.exists()
