"""Simulates worlds of one cell and holds each history against invariants: `Checker`, and its findings as `CheckedPart`.

A part is plain numbers and text, so that it can come from another process, be stored with the requests of its chunk,
and be put together with the others when all are there. An isolated world is checked request by request, a shared one
replication by replication, so that only one world's history is in memory at a time, besides those of the first
violations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sim.chance.overall import gatherers
from sim.contracts.catalogue import View, check_view
from sim.engine.world import REPORT_EVERY, World
from sim.experiment.checked_part import CheckedPart, ToldFirst
from sim.experiment.terms import stated_of, terms_of
from sim.history.recorder import History, Recorder
from sim.history.request import table
from sim.history.traffic import CallLog
from sim.promises.invariant import OVERALL, SOMETIMES
from sim.stories.violations import told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.history.records import Requests
    from sim.history.request import Request
    from sim.history.traffic import Traffic
    from sim.history.vocabulary import Outcome
    from sim.promises.invariant import Invariant, Violation
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario

TABLES: Final = 100
"""How many requests of an isolated world are checked as the rows of tables; of the others the live records."""


class First(NamedTuple):
    """The first request that breaks an invariant, with all that is needed to show it."""

    request: int
    """The number that `replay` takes; if the violation belongs to no request, that of the first in its world."""
    violation: Violation
    history: History
    """The events that concern the request or all requests; if the violation belongs to no request, all events."""
    outcome: Outcome | None
    """The outcome of the request; None if the violation belongs to no request."""
    replays: bool = True
    """Whether the request does the same if it is simulated without the requests before it, as `replay` does."""


def told_first(first: First) -> ToldFirst:
    """Put a violation into words."""
    words = told(first.violation, first.history, first.outcome)
    return ToldFirst(first.request, first.violation.request >= 0, first.replays, words)


class Checker:
    """Simulates worlds of one cell, and holds every history against invariants."""

    def __init__(
        self,
        cell: Scenario,
        held: Sequence[Invariant],
        *,
        retrier: Callable[[], Retrier] | None = None,
        at_most: int | None = None,
    ) -> None:
        """Take a cell and what it is held against; without any invariant nothing is recorded.

        `retrier` makes one that replaces the scenario's own; `at_most` bounds the requests of a shared world.
        """
        self.cell = cell
        self.make = cell.retrier.maker() if retrier is None else retrier
        self.at_most = at_most
        self.simulated = 0
        self.histories = 0
        self.events = 0
        self.broken: dict[str, int] = {}
        self.firsts: dict[str, First] = {}
        self.each = tuple(one for one in held if one.kind not in {SOMETIMES, OVERALL})
        """The invariants that each history is held to by itself."""
        self.unseen = {one.name: one for one in held if one.kind == SOMETIMES}
        self._sought = tuple(self.unseen)
        self.gatherers = gatherers(held, stated_of(cell))
        self._records = bool(held)

    def isolated(self, numbers: range, report: Callable[[int], None] | None = None) -> Requests:
        """Simulate some requests of an isolated world, each with its history; `report` is told how many are done."""
        world, recorder = self._world()
        if recorder is None:
            finished = world.isolated(numbers, report)
        else:
            finished = []
            with world.around():
                for done, number in enumerate(numbers):
                    recorder.raw.clear()
                    made = world.isolated([number])
                    # A table of one row costs as much as the rest of its check: after the first ones records are live.
                    self._look(world, recorder.history(), 0, made, table(made) if done < TABLES else made)
                    finished += made
                    if report is not None and done % REPORT_EVERY == 0:
                        report(done)
        self.simulated += len(finished)
        return table(finished)

    def replication(self, number: int, report: Callable[[int], None] | None = None) -> tuple[Requests, Traffic]:
        """Simulate one replication of a shared world with its history."""
        world, recorder = self._world(number)
        finished = world.shared(report, at_most=self.at_most)
        records = table(finished, number)
        if recorder is not None:
            self._look(world, recorder.history(), number * self.cell.requests.count, finished, records)
        self.simulated += len(finished)
        return records, world.traffic()

    def part(self) -> CheckedPart:
        """Return all that was found so far, as plain numbers and text."""
        return CheckedPart(
            self.simulated,
            self.histories,
            self.events,
            dict(self.broken),
            {name: told_first(first) for name, first in self.firsts.items()},
            tuple(name for name in self._sought if name not in self.unseen),
            tuple(gatherer.state() for gatherer in self.gatherers),
        )

    def _world(self, replication: int = 0) -> tuple[World, Recorder | None]:
        recorder = Recorder() if self._records else None
        calls = CallLog() if self.cell.world == "shared" else None
        made = World(self.cell, replication=replication, retrier=self.make, recorder=recorder, calls=calls)
        return made, recorder

    def _look(
        self,
        world: World,
        history: History,
        first: int,
        finished: Sequence[Request],
        records: Requests | Sequence[Request],
    ) -> None:
        """Check the history of a world, and the records of its requests, which are numbered from `first` on."""
        self.histories += 1
        self.events += len(history)
        view = View(history, terms_of(world, self._alone(world), records=records))
        for gatherer in self.gatherers:
            gatherer.look(view)
        for name in [name for name, one in self.unseen.items() if any(True for _ in one.check(view))]:
            del self.unseen[name]
        known: set[tuple[str, int]] = set()
        for violation in sorted(check_view(view, self.each), key=lambda found: found.request):
            name, number = violation.invariant, violation.request
            if (name, number) in known:
                continue
            known.add((name, number))
            self.broken[name] = self.broken.get(name, 0) + 1
            if name not in self.firsts:
                self.firsts[name] = self._first(violation, view, first, finished)

    def _alone(self, world: World) -> Callable[[int], History] | None:
        """Return a function that simulates a request of an isolated world with a new retrier; None if it is not needed.

        A stateless retrier does not need it: a test says of each port that it keeps nothing between requests.
        """
        if world.cell.world != "isolated" or world.retrier.stateless:
            return None

        def alone(number: int) -> History:
            recorder = Recorder()
            another = World(world.cell, retrier=self.make, recorder=recorder, choices=world.choices)
            another.isolated([number])
            return recorder.history()

        return alone

    @staticmethod
    def _first(violation: Violation, view: View, first: int, finished: Sequence[Request]) -> First:
        number = violation.request
        if number < 0:
            return First(first + finished[0].number, violation, view.history, None)
        outcome = next(request.outcome for request in finished if request.number == number)
        alone = view.terms.alone
        replays = alone is None or alone(number).digest() == view.history.digest()
        return First(first + number, violation, view.history.of_request(number), outcome, replays)
