"""Records in little memory: `PackedRequests` are `Requests` whose columns are unpacked when they are asked for.

A polled request with lognormal latencies takes 123 bytes as a row and a tenth of that packed. So the parts of a cell
stay packed, measurements go over them part by part (`pieces`), and a column is made in full only for who asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.history import packing
from sim.history.packing import Packed
from sim.history.records import COLUMNS, FLAT_COLUMNS, Requests, counts_of
from sim.history.vocabulary import Cause

if TYPE_CHECKING:
    from numpy.typing import NDArray

DUPLICATES: Final[tuple[str, ...]] = tuple(f"duplicates.{cause.name}" for cause in Cause)
"""The columns that `duplicates` is packed in, one for each cause."""
TYPES: Final[dict[str, np.dtype[Any]]] = {
    **{name: np.dtype(COLUMNS[name].dtype) for name in FLAT_COLUMNS},
    **dict.fromkeys(DUPLICATES, np.dtype(COLUMNS["duplicates"].dtype)),
}
"""The packed columns and the type of each."""
RELATIVES: Final = {
    "first_effect_ns": "last_attempt_end_ns",
    "settled_ns": "known_attempt_end_ns",
    "known_attempt_end_ns": "last_attempt_end_ns",
    "action_ns": "last_attempt_end_ns",
    "effects": "attempts",
    "actions": "attempts",
    "mutations": "polls",
}
"""Columns that are often near another one: a request settles soon after its last attempt, which ends near its effect;
each attempt is an action; and each poll is a mutation."""

Table = Mapping[str, Packed]
"""The columns of consecutive rows, one for each of `TYPES`."""


class PackedRequests(Requests):
    """Records of requests as packed tables, one behind the other; a column is unpacked when it is first asked for.

    Arrays of unpacked columns may not be writable.
    """

    __slots__ = ("_rows", "_tables")

    _tables: tuple[Table, ...]
    _rows: int

    def __init__(self, tables: Sequence[Table]) -> None:
        """Take at least one table."""
        object.__setattr__(self, "_tables", tuple(tables))
        object.__setattr__(self, "_rows", sum(table["number"].rows for table in tables))

    @classmethod
    def of(cls, requests: Requests) -> PackedRequests:
        """Pack records."""
        if isinstance(requests, PackedRequests):
            return requests
        columns: dict[str, NDArray[Any]] = {name: getattr(requests, name) for name in FLAT_COLUMNS}
        duplicates = requests.duplicates.reshape(len(requests), len(Cause))
        columns |= {name: duplicates[:, cause] for cause, name in enumerate(DUPLICATES)}
        table = {
            name: packing.pack(values, RELATIVES.get(name, ""), columns.get(RELATIVES.get(name, "")))
            for name, values in columns.items()
        }
        return cls([table])

    @property
    def tables(self) -> tuple[Table, ...]:
        """The packed tables, in order."""
        return self._tables

    def table(self) -> Table:
        """Return all rows as one table."""
        if len(self._tables) > 1:
            return PackedRequests.of(self.select(slice(None))).table()
        return self._tables[0]

    def __len__(self) -> int:
        return self._rows

    def __getattr__(self, name: str) -> NDArray[Any]:
        """Unpack a column, and keep it."""
        if name not in COLUMNS:
            raise AttributeError(f"requests have no column '{name}'")
        values = self._duplicates() if name == "duplicates" else self._column(name)
        object.__setattr__(self, name, values)
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        return Requests, tuple(getattr(self, name) for name in COLUMNS)

    def pieces(self) -> Iterator[Requests]:
        """Yield the rows of each table, in order; what is unpacked of them is not kept here."""
        return (type(self)([table]) for table in self._tables)

    def counts(self, name: str) -> dict[int, int]:
        """Return how often each number occurs in a column other than `duplicates`, ascending."""
        found: dict[int, int] = {}
        for table in self._tables:
            counted = packing.counts(table[name], table.__getitem__)
            counted = counts_of(_unpacked(table, name)) if counted is None else counted
            for number, count in counted.items():
                found[number] = found.get(number, 0) + count
        return dict(sorted(found.items()))

    def duplicates_by_cause(self) -> NDArray[np.int64]:
        """Return the sums of the columns of `duplicates`, shape (causes,)."""
        return np.array([sum(k * n for k, n in self.counts(name).items()) for name in DUPLICATES], dtype=np.int64)

    def _column(self, name: str) -> NDArray[Any]:
        """Unpack a column other than `duplicates`."""
        first = self._tables[0][name]
        columns = [table[name] for table in self._tables]
        if all(one.kind == packing.CONSTANT and not one.of and one.base == first.base for one in columns):
            return packing.unpack(first._replace(rows=self._rows), _no_column)
        if len(columns) == 1:
            return _unpacked(self._tables[0], name)
        values = np.empty(self._rows, TYPES[name])
        for rows, table in self._slices():
            values[rows] = _unpacked(table, name)
        return values

    def _duplicates(self) -> NDArray[Any]:
        columns = [self._column(name) for name in DUPLICATES]
        if self._rows and all(not column.strides[0] and column[0] == columns[0][0] for column in columns):
            return np.broadcast_to(columns[0][:1, np.newaxis], (self._rows, len(Cause)))
        return np.stack(columns, axis=1)

    def _slices(self) -> Iterator[tuple[slice, Table]]:
        at = 0
        for table in self._tables:
            after = at + table["number"].rows
            yield slice(at, after), table
            at = after


def join(parts: Iterable[Requests]) -> PackedRequests:
    """Join the rows of several records in the given order; at least one is needed."""
    return PackedRequests([table for part in parts for table in PackedRequests.of(part).tables])


def _unpacked(table: Table, name: str) -> NDArray[Any]:
    return packing.unpack(table[name], lambda other: _unpacked(table, other))


def _no_column(name: str) -> NDArray[Any]:
    raise KeyError(name)
