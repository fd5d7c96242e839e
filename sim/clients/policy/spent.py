"""How much of its deadline a request has used: all time, or only that of its tries or its sleeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.history.vocabulary import NEVER
from sim.kernel.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.policy.rules import DeadlineRules
    from sim.kernel.clock import Clock

ALL: Final = "all"
CALLS: Final = "calls"
SLEEPS: Final = "sleeps"


class Spent:
    """Counts the time that a deadline counts, and rings when a hard one has come."""

    __slots__ = ("_alarm", "_clock", "_counts", "_past", "_rules", "_since_ns", "_used_ns", "started")

    def __init__(self, rules: DeadlineRules, clock: Clock, past: Callable[[], None]) -> None:
        """Take the deadline; `past` is called at the instant of a hard one."""
        self._rules = rules
        self._clock = clock
        self._past = past
        self._counts = rules.counts
        self._used_ns = 0
        self._since_ns = NEVER
        """Since when time has counted without a break; `NEVER` if it does not count now."""
        self._alarm: Alarm | None = None
        self.started = False
        """Whether the moment has come from which on time counts."""

    def start(self) -> None:
        """Begin to count: all time at once, or tries or sleeps from the next one on."""
        if not self.started:
            self.started = True
            if self._counts == ALL:
                self._count()

    def enter(self, phase: str) -> None:
        """Note that a try (`calls`) or a sleep (`sleeps`) begins."""
        if self.started and phase == self._counts and self._since_ns == NEVER:
            self._count()

    def leave(self, phase: str) -> None:
        """Note that it ends."""
        if phase == self._counts and self._since_ns != NEVER:
            self._used_ns += self._clock.now_ns - self._since_ns
            self._since_ns = NEVER
            self.stop()

    def _count(self) -> None:
        self._since_ns = self._clock.now_ns
        if self._rules.hard:
            self._alarm = Alarm(self._clock, max(self._rules.after_ns - self._used_ns, 0), self._past)

    def stop(self) -> None:
        """Ring no more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    @property
    def used_ns(self) -> int:
        """How much of it is used."""
        running_ns = 0 if self._since_ns == NEVER else self._clock.now_ns - self._since_ns
        return self._used_ns + running_ns

    @property
    def left_ns(self) -> int:
        """How much of it is left; below 0 if it is past."""
        return self._rules.after_ns - self.used_ns
