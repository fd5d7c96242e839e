"""What a run consists of, and how much work it is, before it starts.

Work is estimated by a pilot: the first few requests of every cell, simulated with few polls allowed. A run whose
estimate is beyond `limits.events` is refused.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.engine.world import World
from sim.history.request import table
from sim.scenario.cells import Cell, cells
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.schema import Limits, Scenario
from sim.world.weather import WeatherTooFine
from sim.world.workload import arrival_times_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sim.history.records import Requests

PILOT_REQUESTS = 8
PILOT_POLLS = 2_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The cells of a scenario, and the events that simulating each is estimated to take at most."""

    cells: tuple[Cell, ...]
    events: tuple[int, ...]

    @property
    def requests(self) -> int:
        """How many requests there are in all cells and replications, in the first round of `precision`."""
        return sum(requests_of(cell.scenario) for cell in self.cells)


def plan(scenario: Scenario) -> Plan:
    """Plan a run; raises ScenarioError where it is beyond the scenario's limits."""
    found = tuple(cells(scenario))
    estimates = tuple(_estimated_events(cell.scenario) for cell in found)
    limit = scenario.limits.events
    if sum(estimates) > limit:
        reason = (
            f"this run is estimated at {_round(sum(estimates))} events, more than limits.events ({limit:,}); "
            "ask for fewer requests, replications or cells, or raise the limit"
        )
        raise ScenarioError([Problem(("limits", "events"), reason)])
    return Plan(found, estimates)


def refuse_course(scenario: Scenario) -> None:
    """Raise ScenarioError for a scenario that holds a course, which is played: a run would leave it out."""
    if scenario.course is not None:
        reason = "this is one course of events, which `retrysim replay` plays"
        raise ScenarioError([Problem(("course",), reason, at_key=True)])


def requests_of(cell: Scenario) -> int:
    """Return how many requests a cell has in all its replications."""
    return cell.requests.count * (cell.replications if cell.world == "shared" else 1)


def most_requests_of(cell: Scenario) -> int:
    """Return how many requests a cell has at most: as many as `precision` allows, where a scenario has it."""
    if cell.precision is None:
        return requests_of(cell)
    if cell.world == "shared":
        return cell.requests.count * max(cell.replications, cell.precision.replications_at_most)
    return max(cell.requests.count, cell.precision.requests_at_most)


def events_of(requests: Requests) -> NDArray[np.int64]:
    """Count timers, per request: one a submission, a mutation, a start of an action; at most two an attempt."""
    events: NDArray[np.int64] = 1 + requests.mutations.astype(np.int64) + requests.actions + requests.conflicts
    return events + 2 * requests.attempts


@contextmanager
def weather_told() -> Iterator[None]:
    """Turn weather that changes too often to be simulated, which only shows on the way, into a ScenarioError."""
    try:
        yield
    except WeatherTooFine as error:
        raise ScenarioError([Problem(("action", "weather"), str(error))]) from None


def _estimated_events(cell: Scenario) -> int:
    few_polls = min(PILOT_POLLS, cell.limits.polls_per_request)
    pilot = cell.model_copy(update={"limits": Limits(polls_per_request=few_polls, events=PILOT_POLLS * PILOT_REQUESTS)})
    world = World(pilot)
    few = min(PILOT_REQUESTS, cell.requests.count)
    if cell.world == "shared":
        try:
            arrival_times_ns(cell.requests, world.choices)
        except ValueError as error:
            raise ScenarioError([Problem(("requests", "arrivals"), str(error))]) from None
    with weather_told():
        requests = table(world.shared(at_most=few) if cell.world == "shared" else world.isolated(range(few)))
    # None has come where `until` is before the first arrival.
    each = int(events_of(requests).sum()) / max(1, len(requests))
    if ((requests.polls >= few_polls) | (requests.attempts >= few_polls)).any():
        each *= cell.limits.polls_per_request / few_polls
    return round(each * most_requests_of(cell))


def _round(number: int) -> str:
    digits = len(str(number)) - 2
    return f"{round(number, -digits):,}" if digits > 0 else str(number)
