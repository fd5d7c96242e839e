"""Checks a scenario: `check(scenario)` runs it, and checks the history of every request against invariants.

Invariants are what a retrier and the platform owe. An isolated world is checked request by request, a shared one
replication by replication, so that only one world's history is in memory at a time, besides those of the first
violations, which can be shown. Laws of chance are put to the test over all histories of a cell, at one level for the
whole run (`sim.chance`). The simulation is that of `sim.api.run`, and its results come along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.chance.evidence import Evidence
from sim.chance.overall import gatherers, struck
from sim.contracts.catalogue import INVARIANTS, View, check_view
from sim.engine.world import REPORT_EVERY, World
from sim.experiment.cell_result import CellResult, evaluate
from sim.experiment.engines import EVENT, Choice
from sim.experiment.parts import join_traffic
from sim.experiment.plan import PILOT_REQUESTS, plan, refuse_course, request_count
from sim.experiment.probe import Probed, of_the_platform, probe
from sim.experiment.repeats import repeat_isolated, repeat_replications
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.experiment.terms import stated_of, terms_of
from sim.history.recorder import History, Recorder
from sim.history.records import Requests
from sim.history.request import table
from sim.history.traffic import CallLog, Traffic
from sim.promises.invariant import OVERALL, SOMETIMES
from sim.results.result import Result
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.parts.invariants import invariants_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.chance.evidence import Trial
    from sim.experiment.progress import Progress
    from sim.history.request import Request
    from sim.history.vocabulary import Outcome
    from sim.promises.invariant import Invariant, Violation
    from sim.retriers.base import Retrier
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

TABLES: Final = 100
"""How many requests of an isolated world are checked as the rows of tables; of the others the live records."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first request of a cell that breaks an invariant, with all that is needed to show it."""

    cell: Cell
    request: int
    """The number that `replay` takes; if the violation belongs to no request, that of the first in its world."""
    violation: Violation
    history: History
    """The events that concern the request or all requests; if the violation belongs to no request, all events."""
    outcome: Outcome | None
    """The outcome of the request; None if the violation belongs to no request."""
    replays: bool = True
    """Whether the request does the same if it is simulated without the requests before it, as `replay` does."""
    overall: bool = False
    """Whether no single history breaks it, but all of the cell together."""

    @property
    def requests_needed(self) -> int:
        """How many requests a run needs to show it again, if it does not replay: those of the pilot came before."""
        return min(max(self.request + 1, PILOT_REQUESTS), self.cell.scenario.requests.count)


@dataclass(frozen=True)
class CheckedCell:
    """One cell: its result, and how many of its requests break which invariant."""

    result: CellResult
    held: tuple[Invariant, ...]
    """The invariants that its histories were checked against."""
    simulated: int
    """How many requests were simulated, including those outside the measuring window."""
    histories: int
    """How many worlds were checked: one a request, or one a replication."""
    events: int
    broken: dict[str, int]
    """By the name of each invariant that is broken, in the order of `held`: the number of requests that break it."""
    firsts: dict[str, Broken]
    """By the name of each invariant that is broken: the first request that breaks it."""
    unseen: tuple[Invariant, ...]
    """The invariants of kind `sometimes` that no history shows."""
    draws: int
    """How many draws stood the tests of the invariants of kind `overall`, each counted once."""
    tests: int
    """How many tests there were."""

    @property
    def cell(self) -> Cell:
        """The cell itself."""
        return self.result.cell

    @property
    def first(self) -> Broken | None:
        """The violation of the request with the lowest number, else one of all together; None if there is none."""
        return min(self.firsts.values(), key=lambda broken: (broken.overall, broken.request), default=None)

    @property
    def holds(self) -> bool:
        """Whether everything holds in this cell, and every request that was simulated again did the same."""
        return not (self.broken or self.unseen or self.result.unrepeated)


@dataclass(frozen=True)
class Checked:
    """All cells of a checked run, in the order of the scenario."""

    result: Result
    """The result, as of any run."""
    cells: tuple[CheckedCell, ...]
    probed: Probed | None = None
    """What the probe of the platform found; None if it was not run."""

    @property
    def first(self) -> Broken | None:
        """The first violation of the first cell that has one; None if there is none."""
        return next((cell.first for cell in self.cells if cell.first is not None), None)

    @property
    def holds(self) -> bool:
        """Whether everything holds in every cell, and in the worlds of the probe."""
        return all(cell.holds for cell in self.cells) and (self.probed is None or self.probed.holds)


def check(
    scenario: Scenario,
    *,
    invariants: Sequence[Invariant] = INVARIANTS,
    retrier: Callable[[], Retrier] | None = None,
    progress: Progress | None = None,
    at_most: int | None = None,
) -> Checked:
    """Simulate every cell of a scenario, and check every history against invariants.

    The invariants that a cell names itself (`check` in the scenario) are added to `invariants`; a cell without any is
    simulated but not recorded. `retrier` makes a retrier that replaces the scenario's own. `at_most` bounds the number
    of requests of each world; the first ones are simulated. `progress` is called now and then with the progress of the
    run. If all is checked that the platform owes, its probe runs too (`sim.experiment.probe`), with the same seed.
    With a retrier of one's own some requests of an isolated world are simulated again, as `run` does, and all
    replications of a shared one, in another order: nothing holds if a request then does something else.
    Raises ScenarioError if the run is estimated above the scenario's limits. Same scenario and seed, same result.
    """
    refuse_course(scenario)
    if scenario.precision is not None:
        reason = "a run whose histories are checked has a fixed size; leave out `precision`, or `check` and --check"
        raise ScenarioError([Problem(("precision",), reason, at_key=True)])
    planned = plan(scenario, Choice(EVENT, "histories are kept by it alone"))
    total, before = planned.requests, 0
    cells = []
    for position, cell in enumerate(planned.cells):

        def report(done: int, before: int = before, name: str = cell.name) -> None:
            if progress is not None:
                progress(before + done, total, name)

        own = [one for one in invariants_named(cell.scenario.check) if one not in invariants]
        held = (*invariants, *own)
        with problems_shown_by_simulating():
            one = _Check(cell, held, retrier, at_most, planned.pilot_of(position))
            one.run(report)
            cells.append(one)
        before += request_count(cell.scenario)
        report(0, before)
    tests = sum(len(one.trials) for one in cells)
    checked = tuple(one.checked(tests) for one in cells)
    probed = probe(scenario.seed) if any(of_the_platform(cell.held) for cell in checked) else None
    return Checked(Result(planned, [cell.result for cell in checked]), checked, probed)


class _Check:
    """The check of one cell."""

    def __init__(
        self,
        cell: Cell,
        held: tuple[Invariant, ...],
        retrier: Callable[[], Retrier] | None,
        at_most: int | None,
        pilot: Requests | None,
    ) -> None:
        self.cell = cell
        self.pilot = pilot if retrier is None else None  # it ran with the scenario's own
        self.held = held
        self.own = retrier
        self.make = cell.scenario.retrier.maker() if retrier is None else retrier
        self.at_most = at_most
        self.histories = 0
        self.events = 0
        self.broken: dict[str, int] = {}
        self.firsts: dict[str, Broken] = {}
        self.each = tuple(one for one in held if one.kind not in {SOMETIMES, OVERALL})
        """The invariants that each history is held to by itself."""
        self.unseen = {one.name: one for one in held if one.kind == SOMETIMES}
        self.gatherers = gatherers(held, stated_of(cell.scenario))
        self.evidence = Evidence()
        self.traffic: list[Traffic] = []
        """What the calls of each replication met."""
        self.trials: list[Trial] = []
        """The tests of the invariants of kind `overall`."""

    def run(self, report: Callable[[int], None]) -> None:
        """Simulate and check every history; `report` is called with how many requests are done."""
        scenario = self.cell.scenario
        if scenario.world == "isolated":
            requests = self._isolated(report)
            traffic = None
            unrepeated = repeat_isolated(scenario, requests, self.pilot, self.own)
        else:
            replications = list(self._shared(report))
            requests = Requests.concatenate(replications)
            traffic = join_traffic(self.traffic)
            unrepeated = repeat_replications(scenario, replications, self.own, self._count())
        self.result = evaluate(self.cell, requests, unrepeated, traffic=traffic, retrier=self.own)
        self.simulated = len(requests)
        for gatherer in self.gatherers:
            gatherer.close(self.evidence)
        asked = {one.name for one in self.held if one.kind == OVERALL}
        self.trials = [trial for trial in self.evidence.trials() if trial.invariant in asked]

    def checked(self, tests: int) -> CheckedCell:
        """Rule over the histories together too, by one level for so many tests of the whole run."""
        for name, violation in struck(self.trials, tests).items():
            self.broken[name] = self.simulated
            self.firsts[name] = Broken(self.cell, 0, violation, History([]), None, overall=True)
        names = [one.name for one in self.held if one.name in self.broken]
        return CheckedCell(
            self.result,
            self.held,
            self.simulated,
            self.histories,
            self.events,
            {name: self.broken[name] for name in names},
            {name: self.firsts[name] for name in names},
            tuple(self.unseen.values()),
            self.evidence.draws,
            len(self.trials),
        )

    def _isolated(self, report: Callable[[int], None]) -> Requests:
        world, recorder = self._world()
        count = self._count()
        if recorder is None:
            return table(world.isolated(range(count), report))
        finished: list[Request] = []
        for number in range(count):
            recorder.raw.clear()
            made = world.isolated([number])
            # A table of one row costs as much as the rest of its check: after the first ones records are read live.
            self._check_history(world, recorder.history(), 0, made, table(made) if number < TABLES else made)
            finished += made
            if number % REPORT_EVERY == 0:
                report(number)
        return table(finished)

    def _shared(self, report: Callable[[int], None]) -> Iterator[Requests]:
        scenario = self.cell.scenario
        for replication in range(scenario.replications):
            first = replication * scenario.requests.count

            def report_all(done: int, first: int = first) -> None:
                report(first + done)

            world, recorder = self._world(replication)
            finished = world.shared(report_all, at_most=self._count())
            records = table(finished, replication)
            if recorder is not None:
                self._check_history(world, recorder.history(), first, finished, records)
            self.traffic.append(world.traffic())
            yield records

    def _world(self, replication: int = 0) -> tuple[World, Recorder | None]:
        recorder = Recorder() if self.held else None
        calls = CallLog() if self.cell.scenario.world == "shared" else None
        made = World(self.cell.scenario, replication=replication, retrier=self.make, recorder=recorder, calls=calls)
        return made, recorder

    def _count(self) -> int:
        count = self.cell.scenario.requests.count
        return count if self.at_most is None else min(count, self.at_most)

    def _check_history(
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
                self.firsts[name] = self._shown(violation, view, first, finished)

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

    def _shown(self, violation: Violation, view: View, first: int, finished: Sequence[Request]) -> Broken:
        number = violation.request
        if number < 0:
            return Broken(self.cell, first + finished[0].number, violation, view.history, None)
        outcome = next(request.outcome for request in finished if request.number == number)
        alone = view.terms.alone
        replays = alone is None or alone(number).digest() == view.history.digest()
        return Broken(self.cell, first + number, violation, view.history.of_request(number), outcome, replays)
