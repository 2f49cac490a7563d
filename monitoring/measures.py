"""One name, one unit and one format for each number, on every page and terminal."""

import math
from dataclasses import dataclass, replace

from training.measures import MEASURES as EVALUATED
from training.measures import MEMORIZED

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Measure:
    """A number of a run, as every table, page, figure and sentence shows it.

    Attributes:
        key: Column of summary.csv, behind the moment: "test_cross_entropy".
        name: "test cross-entropy".
        unit: "nats"; "%" for a fraction that is shown in percent; empty without one.
        better: "lower" or "higher"; empty where neither is.
        margin: Methods that differ by less are practically equal; None where no scale
            is known. A tenth of it is the last digit shown.
        tag: Tag of the same number in history.csv; empty if it is not there.
    """

    key: str
    name: str
    unit: str = ""
    better: str = ""
    margin: float | None = None
    tag: str = ""

    @property
    def label(self) -> str:
        """For an axis or the head of a column: "test cross-entropy (nats)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def scale(self) -> int:
        return 100 if self.unit == "%" else 1

    @property
    def unit_of_change(self) -> str:
        return "points" if self.unit == "%" else self.unit

    @property
    def within(self) -> str:
        """The margin: "within 0.50 points"."""
        size = self._write(self.margin or 0, "")
        return f"within {size} {self.unit_of_change}".rstrip()

    @property
    def best(self) -> str:
        return "highest" if self.better == "higher" else "lowest"

    @property
    def digits(self) -> int:
        """Behind the decimal point."""
        if self.margin is None:
            return 4
        return max(0, 1 - math.floor(math.log10(self.scale * self.margin) + 1e-9))

    def number(self, number: float) -> str:
        """ "0.348" or "90.81": the unit stands elsewhere."""
        return self._write(number, "")

    def value(self, number: float) -> str:
        """ "0.348 nats" or "90.81 %"."""
        return SPACE.join(filter(None, (self.number(number), self.unit)))

    def change(self, number: float) -> str:
        """ "+0.027" or "−1.14": nats or points stand elsewhere."""
        return self._write(number, "+")

    def interval(self, low: float, high: float) -> str:
        """ "[−0.049, −0.005]"; "no interval" of too few runs."""
        if math.isnan(low):
            return "no interval"
        return f"[{self.change(low)},{SPACE}{self.change(high)}]"

    def _write(self, number: float, sign: str) -> str:
        if not math.isfinite(number):
            return "not finite"
        text = f"{self.scale * number:{sign}z.{self.digits}f}"
        return text.replace("-", MINUS)


OF_EVALUATION = [
    *((k, m.label, m.unit, m.better, m.margin, m.group) for k, m in EVALUATED.items()),
    ("loss", "loss", "", "lower", None, "trained_loss"),
]
OTHERS = [
    *(
        Measure(f"memorized_{key}", share.label, "%", "", 0.005, f"memorized/{key}")
        for key, share in MEMORIZED.items()
    ),
    Measure("generalization_gap", "gap", "", "", 0.01, "gap/loss"),
    Measure("penalty", "penalty", "", "", None, "objective/penalty"),
    Measure("weight_norm", "norm of all kernels", "", "", 0.1, "weights/norm"),
]
MEASURES = {
    f"{split}_{key}": Measure(
        f"{split}_{key}", f"{split} {name}", unit, better, margin, f"{tag}/{split}"
    )
    for key, name, unit, better, margin, tag in OF_EVALUATION
    for split in ("train", "validation", "test")
} | {measure.key: measure for measure in OTHERS}
"""By their keys: what an evaluation of a split finds, and the others."""


def find_measure(key: str, margin: float | None = None) -> Measure:
    """A measure by its key; one that is not listed goes by its key.

    Args:
        key: Column of summary.csv, behind the moment.
        margin: Another one than the measure's own.
    """
    measure = MEASURES.get(key) or Measure(key, key.replace("_", " "))
    return measure if margin is None else replace(measure, margin=margin)


def count(number: int, noun: str, plural: str = "s") -> str:
    """ "1 seed", "5 seeds"."""
    return f"{number} {noun}{'' if number == 1 else plural}"
