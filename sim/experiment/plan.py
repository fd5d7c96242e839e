"""A run before it starts: `plan(scenario)` makes the one `Plan` that all of a run takes.

Work is estimated by a pilot: the first few requests of every cell, simulated with few polls allowed. A run whose
estimate is above `limits.events` is refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sim.engine.world import World
from sim.experiment.engines import AUTO, EVENT, Asked, Choice, Engine, choose
from sim.experiment.own_sources import sources_digest
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.experiment.versions import package_versions
from sim.history.request import table
from sim.scenario.cells import Cell, cells
from sim.scenario.identity import digest
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.schema import Limits, Scenario
from sim.world.workload import arrival_times_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.history.records import Requests

PILOT_REQUESTS = 8
PILOT_POLLS = 2_000


@dataclass(frozen=True)
class Plan:
    """A run before it starts: its scenario, its cells, its engine, and the identity of its numbers."""

    scenario: Scenario
    cells: tuple[Cell, ...]
    choice: Choice
    """The engine, and why it was chosen."""
    events: tuple[int, ...] = ()
    """The estimated events of each cell, at most; empty if the plan comes from a results file."""
    known_digest: str | None = None
    """The scenario's digest as a results file states it; None: it is computed when it is first needed."""
    pilots: tuple[Requests, ...] = ()
    """Of each cell the records of its first few requests, simulated with few polls allowed to estimate the events."""
    versions: dict[str, str] = field(default_factory=package_versions)
    """The versions of the packages that make the numbers."""
    held: tuple[tuple[str, ...], ...] = ()
    """Of each cell the names of the invariants that its histories are checked against; empty if nothing is checked."""

    @property
    def engine(self) -> Engine:
        """The engine that simulates."""
        return self.choice.engine

    @cached_property
    def digest(self) -> str:
        """The identity of the scenario."""
        return digest(self.scenario) if self.known_digest is None else self.known_digest

    @cached_property
    def code(self) -> str:
        """The digest of the user's own code, as `sources_digest` gives it."""
        return sources_digest(self.scenario)

    @property
    def identity(self) -> str:
        """All that the chunks depend on: the scenario's digest, the engine, its version, what is checked, own code."""
        held = held_text(self.held)
        return identity_of(self.digest, self.choice.engine, str(self.choice.version), held, self.code)

    def held_by(self, position: int) -> tuple[str, ...]:
        """Return the names of the invariants that the histories of a cell are checked against."""
        return self.held[position] if self.held else ()

    def pilot_of(self, position: int) -> Requests | None:
        """Return the records of a cell's first requests, to compare with those of the run; None in a shared world."""
        cell = self.cells[position].scenario
        return self.pilots[position] if self.pilots and cell.world == "isolated" else None

    @property
    def requests(self) -> int:
        """How many requests there are in all cells and replications, in the first round of `precision`."""
        return sum(request_count(cell.scenario) for cell in self.cells)


def held_text(held: Sequence[Sequence[str]]) -> str:
    """Return the names of invariants as text; empty if nothing is checked."""
    return json.dumps(held, separators=(",", ":")) if held else ""


def identity_of(scenario_digest: str, engine: str, version: str, held: str, code: str = "") -> str:
    """Return all that the chunks of a run depend on, as one line of ASCII; `held` as `held_text` gives it.

    `code` is the digest of the user's own code; empty if there is none.
    """
    checked = f" checked {hashlib.sha256(held.encode()).hexdigest()[:16]}" if held else ""
    own = f" code {code[:16]}" if code else ""
    return f"{scenario_digest} {engine} {version}{checked}{own}"


def plan_check(scenario: Scenario, *, all_of_them: bool) -> Plan:
    """Plan a run whose histories are checked against what each cell names under `check`, and all that is owed if asked.

    Raises ScenarioError as `plan` does, and if the scenario asks for `precision`.
    """
    from sim.contracts.catalogue import INVARIANTS  # with all that is checked, which takes its time
    from sim.scenario.parts.invariants import invariants_named

    refuse_checked_precision(scenario)
    planned = plan(scenario, Choice(EVENT, "histories are kept by it alone"))
    owed = [one.name for one in INVARIANTS] if all_of_them else []
    held = tuple(
        tuple(dict.fromkeys((*owed, *(one.name for one in invariants_named(cell.scenario.check)))))
        for cell in planned.cells
    )
    return replace(planned, held=held)


def refuse_checked_precision(scenario: Scenario) -> None:
    """Raise ScenarioError for a scenario with `precision`, whose histories cannot be checked."""
    if scenario.precision is not None:
        reason = "a run whose histories are checked has a fixed size; leave out `precision`, or `check` and --check"
        raise ScenarioError([Problem(("precision",), reason, at_key=True)])


def plan(scenario: Scenario, engine: Asked | Choice = AUTO) -> Plan:
    """Plan a run with the engine that is asked for, or with a choice that is made already.

    Raises ScenarioError if the run is estimated above the scenario's limits, and EngineRefused if the engine that is
    asked for cannot simulate one of the cells.
    """
    found = tuple(cells(scenario))
    pilots = tuple(_pilot(cell.scenario) for cell in found)
    events = tuple(_estimated_events(cell.scenario, pilot) for cell, pilot in zip(found, pilots, strict=True))
    limit = scenario.limits.events
    if sum(events) > limit:
        reason = (
            f"this run is estimated at {_round(sum(events))} events, more than limits.events ({limit:,}); "
            f"ask for fewer requests, replications or cells, or raise the limit{_endless(found, pilots)}"
        )
        raise ScenarioError([Problem(("limits", "events"), reason)])
    choice = engine if isinstance(engine, Choice) else choose(found, engine)
    return Plan(scenario, found, choice, events, pilots=pilots)


def refuse_course(scenario: Scenario) -> None:
    """Raise ScenarioError for a scenario that holds a course: a replay plays the course, but a run would ignore it."""
    if scenario.course is not None:
        reason = "this is one course of events, which `retrysim replay` plays"
        raise ScenarioError([Problem(("course",), reason, at_key=True)])


def request_count(cell: Scenario) -> int:
    """Return how many requests a cell has in all its replications, in the first round of `precision`."""
    return cell.requests.count * (cell.replications if cell.world == "shared" else 1)


def most_requests(cell: Scenario) -> int:
    """Return how many requests a cell has at most: with `precision`, as many as that allows."""
    if cell.precision is None:
        return request_count(cell)
    if cell.world == "shared":
        return cell.requests.count * max(cell.replications, cell.precision.replications_at_most)
    return max(cell.requests.count, cell.precision.requests_at_most)


def events_of(requests: Requests) -> NDArray[np.int64]:
    """Count timers, per request: one a submission, a mutation, a start of an action; at most two an attempt."""
    events: NDArray[np.int64] = 1 + requests.mutations.astype(np.int64) + requests.actions + requests.conflicts
    return events + 2 * requests.attempts


def _pilot(cell: Scenario) -> Requests:
    few_polls = min(PILOT_POLLS, cell.limits.polls_per_request)
    pilot = cell.model_copy(update={"limits": Limits(polls_per_request=few_polls, events=PILOT_POLLS * PILOT_REQUESTS)})
    world = World(pilot)
    few = min(PILOT_REQUESTS, cell.requests.count)
    if cell.world == "shared":
        try:
            arrival_times_ns(cell.requests, world.choices)
        except ValueError as error:
            raise ScenarioError([Problem(("requests", "arrivals"), str(error))]) from None
    with problems_shown_by_simulating():
        return table(world.shared(at_most=few) if cell.world == "shared" else world.isolated(range(few)))


def _estimated_events(cell: Scenario, requests: Requests) -> int:
    few_polls = min(PILOT_POLLS, cell.limits.polls_per_request)
    # There are none if `until` is before the first arrival.
    each = int(events_of(requests).sum()) / max(1, len(requests))
    if ((requests.polls >= few_polls) | (requests.attempts >= few_polls)).any():
        each *= cell.limits.polls_per_request / few_polls
    return round(each * most_requests(cell))


def _endless(found: Sequence[Cell], pilots: Sequence[Requests]) -> str:
    """Say of the first cell with such requests that they call or poll on and on, which is why the run is so large."""
    for cell, pilot in zip(found, pilots, strict=True):
        limit = cell.scenario.limits.polls_per_request
        few = min(PILOT_POLLS, limit)
        if few < limit and ((pilot.polls >= few) | (pilot.attempts >= few)).any():
            return (
                f". Requests of '{cell.name}' call or poll more than {few:,} times without an end, and may do so up to "
                f"limits.polls_per_request ({limit:,}): give the retrier a limit, or lower this one"
            )
    return ""


def _round(number: int) -> str:
    digits = len(str(number)) - 2
    return f"{round(number, -digits):,}" if digits > 0 else str(number)
