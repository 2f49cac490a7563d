"""Which strength is best for a method, and whether it differs from the control."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
ROUNDING = 1e-12
"""Differences that vary less, relative to their mean, are one number: no test can be
made of them."""

FEWEST_FOR_WILCOXON = 6
"""With fewer pairs its p-value cannot fall below .05."""


@dataclass(frozen=True)
class Difference:
    """A method minus the control, paired by seed.

    Attributes:
        mean: Of the differences.
        low: Lower end of the 95 % t interval of the mean; NaN for fewer than 2 pairs,
            or differences that do not vary.
        high: Its upper end.
        p: Two-sided p-value of the paired t-test; in an answer, after Holm.
        wilcoxon_p: Of the signed-rank test; NaN for fewer than 6 pairs.
        pairs: Number of seeds that both have.
    """

    mean: float
    low: float
    high: float
    p: float
    wilcoxon_p: float
    pairs: int

    @property
    def clear(self) -> bool:
        """Whether it is shown not to be 0; the interval then leaves 0 out."""
        return self.p < 1 - CONFIDENCE


def paired_difference(method: pd.Series, control: pd.Series) -> Difference:
    """Compare two methods over the seeds that both have.

    Args:
        method: A measure by seed.
        control: The same measure of the control.
    """
    differences = (method - control).dropna().to_numpy(float)
    pairs = len(differences)
    mean = float(differences.mean()) if pairs else math.nan
    if pairs < 2 or differences.std() <= ROUNDING * abs(mean):
        at, p = (0.0, 1.0) if pairs >= 2 and mean == 0 else (math.nan, math.nan)
        return Difference(mean, at, at, p, math.nan, pairs)
    test = stats.ttest_1samp(differences, 0.0)
    interval = test.confidence_interval(CONFIDENCE)
    wilcoxon = (
        float(stats.wilcoxon(differences).pvalue)
        if pairs >= FEWEST_FOR_WILCOXON
        else math.nan
    )
    low, high = float(interval.low), float(interval.high)
    return Difference(mean, low, high, float(test.pvalue), wilcoxon, pairs)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979)."""
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.tolist()


@dataclass(frozen=True)
class Choice:
    """The strength chosen for a method.

    Attributes:
        strength: What the method varies, by dotted name.
        at_edge: The settings of it that are the least or the greatest of three or more
            values: a better one may lie beyond the grid.
        missing: Runs of this method without a finite result.
    """

    strength: dict[str, Any]
    at_edge: tuple[str, ...]
    missing: int


def choose_strength(
    strengths: Sequence[dict[str, Any]], losses: Sequence[pd.Series]
) -> Choice | None:
    """Choose the strength with the lowest mean validation cross-entropy over seeds.

    Args:
        strengths: The grid of one method.
        losses: Of each strength, one per seed; NaN for a run that has none, whose
            strength is not chosen.

    Returns:
        None if no strength has all its runs.
    """
    table = np.asarray(losses, float)
    means = table.mean(axis=1)
    if np.isnan(means).all():
        return None
    strength = strengths[int(np.nanargmin(means))]
    edges = []
    for key, value in strength.items():
        axis = [other[key] for other in strengths]
        ordered = all(type(number) in (int, float) for number in axis)
        if ordered and len(set(axis)) > 2 and value in (min(axis), max(axis)):
            edges.append(key)
    return Choice(strength, tuple(edges), int(np.isnan(table).sum()))
