"""Compares a replay of a pool with its recording: all that both tell must be equal, field by field, in order."""

import json
import lzma
from collections.abc import Callable, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

PACKED = Path(__file__).parent / "recordings.jsonl.xz"
CLOSE_MS = 0.001
OVER = frozenset({"success", "failed", "canceled"})
LOGGED = frozenset({"console", "mock_error"})
"""Events that say only what the packages or the test double wrote to the log."""
WORDING = frozenset({"msg", "error", "errorData", "returnValue", "i", "by"})
"""Fields that word an error or a value, or count and attribute draws."""


@cache
def recordings() -> Mapping[str, Any]:
    """Read all recordings, by name."""
    with lzma.open(PACKED, "rt", encoding="utf-8") as lines:
        told = [json.loads(line) for line in lines]
    return {one["name"]: one for one in told}


def plain(value: Any) -> Any:
    """Leave out of a field what is only wording, at any depth."""
    if isinstance(value, dict):
        return {name: plain(field) for name, field in value.items() if name not in WORDING}
    return [plain(item) for item in value] if isinstance(value, list) else value


def counts(event: Mapping[str, Any]) -> bool:
    """Tell whether an event is of the pool: not undone, not of the log, not done to a job that is over."""
    return not (event.get("rolled_back") or event["ev"] in LOGGED or (event["ev"] == "state" and event["from"] in OVER))


def is_close(one: Any, other: Any) -> bool:
    """Tell whether two fields are equal; numbers, all of which are times, counts or draws, to a thousandth."""
    match one, other:
        case (dict(), dict()):
            return one.keys() == other.keys() and all(is_close(one[name], other[name]) for name in one)
        case (list(), list()):
            return len(one) == len(other) and all(map(is_close, one, other))
        case (bool(), _) | (_, bool()):
            return one is other
        case (int() | float(), int() | float()):
            return abs(one - other) <= CLOSE_MS
        case _:
            return bool(one == other)


def first_difference(recorded: Mapping[str, Any], replayed: Mapping[str, Any]) -> str | None:
    """Describe the first difference; None if a replay meets its recording."""
    told, retold = ([plain(event) for event in one["events"] if counts(event)] for one in (recorded, replayed))
    for number, (event, other) in enumerate(zip_longest(told, retold)):
        if not is_close(event, other):
            return f"event {number}: recorded {event}, replayed {other}"
    end, other_end = plain(recorded["final"]), plain(replayed["final"])
    for name in sorted(end.keys() | other_end.keys()):
        if name not in end or name not in other_end or not is_close(end[name], other_end[name]):
            return f"{name} at the end: recorded {end.get(name)}, replayed {other_end.get(name)}"
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `title` once for each recording."""
    if "title" in metafunc.fixturenames:
        metafunc.parametrize("title", sorted(recordings()))


@pytest.fixture(name="recordings")
def all_recordings() -> Mapping[str, Any]:
    """Return all recordings, by name."""
    return recordings()


@pytest.fixture(name="difference")
def difference_between() -> Callable[..., str | None]:
    """Return the function that compares a recording with a replay."""
    return first_difference


@pytest.fixture(name="counts")
def does_count() -> Callable[..., bool]:
    """Return the function that tells whether an event is compared."""
    return counts


@pytest.fixture(name="plain")
def without_wording() -> Callable[..., Any]:
    """Return the function that leaves out what is not compared of a field."""
    return plain
