"""The checkpoint of an unfinished run: every chunk is stored as soon as it is simulated, so that the run can resume.

It is a SQLite database in WAL mode. One process writes it; a second one gets an error at once. A chunk is acknowledged
when its transaction is committed: a process that is killed at any moment loses no acknowledged chunk. (A power failure
may lose the last few, which are simulated again; it damages nothing.) Each row carries the digest of its place and
payload.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, closing, suppress
from typing import TYPE_CHECKING, Final

from sim.experiment.chunks import Chunk, PackedPart, chunk_digest
from sim.results.errors import damaged, foreign, in_progress, sqlite_errors
from sim.results.tables import APPLICATION_ID, PAGE_BYTES, TABLES, Tables, looks_like_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sim.results.description import Description

LOG_PAGES: Final = 4096
"""Pages of its log, 128 MiB, after which SQLite moves them to their places, and so writes them twice."""

_open: set[Path] = set()
"""Checkpoints that this process has open. It must not open their files again: when a process closes a file, the system
takes all its locks on that file away, those of SQLite too."""


class Checkpoint(AbstractContextManager["Checkpoint"]):
    """An open checkpoint, which no other process can open meanwhile. Use it as a context manager.

    Opening raises RunInProgress if another process has it open, CorruptResults if the file is damaged or not one of
    retrysim's, and NotStored if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.resolve() in _open:
            raise in_progress(path)
        _refuse_foreign(path)
        with sqlite_errors(path):
            connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            with sqlite_errors(path):
                self._open(connection)
        except BaseException:
            connection.close()
            raise
        _open.add(path.resolve())

    def _open(self, connection: sqlite3.Connection) -> None:
        execute = connection.execute
        execute(f"PRAGMA page_size = {PAGE_BYTES}")
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        execute("BEGIN EXCLUSIVE")  # from here on the file is ours until we close it
        self.tables = Tables(self.path, connection)
        if self.tables.is_empty:
            execute(f"PRAGMA application_id = {APPLICATION_ID}")
            for table in TABLES:
                execute(table.format(""))
        execute("COMMIT")

    @property
    def is_new(self) -> bool:
        """Whether no run is described in it yet."""
        with sqlite_errors(self.path):
            ((rows,),) = self.tables.connection.execute("SELECT count(*) FROM meta")
        return bool(rows == 0)

    def description(self) -> Description:
        """Return the description of the run. Raises CorruptResults."""
        with sqlite_errors(self.path):
            return self.tables.description()

    def count(self) -> int:
        """Return how many chunks are stored."""
        with sqlite_errors(self.path):
            return self.tables.count()

    def keys(self) -> set[tuple[int, int]]:
        """Return (cell, number) of all chunks that are stored."""
        with sqlite_errors(self.path):
            return self.tables.keys()

    def begin(self, description: Description) -> None:
        """Write the description of the run; chunks that are there stay."""
        self._transaction(lambda: self.tables.write(description))

    def verify(self, identity: str) -> None:
        """Raise CorruptResults if anything is not as it was stored."""
        with sqlite_errors(self.path):
            problems = [text for (text,) in self.tables.connection.execute("PRAGMA integrity_check(1)")]
            if problems != ["ok"]:
                raise damaged(self.path, problems[0])
            self.tables.verify(identity)

    def store(self, identity: str, chunk: Chunk, packed: PackedPart, *, verify: bool = True) -> None:
        """Store a chunk, which is acknowledged when this returns; a chunk that is there already stays as it is.

        Raises NotStored if the disk is full or fails, and, with `verify`, OSError if the chunk was damaged on its way
        from a worker.
        """
        if verify and chunk_digest(identity, chunk.cell, chunk.number, packed.payload) != packed.digest:
            raise OSError(f"chunk {chunk.number} of cell {chunk.cell} came back from its worker damaged")
        row = (chunk.cell, chunk.number, packed.digest, packed.payload)
        with sqlite_errors(self.path):
            self.tables.connection.execute("INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?)", row)

    def copy_to(self, path: Path, description: Description) -> None:
        """Write everything into a new file, in an order that does not depend on when the chunks came."""
        execute = self.tables.connection.execute
        with sqlite_errors(path):
            execute("ATTACH ? AS copy", (str(path),))
            try:
                execute(f"PRAGMA copy.page_size = {PAGE_BYTES}")
                execute("PRAGMA copy.journal_mode = OFF")
                execute("PRAGMA copy.synchronous = OFF")
                execute("BEGIN")
                try:
                    execute(f"PRAGMA copy.application_id = {APPLICATION_ID}")
                    for table in TABLES:
                        execute(table.format("copy."))
                    self.tables.write(description, "copy.")
                    execute("INSERT INTO copy.chunks SELECT * FROM main.chunks ORDER BY cell, chunk")
                    execute("COMMIT")
                except BaseException:
                    if self.tables.connection.in_transaction:
                        execute("ROLLBACK")
                    raise
            finally:
                execute("DETACH copy")

    def _transaction(self, change: Callable[[], object]) -> None:
        execute = self.tables.connection.execute
        with sqlite_errors(self.path):
            execute("BEGIN")
            try:
                change()
                execute("COMMIT")
            except BaseException:
                if self.tables.connection.in_transaction:
                    execute("ROLLBACK")
                raise

    def remove(self) -> None:
        """Close the checkpoint and remove its file."""
        with suppress(PermissionError):  # some systems do not remove a file that is open
            # Removed first, so that SQLite does not copy the rest of its log into it.
            self.path.unlink(missing_ok=True)
        self.close()
        self.path.unlink(missing_ok=True)
        self.path.with_name(f"{self.path.name}-wal").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the checkpoint; every acknowledged chunk is in its file."""
        _open.discard(self.path.resolve())
        with sqlite_errors(self.path):
            self.tables.connection.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def _refuse_foreign(path: Path) -> None:
    """Raise CorruptResults for a file that is no checkpoint, and leave it as it is."""
    if not path.exists():
        return
    if not looks_like_sqlite(path):
        raise foreign(path, "is no results file")
    with suppress(sqlite3.DatabaseError):  # damaged or in use: opening it to write raises the right error
        uri = f"{path.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = Tables(path, connection)
            if not (tables.is_empty or tables.is_ours):
                raise foreign(path, "is a database, but no results file")
