"""Simulates a scenario for a live page: in stages, the first so small that its curves come at once.

A stage is a result of the first requests of every cell (of shared worlds: the first replications); each begins with
what those before it have simulated. Cells are remembered by the digest of their scenario, so a number that only one
variant has costs one cell, and the curves of before cost nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.experiment.cell_result import CellResult, evaluate
from sim.experiment.chunks import Chunk, simulate_chunk
from sim.experiment.engines import EVENT, TABLES, VECTOR, choose
from sim.experiment.parts import CellParts
from sim.experiment.plan import Plan, plan
from sim.results.result import Result
from sim.scenario.cells import cells
from sim.scenario.identity import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.experiment.engines import Engine
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

MOST_REQUESTS: Final = 20_000
"""Requests of a cell of an isolated world that a page shows at most, unless the command line asks for more."""
MOST_SHARED: Final = 500_000
"""Requests of all cells and replications of a shared world that a page simulates at most, but one replication always."""
FIRST_STAGE: Final = {VECTOR: 240_000, EVENT: 1_500, TABLES: 10_000}
"""Requests of all cells together that an engine simulates in a moment: 0.1 to 0.2 s."""
FEWEST: Final = 20
"""Requests of a cell in the first stage at least."""
GROWTH: Final = 5
"""A stage is so many times as large as the one before."""
MOST_REMEMBERED: Final = 2_000_000
"""Requests of cells that are remembered, in all: of a few hundred bytes each."""


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
    """What is simulated of one cell."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.parts = CellParts()
        self.done = 0
        self._results: dict[int, CellResult] = {}

    @property
    def requests(self) -> int:
        return self.done * (self.cell.scenario.requests.count if self.cell.scenario.world == "shared" else 1)

    def upto(self, count: int, engine: Engine, check: Callable[[], None]) -> CellResult:
        """Simulate what is missing up to so many requests (or replications), and return the result of these."""
        if count < self.done and count not in self._results:  # more is known by now, and better
            count = self.done
        for chunk in self._chunks(count):
            self.parts.add(self.parts.count, simulate_chunk(self.cell.scenario, chunk, engine, lambda _: check()))
            self.done = chunk.first + chunk.count if self.cell.scenario.world == "isolated" else self.done + 1
            check()
        if count not in self._results:
            part = self.parts.join()
            self._results = {
                count: evaluate(self.cell, part, self.parts.unrepeated, traffic=self.parts.traffic()),
            }
        return self._results[count]

    def _chunks(self, count: int) -> Iterator[Chunk]:
        if self.cell.scenario.world == "shared":
            each = self.cell.scenario.requests.count
            yield from (Chunk(0, number, number * each, each) for number in range(self.done, count))
        elif self.done < count:
            yield Chunk(0, self.parts.count, self.done, count - self.done)


class Stages:
    """Simulates scenarios, and remembers their cells. It belongs to one thread."""

    def __init__(self, most_requests: int | None = MOST_REQUESTS) -> None:
        """Show at most so many requests of a cell in isolated worlds; None: as many as the scenario has."""
        self._most = most_requests
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def of(self, scenario: Scenario, check: Callable[[], None] = lambda: None) -> Iterator[Stage]:
        """Yield the stages of a scenario.

        `check` is called now and then; it may raise Outdated to give up. Raises ScenarioError for a run that never
        ends, and what the user's own code raises.
        """
        found = tuple(cells(scenario))
        choice = choose(found)
        first = self._first(scenario, len(found), choice.engine)
        check()
        planned = plan(scenario, choice)  # refuses runs without end
        shared = scenario.world == "shared"
        in_file = scenario.replications if shared else scenario.requests.count
        if shared:
            most = min(in_file, max(1, MOST_SHARED // (scenario.requests.count * len(found))))
        else:
            most = in_file if self._most is None else min(in_file, self._most)
        digests = [digest(cell.scenario) for cell in found]
        known = [self._known_of(key, cell) for key, cell in zip(digests, found, strict=True)]
        least = min(one.done for one in known)
        count = min(max(first, least), most)
        while True:
            results = [one.upto(count, choice.engine, check) for one in known]
            yield Stage(_result(planned, scenario, results, count), count, most, in_file)
            self._forget()
            if count == most:
                return
            count = min(count * GROWTH, most)

    @staticmethod
    def _first(scenario: Scenario, cells_count: int, engine: Engine) -> int:
        """Return how many requests (or replications) of each cell the first stage has."""
        budget = FIRST_STAGE[engine] // cells_count
        if scenario.world == "shared":
            return max(1, budget // scenario.requests.count)
        return max(FEWEST, budget)

    def _known_of(self, key: str, cell: Cell) -> _Known:
        """Return what is known of a cell; its name may be another one today, and so may what is expected of it."""
        known = self._known.pop(key, None)
        if known is None or known.cell.name != cell.name or known.cell.scenario.expect != cell.scenario.expect:
            known = _Known(cell)
        self._known[key] = known
        return known

    def _forget(self) -> None:
        """Forget the cells that were not asked for the longest, as soon as all together are too many requests."""
        while len(self._known) > 1 and sum(one.requests for one in self._known.values()) > MOST_REMEMBERED:
            self._known.popitem(last=False)


def _result(planned: Plan, scenario: Scenario, results: list[CellResult], count: int) -> Result:
    """Return the result of the first requests, which says of itself how many they are."""
    if scenario.world == "shared":
        size = {"replications": count, "precision": None}
    else:
        size = {"requests": scenario.requests.model_copy(update={"count": count}), "precision": None}
    part = scenario.model_copy(update=size)
    part.__dict__.pop("_computed", None)
    return Result(Plan(part, planned.cells, planned.choice, planned.events, planned.digest), results)
