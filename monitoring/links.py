"""Links that open TensorBoard in the right state.

They are relative to its address, so that they hold in its Text page whatever the port.
They set the runs shown, their colors, no smoothing, the cards on top and their order.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from system.files import replacing

ADDRESS = "http://127.0.0.1:6006/"
"""Where TensorBoard is unless another program has that port."""

SINGLE_RUNS = r"^[^/]+/seed="
"""Runs of train.py below runs/; those of a comparison lie deeper."""

MEANS = "mean"
"""Folder of a comparison's runs that are means over seeds."""

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

COMPARED = ("loss/validation", "loss/train", "accuracy/validation")
"""What tells most of a comparison; the norms of its first layers stand behind it."""

BOARD = "board.json"


@dataclass(frozen=True)
class Board:
    """What links to a comparison need to know of it.

    Attributes:
        methods: Those in color, the control first; the others are grey.
        folders: Folders of the runs at the chosen strengths, below the comparison's.
        layers: Names of the first layers with a norm.
    """

    methods: Sequence[str]
    folders: Sequence[str]
    layers: Sequence[str]

    def save(self, directory: Path) -> None:
        with replacing(directory / BOARD) as partial:
            partial.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    def links(self, prefix: str = "") -> dict[str, str]:
        """The pages of a comparison, by name, the first to look at first.

        Args:
            prefix: Beginning of its runs' names, "compare/", where others are shown.
        """
        start, root = (
            f"^{re.escape(prefix)}",
            f"^{re.escape(prefix.rstrip('/') or '.')}$",
        )
        control, *others = self.methods
        # TensorBoard colors groups in the order of its runs, which is that of their
        # names. The root's is the first: it shares the group of the control, "".
        colors = (
            f"{start}(?:{MEANS}/)?(?:({'|'.join(others)})|{control})(?:[/ ]|$)|{root}"
        )
        colors = f"regex:{colors}"
        cards = [*COMPARED, *(f"weights/norm/{layer}" for layer in self.layers)]
        folders = "|".join(map(re.escape, self.folders))
        seeds = f"{start}({folders})/seed="
        return {
            "means over seeds": time_series(f"{start}{MEANS}/", colors, cards),
            "every seed": time_series(seeds, colors, cards),
            "table": page("hparams"),
            "results": page("text", root),
            "filters": page("images", root),
            "pictures": page("images", seeds),
        }


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


def views(directory: Path) -> dict[str, str]:
    """What to look at in a directory, the latest first: links by name.

    Args:
        directory: Directory of a comparison, of several, of single runs, or of both.
    """
    if (directory / BOARD).exists():
        return read_board(directory).links()
    if list(directory.glob("events.out.tfevents.*")):  # A comparison without an answer.
        return {"every run": time_series("/seed="), "table": page("hparams")}
    boards = sorted(directory.glob(f"*/{BOARD}"), key=changed, reverse=True)
    single = [*directory.glob("*/seed=*/history.csv")]
    found: dict[str, str] = {}
    for path in boards:
        name = path.parent.name
        links = read_board(path.parent).links(f"{name}/")
        if len(boards) > 1:
            del links["table"]  # TensorBoard has one, of any of the comparisons.
        found |= {f"{name}, {page}": link for page, link in links.items()}
    of_runs = {
        "front page": time_series(SINGLE_RUNS),
        "pictures": page("images"),
        "run cards": page("text"),
    }
    if boards and (not single or changed(boards[0]) > max(map(changed, single))):
        return found | (of_runs if single else {})
    return of_runs | found


def read_board(directory: Path) -> Board:
    return Board(**json.loads((directory / BOARD).read_text(encoding="utf-8")))


def changed(path: Path) -> float:
    return path.stat().st_mtime
