"""The servers of a service over time, and how long work takes with what is in force as it begins."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

from sim.contracts.services.floor import walk
from sim.history.entities import when
from sim.history.service_events import ServersChanged, WorkStarted
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.services import NO_LIMIT, ServiceTerms, SlowdownTerms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.promises.services import ChangeTerms
    from sim.promises.view import View

MOST_RANDOM: Final = 6
"""Changes at random that are told apart; with more of them only planned ones are checked."""
ROUNDING: Final = 1e-9
"""Of a latency by the factor of a curve, beside 1 ns."""


class InForce:
    """Which changes of capacity are in force, as far as the history tells: each set that it allows is kept.

    An event says how many servers there are, and not which change that comes at random has made it so.
    """

    def __init__(self, terms: ServiceTerms) -> None:
        self._terms = terms
        self._planned = [change for change in terms.changes if change.planned_ns is not None]
        self._random = [change for change in terms.changes if change.planned_ns is None]
        self.is_known = len(self._random) <= MOST_RANDOM
        self._on: list[ChangeTerms] = []
        """Planned changes in force."""
        self.sets: set[frozenset[int]] = {frozenset()}
        """Changes at random that may be in force together, by their places."""

    def take(self, event: ServersChanged, *, first: bool) -> bool:
        """Take a change; return whether something that is stated explains it."""
        t_ns = event.t_ns
        self._on = [change for change in self._planned if _lasts(change, t_ns)]
        if not self.is_known:
            return True
        places = range(len(self._random))
        turns = [frozenset(some) for count in range(len(places) + 1) for some in combinations(places, count)]
        none = first or any(t_ns in (change.planned_ns or ()) for change in self._planned)
        none |= any(not (change.up_ns[0] and change.down_ns[0]) for change in self._random)
        servers = NO_LIMIT if event.servers < 0 else event.servers
        after = {before ^ turn for before in self.sets for turn in turns if turn or none}
        allowed = {one for one in after if self._servers(one) == servers}
        self.sets = allowed or {frozenset(turn) for turn in turns}
        return bool(allowed)

    def expected(self) -> str:
        """Say how many servers may be there."""
        levels = sorted({self._servers(one) for one in self.sets})
        return " or ".join("no limit" if level == NO_LIMIT else str(level) for level in levels)

    def _changes(self, random: frozenset[int]) -> list[ChangeTerms]:
        return [*self._on, *(self._random[place] for place in sorted(random))]

    def _servers(self, random: frozenset[int]) -> int:
        stated = [change.servers for change in self._changes(random) if change.servers is not None]
        return min(stated, default=self._terms.servers)

    def takes(self, latency_ns: int, others: int, work_ns: int) -> bool:
        """Tell whether work of a latency that begins beside so many others may take so long."""
        return not self.is_known or any(
            abs(work_ns - expected) <= slack
            for random in self.sets
            for expected, slack in [min(_work(one, latency_ns, others) for one in self._paces(random))]
        )

    def _paces(self, random: frozenset[int]) -> list[SlowdownTerms]:
        stated = [change.slowdown for change in self._changes(random) if change.slowdown is not None]
        return stated or [self._terms.slowdown]


def _lasts(change: ChangeTerms, t_ns: int) -> bool:
    from_ns, to_ns = change.planned_ns or (0, 0)
    return from_ns <= t_ns < to_ns


def _work(slowdown: SlowdownTerms, latency_ns: int, others: int) -> tuple[float, float]:
    """Return how long work takes, and how far rounding may be from that."""
    points = slowdown.curve
    if not points:
        return latency_ns + slowdown.per_call_ns * others, 0.0
    factor = points[0][1] if others < points[0][0] else points[-1][1]
    for (low, low_factor), (high, high_factor) in pairwise(points):
        if low <= others < high:
            factor = low_factor + (high_factor - low_factor) * (others - low) / (high - low)
    return latency_ns * factor, 1.0 + latency_ns * factor * ROUNDING


@invariant(owed_by="platform")
def servers_change_as_planned(view: View) -> Iterator[Violation]:
    """A service has the servers that are stated: from the start, at each change that is planned, and at random ones."""
    forces: dict[str, InForce] = {}
    told: dict[str, list[ServersChanged]] = {}
    for _, event, _, floor in walk(view):
        if not isinstance(event, ServersChanged) or not floor.stated:
            continue
        first = floor.name not in forces
        force = forces.setdefault(floor.name, InForce(floor.terms))
        told.setdefault(floor.name, []).append(event)
        if not force.take(event, first=first):
            text = f"{floor.name} has {event.servers} servers {when(event)}, which nothing that is stated explains"
            yield breach(-1, text, *told[floor.name][-2:])
    for name, terms in view.terms.services.items():
        if not terms.is_row and view.events:
            yield from _as_planned(view, name, terms, told.get(name, []))


def _as_planned(view: View, name: str, terms: ServiceTerms, told: list[ServersChanged]) -> Iterator[Violation]:
    if not told or told[0].t_ns:
        if told or view.is_past(0):
            yield breach(-1, f"{name} does not say how many servers it has at the start", *told[:1])
        return
    at_ns = {event.t_ns for event in told}
    for change in terms.changes:
        for due_ns in change.planned_ns or ():
            if due_ns < view.last_ns and due_ns not in at_ns:
                text = f"{name} is to change its servers at {format_duration(due_ns)}, but does not"
                yield breach(-1, text, view.events[-1])
    if len(terms.changes) == 1 and terms.changes[0].planned_ns is None:
        yield from _turns_last(view, name, terms.changes[0], told)


def _turns_last(view: View, name: str, change: ChangeTerms, told: list[ServersChanged]) -> Iterator[Violation]:
    """Hold the intervals of the only change, which comes and goes at random, against the ends of their laws."""
    if not (change.up_ns[0] and change.down_ns[0]):
        return  # an interval may take no time: two turns are one event
    for number, (event, following) in enumerate(pairwise([*told, None])):
        assert event is not None  # noqa: S101  # only the last one has none behind it
        low_ns, high_ns = change.down_ns if number & 1 else change.up_ns
        until_ns = view.last_ns if following is None else following.t_ns
        lasted_ns = until_ns - event.t_ns
        if lasted_ns > high_ns or (following is not None and lasted_ns < low_ns):
            text = f"{name} keeps its servers for {format_duration(lasted_ns)} {when(event)}; the law says"
            yield breach(-1, f"{text} {format_duration(low_ns)} to {format_duration(high_ns)}", event, following)


@invariant(owed_by="platform")
def work_slows_as_stated(view: View) -> Iterator[Violation]:
    """Work takes its latency with the slow-down for the calls that are in progress as it begins."""
    forces: dict[str, InForce] = {}
    for _, event, call, floor in walk(view):
        if not floor.stated:
            continue
        known = floor.name in forces
        force = forces.setdefault(floor.name, InForce(floor.terms))
        if isinstance(event, ServersChanged):
            force.take(event, first=not known)
        elif isinstance(event, WorkStarted) and call is not None and event.latency_ns >= 0:
            others = len(floor.working)
            if not force.takes(event.latency_ns, others, event.work_ns):
                text = f"the work of {call} takes {format_duration(event.work_ns)}, with a latency of"
                text += f" {format_duration(event.latency_ns)} beside {others} others"
                yield breach(call.request.number, f"{text}; the slow-down says otherwise", event)
