"""Tables of user documents and their indexes: sorted keys, and the ranges of them that transactions read.

Fields sort as in Convex: missing < null < numbers < booleans < text; a document's number breaks ties.

An index is brought up to date when it is read: many more documents are written than indexes are read, and an index that
no query asks for costs nothing.
"""

from __future__ import annotations

from heapq import merge
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sortedcontainers import SortedList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Document = dict[str, Any]
Key = tuple[Any, ...]
Entry = tuple[Key, Document]
"""A document of an index range, with its key."""

TOP: Key = (9,)
"""Sorts after every value of an index key."""

BY_CREATION = "by_creation"


RANKS: Final = {int: 2, float: 2, bool: 3, str: 4}
"""Where values of these very classes sort."""


def index_value(value: Any) -> Key:
    """Return the sort key of a field's value: null < numbers < booleans < text. Raises TypeError for others."""
    rank = RANKS.get(type(value))
    if rank is not None:
        return (rank, value)
    match value:
        case None:
            return (1,)
        case int() | float():
            return (2, value)
        case str():
            return (4, value)
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be indexed")


INDEXED: Final = frozenset({type(None), bool, int, float, str})
"""Classes of values that have a sort key."""
MISSING: Final = (0,)
"""The sort key of a field that is not there."""


def _value(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return the value at a path, `MISSING` if there is none."""
    value: Any = document
    for part in path:
        if not isinstance(value, (dict, MappingProxyType)) or part not in value:
            return MISSING
        value = value[part]
    return value


class Table:
    """A table with its indexes: each is a sorted list of (key, id) of the latest documents.

    The lists are of `sortedcontainers`, in pieces: to change a plain list as long as the table costs a copy of a part
    of it, so that each change would cost more the more documents there are.
    """

    def __init__(self, name: str, indexes: Mapping[str, Sequence[str]] | None = None) -> None:
        self.name = name
        self.fields = {BY_CREATION: (), **{index: tuple(paths) for index, paths in (indexes or {}).items()}}
        self._paths = {index: [tuple(path.split(".")) for path in paths] for index, paths in self.fields.items()}
        self._all_paths = tuple(dict.fromkeys(path for paths in self._paths.values() for path in paths))
        self._entries: dict[str, SortedList[tuple[Key, str]]] = {}
        """The indexes that have been read, as they were when one of them was read last."""
        self._changed: dict[str, tuple[Document | None, Document | None]] = {}
        """The documents written since then, by their ids: as they were then, and as they are."""
        self.created = 0

    def key(self, index: str, document: Mapping[str, Any]) -> Key:
        """Return the document's key in an index; its number breaks ties."""
        key: list[Key] = []
        for path in self._paths[index]:
            value = _value(document, path)
            key.append(MISSING if value is MISSING else index_value(value))
        key.append((2, int(document["_id"].rpartition(":")[2])))
        return tuple(key)

    def note(self, document_id: str, before: Document | None, after: Document | None) -> None:
        """Note that a document is written; None stands for none. Raises TypeError if an index cannot sort it."""
        if after is not None:
            for path in self._all_paths:
                value = _value(after, path)
                if type(value) not in INDEXED and value is not MISSING:
                    index_value(value)
        if self._entries:
            changed = self._changed
            changed[document_id] = (changed[document_id][0] if document_id in changed else before, after)

    def between(
        self, wanted: Range, documents: Callable[[str], Iterable[Document]], *, newest_first: bool = False
    ) -> Iterable[tuple[Key, str]]:
        """Return the keys and ids of the latest documents in a range, in its order or in reverse.

        `documents` returns the latest documents of a table; it is called if the index has never been read.
        """
        if self._changed:
            self._bring_up_to_date()
        index = wanted.index_name
        entries = self._entries.get(index)
        if entries is None:
            keyed = ((self.key(index, document), document["_id"]) for document in documents(self.name))
            self._entries[index] = entries = SortedList(keyed)
        if len(entries) <= 1:  # a common case: nothing is pending, or one row has all settings
            return [entry for entry in entries if wanted.low <= entry[0] < wanted.high]
        low, high = (wanted.low, ""), (wanted.high, "")
        return entries.irange(low, high, inclusive=(True, False), reverse=newest_first)

    def _bring_up_to_date(self) -> None:
        changed, self._changed = self._changed, {}
        for index, entries in self._entries.items():
            for document_id, (before, after) in changed.items():
                old = None if before is None else self.key(index, before)
                new = None if after is None else self.key(index, after)
                if old == new:
                    continue
                if old is not None:
                    entries.remove((old, document_id))
                if new is not None:
                    entries.add((new, document_id))

    def among(self, documents: Iterable[Document | None], wanted: Range) -> list[Entry]:
        """Return those of some documents that are in a range, with their keys, in order."""
        _, index, low, high = wanted
        keyed = [(self.key(index, document), document) for document in documents if document is not None]
        return sorted((entry for entry in keyed if low <= entry[0] < high), key=_key_of)

    def clear(self) -> None:
        """Forget all documents."""
        self.created = 0
        self._entries.clear()
        self._changed.clear()


_key_of: Final = itemgetter(0)


def merged(entries: Iterable[Entry], others: list[Entry], *, newest_first: bool) -> Iterable[Entry]:
    """Put entries and others into one sequence; both are in order, but entries in reverse if that is asked for."""
    if not others:
        return entries
    return merge(entries, reversed(others) if newest_first else others, key=_key_of, reverse=newest_first)


class Range(NamedTuple):
    """A half-open range of an index that was read: low <= key < high."""

    table: str
    index_name: str
    low: Key
    high: Key
