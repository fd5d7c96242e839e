"""Files that commands write: they appear whole and all together, or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.cli.interrupts import interrupts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def refuse_unwritable(folder: Path) -> None:
    """Raise a usage error if results cannot be written to a folder: before an hour of simulation, not after it."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path())
    if not there.is_dir():
        raise click.UsageError(f"results cannot go to '{folder}': '{there}' is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise click.UsageError(f"results cannot go to '{folder}': '{there.absolute()}' may not be written to")


@contextmanager
def saving(folder: Path, own: Collection[str], prefix: str = ".retrysim-") -> Iterator[Path]:
    """Yield an empty temporary folder; at the end of the block its files move into `folder`.

    Files named in `own`, which an earlier run has left, are removed if this one does not write them. An exception in
    the block, an interrupt included, leaves `folder` as it was; the moves cannot be interrupted. `prefix` begins the
    name of the temporary folder, which a process that is killed leaves behind.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as temporary:
            beside = Path(temporary)
            yield beside
            interrupts.check()
            interrupts.stop()
            names = sorted(path.name for path in beside.iterdir())
            for name in names:
                (beside / name).replace(folder / name)
            for name in sorted(set(own) - set(names)):
                (folder / name).unlink(missing_ok=True)
    except BaseException as error:
        for path in new:
            with suppress(OSError):
                path.rmdir()
        if isinstance(error, OSError):
            raise click.ClickException(f"nothing is saved in '{folder}': {error.strerror or error}") from None
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file, which replaces `path` at the end of the block; an exception changes nothing."""
    beside = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        beside = Path(name)
        os.fchmod(handle, 0o666 & ~_umask())
        os.close(handle)
        yield beside
        beside.replace(path)
    except BaseException as error:
        if beside is not None:
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise click.ClickException(f"'{path}' is not written: {error.strerror or error}") from None
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
