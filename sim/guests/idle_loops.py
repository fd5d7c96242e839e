"""Event loops that wait for another process, since to make one costs as much as several attempts.

Each isolated request has a process of its own, and so an event loop as new. One that nothing of its process refers to
any more, and whose settings are as they were, cannot be told from a new one: it serves the next process.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from contextvars import Context
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol
from weakref import getweakrefcount

from sim.guests.loop import SimulatedLoop
from sim.guests.strands import this_host
from sim.kernel.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.guests.strands import Host

MOST_IDLE: Final = 4
"""How many loops wait for another process."""
_idle: Final[dict[Host, list[SimulatedLoop]]] = {}
"""By the thread in which they run."""


class HasLoop(Protocol):
    """What holds a loop, and is the only one to do so."""

    loop: SimulatedLoop | None


def loop_on(clock: Clock, calls_at_most: int) -> SimulatedLoop:
    """Return a loop that is as new, for requests that may make so many calls."""
    idle = _idle.get(this_host())
    while idle:
        loop = idle.pop()
        if loop.strand.can_go_on:
            loop.begin_anew(clock, calls_at_most)
            return loop
    return SimulatedLoop(clock, calls_at_most)  # type: ignore[abstract]  # what it refuses is set from a table


def end_loop_of(process: HasLoop) -> None:
    """End the loop of a process, or let it wait for another. Raises GuestRefused if a task goes on all the same."""
    assert process.loop is not None  # noqa: S101  # it has one
    is_as_new = process.loop.is_clean and _holds(process) == _holds_of_new()
    loop, process.loop = process.loop, None
    if is_as_new:
        idle = _idle.setdefault(loop.strand.host, [])
        if len(idle) < MOST_IDLE:
            loop.rest()
            idle.append(loop)
            return
    loop.end()


@contextmanager
def none_left_in_thread() -> Iterator[None]:
    """Let nothing wait for other code afterwards, unless in the main thread: another may end.

    What waits in a thread that is over can be freed by no other thread at a time that suits it.
    """
    try:
        yield
    finally:
        if threading.current_thread() is not threading.main_thread():
            host = this_host()
            for loop in _idle.pop(host, []):
                if loop.strand.can_go_on:
                    loop.end()
            host.end_idle()


def _holds(process: HasLoop) -> tuple[int, int, int]:
    """Return what holds the loop of a process: references, weak ones, and how many attributes the loop has."""
    loop = process.loop
    return sys.getrefcount(loop), getweakrefcount(loop), len(vars(loop))


@cache
def _holds_of_new() -> tuple[int, int, int]:
    """Return the same for a loop that has run, and is its own again."""

    class Process:
        loop: SimulatedLoop | None = SimulatedLoop(Clock(), 1)  # type: ignore[abstract]  # as above

    async def nothing() -> None:
        pass

    process = Process()
    process.loop, Process.loop = Process.loop, None
    assert process.loop is not None  # noqa: S101  # it has one
    process.loop.start(nothing(), Context())
    process.loop.wake()
    found = _holds(process)
    process.loop.end()
    return found
