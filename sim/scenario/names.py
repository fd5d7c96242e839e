"""Ids of cells, fit for files, and names of cells, fit for legends."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sim.scenario.tree import steps_of

LONGEST_NAME = 64
"""Of a scenario."""
LONGEST_ID = 80
"""Of a cell."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._=,-]+")
_COMMA_IN_WORDS = re.compile(r",\s+")
"""In an id a comma without a space behind it stands between a variant and the keys of a sweep."""


_SAY_LITTLE = {"after", "at_least", "at_most", "constant", "cost", "rate", "share", "table"}
"""Keys of policies that need the name of their block: `hedge.after`."""


def key_labels(keys: Sequence[str]) -> dict[str, str]:
    """Shorten dotted keys to their last parts if those differ; a part of a policy may keep the name of its block."""
    lasts = {key: _last(key) for key in keys}
    counts = Counter(lasts.values())
    return {key: last if counts[last] == 1 else key for key, last in lasts.items()}


def _last(key: str) -> str:
    steps = steps_of(key)
    if steps[-1] in _SAY_LITTLE and "retrier" in steps[:-2]:
        return f"{steps[steps.index('retrier') + 1]}.{steps[-1]}"
    return steps[-1]


def label(key: str, value: Any) -> str:
    """Name one value of a sweep; that of a retrier speaks for itself, and so does a delay with options."""
    speaks = key == "retrier" or (key == "delay" and isinstance(value, Mapping))
    return _text(value) if speaks else f"{key}={_text(value)}"


def _text(value: Any) -> str:
    """Write a value short: words and numbers as they are, a retrier by its kind and options, a law by its numbers."""
    match value:
        case str():
            return value
        case {"file": file, "column": column}:
            return f"{file} {column}"
        case {"constant": duration}:
            return f"constant {_text(duration)}"
        case Mapping():
            return " ".join(_part(key, below) for key, below in value.items())
        case list() | tuple():
            return " ".join(map(_text, value))
    return json.dumps(value, default=str)


def _part(key: str, value: Any) -> str:
    if key == "kind":
        return _text(value)
    spaced = isinstance(value, Mapping | list | tuple) or key == "formula"
    return f"{key} {_text(value)}" if spaced else f"{key}={_text(value)}"


def slug(text: str) -> str:
    """Make a text fit for a file's name; one that is too long ends in a digest of all of it."""
    safe = _UNSAFE.sub("-", _COMMA_IN_WORDS.sub("-", text)).strip("-.") or "cell"
    if len(safe) <= LONGEST_ID:
        return safe
    return f"{safe[: LONGEST_ID - 9].rstrip('-.,=')}-{_short_digest(text)}"


def unique(ids: Sequence[tuple[str, str]]) -> list[str]:
    """Add to ids that a file system may take for the same a digest of the text given with each."""
    counts = Counter(one.lower() for one, _ in ids)
    return [
        one if counts[one.lower()] == 1 else f"{one[: LONGEST_ID - 9]}-{_short_digest(told_by)}" for one, told_by in ids
    ]


def canonical(value: Any) -> str:
    """Write a plain value so that equal ones give equal texts."""
    return json.dumps(value, sort_keys=True, default=repr)


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]
