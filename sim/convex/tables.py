"""Tables of user documents and their indexes: sorted keys, and the ranges of them that transactions read.

Fields sort as in Convex: missing < null < numbers < booleans < text; a document's number breaks ties.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Document = dict[str, Any]
Key = tuple[Any, ...]

TOP: Key = (9,)
"""Sorts after every value of an index key."""

BY_CREATION = "by_creation"


def index_value(value: Any) -> Key:
    """Return the sort key of a field's value: null < numbers < booleans < text. Raises TypeError for others."""
    match value:
        case None:
            return (1,)
        case bool():
            return (3, value)
        case int() | float():
            return (2, value)
        case str():
            return (4, value)
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be indexed")


def _field(document: Mapping[str, Any], path: str) -> Key:
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, (dict, MappingProxyType)) or part not in value:
            return (0,)
        value = value[part]
    return index_value(value)


class Table:
    """A table with its indexes: each is a sorted list of (key, id) of the latest documents."""

    def __init__(self, name: str, indexes: Mapping[str, Sequence[str]] | None = None) -> None:
        self.name = name
        self.fields = {BY_CREATION: (), **{index: tuple(paths) for index, paths in (indexes or {}).items()}}
        self.entries: dict[str, list[tuple[Key, str]]] = {index: [] for index in self.fields}
        self.created = 0

    def key(self, index: str, document: Mapping[str, Any]) -> Key:
        """Return the document's key in an index; its number breaks ties."""
        return (*(_field(document, path) for path in self.fields[index]), (2, int(document["_id"].rpartition(":")[2])))

    def clear(self) -> None:
        """Forget all documents."""
        self.created = 0
        for entries in self.entries.values():
            entries.clear()


class Range(NamedTuple):
    """A half-open range of an index that was read: low <= key < high."""

    table: str
    index_name: str
    low: Key
    high: Key
