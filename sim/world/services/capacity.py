"""The servers of a service over time: changes by plan and at random, and the slow-down that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.kernel.alarm import Alarm
from sim.kernel.choices import WORLD, owned
from sim.world.services.options import PlannedChange, servers_of, slowdown_of
from sim.world.services.slowdown import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.kernel.choices import Choices
    from sim.kernel.clock import Clock
    from sim.world.services.options import Change, FrontOptions

NO_LIMIT = 1 << 62
"""The servers of a service that has no limit."""


class _State:
    """One change: whether it is in force, and when that turns."""

    __slots__ = ("change", "is_on", "pace", "turn_ns", "turns")

    def __init__(self, change: Change, turns: Callable[[int], int | None]) -> None:
        self.change = change
        self.is_on = False
        slowdown = slowdown_of(change)
        self.pace = None if slowdown is None else Pace(slowdown)
        self.turns = 0
        self.turn_ns = turns


class Capacity:
    """How many servers there are now, and how long work takes; `changed` is called with the servers as they change.

    Changes to come keep a world going only while a call waits for a server. Of several changes in force the smallest
    number of servers counts, and of their slow-downs the one by which work takes least.

    Random lengths: stream `capacity.i@NAME` for the change at position i, entity `WORLD`, index the number of the
    interval, 0 the first, in which the state is as usual.
    """

    def __init__(
        self, name: str, options: FrontOptions, clock: Clock, choices: Choices, changed: Callable[[int | None], None]
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._usual = options.servers
        self._usual_pace = Pace(getattr(options, "slowdown", None))
        self._waited = False
        self._alarm: Alarm | None = None
        self.servers = NO_LIMIT if options.servers is None else options.servers
        """How many there are now."""
        self._paces = [self._usual_pace]
        self._changes = [
            _State(change, self._turns(change, owned(f"capacity.{position}", name), clock, choices))
            for position, change in enumerate(options.capacity)
        ]
        self._due_ns: list[int | None] = []

    @staticmethod
    def _turns(change: Change, stream: str, clock: Clock, choices: Choices) -> Callable[[int], int | None]:
        """Return the instant of each turn of a change by its number, given the turns before; None if there is none."""
        if isinstance(change, PlannedChange):
            instants = (change.from_ns, change.to_ns)
            return lambda number: instants[number] if number < len(instants) else None
        up = choices.delays(change.on_off.up, stream)
        down = choices.delays(change.on_off.down, stream)
        return lambda number: clock.now_ns + (down if number & 1 else up)(WORLD, number, 0)

    def start(self) -> None:
        """Tell the servers at the start, and wait for the first change."""
        self._due_ns = [state.turn_ns(0) for state in self._changes]
        self._turn()

    def changes(self) -> list[tuple[bool, int | None]]:
        """Return for each change whether it is in force, and when that turns next (None: never)."""
        return [(state.is_on, due_ns) for state, due_ns in zip(self._changes, self._due_ns, strict=True)]

    def work_ns(self, latency_ns: int, others: int) -> int:
        """Return how long work of this latency takes that starts now, beside so many other calls in progress."""
        paces = self._paces
        if len(paces) == 1:
            return paces[0].work_ns(latency_ns, others)
        return min(pace.work_ns(latency_ns, others) for pace in paces)

    def is_waited_for(self, *, waited: bool) -> None:
        """Say whether a call waits for a server: if so, changes to come keep the world going."""
        self._waited = waited
        if self._alarm is not None:
            self._alarm.is_needed(needed=waited)

    def _turn(self) -> None:
        """Make the changes that are due, and wait for the next."""
        now_ns = self._clock.now_ns
        for position, state in enumerate(self._changes):
            while (due_ns := self._due_ns[position]) is not None and due_ns <= now_ns:
                state.is_on = not state.is_on
                state.turns += 1
                self._due_ns[position] = state.turn_ns(state.turns)
        on = [state for state in self._changes if state.is_on]
        servers = [found for state in on if (found := servers_of(state.change)) is not None]
        there = min(servers) if servers else self._usual
        self.servers = NO_LIMIT if there is None else there
        self._paces = [state.pace for state in on if state.pace is not None] or [self._usual_pace]
        to_come = [due_ns for due_ns in self._due_ns if due_ns is not None]
        self._alarm = None
        if to_come:
            self._alarm = Alarm(self._clock, min(to_come) - now_ns, self._turn, urgent=True)
            self._alarm.is_needed(needed=self._waited)
        self._changed(there)
