"""Runs a scenario: every cell, every replication, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sim.experiment.engines import AUTO, Asked, Engine, choose, simulate
from sim.experiment.plan import Plan, plan, refuse_course, requests_of, weather_told
from sim.experiment.result import CellResult, Result, judged
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
    """Simulate every cell of a scenario.

    `engine` is the one to simulate with, by default the fastest that can do all cells. `progress` is told now and then
    how far the run is. Raises ScenarioError where the run is beyond the scenario's limits. Same scenario and seed, same
    result; a cell is the same alone as among others.
    """
    refuse_course(scenario)
    planned = plan(scenario)
    choice = choose(planned.cells, engine)
    return Result(scenario, list(_cells(planned, choice.engine, progress)), choice)


def _cells(planned: Plan, engine: Engine, progress: Progress | None) -> list[CellResult]:
    total, before = planned.requests, 0
    results = []
    for cell in planned.cells:

        def told(done: int, before: int = before, name: str = cell.name) -> None:
            if progress is not None:
                progress(before + done, total, name)

        with weather_told():
            requests = _simulate(cell, engine, told)
        results.append(judged(cell, requests))
        before += requests_of(cell.scenario)
        told(requests_of(cell.scenario))
    return results


def _simulate(cell: Cell, engine: Engine, progress: _Told) -> Requests:
    scenario = cell.scenario
    if scenario.world == "isolated":
        return simulate(scenario, engine, progress=progress)
    count = scenario.requests.count

    def replication(number: int) -> Requests:
        return simulate(scenario, engine, replication=number, progress=lambda done: progress(number * count + done))

    return Requests.concatenate([replication(number) for number in range(scenario.replications)])


class _Told(Protocol):
    def __call__(self, done: int) -> None: ...
