"""Paired differences of two methods: intervals, p-values and verdicts."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

ERROR = 0.05
"""Share of families of pairs in which some interval may miss the truth."""

ROUNDING = 1e-12
"""Differences whose deviation is smaller, relative to their mean, count as equal: they
cannot be tested."""

MOST_SEEDS = 1000
"""Most seeds that are suggested."""

DIFFERENT, EQUAL, UNDECIDED = "different", "practically equal", "not decided"


@dataclass(frozen=True)
class Difference:
    """A measure of one method minus that of another, paired by seed.

    Interval and p-value are both adjusted for the number of pairs that are compared
    (Bonferroni): all intervals of a family cover the truth in at least 95 of 100
    comparisons, and an interval excludes 0 exactly if p < 0.05.

    Attributes:
        by_seed: The difference in each seed.
        mean: Mean difference.
        low: Lower end of the interval of the mean; NaN for fewer than 2 seeds, or
            differences that do not vary.
        high: Upper end of the interval.
        p: Two-sided p-value of the paired t-test.
        family: Number of pairs that are compared in this measure.
        margin: Difference below which methods are practically equal; None if unknown.
    """

    by_seed: tuple[float, ...]
    mean: float
    low: float
    high: float
    p: float
    family: int
    margin: float | None

    @property
    def seeds(self) -> int:
        return len(self.by_seed)

    def better_in(self, better: str) -> int:
        """Number of seeds in which the first method was better.

        Args:
            better: Which way is better, "lower" or "higher".
        """
        sign = 1 if better == "higher" else -1
        return sum(sign * value > 0 for value in self.by_seed)

    @property
    def verdict(self) -> str:
        """`EQUAL` if the interval is within the margin, as by two one-sided tests;
        `DIFFERENT` if it excludes 0; else `UNDECIDED`."""
        if self.margin is not None and -self.margin < self.low <= self.high < (
            self.margin
        ):
            return EQUAL
        return DIFFERENT if self.p < ERROR else UNDECIDED

    @property
    def seeds_to_decide(self) -> int | None:
        """Number of seeds that would decide if mean and deviation stayed the same; None
        if it is more than `MOST_SEEDS` or unknown."""
        if math.isnan(self.low):
            return None
        seeds = np.arange(self.seeds + 1, MOST_SEEDS + 1)
        quantile = special.stdtrit(seeds - 1, 1 - ERROR / 2 / self.family)
        reach = quantile * np.std(self.by_seed, ddof=1) / np.sqrt(seeds)
        decided = reach < abs(self.mean)
        if self.margin is not None:
            decided |= abs(self.mean) + reach < self.margin
        return int(seeds[decided.argmax()]) if decided.any() else None


def paired_difference(
    first: pd.Series, second: pd.Series, family: int = 1, margin: float | None = None
) -> Difference:
    """Compare two methods over the seeds that both have.

    Args:
        first: Measure of the first method by seed.
        second: Measure of the second method by seed.
        family: Number of pairs that are compared in this measure.
        margin: Difference below which methods are practically equal; None if unknown.
    """
    values = (first - second).dropna().to_numpy(float)
    mean = float(values.mean()) if len(values) else math.nan
    low = high = p = math.nan
    if len(values) >= 2 and values.std() > ROUNDING * abs(mean):
        freedom = len(values) - 1
        error = values.std(ddof=1) / math.sqrt(len(values))
        reach = error * special.stdtrit(freedom, 1 - ERROR / 2 / family)
        low, high = mean - reach, mean + reach
        p = min(1.0, 2 * family * special.stdtr(freedom, -abs(mean) / error))
    by_seed = tuple(values.tolist())
    return Difference(by_seed, mean, float(low), float(high), float(p), family, margin)
