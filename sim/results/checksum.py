"""The checksum beside the results of a finished run: the SHA-256 of all bytes of the file, which never changes again.

It is in the format of `sha256sum`, so that `sha256sum -c results.sqlite.sha256` checks it too. Results are refused if
a byte has changed, or if the checksum is missing.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from sim.results.errors import CorruptResults, UnfinishedResults, damaged, foreign, sqlite_errors
from sim.results.tables import MAGIC, UNFINISHED, Tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX: Final = ".sha256"
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n/]+)\n")


def checksum_path(path: Path) -> Path:
    """Return the path of the checksum of a results file."""
    return path.with_name(path.name + SUFFIX)


def write_checksum(path: Path, name: str) -> None:
    """Write the checksum of a file beside it, and see both to the disk; `name` is the name that the file will have."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    with checksum_path(path).open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{digest}  {name}\n")
        file.flush()
        os.fsync(file.fileno())


def verify_checksum(path: Path) -> None:
    """Raise CorruptResults unless the results file is there and every byte is the one that was written."""
    if not path.is_file() or path.name == UNFINISHED:
        raise _missing(path)
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise foreign(path, "is no results file, or its beginning is damaged")
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    beside = checksum_path(path)
    try:
        text = beside.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _wrong(path, f"its checksum, '{beside.name}', is missing") from None
    except UnicodeDecodeError:
        text = ""
    match = _LINE.fullmatch(text)
    if match is None:
        raise _wrong(path, f"its checksum, '{beside.name}', is damaged")
    if match[2] != path.name:
        raise _wrong(path, f"'{beside.name}' is the checksum of another file")
    if match[1] != digest:
        raise _wrong(path, f"its bytes have changed: they do not fit the checksum in '{beside.name}'")


@contextmanager
def open_verified(path: Path) -> Iterator[Tables]:
    """Verify the checksum of a results file, and open it to read. Raises CorruptResults."""
    verify_checksum(path)
    with sqlite_errors(path):
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            tables = Tables(path, connection)
            if not tables.is_ours:
                raise foreign(path, "is a database, but no results file")
            yield tables


def _missing(path: Path) -> CorruptResults:
    if path.is_dir():
        return foreign(path, "is a folder, not a results file")
    if path.with_name(UNFINISHED).exists():
        return UnfinishedResults(
            f"the run in '{path.parent}' has not finished; the command that began it goes on from where it stopped"
        )
    return CorruptResults(f"there are no results at '{path}'; name the folder of a finished run")


def _wrong(path: Path, what: str) -> CorruptResults:
    if path.with_name(UNFINISHED).exists():
        return UnfinishedResults(
            f"the run in '{path.parent}' was stopped at its very end; the command that began it completes it"
        )
    return damaged(path, what)
