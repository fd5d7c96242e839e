"""Goes through all courses of a small world and says what they break.

A stateless search: a course is run from the start as its answers say, and from there on the undisturbed way, until a
state comes that has been seen before; each question on the way leaves one course to be run for each other answer.
Courses are run in order of how many answers differ from the undisturbed way, level by level, so every state is first
reached with the fewest, and the first course found to break something is a shortest one.

The states are those of `sim.explorer.state`, taken between any two steps. A course that comes to a known state is held
against what must always hold and goes no further: what can still happen has been seen, since a state has in it what
invariants remember. What must hold in the end is asked of the courses that come to an end. The number of states so
does not depend on the order of the search; with several processes it is the size of the union of what they saw.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sim.contracts.catalogue import INVARIANTS, Invariant
from sim.contracts.invariant import SOMETIMES
from sim.explorer.play import only_cell, small_world, stated_bounds
from sim.explorer.processes import Processes
from sim.explorer.search import Broken, Followed, Search, Takes
from sim.scenario.parts.invariants import invariants_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario


@dataclass
class Explored:
    """What a search found."""

    bounds: Bounds
    states: int = 0
    """Different states between steps."""
    executions: int = 0
    """Courses run."""
    depth: int = 0
    """Steps of the longest course."""
    level: int = 0
    """The most answers in which a course differed from the undisturbed one."""
    complete: bool = True
    """Whether nothing within the bounds was left out."""
    up_to_time: bool = True
    """Whether states that differ by a shift in time, or in the numbers of jobs, were taken for the same."""
    hit: dict[str, int] = field(default_factory=dict)
    """For each bound that was hit: in how many courses."""
    broken: dict[str, Broken] = field(default_factory=dict)
    """For each invariant that is broken: a shortest course that breaks it."""

    unseen: tuple[str, ...] = ()
    """Invariants of kind `sometimes` that no course shows; complete searches prove that none can, within the bounds."""

    def add(self, followed: Followed, states: int) -> None:
        """Count one course."""
        self.states = states
        self.executions += 1
        self.depth = max(self.depth, followed.steps)
        self.up_to_time = followed.up_to_time
        for bound in followed.hit:
            self.hit[bound] = self.hit.get(bound, 0) + 1
        self.unseen = tuple(name for name in self.unseen if name not in followed.sighted)
        for broken in followed.broken:
            known = self.broken.get(broken.violation.invariant)
            if known is None or broken.size < known.size:
                self.broken[broken.violation.invariant] = broken


class Follower(Protocol):
    """Follows courses, alone or with others."""

    def follow_all(self, level: Sequence[Takes]) -> Iterator[Followed]:
        """Run courses; together what comes back has every new state."""
        ...


class _Alone:
    """Follows courses in this process."""

    def __init__(self, search: Search) -> None:
        self._search = search

    def follow_all(self, level: Sequence[Takes]) -> Iterator[Followed]:
        """Run one course after the other."""
        return map(self._search.follow, level)


def explore(  # noqa: PLR0913  # what to search, and how far
    scenario: Scenario,
    bounds: Bounds | None = None,
    *,
    retrier: Callable[[], Retrier] | None = None,
    invariants: Sequence[Invariant] | None = None,
    workers: int = 1,
    states_at_most: int | None = None,
    first: bool = False,
    progress: Callable[[Explored], None] | None = None,
) -> Explored:
    """Search the small world of a scenario with one cell.

    Bounds are those that the scenario states in `explore` unless given, and so are invariants (`check`, or all that
    retriers and the platform owe). Raises ScenarioError where there are several cells.
    `retrier` makes a retrier instead of the scenario's own, a new one for each course. `first` ends the search with the
    first level that breaks something. Beyond `states_at_most` it ends at once. `workers` processes share the
    work; what they are given must then be fit for pickling. Raises NotCanonical where states cannot be compared.
    """
    cell = only_cell(scenario)
    bounds = stated_bounds(cell) if bounds is None else bounds
    scenario = small_world(cell, bounds)
    if invariants is None:
        invariants = invariants_named(cell.check) or INVARIANTS
    search = Search(scenario, bounds, retrier, invariants)
    found = Explored(bounds, unseen=tuple(one.name for one in invariants if one.kind == SOMETIMES))
    if workers == 1:
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
    level: list[Takes] = [()]
    while True:
        following: list[Takes] = []
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
