"""The findings of a comparison in words, which say no more than the intervals allow."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from comparison.answer import Answer
from comparison.plan import Trial, count
from comparison.statistics import DIFFERENT, EQUAL, UNDECIDED, Difference
from training.measures import Measure

FEW = 3
"""Fewest seeds without a note: with two, intervals are 18 standard deviations wide."""

NAMED = 3
"""Most undecided pairs that are named; more are only counted."""


def sentences(answer: Answer) -> list[str]:
    """The answer in at most three sentences: which method is best, what it costs in the
    other measure, and what is not decided."""
    conditions = answer.comparison.conditions
    ranked = [trials for c in conditions if len(trials := answer.ranked(c)) > 1]
    if len(answer.comparison.file.methods) == 1:
        return ["There is one method, and nothing to compare it with."]
    if not ranked:
        return ["Fewer than two methods have all their runs: there is no answer."]
    if len(conditions) > 1:
        return [*winners(answer, ranked), verdicts(answer)]
    best, second, *others = ranked[0]
    lines = [winner(answer, *ranked[0]), price(answer, best, second)]
    return lines + ([verdicts(answer, {best, second})] if others else [])


def winner(answer: Answer, best: Trial, second: Trial, *others: Trial) -> str:
    """Which method is best, and by how much against the second and the control."""
    measure = answer.headline
    found = answer.difference(best, second, measure)
    text = f"{named(best)} has the {measure.best} {measure.name}, "
    text += measure.value(answer.mean(best, measure))
    text += {
        DIFFERENT: "; against",
        EQUAL: f", and is {measure.within} practically equal to",
        UNDECIDED: ", but is not shown to be better than",
    }[found.verdict]
    text += f" {named(second)}: {evidence(found, measure)}{would_decide(found)}"
    for trial in others:
        if trial.method == answer.comparison.file.control:
            found = answer.difference(best, trial, measure)
            text += f"; against {trial.method}: {evidence(found, measure)}"
            text += "" if found.verdict == DIFFERENT else f" ({found.verdict})"
    return f"{text}."


def price(answer: Answer, best: Trial, second: Trial) -> str:
    """How the best differs from the second in the other measure."""
    measure = answer.price
    found = answer.difference(best, second, measure)
    text = f"{measure.name} against {second.method}, {evidence(found, measure)}"
    if found.verdict == EQUAL:
        return f"It is practically equal, {measure.within}, in {text}."
    if found.verdict == UNDECIDED:
        return f"No difference is shown in {text}."
    if (found.mean > 0) == (measure.better == "higher"):
        return f"It is better in {text}."
    return f"The price is {text}."


def winners(answer: Answer, ranked: Sequence[Sequence[Trial]]) -> list[str]:
    """Which method is best under which conditions, and how many verdicts there are."""
    measure = answer.headline
    won: dict[str, list[str]] = {}
    for best, *_ in ranked:
        won.setdefault(best.method, []).append(best.condition)
    parts = "; ".join(f"{method} under {', '.join(c)}" for method, c in won.items())
    found = [answer.difference(best, second, measure) for best, second, *_ in ranked]
    conditions = count(len(ranked), "condition")
    return [
        f"{measure.best.capitalize()} {measure.name}: {parts}.",
        f"The best against the second, under {conditions}: {tally(found)}.",
    ]


def verdicts(answer: Answer, told: Collection[Trial] = ()) -> str:
    """How many pairs have each verdict, and which are not decided.

    Args:
        answer: The answer.
        told: The pair that an earlier sentence is about, which is not named again.
    """
    found = {pair: answer.difference(*pair, answer.headline) for pair in answer.pairs}
    open_pairs = [
        f"{first.method} against {second.label}{would_decide(difference, ': ')}"
        for (first, second), difference in found.items()
        if difference.verdict == UNDECIDED and {first, second} != told
    ]
    names = f" ({', '.join(open_pairs)})" if 0 < len(open_pairs) <= NAMED else ""
    pairs = f"of {count(len(found), 'pair')} {tally(found.values())}"
    return f"In {answer.headline.name}, {pairs}{names}."


def tally(found: Iterable[Difference]) -> str:
    """Count verdicts: "4 are different, 1 is not decided"."""
    counts = Counter(difference.verdict for difference in found)
    return ", ".join(
        f"{counts[verdict]} {'is' if counts[verdict] == 1 else 'are'} {verdict}"
        for verdict in (DIFFERENT, EQUAL, UNDECIDED)
        if verdict in counts
    )


def notes(answer: Answer) -> list[str]:
    """Notes on what weakens the answer: strengths on the edge of a grid, missing runs,
    too few seeds."""
    chosen = {trial.label: trial for trial in answer.chosen}
    of_methods = answer.losses.isna().groupby(lambda trial: trial.label, sort=False)
    lines = []
    for label, missing in of_methods.sum().items():
        if label not in chosen:
            lines.append(f"{label}: left out, for no strength has all its runs.")
            continue
        for key in answer.comparison.edges(chosen[label]):
            lines.append(
                f"{label}: the best {key}, {chosen[label].varied[key]}, lies on the "
                "edge of its grid; a better one may lie beyond."
            )
        if missing:
            runs = count(missing, "run")
            lines.append(f"{label}: {runs} diverged or without a result.")
    seeds = len(answer.comparison.file.seeds)
    if seeds < FEW:
        are = "is" if seeds == 1 else "are"
        lines.append(
            f"{count(seeds, 'seed')} {are} too few to tell; give {FEW} or more."
        )
    return lines


def evidence(found: Difference, measure: Measure) -> str:
    """A difference in words: "−0.027 nats [−0.049, −0.005], lower in 5 of 5 seeds"."""
    change = f"{measure.change(found.mean)} {measure.unit_of_change}".rstrip()
    word = "lower" if found.mean < 0 else "higher"
    where = f"{word} in {found.better_in(word)} of {count(found.seeds, 'seed')}"
    change += "," if math.isnan(found.low) else ""
    return f"{change} {measure.interval(found.low, found.high)}, {where}"


def would_decide(found: Difference, before: str = "; ") -> str:
    """How many seeds would decide a pair, if it is not decided."""
    if found.verdict != UNDECIDED or math.isnan(found.low):
        return ""
    seeds = found.seeds_to_decide
    return f"{before}{f'about {seeds}' if seeds else 'over 1,000'} seeds would decide"


def named(trial: Trial) -> str:
    return f"{trial.method} ({trial.strength})" if trial.strength else trial.method
