"""Words for Pydantic's errors, for users who have not read our models."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sim.expect.expectations import ExpressionError
from sim.kernel.durations import format_duration, parse_duration
from sim.laws.formulas import FormulaError
from sim.options.near_words import did_you_mean
from sim.options.shorthand import NEITHER_FORM
from sim.options.single_key import UNKNOWN_KEY
from sim.scenario.mistakes.problems import Path, Problem, shorten

UNKNOWN_WORD = "unknown_word"
"""The type of the error for a word that is not in `ctx["allowed"]`; `ctx["what"]` says what the words name.

If there are too many to tell, `ctx["also"]` has those that are only suggested, `ctx["listed"]` where they are listed.
"""

IS_MISSING = "is missing"
MOST_LISTED = 12
_QUOTED = re.compile(r"'([^']*)'")

AllowedKeys = Callable[[Path], Sequence[str]]
"""Given a path, the keys that may stand in the mapping there."""


def problems_of(error: ValidationError, tree: Any, allowed_keys: AllowedKeys) -> list[Problem]:
    """Turn each of pydantic's errors about `tree` into a problem with a path in it."""
    return [_problem(details, tree, allowed_keys) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, tree: Any, allowed_keys: AllowedKeys) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    path, value = _follow(tree, details["loc"])
    if kind == "missing":
        return Problem((*path, str(details["loc"][-1])), IS_MISSING)
    if kind == "extra_forbidden":
        return unknown_key(path, allowed_keys(path[:-1]))
    if kind == UNKNOWN_KEY:
        hint = did_you_mean(str(path[-1]), context["allowed"]) or _list(context["allowed"])
        return Problem(path, f"unknown {context['what']} '{shorten(str(path[-1]))}'{hint}", at_key=True)
    inner = context.get("error")
    if isinstance(inner, ExpressionError | FormulaError):
        return Problem(path, inner.reason, offset=inner.column - 1)
    return Problem(path, _reason(kind, context, value, details["msg"]))


def unknown_key(path: Path, allowed: Sequence[str]) -> Problem:
    """Return the problem of an unknown key."""
    key = str(path[-1])
    if path == ("action", "outcomes", "success"):
        return Problem(path, "success has no share of its own but takes the rest; leave it out", at_key=True)
    return Problem(path, f"unknown key '{shorten(key)}'{did_you_mean(key, allowed) or _list(allowed)}", at_key=True)


def _list(allowed: Sequence[str]) -> str:
    return f"; the keys are: {', '.join(allowed)}" if 0 < len(allowed) <= MOST_LISTED else ""


def _follow(tree: Any, loc: tuple[int | str, ...]) -> tuple[Path, Any]:
    """Return the path in `tree` that pydantic's place means, and the value there.

    Steps that are not keys of the tree (a field filled from a short form, a missing key) are left out.
    """
    path: list[str | int] = []
    for step in loc:
        steps: Any = tree if isinstance(tree, Mapping) else ()
        if isinstance(tree, list | tuple) and isinstance(step, int):
            steps = range(len(tree))
        if step in steps:
            tree = tree[step]
            path.append(step)
    return tuple(path), tree


_EXPECTED: Mapping[str, str] = MappingProxyType(
    {
        "string_type": "a text",
        "int_type": "a whole number",
        "int_parsing": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "float_parsing": "a number",
        "bool_type": "true or false",
        "bool_parsing": "true or false",
        "list_type": "a list",
        "tuple_type": "a list",
        "dict_type": "a mapping of keys",
        "model_type": "a mapping of keys",
        "model_attributes_type": "a mapping of keys",
        "finite_number": "a finite number",
    }
)
_BOUNDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "greater_than_equal": ("at least", "ge"),
        "greater_than": ("more than", "gt"),
        "less_than_equal": ("at most", "le"),
        "less_than": ("less than", "lt"),
    }
)


def _reason(kind: str, context: Mapping[str, Any], value: Any, message: str) -> str:
    if kind in _EXPECTED:
        return expected(_EXPECTED[kind], value)
    if kind in _BOUNDS:
        relation, key = _BOUNDS[kind]
        return f"must be {relation} {_bound(context[key], value)}, got {_shown(value)}"
    if kind in _SENTENCES:
        return _SENTENCES[kind]({**context, "value": value})
    # The messages of our own validators are for users already.
    return message[:1].lower() + message[1:].replace("Input should be", "must be")


def _other_word(context: Mapping[str, Any]) -> str:
    allowed, value = _QUOTED.findall(context["expected"]), context["value"]
    if not allowed:
        return expected(context["expected"], value)
    return expected(f"one of {', '.join(allowed)}", value) + did_you_mean(str(value), allowed)


def _unknown_word(context: Mapping[str, Any]) -> str:
    allowed, word = context["allowed"], str(context["word"])
    told = [f"known are {', '.join(allowed[:MOST_LISTED])}"] if allowed else []
    told += [context["listed"]] if "listed" in context else []
    hint = did_you_mean(word, [*allowed, *context.get("also", ())]) or f"; {', and '.join(told)}"
    return f"there is no {context['what']} '{shorten(word)}'{hint}"


def _wrong_length(context: Mapping[str, Any]) -> str:
    most = context.get("max_length")
    return "must not be empty" if most is None else f"must have at most {most} characters, got {len(context['value'])}"


def _wrong_count(context: Mapping[str, Any]) -> str:
    least, most = context.get("min_length"), context.get("max_length")
    bound = f"at least {least}" if most is None else f"at most {most}"
    return f"must have {bound} {'entry' if 1 in (least, most) else 'entries'}, got {context['actual_length']}"


_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        "literal_error": _other_word,
        "enum": _other_word,
        UNKNOWN_WORD: _unknown_word,
        NEITHER_FORM: lambda context: expected(f"{context['short']} or {context['long']}", context["value"]),
        "value_error": lambda context: str(context["error"]),
        "string_too_short": _wrong_length,
        "string_too_long": _wrong_length,
        "too_short": _wrong_count,
        "too_long": _wrong_count,
        "string_pattern_mismatch": lambda context: (
            f"{describe(context['value'])} does not have the form {context['pattern']}"
        ),
    }
)


def expected(what: str, value: Any) -> str:
    """Say that another value was expected than the one that is there."""
    return f"expected {what}, got {describe(value)}"


def describe(value: Any) -> str:
    """Name a value of a file in a message."""
    match value:
        case None:
            return "nothing"
        case bool() | int() | float():
            return _shown(value)
        case str():
            return f"the text '{shorten(value)}'"
        case Mapping():
            return "a mapping of keys"
        case list() | tuple():
            return "a list"
    return f"a {type(value).__name__}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return shorten(str(value))


def _bound(bound: Any, value: Any) -> str:
    """Write a bound as its value is written: those of durations are in ns."""
    if isinstance(value, str) and isinstance(bound, int):
        try:
            parse_duration(value)
        except ValueError:
            return str(bound)
        return format_duration(bound)
    return f"{bound:.12g}" if isinstance(bound, float) else str(bound)
