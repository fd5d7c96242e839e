"""What commands give out: text that fits a terminal, and files that appear whole and all together, or not at all."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import textwrap
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from sim.cli.interrupts import interrupts
from sim.cli.stdout import mute_stdout

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

WIDTH = 100
NARROWEST = 40
_NUMBER_AND_UNIT = re.compile(r"(\d) (?=(?:%|pp|ns|us|ms|s|y)(?:[\s,;.)]|$))")


def terminal_width() -> int:
    """Return how many columns lines may take: those of the terminal, at most 100."""
    return max(NARROWEST, min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH))


class Printer(Console):
    """Prints to stdout; where nobody reads any more (`| head`) it goes on silently, so that files are still saved."""

    def __init__(self) -> None:
        # Never narrower than a table may be: a terminal that wraps its lines is ugly, one without its numbers useless.
        super().__init__(width=WIDTH, highlight=False, markup=False, soft_wrap=False)

    def on_broken_pipe(self) -> None:
        """Let what is still to come go nowhere."""
        self.quiet = True
        mute_stdout()

    def sentence(self, text: str, indent: str = "") -> None:
        """Print a text wrapped between words, but not between a number and its unit; `indent` is for all lines."""
        tied = _NUMBER_AND_UNIT.sub("\\1\u00a0", text)
        lines = textwrap.wrap(
            tied,
            terminal_width(),
            initial_indent=indent,
            subsequent_indent=f"{indent}  " if indent else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines:
            self.verbatim(line.replace("\u00a0", " "))

    def verbatim(self, text: str) -> None:
        """Print a text as it is, on one line: a command to copy, a path."""
        self.print(text, soft_wrap=True)


def refuse_impossible(folder: Path) -> None:
    """Raise a usage error where results cannot go to a folder; better before an hour of simulation than after."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path())
    if not there.is_dir():
        raise click.UsageError(f"results cannot go to '{folder}': '{there}' is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise click.UsageError(f"results cannot go to '{folder}': '{there.absolute()}' may not be written to")


@contextmanager
def saving(folder: Path, own: Collection[str], prefix: str = ".retrysim-") -> Iterator[Path]:
    """Yield an empty folder beside; at the end of the block its files move into `folder`.

    Files named in `own`, which an earlier run has left, go where this one writes none. An exception in the block, an
    interrupt included, leaves `folder` as it was; the moves are not interrupted. `prefix` begins the name of the folder
    beside, which a process that is killed leaves behind.
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
def whole(path: Path) -> Iterator[Path]:
    """Yield a file beside, which takes the place of `path` at the end of the block; where it fails nothing changes."""
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
