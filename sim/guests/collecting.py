"""Rounds of Python's garbage collector belong to no guest.

When it runs is no part of a simulation. Tools let it call them then (`gc.callbacks`), and these read clocks; what it
frees may do so too. In guest code, that would count as what the guest does.
"""

from __future__ import annotations

import ctypes
import gc
from contextvars import Context
from threading import get_ident
from typing import Any, Final

from sim.guests.inside import INSIDE

_enter: Final = ctypes.pythonapi.PyContext_Enter
_exit: Final = ctypes.pythonapi.PyContext_Exit
_enter.argtypes = _exit.argtypes = (ctypes.py_object,)


class Rounds:
    """Lets no request be the present one during a round: the first to hear of its start, and the last of its end.

    For a round the thread gets another context. To set `INSIDE` in the present one would change what C code may be
    reading there: a round can begin wherever an object is made, as in the midst of `copy_context`, and Python would
    crash.
    """

    def __init__(self) -> None:
        self._first, self._last = self._begin, self._end
        """Bound once, since they are looked for by identity."""
        self._context: Context | None = None
        """The one of the round, if code of a request runs beside; there is one round at a time."""
        self._thread = 0
        """The thread in which there is one; 0 if there is none."""

    @property
    def is_in_this_thread(self) -> bool:
        """Whether there is one, in the present thread."""
        return self._thread == get_ident()

    def install(self) -> None:
        """Hear of rounds from now on."""
        gc.callbacks.insert(0, self._first)
        gc.callbacks.append(self._last)

    def restore(self) -> None:
        """Hear of them no more."""
        for known in (self._first, self._last):
            if known in gc.callbacks:
                gc.callbacks.remove(known)

    def _begin(self, phase: str, info: dict[str, Any]) -> None:
        del info
        if phase == "start":
            self._thread = get_ident()
            if gc.callbacks[-1] is not self._last:  # another has come since
                gc.callbacks.remove(self._last)
                gc.callbacks.append(self._last)
            if INSIDE.get() is not None:
                self._context = Context()
                _enter(self._context)

    def _end(self, phase: str, info: dict[str, Any]) -> None:
        del info
        if phase == "stop":
            self._thread = 0
            context, self._context = self._context, None
            if context is not None:
                _exit(context)


ROUNDS: Final = Rounds()
