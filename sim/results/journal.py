"""The journal of a run: every chunk that is simulated is stored at once, and a run that was stopped goes on from there.

It is a SQLite database in WAL mode that one process writes; a second one is told so at once. A chunk is acknowledged
when its transaction is committed: a process that is killed at any moment loses none of those. (A power failure may lose
the last few, which are simulated again; it damages nothing.) Each row carries the digest of its place and payload.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, Self

from sim.experiment.chunks import Chunk, Done, chunk_digest
from sim.results.tables import (
    APPLICATION_ID,
    PAGE_BYTES,
    TABLES,
    CorruptResults,
    NotStored,
    RunInProgress,
    Stored,
    UnfinishedResults,
    damaged,
    errors_told,
    foreign,
    in_progress,
    looks_like_sqlite,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from sim.results.description import Description

__all__ = ["CorruptResults", "Journal", "NotStored", "RunInProgress", "UnfinishedResults"]

LOG_PAGES: Final = 4096
"""Pages of its log, 64 MiB, after which SQLite moves them to their places: what is written twice."""

_open: set[Path] = set()
"""Journals that this process has open. It must not touch their files otherwise: where a process closes a file, the
system takes from it every lock on it, those of SQLite too."""


class Journal:
    """An open journal; nobody else can open it meanwhile. Use it as a context manager.

    Opening raises RunInProgress where another process has it open, CorruptResults where the file is damaged or none of
    ours, and NotStored where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.resolve() in _open:
            raise in_progress(path)
        _refuse_foreign(path)
        with errors_told(path):
            connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            with errors_told(path):
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
        execute("BEGIN EXCLUSIVE")  # from here on the file is ours until it is closed
        self.stored = Stored(self.path, connection)
        if self.stored.is_empty:
            execute(f"PRAGMA application_id = {APPLICATION_ID}")
            for table in TABLES:
                execute(table.format(""))
        execute("COMMIT")

    @property
    def is_new(self) -> bool:
        """Whether the journal knows of no run yet."""
        with errors_told(self.path):
            ((rows,),) = self.stored.connection.execute("SELECT count(*) FROM meta")
        return bool(rows == 0)

    def description(self) -> Description:
        """Return which run this is the journal of. Raises CorruptResults."""
        with errors_told(self.path):
            return self.stored.description()

    def count(self) -> int:
        """Return how many chunks are stored."""
        with errors_told(self.path):
            return self.stored.count()

    def keys(self) -> set[tuple[int, int]]:
        """Return (cell, chunk) of all chunks that are stored."""
        with errors_told(self.path):
            return self.stored.keys()

    def begin(self, description: Description) -> None:
        """Say which run this is the journal of; chunks that are there stay."""
        self._transaction(lambda: self.stored.write(description))

    def empty(self) -> None:
        """Forget all chunks."""
        self._transaction(lambda: self.stored.connection.execute("DELETE FROM chunks"))

    def verify(self, identity: str) -> None:
        """Raise CorruptResults where anything that was stored is not what it was."""
        with errors_told(self.path):
            problems = [text for (text,) in self.stored.connection.execute("PRAGMA integrity_check(1)")]
            if problems != ["ok"]:
                raise damaged(self.path, problems[0])
            self.stored.verify(identity)

    def store(self, identity: str, chunk: Chunk, done: Done) -> None:
        """Store a chunk, which is acknowledged when this returns; one that is there already stays as it is.

        Raises NotStored where the disk is full or fails, and OSError for a chunk that was damaged on its way here.
        """
        travelled = done.part is None
        if travelled and chunk_digest(identity, chunk.cell, chunk.number, done.payload) != done.digest:
            raise OSError(f"chunk {chunk.number} of cell {chunk.cell} came back from its worker damaged")
        row = (chunk.cell, chunk.number, done.digest, done.payload)
        with errors_told(self.path):
            self.stored.connection.execute("INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?)", row)

    def copy_to(self, path: Path, description: Description) -> None:
        """Write everything into a new file, in an order that does not depend on when it came."""
        execute = self.stored.connection.execute
        with errors_told(path):
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
                    self.stored.write(description, "copy.")
                    execute("INSERT INTO copy.chunks SELECT * FROM main.chunks ORDER BY cell, chunk")
                    execute("COMMIT")
                except BaseException:
                    if self.stored.connection.in_transaction:
                        execute("ROLLBACK")
                    raise
            finally:
                execute("DETACH copy")

    def _transaction(self, change: Callable[[], object]) -> None:
        execute = self.stored.connection.execute
        with errors_told(self.path):
            execute("BEGIN")
            try:
                change()
                execute("COMMIT")
            except BaseException:
                if self.stored.connection.in_transaction:
                    execute("ROLLBACK")
                raise

    def remove(self) -> None:
        """Close the journal and remove its file: all of it stands elsewhere, or nobody wants it."""
        with suppress(PermissionError):  # where a system does not let go of files that are open
            # SQLite then does not see the rest of its log to a file that nobody reads.
            self.path.unlink(missing_ok=True)
        self.close()
        self.path.unlink(missing_ok=True)
        self.path.with_name(f"{self.path.name}-wal").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the journal; what was acknowledged is in its file."""
        _open.discard(self.path.resolve())
        with errors_told(self.path):
            self.stored.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self.close()


def _refuse_foreign(path: Path) -> None:
    """Raise CorruptResults for a file that is no journal, which stays as it is."""
    if not path.exists():
        return
    if not looks_like_sqlite(path):
        raise foreign(path, "is no results file")
    with suppress(sqlite3.DatabaseError):  # damaged, or at work: opening it to write tells
        uri = f"{path.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            stored = Stored(path, connection)
            if not (stored.is_empty or stored.is_ours):
                raise foreign(path, "is a database, but no results file")
