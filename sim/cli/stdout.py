"""What happens if the reader of standard output closes it (`| head`)."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sim.cli.exit_codes import OK

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End with success if the reader of the output has left (`| head`); Click would call that an error."""
    try:
        yield
    except BrokenPipeError:
        mute_stdout()
        raise click.exceptions.Exit(OK) from None


def mute_stdout() -> None:
    """Discard all further output, which Python would otherwise try to flush when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
