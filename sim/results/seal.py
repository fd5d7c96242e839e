"""Results of a run that has finished: a file that does not change any more, and beside it the digest of all its bytes.

The digest is in the format of `sha256sum`, so that `sha256sum -c results.sqlite.sha256` checks it too. Results whose
bytes are others, or whose digest is missing, are refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from sim.results.tables import (
    MAGIC,
    UNFINISHED,
    CorruptResults,
    Stored,
    UnfinishedResults,
    damaged,
    errors_told,
    foreign,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX: Final = ".sha256"
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n/]+)\n")


def seal_path(path: Path) -> Path:
    """Return where the digest of a results file is kept."""
    return path.with_name(path.name + SUFFIX)


def seal(path: Path, name: str) -> None:
    """Write the digest of a file, which is going to have this name, beside it, and see both to the disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    with seal_path(path).open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{digest}  {name}\n")
        file.flush()
        os.fsync(file.fileno())


def verify(path: Path) -> None:
    """Raise CorruptResults unless a results file is there and has the very bytes that were sealed."""
    if not path.is_file() or path.name == UNFINISHED:
        raise _missing(path)
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise foreign(path, "is no results file, or its beginning is damaged")
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    beside = seal_path(path)
    try:
        text = beside.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _unsealed(path, f"the file with its digest, '{beside.name}', is missing") from None
    except UnicodeDecodeError:
        text = ""
    match = _LINE.fullmatch(text)
    if match is None:
        raise _unsealed(path, f"the file with its digest, '{beside.name}', is damaged")
    if match[2] != path.name:
        raise _unsealed(path, f"'{beside.name}' has the digest of another file")
    if match[1] != digest:
        raise _unsealed(path, f"its bytes are not those that were sealed in '{beside.name}'")


@contextmanager
def opened(path: Path) -> Iterator[Stored]:
    """Open a results file to read it, its bytes verified. Raises CorruptResults."""
    verify(path)
    with errors_told(path):
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            stored = Stored(path, connection)
            if not stored.is_ours:
                raise foreign(path, "is a database, but no results file")
            yield stored


def _missing(path: Path) -> CorruptResults:
    if path.is_dir():
        return foreign(path, "is a folder, not a results file")
    if path.with_name(UNFINISHED).exists():
        return UnfinishedResults(
            f"the run in '{path.parent}' has not finished; the same `retrysim run` goes on from where it stopped"
        )
    return CorruptResults(f"there are no results at '{path}'; `retrysim run` makes some")


def _unsealed(path: Path, what: str) -> CorruptResults:
    if path.with_name(UNFINISHED).exists():
        return UnfinishedResults(
            f"the run in '{path.parent}' was stopped in its last moment; the same `retrysim run` completes it"
        )
    return damaged(path, what)
