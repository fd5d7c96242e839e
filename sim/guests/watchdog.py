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
from time import monotonic  # noqa: TID251  # how long code hangs is real time, and stands in no result
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import INSIDE
from sim.guests.refused import GuestRefused, line_of_guest
from sim.guests.strands import Host, this_host

if TYPE_CHECKING:
    from types import FrameType

HANGS_AFTER_S: Final = 15.0
LOOKS_EVERY_S: Final = 0.5
_SIGNAL: Final = getattr(signal, "SIGVTALRM", None)


class Watchdog:
    """Looks after guest code for the length of a run."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._handler: Any = None
        self._thread: threading.Thread | None = None
        self._watched = 0

    def start(self) -> None:
        """Look after the guests of this thread from now on."""
        self._watched = threading.get_ident()
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and _SIGNAL is not None and signal.getsignal(_SIGNAL) is signal.SIG_DFL:
            self._handler = signal.signal(_SIGNAL, _end_turn)
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=self._look, args=(self._over, this_host()), name="retrysim watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        self._over.set()
        if self._handler is not None and _SIGNAL is not None:
            signal.signal(_SIGNAL, self._handler)
            self._handler = None
        self._thread = None

    def _look(self, over: threading.Event, host: Host) -> None:
        seen, since_s = 0, monotonic()
        while not over.wait(LOOKS_EVERY_S):
            turn = host.turn
            if turn <= 0 or turn != seen:
                seen, since_s = turn, monotonic()
            elif monotonic() - since_s > HANGS_AFTER_S:
                since_s = monotonic()
                self._end(self._watched)

    def _end(self, thread: int) -> None:
        if self._handler is not None and _SIGNAL is not None:
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
