"""A planted difference is found, a planted tie is not, and no more is claimed."""

import pytest

from comparison.answer import find_answer, findings

CONDITIONS = "conditions = [{data.train_size = 300}, {data.train_size = 3000}]"


def entries(answer):
    return {entry.label: entry for entry in answer.entries}


def test_a_planted_difference_is_found_and_a_planted_tie_is_not(simulate):
    comparison, _, summary = simulate()
    answer = find_answer(comparison, summary, "final")
    found = entries(answer)
    assert found["better"].choice.strength == {"model.l2": 1e-2}
    assert found["better"].differences["test_cross_entropy"].clear
    assert found["better"].differences["test_cross_entropy"].mean == pytest.approx(
        -0.1, abs=0.03
    )
    assert not found["equal"].differences["test_cross_entropy"].clear
    assert found["none"].differences == {}
    better, equal = findings(answer)
    assert better.startswith("better against none: lower validation cross-entropy (-0.")
    assert "higher test accuracy (+" in better
    assert "Wilcoxon's p = " in better
    assert equal.count("no difference shown") == 3


def test_claims_rest_on_p_values_after_holm(simulate):
    """Of 200 comparisons without any effect, few claim one."""
    claims = 0
    for seed in range(200):
        comparison, _, summary = simulate(seed=seed, effect=0.0)
        for entry in find_answer(comparison, summary, "final").entries:
            difference = entry.differences.get("test_cross_entropy")
            claims += bool(difference and difference.clear)
    assert claims <= 0.08 * 200


def test_each_condition_has_its_own_strengths_and_differences(simulate):
    comparison, _, summary = simulate(CONDITIONS)
    there = summary["condition"] == "train_size=3000"
    losses = summary.columns[summary.columns.str.endswith("cross_entropy")]
    strongest = there & (summary["strength"] == "l2=0.1")
    summary.loc[strongest, losses] -= 2.0
    answer = find_answer(comparison, summary, "final")
    found = entries(answer)
    assert len(found) == 6
    assert found["better train_size=300"].strength == "l2=0.01"
    assert found["better train_size=3000"].strength == "l2=0.1"
    edge = "better train_size=3000: the best model.l2, 0.1, lies on the edge"
    assert sum(line.startswith(edge) for line in findings(answer)) == 1


def test_what_is_missing_is_said(simulate):
    lost = {f"equal/strength={s}/seed=00" for s in ("3e-01", "1e00")}
    comparison, _, summary = simulate(lost=lost)
    lines = findings(find_answer(comparison, summary, "final"))
    assert "equal: 2 runs failed or diverged." in lines
    lost |= {"equal/strength=3e00/seed=05"}
    comparison, _, summary = simulate(lost=lost)
    lines = findings(find_answer(comparison, summary, "final"))
    assert "equal: left out, for no strength has all its runs." in lines
    assert sum(line.startswith("equal") for line in lines) == 1


def test_without_its_control_a_comparison_claims_nothing(simulate):
    comparison, _, summary = simulate(lost={"none/seed=03"})
    answer = find_answer(comparison, summary, "final")
    assert not any(entry.differences for entry in answer.entries)
    assert findings(answer) == ["none: left out, for no strength has all its runs."]
