"""Mutation testing: every small error in the code should fail a test.

    python -m tests.mutation optimizers/steps.py

makes one error at a time in a copy of the project (a sign, a factor, a comparison, a
constant, an argument left out), runs the tests, and prints the errors that none of them
notices. docs/theory.md lists those that do no harm, and why.
"""

import ast
import copy
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = (
    "tests/optimizers/test_schedules.py",
    "tests/models",
    "tests/optimizers/test_optimizers.py",
    "tests/optimizers/test_trajectories.py",
    "tests/optimizers/test_oracles.py",
    "tests/optimizers/test_dictionary.py",
    "tests/experiment/test_config.py",
    "tests/training/test_program.py",
    "tests/training/test_dropout.py",
    "tests/training/test_sharing.py",
)
LONGEST = 1200
"""Seconds after which a mutant that hangs counts as noticed."""

SLOW = "(everything or checkpoint or compil)"
KEYWORDS = {
    "ScheduleFree": "schedule_free",
    "Decaying": "everything",
    "constant": "test_schedules",
    "cosine": "test_schedules",
    "warm_restarts": "test_schedules",
    "prepare": "test_optimizers or moving",
    "": "bounded or known or chosen",
}
"""What the tests nearest to a function or class are called by, if not by its name: they
run first, without the slow."""

ASSERTIONS = ("strict",)
"""Arguments that only check what is so: `zip(strict=True)`."""

COMMUTATIVE = ("min", "max", "minimum", "maximum")
"""Functions whose arguments may be exchanged."""

OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutate_constant(node: ast.Constant) -> Iterator[None]:
    value = node.value
    if isinstance(value, bool):
        node.value = not value
    elif isinstance(value, int | float):
        node.value = 2 * value + (value == 0)
    elif isinstance(value, str):
        node.value = value + "_"
    else:
        return
    yield


def mutations(node: ast.AST) -> Iterator[None]:
    """Change a node in place, in each of the ways there are; undone by the caller."""
    if isinstance(node, ast.Constant):
        yield from mutate_constant(node)
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp):
        if type(node.op) in OPERATORS:
            node.op = OPERATORS[type(node.op)]()
            yield
    elif isinstance(node, ast.Compare):
        node.ops = [OPERATORS[type(op)]() for op in node.ops]
        yield
    elif isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
        yield
    elif isinstance(node, ast.If | ast.While):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        yield
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else node.op
        yield
    elif isinstance(node, ast.Call):
        for keyword in [k for k in node.keywords if k.arg not in ASSERTIONS]:
            node.keywords.remove(keyword)
            yield
            node.keywords.append(keyword)
        commutes = ast.unparse(node.func).endswith(COMMUTATIVE)
        for i in range(0 if commutes else len(node.args) - 1):
            node.args[i : i + 2] = node.args[i + 1], node.args[i]
            yield
            node.args[i : i + 2] = node.args[i + 1], node.args[i]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node.value = ast.Constant(None)
        yield


def is_text(node: ast.AST) -> bool:
    """Whether a node is a docstring, which nothing is computed from."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def targets(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes to mutate: not imports, docstrings and what mypy alone reads."""
    for child in ast.iter_child_nodes(tree):
        skipped = isinstance(child, ast.Import | ast.ImportFrom) or is_text(child)
        skipped |= isinstance(child, ast.keyword) and child.arg in ASSERTIONS
        skipped |= isinstance(child, ast.Constant) and isinstance(tree, ast.arg)
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            skipped = True
        if not skipped and child is not getattr(tree, "returns", None):
            yield child
            yield from targets(child)


def mutants(source: str) -> Iterator[tuple[str, str, str]]:
    """Each mutant's source, its changed line, and the function or class it is in."""
    original = ast.unparse(ast.parse(source)).splitlines()
    for index in range(sum(1 for _ in targets(ast.parse(source)))):
        tree = ast.parse(source)
        node = list(targets(tree))[index]
        around = next(s for s in tree.body if node in ast.walk(s))
        for _ in mutations(node):
            text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree)))
            lines = text.splitlines()
            pairs = [p for p in zip(original, lines, strict=False) if p[0] != p[1]]
            if pairs:
                change = f"{pairs[0][0].strip()}  ->  {pairs[0][1].strip()}"
                yield text, change, getattr(around, "name", "")


def survives(project: Path, selection: str = "") -> bool:
    """Run the tests in a fork, which saves loading TensorFlow anew.

    Args:
        project: A copy of it.
        selection: Of the tests, as pytest's `-k` has it. That none are selected is not
            noticing anything either.
    """
    child = os.fork()
    if child == 0:
        signal.alarm(LONGEST)
        os.chdir(project)
        sys.path.insert(0, str(project))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        options = ["-x", "-p", "no:cacheprovider", "-k", selection]
        os._exit(int(pytest.main([*options, *TESTS])))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def main() -> int:
    import keras  # noqa: F401

    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        ignored = shutil.ignore_patterns(".*", "runs", "__pycache__")
        shutil.copytree(ROOT, project, ignore=ignored)
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
        sys.dont_write_bytecode = True
        if not survives(project):
            print("the tests fail without a mutant")
            return 1
        for name in sys.argv[1:]:
            path = project / name
            source = path.read_text()
            for count, (text, change, around) in enumerate(mutants(source), start=1):
                path.write_text(text)
                nearest = KEYWORDS.get(around, around)
                survived = survives(project, f"({nearest}) and not {SLOW}") and (
                    survives(project)
                )
                survivors += survived
                verdict = "SURVIVED" if survived else "killed"
                print(f"{verdict:8} {name} {count}: {change}", flush=True)
            path.write_text(source)
    print(f"{survivors} survived")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
