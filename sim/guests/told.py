"""Which runs go on: of all that the guests of one print, only the first lines are told.

Every command that runs something imports this; see `sim.guests.output` for what is done with it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS: Final[list[list[str]]] = []
"""What has been told, for each run that goes on and simulates its parts one after another."""


@contextmanager
def one_run() -> Iterator[None]:
    """Let all that is simulated meanwhile be one run, whose first lines are told."""
    RUNS.append([])
    try:
        yield
    finally:
        RUNS.pop()
