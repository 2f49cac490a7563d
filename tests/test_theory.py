"""docs/theory.md names lines and tests that are there.

    python -m tests.test_theory

puts the right line numbers into its links after a change of code.
"""

import ast
import re
from pathlib import Path

import pytest

from models import REGULARIZERS
from optimizers import DECAYS, OPTIMIZERS
from optimizers.schedules import SCHEDULES

pytestmark = pytest.mark.docs

PAGE = Path(__file__).parent.parent / "docs" / "theory.md"
LINK = re.compile(r"\[`([\w.]+)`\]\((\.\./[\w/]+\.py)(?:#L\d+)?\)")


def definitions(path: Path) -> dict[str, int]:
    """The lines of functions, classes and their methods, by (dotted) name."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node.lineno
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    found[f"{node.name}.{method.name}"] = method.lineno
    return found


def linked(text: str) -> str:
    """The page with every link to a symbol at the line of its definition."""

    def at_its_line(match):
        symbol, target = match[1], match[2]
        path = PAGE.parent / target
        if target.endswith(f"/{symbol}"):  # A link to the file as a whole.
            return match[0]
        return f"[`{symbol}`]({target}#L{definitions(path)[symbol]})"

    return LINK.sub(at_its_line, text)


def test_links_lead_to_the_lines_that_they_name():
    text = PAGE.read_text()
    assert len(LINK.findall(text)) > 50
    assert linked(text) == text, "python -m tests.test_theory mends it"


def test_every_choice_that_has_an_equation_is_linked():
    symbols = {match[0] for match in LINK.findall(PAGE.read_text())}
    for choices in (REGULARIZERS, OPTIMIZERS, SCHEDULES, DECAYS):
        assert {choice.__name__ for choice in choices.values()} <= symbols | {"none"}


if __name__ == "__main__":
    PAGE.write_text(linked(PAGE.read_text()))
