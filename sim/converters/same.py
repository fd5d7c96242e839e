"""Whether two policies are the same: the form of a policy in which each can be written in one way only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sim.kernel.durations import format_duration, parse_duration

_EVERY: Final = ["conflict", "failed", "rejected", "timed_out"]
_SETS: Final = ("retry_on", "on", "counts")
"""Keys whose lists have no order."""
_DEFAULTS: Final[dict[str, Any]] = {"attempts": 1, "delay": "none", "retry_on": _EVERY}


def canonical(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy without `kind` and without keys that say what holds anyhow, its durations in one form."""
    found: dict[str, Any] = _canonical({key: value for key, value in tree.items() if key != "kind"})
    return {key: value for key, value in found.items() if _DEFAULTS.get(key) != value}


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: sorted(below) if key in _SETS else _canonical(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(below) for below in value]
    if isinstance(value, str):
        try:
            return format_duration(parse_duration(value))
        except ValueError:
            return value
    return value
