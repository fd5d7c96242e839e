"""Rounds of Python's garbage collector belong to no guest.

When it runs is no part of a simulation. Tools let it call them then (`gc.callbacks`), and these read clocks; what it
frees may do so too. In guest code, that would count as what the guest does.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from sim.guests.inside import INSIDE

if TYPE_CHECKING:
    from sim.guests.inside import Inside


class Rounds:
    """Lets no request be the present one during a round: the first to hear of its start, and the last of its end."""

    def __init__(self) -> None:
        self._first, self._last = self._begin, self._end
        """Bound once, since they are looked for by identity."""
        self._inside: Inside | None = None
        """The request whose code runs beside; there is one round at a time."""

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
            if gc.callbacks[-1] is not self._last:  # another has come since
                gc.callbacks.remove(self._last)
                gc.callbacks.append(self._last)
            self._inside = INSIDE.get()
            if self._inside is not None:
                INSIDE.set(None)

    def _end(self, phase: str, info: dict[str, Any]) -> None:
        del info
        if phase == "stop" and self._inside is not None:
            INSIDE.set(self._inside)
            self._inside = None
