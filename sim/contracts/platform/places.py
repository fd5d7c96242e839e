"""The order of values in an index, as the platform promises it; written apart from the store that keeps to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Place = tuple[Any, ...]
"""Compares as the values do."""


def place(document: Mapping[str, Any], path: str) -> Place:
    """Return the place of a document's field: missing < null < numbers < booleans < text."""
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return (0,)
        value = value[part]
    if value is None:
        return (1,)
    if isinstance(value, bool):
        return (3, value)
    return (4, value) if isinstance(value, str) else (2, value)
