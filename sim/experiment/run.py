"""Runs a scenario: every cell, every replication, in this process."""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sim.experiment.engines import AUTO, Asked, Engine, choose, simulate
from sim.experiment.plan import Plan, plan, refuse_course, weather_told
from sim.experiment.precision import Sizes, next_sizes, size_in_round
from sim.experiment.result import Result, judged
from sim.kernel.records import Requests

if TYPE_CHECKING:
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario


class Progress(Protocol):
    """Somebody who watches a run."""

    def __call__(self, done: int, total: int, cell: str) -> None:
        """Take how many requests of how many are done, and the name of the cell at work."""
        ...


def run(scenario: Scenario, *, engine: Asked = AUTO, progress: Progress | None = None) -> Result:
    """Simulate every cell of a scenario; with `precision`, as much of each as that takes.

    `engine` is the one to simulate with, by default the fastest that can do all cells. `progress` is told now and then
    how far the run is. Raises ScenarioError where the run is beyond the scenario's limits. Same scenario and seed, same
    result; without `precision` a cell is the same alone as among others.
    """
    refuse_course(scenario)
    planned = plan(scenario)
    choice = choose(planned.cells, engine)
    number = 0
    sizes = tuple(size_in_round(cell.scenario, number) for cell in planned.cells)
    requests = _more(planned, choice.engine, (0,) * len(sizes), sizes, progress)
    results = list(map(judged, planned.cells, requests))
    while (following := next_sizes(results, number)) is not None:
        more = _more(planned, choice.engine, sizes, following, progress)
        requests = [Requests.concatenate(parts) for parts in zip(requests, more, strict=True)]
        results = list(map(judged, planned.cells, requests))
        number, sizes = number + 1, following
    return Result(scenario, results, choice)


def _more(planned: Plan, engine: Engine, sizes: Sizes, following: Sizes, progress: Progress | None) -> list[Requests]:
    """Simulate of each cell what lies between two sizes."""
    each = [cell.scenario.requests.count if cell.scenario.world == "shared" else 1 for cell in planned.cells]
    total = sum(map(mul, each, following))
    before = sum(map(mul, each, sizes))
    results = []
    for cell, one, size, next_size in zip(planned.cells, each, sizes, following, strict=True):

        def told(done: int, before: int = before, name: str = cell.name) -> None:
            if progress is not None:
                progress(before + done, total, name)

        with weather_told():
            results.append(_simulate(cell, engine, range(size, next_size), told))
        before += one * (next_size - size)
        told(0, before)
    return results


def _simulate(cell: Cell, engine: Engine, numbers: range, progress: _Told) -> Requests:
    """Simulate requests of an isolated cell, or replications of a shared one."""
    scenario = cell.scenario
    if scenario.world == "isolated":
        return simulate(scenario, engine, requests=numbers, progress=progress)
    count = scenario.requests.count
    if not numbers:
        return simulate(scenario, engine).select(np.zeros(0, np.intp))

    def replication(number: int) -> Requests:
        done_before = (number - numbers.start) * count
        return simulate(scenario, engine, replication=number, progress=lambda done: progress(done_before + done))

    return Requests.concatenate([replication(number) for number in numbers])


class _Told(Protocol):
    def __call__(self, done: int) -> None: ...
