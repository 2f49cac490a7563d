"""The settings of a function, read from its signature: the signature is the schema.

A setting is a keyword-only parameter. Its annotation says what is allowed, its default
what happens otherwise, and the `Args:` of the docstring what it means.
"""

import difflib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from system.errors import UserError

LARGEST_FLOAT, SMALLEST_FLOAT = 3.4e38, 1.2e-38
"""In float32, the numbers beyond are infinite and 0."""
LARGEST_INTEGER = 2**63 - 1
BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
}


def parameters(function: Callable) -> dict[str, inspect.Parameter]:
    """The settings of a function: its keyword-only parameters."""
    return {
        name: parameter.replace(annotation=annotation_of(function, parameter))
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def annotation_of(function: Callable, parameter: inspect.Parameter) -> Any:
    if parameter.annotation is parameter.empty:
        raise UserError(
            f"setting {parameter.name} of {function.__name__}: expected a type "
            f"annotation in its signature, such as {parameter.name}: int"
        )
    if isinstance(parameter.annotation, str):
        return eval(parameter.annotation, vars(sys.modules[function.__module__]))
    return parameter.annotation


def meanings(function: Callable) -> dict[str, str]:
    """What the `Args:` of a docstring, or else of its module, say of each parameter."""
    found: dict[str, str] = {}
    for documented in (sys.modules[function.__module__], function):
        args = re.search(
            r"^Args:\n((?:    .*\n?|\n)*)", inspect.getdoc(documented) or "", re.M
        )
        found |= re.findall(
            r"^    (\w+): (.*(?:\n {8}.*)*)", args[1] if args else "", re.M
        )
    return {name: " ".join(text.split()) for name, text in found.items()}


def check(key: str, annotation: Any, value: Any) -> Any:
    """A value as its annotation has it, strictly; "none" where None is allowed."""
    if value == "none" and type(None) in get_args(annotation):
        return None
    if get_origin(annotation) is tuple and isinstance(value, list):
        value = tuple(value)
    adapter = TypeAdapter(
        annotation, config=ConfigDict(strict=True, allow_inf_nan=False)
    )
    try:
        valid = adapter.validate_python(value)
        refuse_what_no_file_holds(key, valid)
        return valid
    except ValidationError:
        near = near_name(value, get_args(annotation))
        raise UserError(
            f"{key}: {did_you_mean(near)}"
            f"expected {expectation(annotation)}, received {shown(value)}"
        ) from None


def refuse_what_no_file_holds(key: str, value: Any) -> None:
    """Refuse values that config.toml or a float32 cannot hold."""
    if isinstance(value, list | tuple):
        for item in value:
            refuse_what_no_file_holds(key, item)
    if isinstance(value, float) and not (
        value == 0 or SMALLEST_FLOAT <= abs(value) <= LARGEST_FLOAT
    ):
        raise UserError(
            f"{key}: expected 0 or a number from {SMALLEST_FLOAT:g} to "
            f"{LARGEST_FLOAT:g}, which is what float32 holds, received {shown(value)}"
        )
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise UserError(
            f"{key}: expected an integer of at most {LARGEST_INTEGER}, "
            f"received {shown(value)}"
        )
    if isinstance(value, str) and not value.isprintable():
        raise UserError(f"{key}: expected printable text, received {shown(value)}")


def expectation(annotation: Any) -> str:
    """What a type and its constraints allow, in words: "a number >= 0"."""
    return describe(TypeAdapter(annotation).json_schema())


def describe(schema: Mapping[str, Any], plural: bool = False) -> str:
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return " or ".join(describe(kind, plural) for kind in kinds)
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    word = schema.get("type", "value")
    if word == "boolean":
        return "true or false"
    if "prefixItems" in schema:
        return "a list of " + ", ".join(map(describe, schema["prefixItems"]))
    if word == "array":
        most = f"at most {schema['maxItems']} " if "maxItems" in schema else ""
        return f"a list of {most}{describe(schema.get('items', {}), plural=True)}"
    limits = [f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema]
    article = "an" if word[0] in "aeiou" else "a"
    noun = f"{word}s" if plural else f"{article} {word}"
    return f"{noun} {' and '.join(limits)}".strip()


def near_name(word: Any, names: Iterable[Any]) -> str | None:
    """The name that a word may be a misspelling of, its section left out of account."""
    if not isinstance(word, str):
        return None
    named = {name.rpartition(".")[2]: name for name in names if isinstance(name, str)}
    near = difflib.get_close_matches(word, named, n=1, cutoff=0.5)
    return named[near[0]] if near else None


def did_you_mean(name: str | None) -> str:
    return f"did you mean {name}? " if name else ""


def shown(value: Any) -> str:
    """A value as one line of at most 80 characters, for a message."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # An integer of more digits than Python converts.
        text = "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


def summary(function: Callable) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]
