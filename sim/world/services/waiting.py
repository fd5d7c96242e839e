"""The queue of a service: who waits, and who is next."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.world.services.visit import Visit

FIFO: Final = "fifo"
LIFO: Final = "lifo"
PRIORITY: Final = "priority"


class Waiting:
    """Calls that wait for a server, in one of three orders; each can leave from anywhere."""

    __slots__ = ("_lines", "_priorities", "_ranks", "count", "takes_last")

    def __init__(self, order: str) -> None:
        self.takes_last = order == LIFO
        """Whether the one that came last is next."""
        self._ranks = order == PRIORITY
        self._priorities: list[int] = []
        """Of the lines that were ever used, ascending; one for all unless the order is by priority."""
        self._lines: dict[int, OrderedDict[int, Visit]] = {}
        self.count = 0
        """How many wait: an attribute, since every call that ends asks for it."""

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Visit]:
        """Yield those that wait, the next one first."""
        for priority in self._priorities:
            line = self._lines[priority]
            yield from reversed(line.values()) if self.takes_last else line.values()

    def add(self, visit: Visit) -> None:
        """Let a call wait."""
        priority = visit.priority if self._ranks else 0
        line = self._lines.get(priority)
        if line is None:
            line = self._lines[priority] = OrderedDict()
            insort(self._priorities, priority)
        line[visit.id] = visit
        self.count += 1

    def take(self) -> Visit:
        """Take the next one out; there must be one."""
        for priority in self._priorities:
            line = self._lines[priority]
            if line:
                self.count -= 1
                return line.popitem(last=self.takes_last)[1]
        raise LookupError("no call waits")

    def leave(self, visit: Visit) -> None:
        """Take a call out that waits."""
        del self._lines[visit.priority if self._ranks else 0][visit.id]
        self.count -= 1
