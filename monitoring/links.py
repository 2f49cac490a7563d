"""Links that open TensorBoard in the right state.

They are relative to its address, so that they hold in its Text page whatever the port.
They set the runs shown, their colors, no smoothing, the cards on top and their order.
"""

import json
from collections.abc import Sequence
from urllib.parse import quote, urlencode

ADDRESS = "http://127.0.0.1:6006/"
"""Where TensorBoard is unless another program has that port."""

SINGLE_RUNS = r"^[^/]+/seed="
"""Runs of train.py below runs/; those of a comparison lie deeper."""

BY_FOLDER = r"regex:^([^/]+)/"
"""Colors: one for each name of a run's first folder, its config or its method."""

FRONT_CARDS = (
    "loss/validation",
    "gap/loss",
    "accuracy/validation",
    "weights/norm",
    "weights/distance",
    "weights/update_ratio",
)
"""What tells most, in the order that a front page shows it."""


def time_series(
    runs: str, colors: str = BY_FOLDER, cards: Sequence[str] = FRONT_CARDS
) -> str:
    """The front page: curves of some runs, colored by group, the telling ones on top.

    Args:
        runs: Regular expression that the names of the runs shown contain.
        colors: "regex:" and an expression, whose groups are the colors' groups.
        cards: Tags of scalars to pin, in order.
    """
    query = {
        "runFilter": runs,
        "runColorGroup": colors,
        "smoothing": "0",
        "pinnedCards": json.dumps(
            [{"plugin": "scalars", "tag": tag} for tag in cards], separators=(",", ":")
        ),
    }
    return f"?{urlencode(query, quote_via=quote, safe='/:,')}#timeseries"


def page(name: str, runs: str = "") -> str:
    """Another of TensorBoard's pages: "images", "histograms", "graphs", "text", ...

    Args:
        name: As it stands behind the # in the address.
        runs: Regular expression that the names of the runs shown contain; all if empty.
    """
    chosen = f"&regexInput={quote(runs, safe='/')}" if runs else ""
    return f"?#{name}{chosen}"


OF_RUNS = {
    "front page": time_series(SINGLE_RUNS),
    "pictures": page("images"),
    "run cards": page("text"),
}
"""What to look at of single runs, by name."""
