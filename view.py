"""Look at runs in TensorBoard, opened in the right state."""

import os
import signal
import sys
import threading
import webbrowser
from pathlib import Path

from rich.console import Console

from comparison.links import views
from experiment.command_line import OneLineParser, exit_with_status
from system.errors import UserError

IMAGES_KEPT = 100
"""Pictures per tag and run that TensorBoard keeps; its default of 10 drops some."""

OPEN = "open"
PAGE = b"""<!DOCTYPE html><title>TensorBoard</title><script>
const key = "_tb_global_settings";
if (!localStorage.getItem(key))
    localStorage.setItem(key, JSON.stringify(
        {timeSeriesSettingsPaneOpened: false, sideBarWidthInPercent: 23}));
location.replace("/" + location.search + location.hash);
</script>"""
"""A page that opens TensorBoard with its settings closed, which take a sixth of the
width, and with room for the names of runs: a link cannot set either."""


def with_closed_pane(board):
    """TensorBoard's application, with `PAGE` at the address `OPEN`."""

    def answer(environ, start_response):
        if environ["PATH_INFO"] != f"/{OPEN}":
            return board(environ, start_response)
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [PAGE]

    return answer


def start(directory: Path, port: int | None) -> str:
    """Start TensorBoard in a thread of its own.

    Args:
        directory: Directory of the runs to show.
        port: Port of 127.0.0.1; by default 6006, or the next that is free.

    Returns:
        The address of TensorBoard, which ends in a slash.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tensorboard import default, program

    def make_server(board, flags):
        return program.create_port_scanning_werkzeug_server(
            with_closed_pane(board), flags
        )

    board = program.TensorBoard(default.get_plugins(), server_class=make_server)
    board.configure(
        logdir=str(directory),
        host="127.0.0.1",
        port=port,
        samples_per_plugin={"images": IMAGES_KEPT},
    )
    try:
        return board.launch()
    except program.TensorBoardServerException as error:
        raise UserError(f"TensorBoard: {error}") from None


def main() -> int:
    parser = OneLineParser(description=__doc__)
    parser.add_argument(
        "directory",
        nargs="?",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="runs, or the folder of a comparison (runs)",
    )
    parser.add_argument(
        "--port", type=int, help="of 127.0.0.1 (6006, or the next that is free)"
    )
    parser.add_argument(
        "--open", action="store_true", help="open a browser on the first link"
    )
    arguments = parser.parse_args()
    if not arguments.directory.is_dir():
        raise UserError(f"{arguments.directory}: expected a directory of runs")
    if arguments.port is not None and not 0 <= arguments.port < 2**16:
        raise UserError("--port", "0 to 65535", arguments.port)
    console = Console()
    address = start(arguments.directory, arguments.port)
    links = views(arguments.directory).items()
    found = {name: address + OPEN + link for name, link in links}
    for name, link in found.items():
        console.print(f"{name}: {link}", soft_wrap=True, highlight=False, markup=False)
    console.print("Ctrl-C ends it.")
    if arguments.open:
        webbrowser.open(next(iter(found.values())))
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(exit_with_status(main))
