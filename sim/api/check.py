"""Runs a scenario and holds the history of every request against what its retrier and the platform owe.

An isolated world is checked request by request, a shared one replication by replication, so that no more than one
world's history is in memory at a time; those of the first violations are kept, to be shown. What is simulated is what
`sim.api.run` simulates: the results come along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.contracts.catalogue import INVARIANTS, View, check_view
from sim.contracts.invariant import SOMETIMES
from sim.engine.world import REPORT_EVERY, World
from sim.experiment.cell_result import CellResult, judged
from sim.experiment.engines import EVENT, Choice
from sim.experiment.plan import plan, refuse_course, requests_of, weather_told
from sim.experiment.terms import terms_of
from sim.history.events import History, Recorder
from sim.history.records import Requests
from sim.history.request import table
from sim.results.result import Result
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.parts.invariants import invariants_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.api.run import Progress
    from sim.contracts.invariant import Invariant, Violation
    from sim.history.request import Request
    from sim.history.vocabulary import Outcome
    from sim.retriers.base import Retrier
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario


@dataclass(frozen=True, slots=True)
class Broken:
    """The first request of a cell that breaks an invariant, and all that it takes to show it."""

    cell: Cell
    request: int
    """The number that `replay` takes; of a violation that belongs to no request, the first of its world."""
    violation: Violation
    history: History
    """What concerns the request, and what concerns all; the whole world's where it belongs to no request."""
    outcome: Outcome | None
    """What became of the request, None where it belongs to none."""
    replays: bool = True
    """Whether the request does the same when it is simulated again without those before it, as `replay` does."""


@dataclass(frozen=True)
class CheckedCell:
    """One cell: what came out of it, and how many of its requests break which invariant."""

    result: CellResult
    held: tuple[Invariant, ...]
    """The invariants that its histories were held against."""
    simulated: int
    """How many requests there were, those outside of the measuring window too."""
    histories: int
    """How many worlds were checked: one a request, or one a replication."""
    events: int
    broken: dict[str, int]
    """By the invariant's name, in the order of `held`: the number of requests that break it, if any does."""
    firsts: dict[str, Broken]
    """By the invariant's name: the first of them."""
    unseen: tuple[Invariant, ...]
    """Those of kind `sometimes` that no history shows."""

    @property
    def cell(self) -> Cell:
        """The cell itself."""
        return self.result.cell

    @property
    def first(self) -> Broken | None:
        """Of all violations that of the lowest request, None where there is none."""
        return min(self.firsts.values(), key=lambda broken: broken.request, default=None)

    @property
    def holds(self) -> bool:
        """Whether everything holds in this cell."""
        return not (self.broken or self.unseen)


@dataclass(frozen=True)
class Checked:
    """All cells of a checked run, in the order of the scenario."""

    result: Result
    """What came out, as of any run."""
    cells: tuple[CheckedCell, ...]

    @property
    def first(self) -> Broken | None:
        """The first violation of the first cell that has one, None where there is none."""
        return next((cell.first for cell in self.cells if cell.first is not None), None)

    @property
    def holds(self) -> bool:
        """Whether everything holds in every cell."""
        return all(cell.holds for cell in self.cells)


def check(
    scenario: Scenario,
    *,
    invariants: Sequence[Invariant] = INVARIANTS,
    retrier: Callable[[], Retrier] | None = None,
    progress: Progress | None = None,
    at_most: int | None = None,
) -> Checked:
    """Simulate every cell of a scenario, and hold every history against invariants.

    Those that a cell asks for itself (`check` in the scenario) join `invariants`; a cell with neither is simulated and
    not recorded. `retrier` makes a retrier that takes the place of the scenario's own. `at_most` bounds the requests of
    each world: the first so many are simulated. `progress` is told now and then how far the run is. Raises
    ScenarioError where the run is beyond the scenario's limits. Same scenario and seed, same result.
    """
    refuse_course(scenario)
    if scenario.precision is not None:
        reason = "a run whose histories are checked has a fixed size; leave out this, or `check` and --check"
        raise ScenarioError([Problem(("precision",), reason, at_key=True)])
    planned = plan(scenario)
    total, before = planned.requests, 0
    cells = []
    for cell in planned.cells:

        def told(done: int, before: int = before, name: str = cell.name) -> None:
            if progress is not None:
                progress(before + done, total, name)

        own = [one for one in invariants_named(cell.scenario.check) if one not in invariants]
        held = (*invariants, *own)
        with weather_told():
            cells.append(_Check(cell, held, retrier, at_most).run(told))
        before += requests_of(cell.scenario)
        told(0, before)
    choice = Choice(EVENT, "histories are kept by it alone")
    return Checked(Result(scenario, [cell.result for cell in cells], choice), tuple(cells))


class _Check:
    """The check of one cell."""

    def __init__(
        self,
        cell: Cell,
        held: tuple[Invariant, ...],
        retrier: Callable[[], Retrier] | None,
        at_most: int | None,
    ) -> None:
        self.cell = cell
        self.held = held
        self.make = cell.scenario.retrier.make if retrier is None else retrier
        self.at_most = at_most
        self.histories = 0
        self.events = 0
        self.broken: dict[str, int] = {}
        self.firsts: dict[str, Broken] = {}
        self.unseen = {one.name: one for one in held if one.kind == SOMETIMES}

    def run(self, told: Callable[[int], None]) -> CheckedCell:
        """Simulate and check everything; `told` is told how many requests are done."""
        if self.cell.scenario.world == "isolated":
            requests = self._isolated(told)
        else:
            requests = Requests.concatenate(list(self._shared(told)))
        names = [one.name for one in self.held if one.name in self.broken]
        return CheckedCell(
            judged(self.cell, requests),
            self.held,
            len(requests),
            self.histories,
            self.events,
            {name: self.broken[name] for name in names},
            {name: self.firsts[name] for name in names},
            tuple(self.unseen.values()),
        )

    def _isolated(self, told: Callable[[int], None]) -> Requests:
        world, recorder = self._world()
        count = self._count()
        if recorder is None:
            return table(world.isolated(range(count), told))
        finished: list[Request] = []
        for number in range(count):
            recorder.raw.clear()
            finished += world.isolated([number])
            self._hold(world, recorder.history(), 0, finished[-1:])
            if number % REPORT_EVERY == 0:
                told(number)
        return table(finished)

    def _shared(self, told: Callable[[int], None]) -> Iterator[Requests]:
        scenario = self.cell.scenario
        for replication in range(scenario.replications):
            first = replication * scenario.requests.count

            def told_of_all(done: int, first: int = first) -> None:
                told(first + done)

            world, recorder = self._world(replication)
            finished = world.shared(told_of_all, at_most=self._count())
            if recorder is not None:
                self._hold(world, recorder.history(), first, finished)
            yield table(finished, replication)

    def _world(self, replication: int = 0) -> tuple[World, Recorder | None]:
        recorder = Recorder() if self.held else None
        made = World(self.cell.scenario, replication=replication, retrier=self.make(), recorder=recorder)
        return made, recorder

    def _count(self) -> int:
        count = self.cell.scenario.requests.count
        return count if self.at_most is None else min(count, self.at_most)

    def _hold(self, world: World, history: History, first: int, finished: Sequence[Request]) -> None:
        """Hold what a world left behind against the invariants; its requests are numbered from `first` on."""
        self.histories += 1
        self.events += len(history)
        view = View(history, terms_of(world, self._alone(world)))
        for name in [name for name, one in self.unseen.items() if any(True for _ in one.check(view))]:
            del self.unseen[name]
        known: set[tuple[str, int]] = set()
        for violation in sorted(check_view(view, self.held), key=lambda found: found.request):
            name, number = violation.invariant, violation.request
            if (name, number) in known:
                continue
            known.add((name, number))
            self.broken[name] = self.broken.get(name, 0) + 1
            if name not in self.firsts:
                self.firsts[name] = self._shown(violation, view, first, finished)

    def _alone(self, world: World) -> Callable[[int], History] | None:
        """Return a function that simulates a request of an isolated world with a new retrier; None if it is not needed.

        A stateless retrier does not need it: a test says of each port that it keeps nothing between requests.
        """
        if world.cell.world != "isolated" or world.retrier.stateless:
            return None

        def alone(number: int) -> History:
            recorder = Recorder()
            another = World(world.cell, retrier=self.make(), recorder=recorder, choices=world.choices)
            another.isolated([number])
            return recorder.history()

        return alone

    def _shown(self, violation: Violation, view: View, first: int, finished: Sequence[Request]) -> Broken:
        number = violation.request
        if number < 0:
            return Broken(self.cell, first + finished[0].number, violation, view.history, None)
        outcome = next(request.outcome for request in finished if request.number == number)
        alone = view.terms.alone
        replays = alone is None or alone(number).digest() == view.history.digest()
        return Broken(self.cell, first + number, violation, view.history.of_request(number), outcome, replays)
