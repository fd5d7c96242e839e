"""A service as its events tell of it: which calls wait, which are worked on, and how many servers there are.

Invariants walk along the events of all services and look at the floor right before each of them. It is built from the
history alone, apart from the code that plays a service.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from sim.history import events, service_events
from sim.promises.services import NO_LIMIT, ServiceTerms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.history.entities import Call, Request
    from sim.promises.view import View

KNOWN = "steps of services"
ENDS = (service_events.WorkStarted, service_events.CallDropped, service_events.CallRejected)
"""Events by which a call that waits is out of the queue."""


class Floor:
    """One service between two events."""

    def __init__(self, name: str, terms: ServiceTerms | None, priorities: Mapping[str, int]) -> None:
        self.name = name
        self.stated = terms is not None
        """Whether the terms say anything of it."""
        self.terms = ServiceTerms() if terms is None else terms
        self.servers = NO_LIMIT
        self.working: dict[int, Call] = {}
        """Calls that are worked on, by their numbers."""
        self.waiting = 0
        """How many calls wait."""
        self._priorities = priorities
        self._lines: dict[int, OrderedDict[int, Call]] = {}

    def priority(self, call: Call) -> int:
        """Return the priority by which a call waits, 0 unless that is the order of the queue."""
        if self.terms.order != "priority":
            return 0
        return self._priorities.get(class_of(call.request), 0)

    def ahead_of(self, call: Call) -> int:
        """Return how many that wait are to be served before a call that comes now."""
        if self.terms.order == "lifo":
            return 0
        least = self.priority(call)
        return sum(len(line) for priority, line in self._lines.items() if priority <= least)

    def next(self) -> Call | None:
        """Return the call whose turn is next, None if none waits."""
        for priority in sorted(self._lines):
            line = self._lines[priority]
            if line:
                return line[next(reversed(line)) if self.terms.order == "lifo" else next(iter(line))]
        return None

    def waits(self, call: Call) -> bool:
        """Tell whether a call waits."""
        return call.id in self._lines.get(self.priority(call), ())

    def take(self, event: events.Event, call: Call | None) -> None:
        """Take an event."""
        if isinstance(event, service_events.ServersChanged):
            self.servers = NO_LIMIT if event.servers < 0 else event.servers
            return
        if call is None:
            return
        if isinstance(event, ENDS) and self.waits(call):
            del self._lines[self.priority(call)][call.id]
            self.waiting -= 1
        if isinstance(event, service_events.CallQueued) and not self.waits(call):
            self._lines.setdefault(self.priority(call), OrderedDict())[call.id] = call
            self.waiting += 1
        elif isinstance(event, service_events.WorkStarted):
            self.working[call.id] = call
        elif isinstance(event, service_events.WorkEnded):
            self.working.pop(call.id, None)


class Step(NamedTuple):
    """One event of a service."""

    at: int
    event: events.Event
    call: Call | None
    """The call that it is about; None if it is about the servers."""
    floor: Floor
    """The service right before it."""


def class_of(request: Request) -> str:
    """Return the name of the class of a request; empty if there are no classes."""
    found = None if request.submit is None else request.submit.caller_class
    return found or ""


def walk(view: View) -> Iterator[Step]:
    """Yield all events of services; those of calls that were never sent or that come twice are left out."""
    steps = view.known.get(KNOWN)
    if steps is None:
        strays = {at for at, _ in view.stray_calls}
        steps = view.known[KNOWN] = [
            (at, event, None if isinstance(event, service_events.ServersChanged) else view.calls[event.call])
            for at, event in enumerate(view.events)
            if isinstance(event, service_events.CallEvent | service_events.ServersChanged) and at not in strays
        ]
    floors: dict[str, Floor] = {}
    for at, event, call in steps:
        name = event.service
        floor = floors.get(name)
        if floor is None:
            floor = floors[name] = Floor(name, view.terms.services.get(name), view.terms.priorities)
        yield Step(at, event, call, floor)
        floor.take(event, call)


def work_terms(view: View, call: Call) -> ServiceTerms | None:
    """Return what is stated of the service of a call; None if nothing is."""
    return view.terms.services.get(call.service)
