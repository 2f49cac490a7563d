"""Links that open TensorBoard on a comparison, or on whatever is in a directory."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from monitoring.links import OF_RUNS, page, time_series
from system.files import replacing

MEANS = "mean"
"""Folder of the runs that are means over seeds."""

COMPARED = ("loss/validation", "loss/train", "accuracy/validation")
"""Scalars on top of the front page, before the norms of the first layers."""

BOARD = "board.json"


@dataclass(frozen=True)
class Board:
    """What links to a comparison depend on; saved in its directory.

    Attributes:
        methods: Methods in color, the control first.
        folders: Folders of the runs at the chosen strengths, relative to the directory
            of the comparison.
        layers: Names of the layers whose norms are on the front page.
    """

    methods: Sequence[str]
    folders: Sequence[str]
    layers: Sequence[str]

    def save(self, directory: Path) -> None:
        with replacing(directory / BOARD) as partial:
            partial.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    def links(self, prefix: str = "") -> dict[str, str]:
        """Links to the pages of a comparison by name, the most useful first.

        Args:
            prefix: Beginning of the names of its runs, such as "compare/", if
                TensorBoard shows other runs, too.
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


def views(directory: Path) -> dict[str, str]:
    """Links by name to what is in a directory, the latest first.

    Args:
        directory: Directory of a comparison, or of comparisons and single runs.
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
    if boards and (not single or changed(boards[0]) > max(map(changed, single))):
        return found | (OF_RUNS if single else {})
    return OF_RUNS | found


def read_board(directory: Path) -> Board:
    return Board(**json.loads((directory / BOARD).read_text(encoding="utf-8")))


def changed(path: Path) -> float:
    return path.stat().st_mtime
