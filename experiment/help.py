"""The text of `--help SECTION`."""

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator

from experiment.config import OPTIONS, TABLES
from experiment.schema import (
    REQUIRED,
    describe_type,
    quote,
    refusal,
    settings_of,
)


def help_section(table: str) -> str:
    """The settings of a section with their types, defaults and meanings."""
    if table not in TABLES:
        raise refusal("--help", f"one of {', '.join(TABLES)}", table, TABLES)
    lines = []
    for option in (o for o in OPTIONS.values() if o.table == table):
        for name, function in option.functions.items():
            choice = f' name = "{name}"' if name else ""
            default = " (the default)" if name and name == option.default else ""
            about = f": {summary(function)}" if name else ""
            heading = f"[{table}]{choice}{default}{about}"
            lines += ["", textwrap.fill(heading, 79, subsequent_indent="    ")]
            lines += help_function(function)
    return "\n".join(lines)


def help_function(function: Callable) -> Iterator[str]:
    """Describe the settings of a function, in two or more lines for each."""
    texts = describe_settings(function)
    for setting, parameter in settings_of(function).items():
        default = parameter.default
        shown = "none" if default is None else quote(default)
        after = " (required)" if default is REQUIRED else f" = {shown}"
        yield f"  {setting}: {describe_type(parameter.annotation)}{after}"
        yield textwrap.indent(textwrap.fill(texts.get(setting, ""), 74), "      ")


def describe_settings(function: Callable) -> dict[str, str]:
    """The description of each parameter in the `Args:` of a function's docstring, or of
    its module's."""
    found: dict[str, str] = {}
    for documented in (sys.modules[function.__module__], function):
        args = re.search(
            r"^Args:\n((?:    .*\n?|\n)*)", inspect.getdoc(documented) or "", re.M
        )
        found |= re.findall(
            r"^    (\w+): (.*(?:\n {8}.*)*)", args[1] if args else "", re.M
        )
    return {name: " ".join(text.split()) for name, text in found.items()}


def summary(function: Callable) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(function) or "").partition("\n")[0]
