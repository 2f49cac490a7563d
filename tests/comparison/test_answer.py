"""A planted difference is found, a planted tie is not, and no more is claimed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from comparison.answer import FEW, choose_strengths, find_answer, mean_curves, summarize
from comparison.findings import notes, sentences
from comparison.growth import grow_grids
from comparison.plan import Run, Trial, against_itself
from comparison.statistics import DIFFERENT, EQUAL, UNDECIDED
from training.measures import find_measure

CONDITIONS = "conditions = [{data.train_size = 300}, {data.train_size = 3000}]"
TEST, ACCURACY = find_measure("test_cross_entropy"), find_measure("test_accuracy")


def chosen(answer):
    return {trial.label: trial for trial in answer.chosen}


def verdicts(answer, number=1):
    """The verdict on each pair, in one of the measures that pairs are compared in."""
    return {
        f"{first.method} - {second.method}": answer.difference(
            first, second, answer.measures[number]
        ).verdict
        for first, second in answer.pairs
    }


def with_losses(results, of_strength, condition=None):
    """The results with validation losses of `better` planted, by its strength."""
    for path, result in results.items():
        for folder, loss in of_strength.items():
            if folder in path.as_posix() and (condition or "") in path.as_posix():
                result["final"]["validation"] = {
                    "cross_entropy": loss,
                    "accuracy": loss / 10,
                    "loss": -loss,
                }
    return results


def test_every_pair_is_compared_and_a_planted_difference_found(simulate):
    comparison, _, summary = simulate()
    answer = find_answer(comparison, summary, "final")
    assert chosen(answer)["better"].varied == {"regularizer.l2": 1e-2}
    assert verdicts(answer) == {
        "better - none": DIFFERENT,
        "equal - none": UNDECIDED,
        "equal - better": DIFFERENT,
    }
    found = answer.difference(*answer.pairs[0], TEST)
    assert found.mean == pytest.approx(-0.1, abs=0.03)
    assert found.by_seed == pytest.approx(
        (
            answer.values(chosen(answer)["better"], TEST)
            - answer.values(chosen(answer)["none"], TEST)
        ).tolist()
    )
    assert found.family == 3


def test_the_control_is_what_others_are_compared_with_wherever_it_stands(simulate):
    comparison, _, summary = simulate('control = "equal"')
    answer = find_answer(comparison, summary, "final")
    assert list(verdicts(answer)) == [
        "none - equal",
        "better - equal",
        "better - none",
    ]
    pair = (chosen(answer)["none"], chosen(answer)["better"])
    assert answer.difference(*pair, TEST).mean == pytest.approx(0.1, abs=0.03)


def test_margins_of_the_file_decide_what_is_practically_equal(simulate):
    comparison, _, summary = simulate("margins = {cross_entropy = 0.09}")
    answer = find_answer(comparison, summary, "final")
    assert verdicts(answer)["equal - none"] == EQUAL
    assert verdicts(answer)["better - none"] == DIFFERENT
    assert verdicts(answer, 2)["equal - none"] != EQUAL


def test_the_answer_is_three_sentences_winner_price_and_what_is_open(simulate):
    comparison, _, summary = simulate()
    answer = find_answer(comparison, summary, "final")
    assert [line.replace("\N{NO-BREAK SPACE}", " ") for line in sentences(answer)] == [
        "better (l2=0.01) has the lowest test cross-entropy, 0.927 nats; against none: "
        "−0.091 nats [−0.125, −0.057], lower in 6 of 6 seeds.",
        "It is better in test accuracy against none, +0.91 points [+0.57, +1.25], "
        "higher in 6 of 6 seeds.",
        "In test cross-entropy, of 3 pairs 2 are different, 1 is not decided (equal "
        "against none: about 168 seeds would decide).",
    ]


def test_one_method_is_not_said_to_lack_runs(simulate):
    comparison, _, summary = simulate()
    answer = find_answer(comparison, summary, "final")
    for method in ("better", "equal"):
        del comparison.file.methods[method]
    assert sentences(answer) == ["There is one method, and nothing to compare it with."]


def test_a_price_is_named(simulate):
    comparison, _, summary = simulate()
    of_better = summary["method"] == "better"
    summary.loc[of_better, "final_test_accuracy"] -= 0.3
    answer = find_answer(comparison, summary, "final")
    assert sentences(answer)[1].startswith("The price is test accuracy against ")
    assert "points [−" in sentences(answer)[1]


def test_no_winner_is_claimed_where_none_is_shown(simulate):
    comparison, _, summary = simulate(effect=0.0)
    lines = sentences(find_answer(comparison, summary, "final"))
    assert ", but is not shown to be better than " in lines[0]
    assert "seeds would decide" in lines[0]
    assert lines[1].startswith("No difference is shown in test accuracy")


def test_with_conditions_the_answer_says_which_wins_where(simulate):
    comparison, _, summary = simulate(CONDITIONS)
    there = (summary["condition"] == "train_size=3000") & (
        summary["method"] == "better"
    )
    losses = summary.columns[summary.columns.str.endswith("cross_entropy")]
    summary.loc[there, losses] += 2.0
    first, second, third = sentences(find_answer(comparison, summary, "final"))
    assert first.startswith("Lowest test cross-entropy: better under train_size=300; ")
    assert second.startswith("The best against the second, under 2 conditions: 1 is ")
    assert third.startswith("In test cross-entropy, of 6 pairs ")


def test_a_single_condition_is_answered_as_none_is(simulate):
    comparison, _, summary = simulate("conditions = [{data.train_size = 300}]")
    lines = sentences(find_answer(comparison, summary, "final"))
    assert lines[0].startswith("better (l2=0.01) has the lowest test cross-entropy, ")
    assert len(lines) == 3


def test_with_one_seed_nothing_is_shown(simulate):
    comparison, results, _ = simulate()
    one = replace(
        comparison,
        file=comparison.file.model_copy(update={"seeds": [0]}),
        runs=tuple(run for run in comparison.runs if run.seed == 0),
    )
    answer = find_answer(one, summarize(one, results), "final")
    assert "but is not shown to be better than" in sentences(answer)[0]
    assert "no interval, lower in 1 of 1 seed" in sentences(answer)[0]
    assert notes(answer)[-1] == "1 seed is too few to tell; give 3 or more."


def test_of_many_pairs_those_with_the_best_and_the_control_are_shown(simulate):
    more = "\n".join(f"[methods.m{number}]" for number in range(3))
    comparison, _, summary = simulate(f"control = 'none'\n{more}")
    answer = find_answer(comparison, summary, "final")
    assert len(answer.pairs) == 15
    against_best, against_control = answer.pairs_to_show("")
    assert {second.method for _, second in against_best} == {"better"}
    assert {second.method for _, second in against_control} == {"none"}
    assert (len(against_best), len(against_control)) == (5, 4)  # One pair has both.


def test_of_five_methods_every_pair_is_shown_in_one_figure(simulate):
    comparison, _, summary = simulate("[methods.m0]\n[methods.m1]")
    answer = find_answer(comparison, summary, "final")
    assert [len(pairs) for pairs in answer.pairs_to_show("")] == [10]
    assert len(comparison.file.methods) == FEW


def test_families_of_copies_are_seldom_called_different(simulate):
    """Of 200 whole comparisons without any effect, strengths chosen, few claim one."""
    claims = 0
    for seed in range(200):
        comparison, _, summary = simulate(seed=seed, effect=0.0)
        answer = find_answer(comparison, summary, "final")
        claims += DIFFERENT in verdicts(answer).values()
    assert claims <= 0.05 * 200


def test_each_condition_has_its_own_strengths_and_differences(simulate):
    comparison, _, summary = simulate(CONDITIONS)
    there = summary["condition"] == "train_size=3000"
    losses = summary.columns[summary.columns.str.endswith("cross_entropy")]
    strongest = there & (summary["strength"] == "l2=0.1")
    summary.loc[strongest, losses] -= 2.0
    answer = find_answer(comparison, summary, "final")
    found = chosen(answer)
    assert len(found) == 6
    assert len(answer.pairs) == 6
    assert found["better train_size=300"].strength == "l2=0.01"
    assert found["better train_size=3000"].strength == "l2=0.1"
    edge = "better train_size=3000: the best regularizer.l2, 0.1, lies on the edge"
    assert sum(line.startswith(edge) for line in notes(answer)) == 1


@pytest.mark.parametrize(
    ("select", "strength", "measures"),
    [
        ("", "l2=0.001", ["validation_cross_entropy", TEST.key, ACCURACY.key]),
        (
            'select = {by = "accuracy"}',
            "l2=0.1",
            ["validation_accuracy", ACCURACY.key, TEST.key],
        ),
        (
            'select = {by = "loss"}',
            "l2=0.1",
            ["validation_loss", "test_loss", ACCURACY.key],
        ),
        (
            'select.at = "final"\nset.loss.name = "mean_squared_error"',
            "l2=0.1",
            ["validation_loss", "test_loss", ACCURACY.key],
        ),
    ],
)
def test_strengths_are_chosen_by_what_is_asked(simulate, select, strength, measures):
    """The weakest has the lowest cross-entropy, the strongest all else."""
    comparison, results, _ = simulate(select)
    losses = {"l2=1e-03": 0.1, "l2=1e-02": 0.2, "l2=1e-01": 0.3}
    summary = summarize(comparison, with_losses(results, losses))
    answer = find_answer(comparison, summary, "final")
    assert chosen(answer)["better"].strength == strength
    assert [measure.key for measure in answer.measures] == measures


def test_what_is_missing_is_said(simulate):
    lost = {f"equal/strength={s}/seed=00" for s in ("3e-01", "1e00")}
    comparison, _, summary = simulate(lost=lost)
    lines = notes(find_answer(comparison, summary, "final"))
    assert "equal: 2 runs diverged or without a result." in lines
    lost |= {"equal/strength=3e00/seed=05"}
    comparison, _, summary = simulate(lost=lost)
    lines = notes(find_answer(comparison, summary, "final"))
    assert "equal: left out, for no strength has all its runs." in lines
    assert sum(line.startswith("equal") for line in lines) == 1


def test_without_its_control_the_others_are_still_compared(simulate):
    comparison, _, summary = simulate(lost={"none/seed=03"})
    answer = find_answer(comparison, summary, "final")
    assert list(verdicts(answer)) == ["equal - better"]
    assert notes(answer) == ["none: left out, for no strength has all its runs."]


def test_a_run_whose_test_was_removed_counts_as_lost(simulate):
    """A seed left out of the pairs alone would be left out unsaid."""
    comparison, results, _ = simulate()
    damaged = next(path for path in results if "l2=1e-02/seed=02" in path.as_posix())
    results[damaged]["final"] = {**results[damaged]["final"], "test": None}
    answer = find_answer(comparison, summarize(comparison, results), "final")
    assert chosen(answer)["better"].strength != "l2=0.01"
    assert "better: 1 run diverged or without a result." in notes(answer)


def test_a_mean_curve_ends_where_a_seed_ends(simulate):
    comparison, _, summary = simulate()
    answer = find_answer(comparison, summary, "final")
    run = {"method": "none", "condition": "", "strength": ""}
    curves = pd.DataFrame(
        {**run, "epoch": epoch, "loss/train": 1.0}
        for seed in comparison.file.seeds
        for epoch in range(4 if seed == 3 else 9)
    )
    ((trial, table),) = mean_curves(answer, curves).items()
    assert trial.method == "none"
    assert table["loss/train"].index.tolist() == [0, 1, 2, 3]


def test_a_grid_grows_where_its_best_strength_lies_on_the_edge(simulate):
    comparison, results, _ = simulate(CONDITIONS)
    losses = {"l2=1e-03": 0.3, "l2=1e-02": 0.2, "l2=1e-01": 0.1}
    results = with_losses(results, losses, "better/train_size=003000")
    grown, added = grow_grids(comparison, results)
    assert added == ["better train_size=3000: regularizer.l2 = 1, for the best is 0.1"]
    few, many = (Trial(f"train_size={n}", "better", {}) for n in (300, 3000))
    assert [trial.strength for trial in grown.grid(many)] == [
        *("l2=0.001", "l2=0.01", "l2=0.1", "l2=1.0"),
    ]
    assert grown.grid(few) == comparison.grid(few)
    new = [run for run in grown.runs if run not in comparison.runs]
    assert [run.seed for run in new] == list(comparison.file.seeds)
    assert {run.config.regularizer.settings["l2"] for run in new} == {1.0}
    assert {run.config.split.settings["train_size"] for run in new} == {3000}
    assert new[0].path.as_posix() == "better/train_size=003000/l2=1e00/seed=00"
    assert grow_grids(comparison, results) == (grown, added)
    results |= {run.path: {} for run in new}
    assert grow_grids(grown, results)[1] == []


def test_against_itself_every_method_is_the_control_with_other_seeds(simulate):
    comparison, _, _ = simulate()
    itself = against_itself(comparison)
    assert itself.name == "planted_against_itself"
    assert (itself.file.methods, itself.file.grow) == (comparison.file.methods, 0)
    control = comparison.runs[0].config
    for run in itself.runs:
        assert {key for key, _, _ in control.differences(run.config)} <= {"seed"}
    seeds = [run.config.seed for run in itself.runs]
    assert len(set(seeds)) == len(seeds) == len(comparison.runs)
    assert [run.path for run in itself.runs] == [run.path for run in comparison.runs]


@pytest.fixture
def choose(simulate):
    """What is chosen of a grid of strengths, and on which of its edges that lies."""

    def choose(grid, losses):
        trials = [Trial("", "any", varied) for varied in grid]
        index = [t for t, values in zip(trials, losses, strict=True) for _ in values]
        found = choose_strengths(pd.Series(np.concatenate(losses), index, dtype=float))
        runs = tuple(Run(trial, 0, None, None, False) for trial in trials)
        comparison = replace(simulate()[0], runs=runs)
        return [(trial.varied, list(comparison.edges(trial))) for trial in found]

    return choose


L2 = [{"l2": 0.0}, {"l2": 1.0}, {"l2": 2.0}]


def test_the_strength_with_the_lowest_mean_is_chosen(choose):
    assert choose(L2, [[2, 2.4], [1, 3], [2.5, 2.5]]) == [({"l2": 1.0}, [])]


def test_a_choice_on_the_edge_of_its_grid_is_said(choose):
    assert choose(L2, [[1], [2], [3]]) == [({"l2": 0.0}, ["l2"])]
    assert choose(L2, [[3], [2], [1]]) == [({"l2": 2.0}, ["l2"])]
    assert choose(L2[:2], [[1], [2]]) == [({"l2": 0.0}, [])]


def test_an_edge_is_that_of_a_setting_not_of_the_order_of_the_grid(choose):
    grid = [{"l2": l2, "rate": r} for l2 in (1.0, 2.0, 3.0) for r in (0.3, 0.1)]
    assert choose(grid, [[9], [9], [9], [1], [9], [9]]) == [(grid[3], [])]


@pytest.mark.parametrize("values", [["none", 1.0, 2.0], ["relu", "tanh", "elu"]])
def test_values_without_an_order_have_no_edge(choose, values):
    grid = [{"bound": value} for value in values]
    assert choose(grid, [[1], [2], [3]]) == [(grid[0], [])]


def test_a_strength_with_a_lost_run_is_not_chosen(choose):
    nan = float("nan")
    assert choose(L2[:2], [[1, nan], [2, 2]]) == [(L2[1], [])]
    assert choose(L2[:1], [[nan, 1]]) == []
