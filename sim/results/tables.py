"""The SQLite tables of a results file; the checkpoint of an unfinished run has the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.experiment import payload
from sim.experiment.chunks import chunk_digest
from sim.experiment.container import BadPayload
from sim.results.description import Description, Unreadable, plan_of
from sim.results.errors import CorruptResults, NotStored, damaged

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path

    from sim.experiment.parts import SimulatedPart
    from sim.experiment.plan import Plan

RESULTS: Final = "results.sqlite"
"""The results of a finished run."""
UNFINISHED: Final = "unfinished.sqlite"
"""The checkpoint of an unfinished run."""
PAGE_BYTES: Final = 32768
APPLICATION_ID: Final = 0x52747253  # "RtrS"
MAGIC: Final = b"SQLite format 3\0"

_COLUMNS: Final = {
    "meta": "name TEXT PRIMARY KEY, value TEXT NOT NULL",
    "cells": """cell INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, params TEXT NOT NULL,
        chunks INTEGER NOT NULL, scenario TEXT NOT NULL""",
    "data": """kind TEXT, file TEXT, column_name TEXT, sha256 TEXT, row_count INTEGER, values_ns BLOB NOT NULL,
        PRIMARY KEY (kind, file, column_name, sha256, row_count)""",
    "chunks": """cell INTEGER, chunk INTEGER, digest BLOB NOT NULL, payload BLOB NOT NULL,
        PRIMARY KEY (cell, chunk)""",
}
TABLES: Final = tuple(f"CREATE TABLE {{}}{name} ({columns}) WITHOUT ROWID" for name, columns in _COLUMNS.items())
"""`{}` is the schema. Without rowids, rows are stored in the order of their keys, not in the order of insertion."""
NAMES: Final = tuple(sorted(_COLUMNS))
CHECKSUM: Final = "seal"
"""The name, in `meta`, of the checksum of all that the file says of its run."""


def looks_like_sqlite(path: Path) -> bool:
    """Tell whether a file begins as those of SQLite do, or is empty, as a new one is."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) in (b"", MAGIC)
    except OSError as error:
        raise NotStored(error.errno, error.strerror, str(path)) from None


class Tables:
    """The tables of an open file: the description of its run, and its chunks."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @property
    def is_ours(self) -> bool:
        """Whether the file is marked as one of retrysim's and has exactly its tables."""
        ((application,),) = self.connection.execute("PRAGMA application_id")
        names = [name for (name,) in self.connection.execute("SELECT name FROM sqlite_schema ORDER BY name")]
        return application == APPLICATION_ID and tuple(names) == NAMES

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in the file yet."""
        ((tables,),) = self.connection.execute("SELECT count(*) FROM sqlite_schema")
        return bool(tables == 0)

    # The description.

    def description(self) -> Description:
        """Read the description of the file's run. Raises CorruptResults if its checksum is wrong."""
        meta = dict(self.connection.execute("SELECT name, value FROM meta ORDER BY name"))
        checksum = meta.pop(CHECKSUM, None)
        cells = self.connection.execute("SELECT cell, id, name, params, chunks, scenario FROM cells ORDER BY cell")
        data = self.connection.execute(
            "SELECT kind, file, column_name, sha256, row_count, values_ns FROM data ORDER BY 1, 2, 3, 4, 5"
        )
        found = Description(tuple(meta.items()), tuple(cells), tuple(data))
        if found.checksum() != checksum:
            raise damaged(self.path, "the description of its run has changed since it was written")
        return found

    def plan(self, description: Description) -> Plan:
        """Make the plan that a description describes. Raises CorruptResults."""
        try:
            return plan_of(description)
        except Unreadable as error:
            raise CorruptResults(f"'{self.path}' cannot be read: {error}") from None

    def write(self, description: Description, schema: str = "") -> None:
        """Write a description in place of the one that is there."""
        execute = self.connection.execute
        for table in ("meta", "cells", "data"):
            execute(f"DELETE FROM {schema}{table}")  # noqa: S608  # names of ours
        many = self.connection.executemany
        many(
            f"INSERT INTO {schema}meta VALUES (?, ?)",  # noqa: S608  # as above
            (*description.meta, (CHECKSUM, description.checksum())),
        )
        many(f"INSERT INTO {schema}cells VALUES (?, ?, ?, ?, ?, ?)", description.cells)  # noqa: S608  # as above
        many(f"INSERT INTO {schema}data VALUES (?, ?, ?, ?, ?, ?)", description.data)  # noqa: S608  # as above

    # The chunks.

    def keys(self) -> set[tuple[int, int]]:
        """Return (cell, number) of all chunks that are there."""
        return set(self.connection.execute("SELECT cell, chunk FROM chunks"))

    def count(self) -> int:
        """Return how many chunks are there."""
        ((count,),) = self.connection.execute("SELECT count(*) FROM chunks")
        return int(count)

    def verify(self, identity: str) -> None:
        """Raise CorruptResults if a chunk has changed since it was stored."""
        for cell, number, digest, data in self.connection.execute("SELECT cell, chunk, digest, payload FROM chunks"):
            if not _is_undamaged(identity, cell, number, digest, data):
                raise damaged(self.path, f"chunk {number} of cell {cell} has changed since it was stored")

    def parts(
        self, identity: str, cell: int, chunks: int, known: MutableMapping[tuple[int, int], SimulatedPart] | None = None
    ) -> Iterator[SimulatedPart]:
        """Yield the parts of a cell, which has so many chunks, one after the other. Raises CorruptResults.

        `known` has parts, by cell and number, that need not be read; they are taken out of it.
        """
        ((count,),) = self.connection.execute("SELECT count(*) FROM chunks WHERE cell = ?", (cell,))
        if count != chunks:
            raise damaged(self.path, f"cell {cell} has {count} chunks of {chunks}")
        known = {} if known is None else known
        for number in range(chunks):
            part = known.pop((cell, number), None)
            yield self._read(identity, cell, number) if part is None else part

    def _read(self, identity: str, cell: int, number: int) -> SimulatedPart:
        row = self.connection.execute(
            "SELECT digest, payload FROM chunks WHERE cell = ? AND chunk = ?", (cell, number)
        ).fetchone()
        if row is None or not _is_undamaged(identity, cell, number, *row):
            raise damaged(self.path, f"chunk {number} of cell {cell} has changed since it was stored")
        try:
            return payload.decode_simulated(row[1])
        except BadPayload as error:
            raise damaged(self.path, f"chunk {number} of cell {cell}: {error}") from None


def _is_undamaged(identity: str, cell: int, number: int, digest: object, data: object) -> bool:
    return isinstance(data, bytes) and chunk_digest(identity, cell, number, data) == digest
