"""Errors of results files: a file is damaged, foreign, unfinished, in use, or cannot be written."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = (sqlite3.SQLITE_FULL,)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SYSTEM = {
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_PERM: errno.EACCES,
}


class CorruptResults(Exception):
    """A results file is damaged, or not one of retrysim's, or of another run: its numbers must not be used."""


class DamagedResults(CorruptResults):
    """A results file has changed since it was written."""


class ForeignResults(CorruptResults):
    """A file in the place of results is none, or of another run."""


class UnfinishedResults(CorruptResults):
    """The run has not finished: only some of its results are there."""


class RunInProgress(Exception):
    """Another process is writing to the same folder."""


class NotStored(OSError):
    """Results cannot be written, because the disk is full or fails; what was stored before stays."""


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into CorruptResults, RunInProgress or NotStored."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _BUSY:
            raise in_progress(path) from None
        if code in _FULL:
            raise NotStored(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        if code == sqlite3.SQLITE_READONLY and _is_writable(path):
            # A version in the header that SQLite does not know (bytes 18 and 19, "File Format", 1.3.3) forbids writing.
            raise damaged(path, "its header says that it must not be written to") from None
        if code in _SYSTEM:
            raise NotStored(_SYSTEM[code], str(error), str(path)) from None
        raise damaged(path, str(error)) from None


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


@contextmanager
def system_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the operating system into NotStored."""
    try:
        yield
    except NotStored:
        raise
    except OSError as error:
        raise NotStored(error.errno, error.strerror or str(error), str(folder)) from None


def in_progress(path: Path) -> RunInProgress:
    """Say that another process is writing, and how to go on."""
    return RunInProgress(
        f"another process is writing to '{path.parent}'; wait for it, or give this run a folder of its own"
    )


def damaged(path: Path, what: str) -> CorruptResults:
    """Say that a file is damaged; `what` is a sentence."""
    return DamagedResults(f"'{path}' is damaged: {what}")


def foreign(path: Path, what: str) -> CorruptResults:
    """Say that a file is not a results file of this run; `what` has the file as its subject."""
    return ForeignResults(f"'{path}' {what}")
