"""The SQLite tables of a results file, and what goes wrong with files, in words for people.

The same tables hold a run that goes on (see `journal`) and one that has finished (see `sealed`).
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sim.experiment import payload
from sim.experiment.chunks import chunk_digest
from sim.results.description import Description, Rebuilt, Unreadable, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path

    from sim.experiment.parts import Kept

RESULTS: Final = "results.sqlite"
"""The results of a run that has finished."""
UNFINISHED: Final = "unfinished.sqlite"
"""The journal of a run that has not."""
PAGE_BYTES: Final = 16384
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
"""`{}` is the schema. Without rowids, rows lie in the order of their keys, whenever they came."""
NAMES: Final = tuple(sorted(_COLUMNS))
SEAL: Final = "seal"

_FULL = (sqlite3.SQLITE_FULL,)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SYSTEM = {
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
}


class CorruptResults(Exception):
    """A results file is damaged, or none of ours, or of another run: its numbers are not to be used."""


class UnfinishedResults(CorruptResults):
    """A run has not finished: what is there is not all of it."""


class RunInProgress(Exception):
    """Another process is writing to the same folder."""


class NotStored(OSError):
    """Results cannot be written, because the disk is full or fails; what was stored before stays."""


@contextmanager
def errors_told(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into CorruptResults, RunInProgress or NotStored."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _BUSY:
            raise in_progress(path) from None
        if code in _FULL:
            raise NotStored(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        if code in _SYSTEM:
            raise NotStored(_SYSTEM[code], str(error), str(path)) from None
        raise damaged(path, str(error)) from None


def in_progress(path: Path) -> RunInProgress:
    """Say that somebody else is writing, and what to do."""
    return RunInProgress(
        f"another process is writing to '{path.parent}'; wait for it, or give this run a folder of its own"
    )


def damaged(path: Path, what: str) -> CorruptResults:
    """Say that a file is damaged, and what to do."""
    return CorruptResults(
        f"'{path}' is damaged: {what}. Take a copy that is whole, or simulate anew: `retrysim run --fresh` replaces it"
    )


def foreign(path: Path, what: str) -> CorruptResults:
    """Say that a file is not what it is taken for, and what to do."""
    return CorruptResults(
        f"'{path}' {what}. Give this run another folder with --out, or replace what is there: `retrysim run --fresh`"
    )


def looks_like_sqlite(path: Path) -> bool:
    """Tell whether a file begins as those of SQLite do, or is empty, as a new one is."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) in (b"", MAGIC)
    except OSError as error:
        raise NotStored(error.errno, error.strerror, str(path)) from None


class Stored:
    """The tables of a file that is open: what it says, and the chunks in it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @property
    def is_ours(self) -> bool:
        """Whether the file is marked as one of ours and has our tables."""
        ((application,),) = self.connection.execute("PRAGMA application_id")
        names = [name for (name,) in self.connection.execute("SELECT name FROM sqlite_schema ORDER BY name")]
        return application == APPLICATION_ID and tuple(names) == NAMES

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in the file yet."""
        ((tables,),) = self.connection.execute("SELECT count(*) FROM sqlite_schema")
        return bool(tables == 0)

    def description(self) -> Description:
        """Read what the file says of its run. Raises CorruptResults where its digest is another one."""
        meta = dict(self.connection.execute("SELECT name, value FROM meta ORDER BY name"))
        seal = meta.pop(SEAL, None)
        cells = self.connection.execute("SELECT cell, id, name, params, chunks, scenario FROM cells ORDER BY cell")
        data = self.connection.execute(
            "SELECT kind, file, column_name, sha256, row_count, values_ns FROM data ORDER BY 1, 2, 3, 4, 5"
        )
        found = Description(tuple(meta.items()), tuple(cells), tuple(data))
        if found.seal() != seal:
            raise damaged(self.path, "what it says of its run is not what was written")
        return found

    def rebuilt(self, description: Description) -> Rebuilt:
        """Make scenario and cells of a description. Raises CorruptResults."""
        try:
            return rebuild(description)
        except Unreadable as error:
            raise foreign(self.path, f"cannot be read: {error}") from None

    def keys(self) -> set[tuple[int, int]]:
        """Return (cell, chunk) of all chunks that are there."""
        return set(self.connection.execute("SELECT cell, chunk FROM chunks"))

    def count(self) -> int:
        """Return how many chunks are there."""
        ((count,),) = self.connection.execute("SELECT count(*) FROM chunks")
        return int(count)

    def verify(self, identity: str) -> None:
        """Raise CorruptResults where a chunk is not what was stored."""
        for cell, number, digest, data in self.connection.execute("SELECT cell, chunk, digest, payload FROM chunks"):
            if not _is_whole(identity, cell, number, digest, data):
                raise damaged(self.path, f"chunk {number} of cell {cell} is not what was stored")

    def parts(
        self, identity: str, cell: int, chunks: int, known: MutableMapping[tuple[int, int], Kept] | None = None
    ) -> Iterator[Kept]:
        """Yield what is kept of a cell, whose number of chunks is known, chunk by chunk. Raises CorruptResults.

        `known` has chunks, by cell and number, that need not be read; they are taken out of it.
        """
        ((count,),) = self.connection.execute("SELECT count(*) FROM chunks WHERE cell = ?", (cell,))
        if count != chunks:
            raise damaged(self.path, f"cell {cell} has {count} chunks of {chunks}")
        known = {} if known is None else known
        for number in range(chunks):
            there = known.pop((cell, number), None)
            yield self._read(identity, cell, number) if there is None else there

    def _read(self, identity: str, cell: int, number: int) -> Kept:
        row = self.connection.execute(
            "SELECT digest, payload FROM chunks WHERE cell = ? AND chunk = ?", (cell, number)
        ).fetchone()
        if row is None or not _is_whole(identity, cell, number, *row):
            raise damaged(self.path, f"chunk {number} of cell {cell} is not what was stored")
        try:
            return payload.decode(row[1])
        except payload.BadPayload as error:
            raise damaged(self.path, f"chunk {number} of cell {cell}: {error}") from None

    def write(self, description: Description, schema: str = "") -> None:
        """Write rows of a description in place of those that are there."""
        execute = self.connection.execute
        for table in ("meta", "cells", "data"):
            execute(f"DELETE FROM {schema}{table}")  # noqa: S608  # names of ours
        many = self.connection.executemany
        many(
            f"INSERT INTO {schema}meta VALUES (?, ?)",  # noqa: S608  # as above
            (*description.meta, (SEAL, description.seal())),
        )
        many(f"INSERT INTO {schema}cells VALUES (?, ?, ?, ?, ?, ?)", description.cells)  # noqa: S608  # as above
        many(f"INSERT INTO {schema}data VALUES (?, ?, ?, ?, ?, ?)", description.data)  # noqa: S608  # as above


def _is_whole(identity: str, cell: int, number: int, digest: object, data: object) -> bool:
    return isinstance(data, bytes) and chunk_digest(identity, cell, number, data) == digest
