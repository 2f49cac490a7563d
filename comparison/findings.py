"""What a comparison found, in sentences that say no more than the intervals allow."""

import math
from collections import Counter
from collections.abc import Set

from comparison.answer import Answer, Entry
from comparison.measures import MINUS, Measure, count
from comparison.statistics import DIFFERENT, EQUAL, UNDECIDED, Difference

FEW = 3
"""Seeds that are too few to tell much: with two, an interval is 13 deviations wide."""

NAMED = 3
"""Undecided pairs that are named; more are counted."""


def sentences(answer: Answer) -> list[str]:
    """The answer in at most three sentences: who wins, at what price, what is open."""
    ranked = {c: answer.ranked(c) for c in answer.comparison.conditions}
    ranked = {c: entries for c, entries in ranked.items() if len(entries) > 1}
    if not ranked:
        return ["Fewer than two methods have all their runs: there is no answer."]
    if len(answer.comparison.conditions) > 1:
        return [*winners(answer, ranked), verdicts(answer)]
    ((best, *others),) = ranked.values()
    lines = [winner(answer, best, others), price(answer, best, others[0])]
    told = {best.method, others[0].method}
    return lines + ([verdicts(answer, told)] if len(answer.pairs) > 1 else [])


def winner(answer: Answer, best: Entry, others: list[Entry]) -> str:
    """Who wins, by how much and in how many seeds: over the second, and the control."""
    measure, second = answer.headline, others[0]
    found = answer.pair(best, second).differences[measure.key]
    text = f"{named(best)} has the {extreme(measure)} {measure.name}, "
    text += measure.value(answer.mean(best, measure.key))
    if found.verdict == DIFFERENT:
        text += f"; against {named(second)}: {evidence(found, measure)}"
    elif found.verdict == EQUAL:
        text += f", and is practically equal to {named(second)}: "
        text += f"{evidence(found, measure)}, within {margin(measure)}"
    else:
        text += f", but is not shown to be better than {named(second)}: "
        text += evidence(found, measure) + would_decide(found)
    for entry in others[1:]:
        if entry.method == answer.comparison.control:
            found = answer.pair(best, entry).differences[measure.key]
            text += f"; against {entry.method}: {evidence(found, measure)}"
            text += "" if found.verdict == DIFFERENT else f" ({found.verdict})"
    return f"{text}."


def price(answer: Answer, best: Entry, second: Entry) -> str:
    """What the best pays, or gains as well, in the other measure."""
    measure = answer.price
    found = answer.pair(best, second).differences[measure.key]
    text = f"{measure.name} against {second.method}, {evidence(found, measure)}"
    if found.verdict == EQUAL:
        return (
            f"It pays nothing in {text}: practically equal, within {margin(measure)}."
        )
    if found.verdict == UNDECIDED:
        return f"No difference is shown in {text}."
    if (found.mean > 0) == (measure.better == "higher"):
        return f"It is better in {text}."
    return f"The price is {text}."


def winners(answer: Answer, ranked: dict[str, list[Entry]]) -> list[str]:
    """Which method wins under which conditions, and where that is shown."""
    measure = answer.headline
    of_method: dict[str, list[str]] = {}
    shown = Counter[str]()
    for condition, (best, second, *_) in ranked.items():
        of_method.setdefault(best.method, []).append(condition)
        found = answer.pair(best, second).differences[measure.key]
        shown[found.verdict] += 1
    parts = (
        f"{method} under {', '.join(conditions)}"
        for method, conditions in of_method.items()
    )
    rest = f"{shown[EQUAL]} practically equal, {shown[UNDECIDED]} not decided"
    return [
        f"{extreme(measure).capitalize()} {measure.name}: {'; '.join(parts)}.",
        f"The best is {DIFFERENT} from the second under {shown[DIFFERENT]} of "
        f"{count(len(ranked), 'condition')}, {rest}.",
    ]


def verdicts(answer: Answer, told: Set[str] = frozenset()) -> str:
    """How many pairs there are of each verdict, and which are not decided.

    Args:
        answer: Answer of one condition or of several.
        told: The methods of a pair that was spoken of before.
    """
    key = answer.headline.key
    tally = Counter(pair.differences[key].verdict for pair in answer.pairs)
    if tally[DIFFERENT] == len(answer.pairs):
        return (
            f"All {count(len(answer.pairs), 'pair')} differ in {answer.headline.name}."
        )
    parts = [
        f"{tally[verdict]} {'is' if tally[verdict] == 1 else 'are'} {verdict}"
        for verdict in (DIFFERENT, EQUAL, UNDECIDED)
        if tally[verdict]
    ]
    text = f"Of {count(len(answer.pairs), 'pair')} {', '.join(parts)}"
    if tally[UNDECIDED] <= NAMED:
        open_pairs = [
            f"{pair.first.method} against {pair.second.label}"
            + would_decide(pair.differences[key], ": ")
            for pair in answer.pairs
            if pair.differences[key].verdict == UNDECIDED
            and {pair.first.method, pair.second.method} != told
        ]
        text += f" ({', '.join(open_pairs)})" if open_pairs else ""
    return f"{text}."


def notes(answer: Answer) -> list[str]:
    """What weakens the answer: strengths on an edge, missing runs, too few seeds."""
    lines = []
    for entry in answer.entries:
        if entry.choice is None:
            lines.append(f"{entry.label}: left out, for no strength has all its runs.")
            continue
        for key in entry.choice.at_edge:
            lines.append(
                f"{entry.label}: the best {key}, {entry.choice.varied[key]}, lies on "
                "the edge of its grid; a better one may lie beyond."
            )
        if entry.choice.missing:
            runs = count(entry.choice.missing, "run")
            lines.append(f"{entry.label}: {runs} diverged or without a result.")
    seeds = len(answer.comparison.seeds)
    if seeds < FEW:
        are = "is" if seeds == 1 else "are"
        lines.append(
            f"{count(seeds, 'seed')} {are} too few to tell; 5 or more make an answer."
        )
    return lines


def evidence(found: Difference, measure: Measure) -> str:
    """ "−0.027 nats [−0.049, −0.005], lower in 5 seeds of 5"."""
    change = " ".join(
        filter(None, (measure.change(found.mean), measure.unit_of_change))
    )
    word = "lower" if found.mean < 0 else "higher"
    seeds = count(found.seeds, "seed")
    where = f"in {found.better_in(word)} of {seeds}"
    return f"{change} {measure.interval(found.low, found.high)}, {word} {where}"


def would_decide(found: Difference, before: str = "; ") -> str:
    if math.isnan(found.low):
        return ""
    seeds = found.seeds_to_decide
    about = f"about {seeds}" if seeds else "more than 1,000"
    return f"{before}{about} seeds would decide"


def margin(measure: Measure) -> str:
    assert measure.margin
    text = measure.change(measure.margin).replace("+", "").replace(MINUS, "")
    return " ".join(filter(None, (text, measure.unit_of_change)))


def extreme(measure: Measure) -> str:
    return "highest" if measure.better == "higher" else "lowest"


def named(entry: Entry) -> str:
    return f"{entry.method} ({entry.strength})" if entry.strength else entry.method
