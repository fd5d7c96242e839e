"""Checks a scenario: `check(scenario)` runs it, and checks the history of every request against invariants.

Invariants are what a retrier and the platform owe. An isolated world is checked request by request, a shared one
replication by replication, so that only one world's history is in memory at a time, besides those of the first
violations, which can be shown. Laws of chance are put to the test over all histories of a cell, at one level for the
whole run (`sim.chance`). The simulation is that of `sim.api.run`, and its results come along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.chance.overall import struck
from sim.contracts.catalogue import INVARIANTS
from sim.experiment.cell_result import CellResult, evaluate
from sim.experiment.checker import Checker, First, told_first
from sim.experiment.engines import EVENT, Choice
from sim.experiment.findings import CellFindings, Claim, Findings
from sim.experiment.parts import join_traffic
from sim.experiment.plan import plan, refuse_checked_precision, refuse_course, request_count
from sim.experiment.probe import Probed, of_the_platform, probe
from sim.experiment.repeats import repeat_isolated, repeat_replications
from sim.experiment.rulings import finding, probe_findings, requests_needed, trials_of
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.guests.lasting_waits import LastingWaits
from sim.guests.named import maker_of
from sim.history.recorder import History
from sim.history.records import Requests
from sim.results.result import Result
from sim.scenario.load import as_scenario
from sim.scenario.parts.invariants import invariants_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.experiment.progress import Progress
    from sim.history.traffic import Traffic
    from sim.history.vocabulary import Outcome
    from sim.promises.invariant import Invariant, Violation
    from sim.retriers.base import Retrier
    from sim.scenario.cells import Cell
    from sim.scenario.load import Source


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
        return requests_needed(self.cell, self.request)


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
    scenario: Source,
    *,
    invariants: Sequence[Invariant] = INVARIANTS,
    retrier: Callable[[], Retrier] | Callable[[Any], Any] | None = None,
    progress: Progress | None = None,
    at_most: int | None = None,
) -> Checked:
    """Simulate every cell of a scenario, and check every history against invariants; `scenario` as `run` takes it.

    The invariants that a cell names itself (`check` in the scenario) are added to `invariants`; a cell without any is
    simulated but not recorded. `retrier` makes a retrier that replaces the scenario's own, or is a function that takes
    `call`, which is a guest (`sim.guests`). `at_most` bounds the number of requests of each world; the first ones are
    simulated. `progress` is called now and then with the progress of the run. If all is checked that the platform owes,
    its probe runs too (`sim.experiment.probe`), with the same seed.
    With a retrier of one's own some requests of an isolated world are simulated again, as `run` does, and all
    replications of a shared one, in another order: nothing holds if a request then does something else.
    Raises ScenarioError if the run is estimated above the scenario's limits. Same scenario and seed, same result.
    """
    scenario = as_scenario(scenario)
    refuse_course(scenario)
    refuse_checked_precision(scenario)
    make = None if retrier is None else maker_of(retrier)
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
            one = _Check(cell, held, make, at_most, planned.pilot_of(position))
            one.run(report)
            cells.append(one)
        before += request_count(cell.scenario)
        report(0, before)
    tests = sum(len(one.trials) for one in cells)
    checked = tuple(one.checked(tests) for one in cells)
    probed = probe(scenario.seed) if any(of_the_platform(cell.held) for cell in checked) else None
    result = Result(planned, [cell.result for cell in checked], checked=_findings(checked, probed))
    return Checked(result, checked, probed)


def _findings(cells: Sequence[CheckedCell], probed: Probed | None) -> Findings:
    """Put what was found into words."""
    return Findings(tuple(map(_cell_findings, cells)), None if probed is None else probe_findings(probed))


def _cell_findings(one: CheckedCell) -> CellFindings:
    claims = {invariant.name: invariant for invariant in one.held}
    broken = []
    for name, requests in one.broken.items():
        first = one.firsts[name]
        words = told_first(First(first.request, first.violation, first.history, first.outcome, first.replays))
        broken.append(finding(one.cell, claims[name], requests, words.told, None if first.overall else words))
    return CellFindings(
        one.cell.id,
        one.cell.name,
        tuple(claims),
        one.simulated,
        one.histories,
        one.events,
        tuple(broken),
        tuple(Claim(unseen.name, unseen.doc) for unseen in one.unseen),
        one.draws,
        one.tests,
    )


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
        count = cell.scenario.requests.count
        self.count = count if at_most is None else min(count, at_most)
        self.checker = Checker(cell.scenario, held, retrier=retrier, at_most=self.count)

    def run(self, report: Callable[[int], None]) -> None:
        """Simulate and check every history; `report` is called with how many requests are done."""
        scenario, waits = self.cell.scenario, LastingWaits()
        if scenario.world == "isolated":
            with waits.noted():
                requests = self.checker.isolated(range(self.count), report)
            traffic = None
            unrepeated = repeat_isolated(scenario, requests, self.pilot, self.own)
        else:
            replications, met = zip(*self._shared(report, waits), strict=True)
            requests, traffic = Requests.concatenate(replications), join_traffic(met)
            unrepeated = repeat_replications(scenario, replications, self.own, self.count)
        self.result = evaluate(self.cell, requests, unrepeated, traffic=traffic, waits=waits.found(), retrier=self.own)
        evidence, self.trials = trials_of(self.checker.gatherers, self.held)
        self.draws = evidence.draws

    def _shared(self, report: Callable[[int], None], waits: LastingWaits) -> Iterator[tuple[Requests, Traffic]]:
        for replication in range(self.cell.scenario.replications):
            first = replication * self.cell.scenario.requests.count

            def report_all(done: int, first: int = first) -> None:
                report(first + done)

            with waits.noted(first):
                found = self.checker.replication(replication, report_all)
            yield found

    def checked(self, tests: int) -> CheckedCell:
        """Rule over the histories together too, by one level for so many tests of the whole run."""
        found = self.checker
        broken = dict(found.broken)
        firsts = {name: Broken(self.cell, *first) for name, first in found.firsts.items()}
        for name, violation in struck(self.trials, tests).items():
            broken[name] = found.simulated
            firsts[name] = Broken(self.cell, 0, violation, History([]), None, overall=True)
        names = [one.name for one in self.held if one.name in broken]
        return CheckedCell(
            self.result,
            self.held,
            found.simulated,
            found.histories,
            found.events,
            {name: broken[name] for name in names},
            {name: firsts[name] for name in names},
            tuple(found.unseen.values()),
            self.draws,
            len(self.trials),
        )
