"""Ends guest code that hangs: an endless loop, or a real lock that is never free.

A simulation cannot go on while guest code runs, so code that neither waits nor ends would stop everything for ever. A
thread looks now and then which turn runs, and if it is still the same after `HANGS_AFTER_S` seconds of real time, the
turn is ended where it is: by a signal in the main thread, which also reaches code that waits for a lock, or by an
exception in another one. Nothing of a result depends on that time: a run either fails by it, or does not notice it.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from contextlib import contextmanager
from time import monotonic  # noqa: TID251  # how long code hangs is real time, and stands in no result
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import INSIDE
from sim.guests.refused import GuestRefused, line_of_guest
from sim.guests.strands import Host, this_host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

HANGS_AFTER_S: Final = 15.0
LOOKS_EVERY_S: Final = 0.5
_SIGNAL: Final[Any] = getattr(signal, "SIGVTALRM", None)
_watched: Final[set[int]] = set()
"""The threads whose guests are looked after."""


@contextmanager
def watched() -> Iterator[None]:
    """Look after the guests of this thread; within one another only the outermost does anything."""
    me = threading.get_ident()
    if me in _watched:
        yield
        return
    by_signal = _can_take_signals()
    over = threading.Event()
    watchdog = threading.Thread(
        target=_look, args=(over, this_host(), me, by_signal), name="retrysim watchdog", daemon=True
    )
    _watched.add(me)
    try:
        if by_signal:
            signal.signal(_SIGNAL, _end_turn)
        watchdog.start()
        yield
    finally:
        _watched.discard(me)
        over.set()
        if watchdog.ident is not None:
            watchdog.join()  # else its signal could come when that ends the process
        if by_signal:
            signal.signal(_SIGNAL, signal.SIG_DFL)


def _can_take_signals() -> bool:
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and _SIGNAL is not None and signal.getsignal(_SIGNAL) is signal.SIG_DFL


def _look(over: threading.Event, host: Host, thread: int, by_signal: bool) -> None:  # noqa: FBT001  # what a thread runs
    seen, since_s = 0, monotonic()
    while not over.wait(LOOKS_EVERY_S):
        turn = host.turn
        if turn <= 0 or turn != seen:
            seen, since_s = turn, monotonic()
        elif monotonic() - since_s > HANGS_AFTER_S:
            since_s = monotonic()
            if by_signal:
                signal.pthread_kill(thread, _SIGNAL)
            else:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_Hangs))


class _Hangs(BaseException):
    """Raised in guest code of another thread than the main one."""

    def __init__(self) -> None:
        super().__init__()
        _end_turn(0, None)


def _end_turn(number: int, frame: FrameType | None) -> None:
    """End the turn that runs, unless a debugger looks at it."""
    del number, frame
    inside = INSIDE.get()
    if inside is not None and sys.gettrace() is None:
        _abandon(inside)


def _abandon(inside: Any) -> None:
    inside.strand.abandon(
        GuestRefused(
            f"the guest runs for {HANGS_AFTER_S:g} s of real time without waiting: it is in an endless loop, or waits "
            "for something that is not simulated, such as a lock that was made before the simulation",
            line_of_guest(),
        )
    )
