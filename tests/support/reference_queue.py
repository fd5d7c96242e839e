"""A service again, as simple as can be: a list of events, a list of those who wait, and rules written a second time.

It knows nothing of `sim` but the order of what happens at one instant: as it was planned, changes of servers first.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(frozen=True)
class Customer:
    """One call: when it comes, how long it is worked on, its class, and when its caller gives up (None: never)."""

    comes: int
    work: int
    priority: int = 0
    patience: int | None = None


@dataclass(frozen=True)
class Rules:
    """A service."""

    servers: int
    order: str = "fifo"
    limit: int | None = None
    max_wait: int | None = None
    drops: bool = False
    change: tuple[int, int, int] | None = None
    """From when to when there are how many servers."""


@dataclass
class Met:
    """What a call met: when it began and left (-1: never), and how."""

    began: int = -1
    left: int = -1
    how: str = "open"


@dataclass
class Reference:
    """Plays customers against rules."""

    customers: list[Customer]
    rules: Rules
    met: list[Met] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.met = [Met() for _ in self.customers]
        self.gone: set[int] = set()
        self.line: list[int] = []
        self.busy = 0
        self.servers = self.rules.servers
        self.planned = 0
        self.events: list[tuple[int, int, int, str, int]] = []

    def plan(self, at: int, what: str, who: int, *, first: bool = False) -> None:
        """Add an event."""
        heappush(self.events, (at, 0 if first else 1, self.planned, what, who))
        self.planned += 1

    def play(self) -> list[Met]:
        """Let everything happen."""
        if self.rules.change is not None:
            for turn in (0, 1):
                self.plan(self.rules.change[turn], "change", turn, first=True)
        for number, customer in enumerate(self.customers):
            self.plan(customer.comes, "come", number)
        while self.events:
            now, _, _, what, who = heappop(self.events)
            getattr(self, what)(now, who)
        return self.met

    def come(self, now: int, who: int) -> None:
        """A call comes."""
        patience = self.customers[who].patience
        if patience is not None:
            self.plan(now + patience, "give_up", who)
        if self.busy < self.servers:
            self.begin(now, who)
        elif self.rules.limit is not None and len(self.line) >= self.rules.limit:
            self.leave(now, who, "rejected_queue")
        else:
            self.line.append(who)
            if self.rules.max_wait is not None:
                self.plan(now + self.rules.max_wait, "tire", who)

    def give_up(self, now: int, who: int) -> None:
        """A caller stops waiting for the answer; its call goes on."""
        del now
        self.gone.add(who)

    def tire(self, now: int, who: int) -> None:
        """A call has waited for as long as calls may."""
        if who in self.line:
            self.line.remove(who)
            self.leave(now, who, "rejected_max_wait")

    def change(self, now: int, turn: int) -> None:
        """There are other servers from now on."""
        if turn == 0 and self.rules.change is not None:
            self.servers = self.rules.change[2]
        else:
            self.servers = self.rules.servers
        self.serve(now)

    def begin(self, now: int, who: int) -> None:
        """A call is worked on."""
        self.busy += 1
        self.met[who].began = now
        work = self.customers[who].work
        if work:
            self.plan(now + work, "end", who)
        else:
            self.end(now, who)

    def end(self, now: int, who: int) -> None:
        """The work on a call ends."""
        self.busy -= 1
        self.serve(now)
        self.leave(now, who, "success")

    def serve(self, now: int) -> None:
        """Let those begin who wait, in order."""
        while self.line and self.busy < self.servers:
            if self.rules.order == "lifo":
                who = self.line[-1]
            elif self.rules.order == "priority":
                who = min(self.line, key=lambda one: (self.customers[one].priority, self.line.index(one)))
            else:
                who = self.line[0]
            self.line.remove(who)
            if self.rules.drops and who in self.gone:
                self.leave(now, who, "dropped")
            else:
                self.begin(now, who)

    def leave(self, now: int, who: int, how: str) -> None:
        """A call is over."""
        self.met[who].left = now
        self.met[who].how = how
