"""Runs all courses of a small world and says which invariants they break.

A stateless search: a course runs from the start as its answers say, then undisturbed, until it ends or comes to a
state that has been seen before. Each question on the way adds one course to run for each other answer. Courses run
level by level, in order of how many answers differ from the undisturbed way. So the search first reaches every state
with the fewest such answers, and the first course that breaks something is a shortest one.

`sim.explorer.state` takes the states, between any two steps. A course that comes to a known state is checked for what
must always hold, and goes no further: its future has been seen, since a state includes what invariants remember. What
must hold in the end is checked on courses that come to an end. So the number of states does not depend on the order of
the search; with several processes it is the size of the union of what they saw.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sim.contracts.catalogue import INVARIANTS, Invariant
from sim.experiment.probe import Probed, of_the_platform, probe
from sim.explorer.course import around
from sim.explorer.play import only_cell, small_world, stated_bounds
from sim.explorer.processes import Processes
from sim.explorer.search import Counterexample, Departure, Followed, Search
from sim.guests.named import maker_of
from sim.promises.invariant import SOMETIMES
from sim.scenario.load import Source, as_scenario
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.parts.invariants import invariants_named
from sim.scenario.parts.own_service import own_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds


@dataclass(repr=False)
class Explored:
    """What a search found."""

    bounds: Bounds
    states: int = 0
    """How many states between steps differ."""
    executions: int = 0
    """How many courses were run."""
    depth: int = 0
    """The steps of the longest course."""
    level: int = 0
    """The most answers in which a course differed from the undisturbed one."""
    complete: bool = True
    """Whether nothing within the bounds was left out."""
    up_to_time: bool = True
    """Whether states count as the same if they differ by a shift in time or in the numbers of jobs only."""
    bounds_hit: dict[str, int] = field(default_factory=dict)
    """For each bound that was hit: in how many courses."""
    broken: dict[str, Counterexample] = field(default_factory=dict)
    """For each invariant that is broken: a shortest course that breaks it."""
    probed: Probed | None = None
    """What the probe of the platform found beside the search; None if it was not run."""
    unseen: tuple[str, ...] = ()
    """Invariants of kind `sometimes` that no course shows; a complete search proves that none can within the bounds."""

    def __repr__(self) -> str:
        """Return how much was searched, and what breaks."""
        found = f"{', '.join(self.broken)} broken" if self.broken else "nothing broken"
        left_out = "" if self.complete else ", not all"
        return f"<searched {self.states:,} states in {self.executions:,} executions{left_out}: {found}>"

    def add(self, followed: Followed, states: int) -> None:
        """Count one course."""
        self.states = states
        self.executions += 1
        self.depth = max(self.depth, followed.steps)
        self.up_to_time = followed.up_to_time
        for bound in followed.bounds_hit:
            self.bounds_hit[bound] = self.bounds_hit.get(bound, 0) + 1
        self.unseen = tuple(name for name in self.unseen if name not in followed.sighted)
        for one in followed.counterexamples:
            known = self.broken.get(one.violation.invariant)
            if known is None or one.size < known.size:
                self.broken[one.violation.invariant] = one


class Follower(Protocol):
    """Runs courses, in one process or several."""

    def follow_all(self, level: Sequence[Departure]) -> Iterator[Followed]:
        """Run courses; together the results have every new state."""
        ...


class _Alone:
    """Runs courses in this process."""

    def __init__(self, search: Search) -> None:
        self._search = search

    def follow_all(self, level: Sequence[Departure]) -> Iterator[Followed]:
        """Run one course after the other."""
        return map(self._search.follow, level)


def explore(
    scenario: Source,
    bounds: Bounds | None = None,
    *,
    retrier: Callable[[], Retrier] | Callable[[Any], Any] | None = None,
    invariants: Sequence[Invariant] | None = None,
    workers: int = 1,
    states_at_most: int | None = None,
    first: bool = False,
    progress: Callable[[Explored], None] | None = None,
) -> Explored:
    """Search the small world of a scenario with one cell; `scenario` as `run` takes it.

    `bounds` default to the ones that the scenario states in `explore`, `invariants` to the ones it names under `check`,
    or else to all that retriers and the platform owe; then the platform's probe runs too. `retrier` makes a new retrier
    for each course, instead of the scenario's own, or is a function that takes `call`, which is a guest. `first` ends
    the search with the first level that breaks something; `states_at_most` ends it at once when it has so many states.
    `workers` processes share the work; what they get must then be picklable. `progress` is called after each course.
    Raises ScenarioError if the scenario has several cells, NotCanonical if states cannot be compared, and
    `sim.explorer.NotRepeatable` if the same course goes another way.
    """
    cell = only_cell(as_scenario(scenario))
    for name, _ in own_services(cell.services):
        reason = "a search compares states, but it cannot look into a service that is a class of your own"
        raise ScenarioError([Problem(("services", name), reason)])
    bounds = stated_bounds(cell) if bounds is None else bounds
    scenario = small_world(cell, bounds)
    if invariants is None:
        invariants = invariants_named(cell.check) or INVARIANTS
    make = None if retrier is None else maker_of(retrier)
    search = Search(scenario, bounds, make, invariants)
    found = Explored(bounds, probed=probe(cell.seed) if of_the_platform(invariants) else None)
    found.unseen = tuple(one.name for one in invariants if one.kind == SOMETIMES)
    if workers == 1:
        with around(scenario, make):
            return _by_level(_Alone(search), found, states_at_most, progress, first=first)
    with Processes(search, workers) as processes:
        return _by_level(processes, found, states_at_most, progress, first=first)


def _by_level(
    follower: Follower,
    found: Explored,
    states_at_most: int | None,
    progress: Callable[[Explored], None] | None,
    *,
    first: bool,
) -> Explored:
    states = set[bytes]()
    level = [Departure(())]
    while True:
        following: list[Departure] = []
        for followed in follower.follow_all(level):
            states.update(followed.states)
            following += followed.courses
            found.add(followed, len(states))
            if progress is not None:
                progress(found)
            if states_at_most is not None and found.states >= states_at_most:
                found.complete = False
                return found
        if not following:
            return found
        if first and found.broken:
            found.complete = False
            return found
        level = following
        found.level += 1
