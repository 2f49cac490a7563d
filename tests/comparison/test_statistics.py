"""Each verdict is held to its definition, by simulations whose truth is known."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from comparison.statistics import (
    DIFFERENT,
    EQUAL,
    MOST_SEEDS,
    UNDECIDED,
    paired_difference,
)


def series(values):
    return pd.Series(values, index=range(len(values)), dtype=float)


def sample(mean, deviation, size):
    """Numbers whose mean and standard deviation are exactly these."""
    steps = np.linspace(-1, 1, size)
    return mean + deviation * steps / steps.std(ddof=1)


def compare(values, family=1, margin=None):
    return paired_difference(
        series(values), series(np.zeros(len(values))), family, margin
    )


def simulate(methods, seeds, deviations=1.0, times=1000, margin=None):
    """The differences of every pair of copies of one method, many times."""
    random = np.random.default_rng(1)
    pairs = list(itertools.combinations(range(methods), 2))
    for _ in range(times):
        of_seed = random.normal(scale=3.0, size=(seeds, 1))
        noise = random.normal(size=(seeds, methods)) * deviations
        table = pd.DataFrame(of_seed + noise)
        yield [
            paired_difference(table[first], table[second], len(pairs), margin)
            for first, second in pairs
        ]


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
    assert difference.better_in("lower") == (a < b).sum()


def test_interval_and_p_value_are_adjusted_together():
    """Bonferroni's: three pairs, 98.33 % each; p three times as large, at most 1."""
    values = sample(1.0, 1.0, 5)
    one, three = compare(values), compare(values, family=3)
    assert three.high - 1 == pytest.approx(3.960787 / math.sqrt(5))  # t, 1 - .025 / 3
    assert three.p == pytest.approx(3 * one.p)
    assert compare(sample(0.01, 1.0, 5), family=3).p == 1.0


@pytest.mark.parametrize("family", [1, 3, 91])
def test_the_interval_leaves_0_out_just_where_p_is_below_5_percent(family):
    verdicts = set()
    for mean in np.geomspace(0.01, 100, 200):
        found = compare(sample(mean, 1.0, 4), family)
        assert (found.low > 0) == (found.p < 0.05) == (found.verdict == DIFFERENT)
        verdicts.add(found.verdict)
    assert verdicts == {DIFFERENT, UNDECIDED}


@pytest.mark.parametrize(
    ("methods", "seeds", "deviations"),
    [(2, 5, 1.0), (3, 5, 1.0), (3, 5, [0.2, 1, 3]), (4, 10, 1.0)],
)
def test_all_intervals_of_a_family_cover_the_truth_in_95_of_100(
    methods, seeds, deviations
):
    """Copies of one method differ by 0, whatever the noise that each has of its own."""
    covered = [
        all(found.low <= 0 <= found.high for found in family)
        for family in simulate(methods, seeds, deviations)
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_at_most_5_in_100_families_of_copies_call_any_pair_different():
    families = simulate(methods=4, seeds=5)
    wrong = [any(f.verdict == DIFFERENT for f in family) for family in families]
    assert 0.02 < np.mean(wrong) <= 0.05


def test_what_differs_by_the_margin_is_seldom_called_equal():
    """Each of two one-sided tests errs in 2.5 of 100; what differs by less is found."""
    random = np.random.default_rng(2)
    equal = {
        truth: np.mean(
            [
                compare(random.normal(truth, 0.3, 10), margin=1.0).verdict == EQUAL
                for _ in range(1000)
            ]
        )
        for truth in (0.0, 1.0)
    }
    assert equal[0.0] > 0.99
    assert equal[1.0] == pytest.approx(0.025, abs=0.01)


def test_a_difference_of_no_importance_is_practically_equal_even_if_it_is_there():
    found = compare(sample(0.5, 0.1, 5), margin=1.0)
    assert found.low > 0
    assert found.verdict == EQUAL
    assert compare(sample(0.5, 0.1, 5)).verdict == DIFFERENT
    assert compare(sample(0.95, 0.1, 5), margin=1.0).verdict == DIFFERENT
    assert compare(sample(0.5, 5.0, 5), margin=1.0).verdict == UNDECIDED


@pytest.mark.parametrize("mean", [0.0, 0.3, 0.9, 2.0])
@pytest.mark.parametrize("family", [1, 15])
def test_the_seeds_that_would_decide_are_the_fewest_that_do(mean, family):
    seeds = compare(sample(mean, 3.0, 4), family, margin=1.0).seeds_to_decide
    at, before = (
        compare(sample(mean, 3.0, size), family, margin=1.0)
        for size in (seeds, seeds - 1)
    )
    assert at.verdict != UNDECIDED
    assert before.verdict == UNDECIDED


def test_no_number_of_seeds_is_named_where_a_thousand_would_not_do():
    assert compare(sample(0.001, 1.0, 4)).seeds_to_decide is None
    assert MOST_SEEDS == 1000


def test_only_seeds_that_both_have_are_paired():
    a = pd.Series([1.0, 2.0, 4.0], index=[0, 1, 3])
    b = pd.Series([0.0, 0.5, 9.0], index=[0, 1, 2])
    difference = paired_difference(a, b)
    assert difference.seeds == 2
    assert difference.mean == pytest.approx(1.25)


def test_too_few_or_equal_pairs_claim_nothing():
    one = paired_difference(series([1.0]), series([0.0]))
    assert math.isnan(one.low)
    assert (one.verdict, one.seeds_to_decide) == (UNDECIDED, None)
    # As many of 100 test images are right in every seed: chance, not a proof.
    same = paired_difference(series([1.0, 2.0]), series([1.0, 2.0]), margin=0.1)
    assert (same.mean, same.verdict) == (0.0, UNDECIDED)
    assert math.isnan(same.low)
    constant = paired_difference(series([0.3, 0.4, 0.7]), series([0.1, 0.2, 0.5]))
    assert constant.mean == pytest.approx(0.2)
    assert math.isnan(constant.low)
    assert math.isnan(constant.p)
    assert constant.verdict == UNDECIDED
