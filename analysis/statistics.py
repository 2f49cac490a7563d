"""Which strength is best for each method, and whether it beats the control."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
FEWEST_FOR_WILCOXON = 6
"""With fewer pairs its p-value cannot fall below .05."""


@dataclass(frozen=True)
class Difference:
    """A method minus the control, paired by seed.

    Attributes:
        mean: Of the differences.
        low: Lower end of the 95 % t interval of the mean; NaN for fewer than 2 pairs.
        high: Its upper end.
        p: Two-sided p-value of the paired t-test.
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
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def paired_difference(method: pd.Series, control: pd.Series) -> Difference:
    """Compare two methods over the seeds that both have.

    Args:
        method: A measure by seed.
        control: The same measure of the control.
    """
    differences = (method - control).dropna().to_numpy(float)
    pairs = len(differences)
    mean = float(differences.mean()) if pairs else math.nan
    if pairs < 2 or not differences.std() > 0:
        at = mean if pairs >= 2 else math.nan
        p = float(mean == 0) if pairs >= 2 else math.nan
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
        strength: As in the summary.
        mean: Of the validation cross-entropy over seeds.
        at_edge: Whether it is the first or the last of three or more strengths: a
            better one may lie beyond the grid.
        missing: Runs of this method without a finite result.
    """

    strength: str
    mean: float
    at_edge: bool
    missing: int


def choose_strengths(summary: pd.DataFrame, moment: str) -> dict[str, Choice]:
    """Choose each method's strength by its mean validation cross-entropy over seeds.

    A strength with a run that failed or diverged is not chosen.

    Args:
        summary: From `analysis.summary.summarize`, in the order of the grid.
        moment: "final" or "best".

    Returns:
        Choices by method; none for a method that has no strength to choose.
    """
    column = f"{moment}_validation_cross_entropy"
    choices = {}
    for method, rows in summary.groupby("method", sort=False):
        finite = rows[column].where(rows["status"] == "completed")
        means = finite.groupby(rows["strength"], sort=False).agg(
            lambda values: values.mean(skipna=False)
        )
        if means.notna().any():
            best = means.idxmin()
            edges = (means.index[0], means.index[-1])
            choices[str(method)] = Choice(
                strength=str(best),
                mean=float(means.min()),
                at_edge=len(means) > 2 and best in edges,
                missing=int(finite.isna().sum()),
            )
    return choices


def chosen_runs(summary: pd.DataFrame, choice: Choice, method: str) -> pd.DataFrame:
    """The runs of a method at its chosen strength, by seed."""
    rows = summary[
        (summary["method"] == method) & (summary["strength"] == choice.strength)
    ]
    return rows.set_index("seed")
