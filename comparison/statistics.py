"""How two methods differ, and how sure that is."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

ERROR = 0.05
"""Share of families of comparisons in which an interval may miss the truth."""

ROUNDING = 1e-12
"""Differences that vary less, relative to their mean, are one number: no test can be
made of them."""

MOST_SEEDS = 1000
"""More are not asked for."""

DIFFERENT, EQUAL, UNDECIDED = "different", "practically equal", "not decided"


@dataclass(frozen=True)
class Difference:
    """A measure of one method minus that of another, paired by seed.

    The interval and the p-value are adjusted together, by Bonferroni, for the number of
    pairs that are compared in this measure: all intervals of a family cover the truth
    in 95 of 100 comparisons, and an interval leaves 0 out just where p < 0.05.

    Attributes:
        by_seed: The differences.
        mean: Mean of them.
        low: Lower end of the interval of the mean; NaN for fewer than 2 seeds, or
            differences that do not vary.
        high: Its upper end.
        p: Two-sided p-value of the paired t-test.
        family: Number of pairs that are compared in this measure.
        margin: Within which methods are practically equal; None if it is not known.
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
        """Seeds in which the first method was the better one.

        Args:
            better: "lower", or "higher".
        """
        sign = 1 if better == "higher" else -1
        return sum(sign * value > 0 for value in self.by_seed)

    @property
    def verdict(self) -> str:
        """`EQUAL`: the interval lies within the margin, as two one-sided tests show;
        `DIFFERENT`: it leaves 0 out; `UNDECIDED`: neither."""
        if self.margin is not None and -self.margin < self.low <= self.high < (
            self.margin
        ):
            return EQUAL
        return DIFFERENT if self.p < ERROR else UNDECIDED

    @property
    def seeds_to_decide(self) -> int | None:
        """Seeds that would give another verdict than `UNDECIDED` if mean and deviation
        stayed what they are; None if more than `MOST_SEEDS`, or not known."""
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
        first: A measure by seed.
        second: The same measure of the other method.
        family: Number of pairs that are compared in this measure.
        margin: Within which methods are practically equal; None if it is not known.
    """
    values = (first - second).dropna().to_numpy(float)
    mean = float(values.mean()) if len(values) else math.nan
    low = high = p = math.nan
    if len(values) >= 2:
        if values.std() > ROUNDING * abs(mean):
            freedom = len(values) - 1
            error = values.std(ddof=1) / math.sqrt(len(values))
            reach = error * special.stdtrit(freedom, 1 - ERROR / 2 / family)
            low, high = mean - reach, mean + reach
            p = min(1.0, 2 * family * special.stdtr(freedom, -abs(mean) / error))
        elif mean == 0:
            low, high, p = 0.0, 0.0, 1.0
    by_seed = tuple(values.tolist())
    return Difference(by_seed, mean, float(low), float(high), float(p), family, margin)
