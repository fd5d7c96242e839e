"""A timer that can be called off, or left in the background for as long as nothing needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.kernel.clock import Clock


class Alarm:
    """Calls a function after a delay, unless it is called off.

    One that is not needed keeps no world going: it rings only if something else does until then.
    """

    __slots__ = ("_clock", "_function", "_needed", "_rang")

    def __init__(self, clock: Clock, delay_ns: int, function: Callable[[], None], *, urgent: bool = False) -> None:
        self._clock = clock
        self._function: Callable[[], None] | None = function
        self._needed = True
        self._rang = False
        clock.call_after(delay_ns, self._ring, urgent=urgent)

    @property
    def needed(self) -> bool:
        """Whether the world goes on until it rings."""
        return self._needed

    @property
    def function(self) -> Callable[[], None] | None:
        """What it calls; None if it is called off."""
        return self._function

    @property
    def is_off(self) -> bool:
        """Whether it was called off, so that it does nothing when it rings."""
        return self._function is None

    def is_needed(self, *, needed: bool) -> None:
        """Say whether the world is to go on until it rings."""
        if needed is not self._needed and not self._rang:
            self._clock.background += -1 if needed else 1
            self._needed = needed

    def cancel(self) -> None:
        """Call it off; what it would call is let go."""
        self.is_needed(needed=False)
        self._function = None

    def _ring(self) -> None:
        self._rang = True
        if not self._needed:
            self._clock.background -= 1
        function, self._function = self._function, None
        if function is not None:
            function()
