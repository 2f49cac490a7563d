"""The settings of a function, read from its signature: the signature is the schema.

A setting is a keyword-only parameter. Its annotation says what is allowed, its default
what happens otherwise, and the `Args:` of the docstring what it means.
"""

import difflib
import functools
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

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
REQUIRED = inspect.Parameter.empty
"""The default of a setting that has none."""


@functools.cache
def settings_of(function: Callable) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a function, annotations evaluated.

    Raises:
        UserError: One of them cannot be a setting.
    """
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        where = f"setting {name} of {function.__name__}"
        annotation, default = parameter.annotation, parameter.default
        if name == "name":
            raise UserError(f"{where}: expected another word: `name` chooses functions")
        if annotation is parameter.empty:
            raise UserError(
                f"{where}: expected a type annotation in its signature, such as "
                f"{name}: int"
            )
        try:
            if isinstance(annotation, str):
                annotation = eval(annotation, vars(sys.modules[function.__module__]))
            describe_type(annotation)
        except (NameError, PydanticUserError):
            raise UserError(
                f"{where}: expected a type that TOML has, received {annotation}"
            ) from None
        if default is not REQUIRED:
            default = list(default) if isinstance(default, tuple) else default
            default = validate(f"the default of {where}", annotation, default)
        found[name] = parameter.replace(annotation=annotation, default=default)
    return found


def validate(key: str, annotation: Any, value: Any) -> Any:
    """Check a value against a type, strictly.

    Args:
        key: Name of the setting, for the message.
        annotation: A type that pydantic knows.
        value: The value, as TOML has it: a list for a tuple, "none" for None.

    Returns:
        The value: None for "none" if the type allows it, a list for a tuple.

    Raises:
        UserError: The value is not of the type, or too large for a float32 or for
            config.toml.
    """
    if value == "none" and type(None) in get_args(annotation):
        return None
    is_tuple = get_origin(annotation) is tuple and isinstance(value, list)
    try:
        valid = checker(annotation).validate_python(tuple(value) if is_tuple else value)
    except ValidationError:
        names = get_args(annotation)
        raise refusal(key, describe_type(annotation), value, names) from None
    if valid is not None:
        refuse_unsaveable(key, valid)
    return list(valid) if isinstance(valid, tuple) else valid


@functools.cache
def checker(annotation: Any) -> TypeAdapter:
    strictly = ConfigDict(strict=True, allow_inf_nan=False)
    return TypeAdapter(annotation, config=strictly)


def refuse_unsaveable(key: str, value: Any) -> None:
    """Refuse a value that config.toml or a float32 cannot hold."""
    expected = None
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            refuse_unsaveable(key, item)
    elif isinstance(value, float):
        if value and not SMALLEST_FLOAT <= abs(value) <= LARGEST_FLOAT:
            expected = (
                f"0 or a number from {SMALLEST_FLOAT:g} to {LARGEST_FLOAT:g}, which is "
                "what float32 holds"
            )
    elif isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            expected = f"an integer of at most {LARGEST_INTEGER}"
    elif not isinstance(value, str):
        expected = f"what TOML holds, not a {type(value).__name__}"
    elif not value.isprintable():
        expected = "printable text"
    if expected:
        raise refusal(key, expected, value)


def refusal(
    key: str, expected: str, value: Any, names: Iterable[Any] = ()
) -> UserError:
    """Make the error for a wrong value of a setting.

    Args:
        key: Name of the setting.
        expected: What is allowed.
        value: The wrong value.
        names: Allowed values, of which the error suggests the most similar.
    """
    return UserError(key, f"{expected}", quote(value) + did_you_mean(value, names))


def describe_type(annotation: Any) -> str:
    """Describe a type and its constraints in words: "a number >= 0"."""
    return describe_schema(TypeAdapter(annotation).json_schema())


def describe_schema(schema: Mapping[str, Any], plural: bool = False) -> str:
    """Describe a JSON schema in words."""
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return " or ".join(describe_schema(kind, plural) for kind in kinds)
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    word = schema.get("type", "value")
    if word == "boolean":
        return "true or false"
    if "prefixItems" in schema:
        return "a list of " + ", ".join(map(describe_schema, schema["prefixItems"]))
    if word == "array":
        limit = f"at most {schema['maxItems']} " if "maxItems" in schema else ""
        items = describe_schema(schema.get("items", {}), plural=True)
        return f"a list of {limit}{items}"
    limits = [f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema]
    article = "an" if word[0] in "aeiou" else "a"
    noun = f"{word}s" if plural else f"{article} {word}"
    return f"{noun} {' and '.join(limits)}".strip()


def did_you_mean(word: Any, names: Iterable[Any]) -> str:
    """Suggest a name for a misspelled word: "; did you mean l2?", or nothing.

    Args:
        word: The word that was given.
        names: Names that may have been meant, with or without their section; or
            suggestions by the names that the word is compared with.
    """
    if not isinstance(names, Mapping):
        names = {n.rpartition(".")[2]: n for n in names if isinstance(n, str)}
    text = word.lower() if isinstance(word, str) else ""
    near = difflib.get_close_matches(text, names, n=1, cutoff=0.5)
    return f"; did you mean {names[near[0]]}?" if near else ""


def quote(value: Any) -> str:
    """Format a value for a message, in one line of at most 80 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError):  # Such as an integer of thousands of digits.
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 80 else text[:77] + "..."
