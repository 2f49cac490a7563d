"""Planted effects are found, planted ties are not, and intervals cover the truth."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from comparison.statistics import choose_strength, holm, paired_difference


def series(values):
    return pd.Series(values, index=range(len(values)), dtype=float)


def test_the_interval_is_that_of_the_paired_t_test():
    random = np.random.default_rng(0)
    a, b = random.normal(size=7), random.normal(size=7)
    difference = paired_difference(series(a), series(b))
    test = stats.ttest_rel(a, b)
    mean, error = (a - b).mean(), (a - b).std(ddof=1) / np.sqrt(7)
    reach = 2.4469118511449692 * error  # t, 97.5 %, 6 degrees of freedom
    assert difference.mean == pytest.approx(mean)
    assert (difference.low, difference.high) == pytest.approx(
        (mean - reach, mean + reach)
    )
    assert difference.p == pytest.approx(test.pvalue)
    assert difference.wilcoxon_p == pytest.approx(stats.wilcoxon(a - b).pvalue)


@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_intervals_cover_the_truth_in_95_of_100_simulations(effect):
    """2,000 comparisons of 5 seeds that share most of their noise by seed."""
    random = np.random.default_rng(1)
    covered, clear = 0, 0
    for _ in range(2000):
        seeds = random.normal(scale=1.0, size=5)
        a = seeds + effect + random.normal(scale=0.1, size=5)
        b = seeds + random.normal(scale=0.1, size=5)
        difference = paired_difference(series(a), series(b))
        covered += difference.low <= effect <= difference.high
        clear += difference.clear
    assert 0.93 <= covered / 2000 <= 0.97
    assert clear / 2000 > 0.9 if effect else clear / 2000 < 0.07


def test_only_seeds_that_both_have_are_paired():
    a = pd.Series([1.0, 2.0, 4.0], index=[0, 1, 3])
    b = pd.Series([0.0, 0.5, 9.0], index=[0, 1, 2])
    difference = paired_difference(a, b)
    assert difference.pairs == 2
    assert difference.mean == pytest.approx(1.25)


def test_too_few_or_equal_pairs_claim_nothing():
    one = paired_difference(series([1.0]), series([0.0]))
    assert math.isnan(one.low)
    assert not one.clear
    same = paired_difference(series([1.0, 2.0]), series([1.0, 2.0]))
    assert (same.mean, same.p, same.clear) == (0.0, 1.0, False)
    constant = paired_difference(series([0.3, 0.4, 0.7]), series([0.1, 0.2, 0.5]))
    assert constant.mean == pytest.approx(0.2)
    assert math.isnan(constant.low)
    assert math.isnan(constant.p)
    assert not constant.clear
    five = paired_difference(series([1, 2, 3, 4, 5]), series([0, 0, 0, 0, 0]))
    assert math.isnan(five.wilcoxon_p)


def test_holm_against_its_worked_example():
    """Holm (1979): the smallest times their number, the next times one less, ..."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def choose(**losses):
    """Choose among strengths a, b, c of a setting `l2` that grows by one each."""
    strengths = [{"l2": float(number)} for number in range(len(losses))]
    return choose_strength(strengths, [series(values) for values in losses.values()])


def test_the_strength_with_the_lowest_mean_is_chosen():
    choice = choose(a=[2, 2.4], b=[1, 3], c=[2.5, 2.5])
    assert choice.strength == {"l2": 1.0}
    assert choice.at_edge == ()


def test_a_choice_on_the_edge_of_its_grid_is_said():
    assert choose(a=[1], b=[2], c=[3]).at_edge == ("l2",)
    assert choose(a=[3], b=[2], c=[1]).at_edge == ("l2",)
    assert choose(a=[1], b=[2]).at_edge == ()


def test_an_edge_is_that_of_a_setting_not_of_the_order_of_the_grid():
    strengths = [{"l2": l2, "rate": r} for l2 in (1.0, 2.0, 3.0) for r in (0.3, 0.1)]
    losses = [series([value]) for value in (9, 9, 9, 1, 9, 9)]
    choice = choose_strength(strengths, losses)
    assert choice.strength == {"l2": 2.0, "rate": 0.1}
    assert choice.at_edge == ()


@pytest.mark.parametrize("values", [["none", 1.0, 2.0], ["relu", "tanh", "elu"]])
def test_values_without_an_order_have_no_edge(values):
    strengths = [{"bound": value} for value in values]
    choice = choose_strength(strengths, [series([1]), series([2]), series([3])])
    assert choice.strength == {"bound": values[0]}
    assert choice.at_edge == ()


def test_a_strength_with_a_lost_run_is_not_chosen():
    nan = math.nan
    choice = choose(a=[1, nan], b=[2, 2])
    assert (choice.strength, choice.missing) == ({"l2": 1.0}, 1)
    assert choose(a=[nan, 1]) is None
