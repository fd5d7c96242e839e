"""Instants, and what is due at them, in the order that the event engine keeps.

Things come by (instant, class of event, order of creation); only changes of servers are urgent, and precede all others
of their instant. Equal records need equal orders of creation, so this is when each is created, and nothing else creates
one:

0. The next change of servers of each service, in the order of services, as the world begins and at each change.
1. The first arrival, as the world begins (of closed ones the first of each client); each further one right after its
   predecessor was taken in full: after all that the predecessor's request does at that instant, of which the alarm of
   its hard deadline is the first. A client that waits for the end of its request: as that settles.
2. A try: first the alarm of a hard deadline that begins with it, then its timeout, then the call's way there, if that
   takes time.
3. The end of a wait in the queue, as it begins.
4. The work, as it begins: first the effect, if that comes before the end and not at once, then the end.
5. The way back, if it takes time, as the call has ended: after the next ones in the queue have begun.
6. A sleep, as its answer has been judged; before it the alarm of a hard deadline that begins with a failure or counts
   sleeps.

What takes no time is not due at all: it happens at once, inside of what leads to it, as deep as that goes. So a call
that is rejected on the spot is answered before its sending is over. A request that then tries again does so only when
its present try has come back to it (`Clients.go_on`), and a call that arrives while the queue is let in waits at its
end (`Server.admit`).

Timeouts of one constant length come in the order in which they are created. They wait in a line beside the heap; most
of them find their call answered.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count, repeat
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.kernel.clock import Clock

    Entry = tuple[int, int, Callable[[Any], None], Any]

URGENT: Final = -1 << 62
"""Numbers of urgent things begin with this one, so that they precede all others of an instant."""
ENDLESS_NS: Final = 1 << 200
"""After every instant."""


class OutOfBounds(Exception):
    """The world came to one of its limits: how it then ends is left to the event engine."""


class Timeline:
    """What is due."""

    __slots__ = ("_due", "_line", "background", "new_number", "now_ns")

    def __init__(self) -> None:
        self.now_ns = 0
        self.background = 0
        """How many of the things that are due keep no world going: alarms that were called off."""
        self._due: list[Entry] = []
        self._line: deque[Entry] = deque()
        self.new_number = count().__next__
        """Counts what is created."""

    def after(self, delay_ns: int, do: Callable[[Any], None], what: Any) -> None:
        """Let something happen so long from now."""
        heappush(self._due, (self.now_ns + delay_ns, self.new_number(), do, what))

    def after_usual(self, delay_ns: int, do: Callable[[Any], None], what: Any) -> None:
        """Do as `after`; all that comes this way has one delay."""
        self._line.append((self.now_ns + delay_ns, self.new_number(), do, what))

    def call_after(self, delay_ns: int, function: Callable[[], None], *, urgent: bool = False) -> None:
        """Call a function so long from now, as `sim.kernel.clock.Clock` does."""
        number = self.new_number() + (URGENT if urgent else 0)
        heappush(self._due, (self.now_ns + delay_ns, number, _call, function))

    @property
    def as_clock(self) -> Clock:
        """A timeline as a clock: alarms, and what else stands on one here, need no more of it than this has."""
        return cast("Clock", self)

    def drain(self, end_ns: int | None, steps: int) -> None:
        """Let everything happen up to an instant, included. Raises OutOfBounds if that takes more than `steps`."""
        due, line = self._due, self._line
        if end_ns is None:
            end_ns = ENDLESS_NS
        for _ in repeat(None, steps):
            if self.background and self.is_drained:
                return
            if line and (not due or line[0] < due[0]):
                if line[0][0] > end_ns:
                    return
                self.now_ns, _, do, what = line.popleft()
            elif due and due[0][0] <= end_ns:
                self.now_ns, _, do, what = heappop(due)
            else:
                return
            do(what)
        if not self.is_drained:
            raise OutOfBounds("events")

    def clear(self) -> None:
        """Forget everything: what is due refers to those who wait for it."""
        self._due.clear()
        self._line.clear()

    @property
    def is_drained(self) -> bool:
        """Whether nothing is due any more that keeps the world going."""
        return len(self._due) + len(self._line) <= self.background


def _call(function: Callable[[], None]) -> None:
    function()
