"""Links that open TensorBoard in a certain state.

They set which runs are shown, their colors, no smoothing, and the cards on top with
their order. They are relative to TensorBoard's address, so that they work on its Text
page whatever its port.
"""

import json
from collections.abc import Sequence
from urllib.parse import quote, urlencode

ADDRESS = "http://127.0.0.1:6006/"
"""Default address of TensorBoard."""

SINGLE_RUNS = r"^[^/]+/seed="
"""Pattern of the runs of train.py below runs/; those of comparisons are deeper."""

BY_FOLDER = r"regex:^([^/]+)/"
"""Colors runs by their first folder, which is a config or a method."""

FRONT_CARDS = (
    "loss/validation",
    "gap/loss",
    "accuracy/validation",
    "weights/norm",
    "weights/distance",
    "weights/update_ratio",
)
"""The scalars that a front page shows on top, in this order."""


def time_series(
    runs: str, colors: str = BY_FOLDER, cards: Sequence[str] = FRONT_CARDS
) -> str:
    """A link to the Time Series page, colored by groups, with some cards on top.

    Args:
        runs: Regular expression; runs are shown whose names contain it.
        colors: "regex:" and a regular expression; runs with the same groups get the
            same color.
        cards: Tags of scalars to show on top, in order.
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
    """A link to another page of TensorBoard.

    Args:
        name: Name of the page in the address, such as "images" or "text".
        runs: Regular expression; runs are shown whose names contain it.
    """
    chosen = f"&regexInput={quote(runs, safe='/')}" if runs else ""
    return f"?#{name}{chosen}"


OF_RUNS = {
    "front page": time_series(SINGLE_RUNS),
    "pictures": page("images"),
    "run cards": page("text"),
}
"""Links to the pages for single runs, by name."""
