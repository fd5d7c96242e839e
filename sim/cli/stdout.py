"""Standard output whose reader may leave (`| head`)."""

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
    """End well where nobody reads any more what a command prints (`| head`); Click would call that an error."""
    try:
        yield
    except BrokenPipeError:
        mute_stdout()
        raise click.exceptions.Exit(OK) from None


def mute_stdout() -> None:
    """Let what is still to be printed go nowhere, which Python would otherwise try to flush when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
