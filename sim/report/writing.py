"""Writes a page: whole or not at all, and never over a file that retrysim has not written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sim.report.page import is_ours
from sim.results.errors import system_errors

if TYPE_CHECKING:
    from collections.abc import Callable


class ForeignPage(Exception):  # what is there, not a failure
    """A file in the place of a page is not one that retrysim has written."""


def refuse_foreign_page(path: Path) -> None:
    """Raise ForeignPage if there is something in the place of a page that retrysim has not written."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            beginning = file.read(4096)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ForeignPage(f"'{path}' is in the way: {error.strerror or error}") from None
    if not is_ours(beginning):
        raise ForeignPage(f"'{path}' is not a page of retrysim, so it is not replaced")


def write_page(path: Path, make: Callable[[], str]) -> Path:
    """Write what `make` returns to a file, in one step, and return its path; `make` runs only if that can go well.

    Raises ForeignPage, and NotStored of `sim.results.errors` if the folder cannot be written to.
    """
    refuse_foreign_page(path)
    with system_errors(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    beside = Path(name)
    try:
        # The permissions of any new file, which a temporary one does not have.
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(handle, 0o666 & ~umask)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            text = make()
            with system_errors(path):
                file.write(text)
                file.flush()
        with system_errors(path):
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
