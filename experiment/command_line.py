"""The command line of train.py and compare.py: arguments, messages, exit statuses."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn, TypeVar

from experiment.config import TABLES, all_settings
from experiment.schema import did_you_mean
from system.errors import UserError, say
from system.files import expand_home, is_file

Result = TypeVar("Result")


class OneLineParser(argparse.ArgumentParser):
    """Refuses a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


class Parser(OneLineParser):
    """Parses `[CONFIG.toml] [section.key=value ...]` and the options of a command."""

    def __init__(self, description: str, default_config: Path, about: str = ""):
        """
        Args:
            description: One line on what the command does.
            default_config: Config file that is read if none is given.
            about: More for the help, on config files of this command.
        """
        super().__init__(
            description=description,
            epilog=f"{about}Settings are those of {', '.join(TABLES)}: --help SECTION "
            "lists them, and what each means. seed=0 fixes split, initial weights, "
            "order, dropout masks and label noise; name=mine names the folder.",
            allow_abbrev=False,
            add_help=False,
        )
        self._default_config = default_config
        self.add_argument(
            "-h",
            "--help",
            nargs="?",
            const="",
            metavar="SECTION",
            help="show this, or the settings of a section",
        )
        self.add_argument(
            "words",
            nargs="*",
            metavar="[CONFIG.toml] [section.key=value ...]",
            help=f"a config, by default {default_config.name}, and changes to it",
        )
        self.add_argument(
            "--runs",
            type=expand_home,
            default=Path("runs"),
            metavar="DIR",
            help="where runs are kept (runs)",
        )

    def parse_args(self, *arguments):
        parsed, unknown = self.parse_known_intermixed_args(*arguments)
        if parsed.help is not None:
            if parsed.help:
                from experiment.help import help_section

                print(help_section(parsed.help))
            else:
                self.print_help()
            self.exit()
        if unknown:
            options = [o for o in self._option_string_actions if o.startswith("--")]
            settings = (*all_settings(), "name", "seed")
            option, _, value = unknown[0].partition("=")
            given = list(*arguments) or sys.argv[1:]
            following = [*given[given.index(unknown[0]) + 1 :], "..."]
            value = value or following[0]
            named = {s.rpartition(".")[2]: f"{s}={value}" for s in settings}
            named |= {option[2:]: option for option in options}
            near = did_you_mean(option.lstrip("-").replace("-", "_"), named) or ";"
            self.error(
                f"unknown option {unknown[0]}{near} expected {', '.join(options)}"
            )
        words = [config_of(word) for word in parsed.words]
        files = [word for word in words if word.endswith(".toml")]
        if len(files) > 1:
            self.error(f"expected one CONFIG.toml, received {', '.join(files)}")
        parsed.config = Path(files[0]) if files else self._default_config
        parsed.overrides = [word for word in words if word not in files]
        return parsed


def config_of(word: str) -> str:
    """The path of a run's config if a word is the run's directory; else the word."""
    config = Path(word) / "config.toml"
    return str(config) if is_file(config) else word


def exit_with_status(main: Callable[[], int]) -> int:
    """Run a command; turn errors into one line and an exit status."""
    try:
        return main()
    except UserError as error:
        message, status = str(error), error.status
    except MemoryError as error:
        message, status = f"not enough memory; {error}".rstrip("; "), 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        message, status = f"{where}{error.strerror or error}", 1
    say(message)
    return status


def run_until_signal(
    work: Callable[[Callable[[], bool]], Result],
) -> tuple[Result, int | None]:
    """Run a function that can be asked to stop, and ask it to on SIGINT or SIGTERM.

    It runs in a thread, so that the main thread is free to handle signals: Python does
    not handle them during a compiled call. A second SIGINT ends the process at once.

    Args:
        work: Function of another function, which returns whether to stop.

    Returns:
        What `work` returned, and the number of the signal that was received, if any.
    """
    received: list[int] = []

    def handle(number, _):
        if received and number == signal.SIGINT:
            if sys.stdout.isatty():
                os.write(1, b"\x1b[?25h\n")  # The progress bar has hidden the cursor.
            os._exit(128 + number)
        received.append(number)
        with contextlib.suppress(OSError):  # Such as of a pipe that is closed.
            os.write(1, b"\nstopping; Ctrl-C again quits without saving\n")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    with ThreadPoolExecutor(max_workers=1) as pool:
        result = pool.submit(work, lambda: bool(received)).result()
    return result, received[0] if received else None
