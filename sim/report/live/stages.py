"""Simulates a scenario for a live page: in stages, the first so small that its curves come at once.

A stage is a result of the first requests of every cell (of shared worlds: the first replications); each begins with
what those before it have simulated. Cells are remembered by the digest of their scenario, so a number that only one
variant has costs one cell, and the curves of before cost nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.experiment.cell_result import evaluate
from sim.experiment.chunks import Chunk, simulate_chunk
from sim.experiment.engines import EVENT, TABLES, VECTOR, choose
from sim.experiment.parts import join, join_traffic
from sim.experiment.plan import Plan, plan
from sim.results.result import Result
from sim.scenario.cells import cells
from sim.scenario.identity import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.experiment.cell_result import CellResult
    from sim.experiment.engines import Engine
    from sim.experiment.parts import SimulatedPart
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

    Watch = Callable[[float], None]

MOST_REQUESTS: Final = 20_000
"""Requests of a cell of an isolated world that a page shows at most, unless the command line asks for more."""
MOST_SHARED: Final = 500_000
"""Requests of all cells and replications of a shared world that a page simulates; one replication it always does."""
FIRST_STAGE: Final = {VECTOR: 120_000, EVENT: 1_500, TABLES: 10_000}
"""Requests of all cells together that an engine simulates in a moment: 0.1 to 0.2 s."""
FEW_EVENTS: Final = 15
"""Events of a request, as a plan estimates them; of requests with more, the first stage has fewer."""
FEWEST: Final = 20
"""Requests of a cell in the first stage at least."""
GROWTH: Final = 5
"""A stage is so many times as large as the one before."""
MOST_IN_ALL: Final = 1_000_000
"""Requests of all cells of an isolated world that a page simulates at most, unless the command line asks for more."""
MOST_REMEMBERED: Final = 1_000_000
"""Requests of cells that are remembered, besides those that are shown: of one or two hundred bytes each."""


MOST_PLANS: Final = 64
"""Scenarios whose plans are remembered."""


class Outdated(Exception):  # named for what it is
    """The numbers have changed again, so nothing waits for this result."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is known of a scenario so far."""

    result: Result
    done: int
    """Requests of each cell that are simulated; in a shared world replications."""
    of: int
    """How many the page shows when all are done."""
    in_file: int
    """How many `retrysim run` would simulate."""

    @property
    def is_last(self) -> bool:
        """Whether no stage follows."""
        return self.done == self.of

    @property
    def size(self) -> str:
        """How many requests these curves stand on, in words."""
        shared = self.result.scenario.world == "shared"
        unit = "replications" if shared else "requests a cell"
        if self.done < self.of:
            return f"the first {self.done:,} of {self.of:,} {unit}"
        if self.of < self.in_file:
            return f"the first {self.of:,} of {self.in_file:,} {unit}; the command below simulates all"
        each = f"{self.result.scenario.requests.count:,} requests x " if shared else ""
        return f"{each}{self.of:,} {unit if self.of != 1 else unit.replace('replications', 'replication')}"


class _Known:
    """What is simulated of one cell: its parts in order, and how far each goes."""

    def __init__(self, key: str, cell: Cell) -> None:
        self.key = key
        self.cell = cell
        self._is_shared = cell.scenario.world == "shared"
        self._parts: list[SimulatedPart] = []
        self._ends: list[int] = []
        self._results: dict[int, CellResult] = {}

    @property
    def done(self) -> int:
        """How many requests, in a shared world replications, are simulated."""
        return self._ends[-1] if self._ends else 0

    @property
    def requests(self) -> int:
        """How many requests are remembered."""
        return self.done * (self.cell.scenario.requests.count if self._is_shared else 1)

    def missing(self, count: int) -> int:
        """Return how many requests are not simulated yet of those that so many requests (or replications) make."""
        return sum(chunk.count for chunk in self._chunks(count))

    def upto(self, count: int, engine: Engine, progress: _Progress) -> CellResult:
        """Simulate what is missing up to so many requests (or replications), and return the result of these."""
        for chunk in self._chunks(count):
            self._parts.append(simulate_chunk(self.cell.scenario, chunk, engine, progress.within))
            self._ends.append(self.done + (1 if self._is_shared else chunk.count))
            progress.finished(chunk.count)
        taken = bisect_left(self._ends, count) + 1
        if taken not in self._results:
            parts = self._parts[:taken]
            self._results[taken] = evaluate(
                self.cell,
                join(one.part for one in parts),
                [request for one in parts for request in one.unrepeated],
                traffic=join_traffic(one.traffic for one in parts if one.traffic is not None),
                waits=[wait for one in parts for wait in one.waits],
            )
        return self._results[taken]

    def _chunks(self, count: int) -> Iterator[Chunk]:
        if self._is_shared:
            each = self.cell.scenario.requests.count
            yield from (Chunk(0, number, number * each, each) for number in range(self.done, count))
        elif self.done < count:
            yield Chunk(0, len(self._parts), self.done, count - self.done)


class _Progress:
    """How far a stage is."""

    def __init__(self, missing: int, watch: Watch) -> None:
        self._missing = max(1, missing)
        self._done = 0
        self._watch = watch

    def within(self, done: int) -> None:
        """Take how many requests of the chunk at work are done."""
        self._watch((self._done + done) / self._missing)

    def finished(self, requests: int) -> None:
        """Take that a chunk of so many requests is done."""
        self._done += requests
        self._watch(self._done / self._missing)


class Stages:
    """Simulates scenarios, and remembers their cells. It belongs to one thread."""

    def __init__(self, most_requests: int | None = MOST_REQUESTS) -> None:
        """Show at most so many requests of a cell in isolated worlds; None: as many as the scenario has."""
        self._most = most_requests
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._plans: OrderedDict[tuple[str, ...], Plan] = OrderedDict()

    def of(self, scenario: Scenario, watch: Watch = lambda _: None) -> Iterator[Stage]:
        """Yield the stages of a scenario.

        `watch` is called now and then with how much of the stage is done, from 0 to 1; it may raise Outdated to give
        up. Raises ScenarioError for a run that never ends, and what the user's own code raises.
        """
        watch(0)
        found = tuple(cells(scenario))
        known = [self._known_of(digest(cell.scenario), cell) for cell in found]
        planned = self._planned(scenario, known)
        engine = planned.engine
        most, in_file = self._sizes(scenario, len(found))
        first = self._first(scenario, len(found), planned)
        count = min(max(first, min(one.done for one in known)), most)
        while True:
            progress = _Progress(sum(one.missing(count) for one in known), watch)
            results = [one.upto(count, engine, progress) for one in known]
            yield Stage(_result(planned, scenario, results, count), count, most, in_file)
            self._forget()
            if count >= most:
                return
            count = min(count * GROWTH, most)

    def _planned(self, scenario: Scenario, known: Sequence[_Known]) -> Plan:
        """Return the plan of a scenario, which refuses runs without end; it is remembered, since a pilot takes time."""
        key = (*(one.key for one in known), str(scenario.limits))
        if key not in self._plans:
            self._plans[key] = plan(scenario, choose(tuple(one.cell for one in known)))
        self._plans.move_to_end(key)
        while len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)
        return self._plans[key]

    def _sizes(self, scenario: Scenario, cells_count: int) -> tuple[int, int]:
        """Return how many requests (or replications) of a cell the page shows, and how many the scenario has."""
        if scenario.world == "shared":
            in_file = scenario.replications
            return min(in_file, max(1, MOST_SHARED // (scenario.requests.count * cells_count))), in_file
        in_file = scenario.requests.count
        if self._most is None:
            return in_file, in_file
        return min(in_file, self._most, max(FEWEST, MOST_IN_ALL // cells_count)), in_file

    def prepare(self, scenario: Scenario) -> None:
        """Plan a scenario. Raises ScenarioError for a run that never ends."""
        self._planned(scenario, [self._known_of(digest(cell.scenario), cell) for cell in cells(scenario)])

    @staticmethod
    def _first(scenario: Scenario, cells_count: int, planned: Plan) -> int:
        """Return how many requests (or replications) of each cell the first stage has."""
        each = sum(planned.events) / max(1, planned.requests)
        budget = int(FIRST_STAGE[planned.engine] / cells_count * min(1, FEW_EVENTS / max(each, 1)))
        if scenario.world == "shared":
            return max(1, budget // scenario.requests.count)
        return max(FEWEST, budget)

    def _known_of(self, key: str, cell: Cell) -> _Known:
        """Return what is known of a cell; its name may be another one today, and so may what is expected of it."""
        known = self._known.pop(key, None)
        if known is None or known.cell.name != cell.name or known.cell.scenario.expect != cell.scenario.expect:
            known = _Known(key, cell)
        self._known[key] = known
        return known

    def _forget(self) -> None:
        """Forget the cells that were not asked for the longest, as soon as all together are too many requests."""
        while len(self._known) > 1 and sum(one.requests for one in self._known.values()) > MOST_REMEMBERED:
            self._known.popitem(last=False)


def _result(planned: Plan, scenario: Scenario, results: list[CellResult], count: int) -> Result:
    """Return the result of the first requests, which says of itself how many they are."""
    size: dict[str, Any]
    if scenario.world == "shared":
        size = {"replications": count, "precision": None}
    else:
        size = {"requests": scenario.requests.model_copy(update={"count": count}), "precision": None}
    part = scenario.model_copy(update=size)
    part.__dict__.pop("_computed", None)
    return Result(Plan(part, planned.cells, planned.choice, planned.events, planned.digest), results)
