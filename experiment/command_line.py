"""The command line of train.py and compare.py: arguments, messages, exit statuses."""

import argparse
import io
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn, TypeVar

from experiment.config import OPTIONS, TABLES, all_settings
from experiment.schema import (
    did_you_mean,
    expectation,
    meanings,
    near_name,
    parameters,
    shown,
    summary,
)
from system.errors import UserError
from system.files import is_file

Result = TypeVar("Result")


class Help(argparse.Action):
    """Shows the options of a command, or the settings of a section, and ends."""

    def __call__(self, parser, namespace, section, option_string=None):
        if section and section not in TABLES:
            raise UserError(
                f"--help: {did_you_mean(near_name(section, TABLES))}"
                f"expected one of {', '.join(TABLES)}, received {section}"
            )
        print(help_settings(section) if section else parser.format_help())
        parser.exit()


class Parser(argparse.ArgumentParser):
    """Parses `[CONFIG.toml] [section.key=value ...]` and the options of a command."""

    def __init__(self, description: str, default_config: Path, about: str = ""):
        """
        Args:
            description: What the command does, in a line.
            default_config: The file that is read if none is named.
            about: What else the help says of the file.
        """
        super().__init__(
            description=description,
            epilog=f"{about}Settings are those of {', '.join(TABLES)}: --help SECTION "
            "lists them, and what each means. seed=0 fixes split, initial weights, "
            "order, dropout masks and label noise; name=mine names the folder.",
            allow_abbrev=False,
            add_help=False,
        )
        self.add_argument(
            "-h",
            "--help",
            nargs="?",
            action=Help,
            metavar="SECTION",
            help="show this, or the settings of a section",
        )
        self._default_config = default_config
        self.add_argument(
            "words",
            nargs="*",
            metavar="[CONFIG.toml] [section.key=value ...]",
            help=f"a config, by default {default_config.name}, and changes to it",
        )
        self.add_argument(
            "--runs",
            type=lambda path: Path(path).expanduser(),
            default=Path("runs"),
            metavar="DIR",
            help="where runs are kept (runs)",
        )

    def parse_args(self, *arguments):
        parsed, unknown = self.parse_known_intermixed_args(*arguments)
        if unknown:
            options = [o for o in self._option_string_actions if o.startswith("--")]
            near = as_setting(unknown[0], *arguments) or near_name(unknown[0], options)
            self.error(
                f"unknown option {unknown[0]}; {did_you_mean(near)}"
                f"expected {', '.join(options)}"
            )
        parsed.words = [config_of(word) for word in parsed.words]
        files = [word for word in parsed.words if word.endswith(".toml")]
        if len(files) > 1:
            self.error(f"expected one CONFIG.toml, received {', '.join(files)}")
        parsed.config = Path(files[0]) if files else self._default_config
        parsed.overrides = [word for word in parsed.words if word not in files]
        return parsed

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def as_setting(option: str, arguments: Sequence[str] | None = None) -> str | None:
    """The assignment that an option like `--epochs 3` or `--epochs=3` may stand for."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    key, _, value = option.lstrip("-").partition("=")
    key = key.replace("-", "_").rpartition(".")[2]
    values = [value] if value else words[words.index(option) + 1 :][:1]
    named = {setting.partition(".")[2]: setting for setting in all_settings()}
    return f"{named[key]}={(values or ['...'])[0]}" if key in named else None


def config_of(word: str) -> str:
    """The config of a run, where a word is the run's directory; else the word."""
    config = Path(word) / "config.toml"
    return str(config) if is_file(config) else word


def exit_with_status(main: Callable[[], int]) -> int:
    """Run a command; turn what ends it early into one line and an exit status.

    What the terminal cannot show of a name, it shows escaped.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return main()
    except UserError as error:
        return fail(2, error)
    except MemoryError as error:
        return fail(1, f"not enough memory; {error}".rstrip("; "))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(1, f"{where}{error.strerror or error}")


def fail(status: int, message: object) -> int:
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    return status


def run_until_signal(
    work: Callable[[Callable[[], bool]], Result],
) -> tuple[Result, int | None]:
    """Run work that stops when asked, and ask it on SIGINT or SIGTERM.

    The work runs in a thread, because a signal handler in Python waits for the compiled
    call that the main thread is in. A second SIGINT ends the process at once.

    Args:
        work: Is given a function that tells whether it should stop.

    Returns:
        What the work returns, and the number of the signal that came, if one did.
    """
    received: list[int] = []

    def handle(number, _):
        if received and number == signal.SIGINT:
            if sys.stdout.isatty():
                os.write(1, b"\x1b[?25h\n")  # The progress bar has hidden the cursor.
            os._exit(128 + number)
        received.append(number)
        os.write(1, b"\nstopping; Ctrl-C again quits without saving\n")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    with ThreadPoolExecutor(max_workers=1) as pool:
        result = pool.submit(work, lambda: bool(received)).result()
    return result, received[0] if received else None


def help_settings(table: str) -> str:
    """The settings of a section with their types, defaults and meanings."""
    lines = []
    for option in (o for o in OPTIONS.values() if o.table == table):
        for name, function in option.functions.items():
            choice = f' name = "{name}"' if name else ""
            default = " (the default)" if name == option.default else ""
            about = f": {summary(function)}" if name else ""
            heading = f"[{table}]{choice}{default}{about}"
            lines += ["", textwrap.fill(heading, 79, subsequent_indent="    ")]
            lines += help_function(function)
    return "\n".join(lines)


def help_function(function: Callable) -> Iterator[str]:
    texts = meanings(function)
    for setting, parameter in parameters(function).items():
        if parameter.default is parameter.empty:
            default = " (required)"
        elif parameter.default is None:
            default = " = none"
        else:
            default = f" = {shown(parameter.default)}"
        yield f"  {setting}: {expectation(parameter.annotation)}{default}"
        yield textwrap.indent(textwrap.fill(texts.get(setting, ""), 74), "      ")
