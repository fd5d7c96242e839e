"""Makes a course that breaks an invariant smaller: fewer answers that differ, fewer steps, earlier and lower answers.

A greedy search among the course's neighbors: an answer is left out, lowered or moved to an earlier question, and as
leaving one out renumbers the questions behind it, the answers behind it may move along. The result is as small as any
of its neighbors, not the smallest of all; what the search of `sim.explorer.explore` finds is rarely made smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.catalogue import Invariant, check
from sim.experiment.terms import terms_of
from sim.explorer.course import Course
from sim.explorer.guided import NoSuchAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.explorer.play import Takes
    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

FARTHEST = 12
"""By how many questions answers move at most."""

Size = tuple[int, int, "Takes"]
"""By what courses are compared: answers, steps, and the answers themselves."""


def minimize(  # noqa: PLR0913  # which course of what, and how long to try
    scenario: Scenario,
    bounds: Bounds,
    takes: Takes,
    invariant: Invariant,
    *,
    retrier: Callable[[], Retrier] | None = None,
    runs_at_most: int = 2000,
) -> Takes:
    """Return a course that breaks the invariant, the smallest found by small changes to one that does.

    Raises ValueError where the course does not break it, and NoSuchAnswer where it is no course of this world.
    """
    judge = _Judge(scenario, bounds, invariant, retrier)
    best = judge.size(takes)
    if best is None:
        raise ValueError(f"the course does not break {invariant.name}")
    tried = {takes}
    improved = True
    while improved:
        improved = False
        for candidate in _neighbors(best[2]):
            if candidate in tried:
                continue
            if len(tried) >= runs_at_most:
                return best[2]
            tried.add(candidate)
            size = judge.size_if_fit(candidate)
            if size is not None and size < best:
                best, improved = size, True
                break
    return best[2]


class _Judge:
    """Runs courses, and tells the sizes of those that break an invariant."""

    def __init__(
        self, scenario: Scenario, bounds: Bounds, invariant: Invariant, make: Callable[[], Retrier] | None
    ) -> None:
        self._scenario = scenario
        self._bounds = bounds
        self._invariant = invariant
        self._make = make

    def size(self, takes: Takes) -> Size | None:
        """Return the size of a course that breaks the invariant, None for one that does not. Raises NoSuchAnswer."""
        retrier = None if self._make is None else self._make()
        course = Course(self._scenario, self._bounds, dict(takes), retrier=retrier).run()
        broken = check(course.history(), terms_of(course.world), (self._invariant,))
        return (len(takes), course.steps, takes) if broken else None

    def size_if_fit(self, takes: Takes) -> Size | None:
        """Return the size of a course that breaks the invariant, None for one that does not or is none."""
        try:
            return self.size(takes)
        except NoSuchAnswer:
            return None


def _neighbors(takes: Takes) -> Iterator[Takes]:
    """Yield courses near one, those first that may be much smaller."""
    count = len(takes)
    for length in (count, count // 2, count // 4):
        if length > 1:
            for start in range(0, count, length):
                yield takes[:start] + takes[start + length :]
    for place in range(count):
        head, tail = takes[:place], takes[place + 1 :]
        for by in _moves():
            yield from _moved(head, tail, by)
    for place, (question, answer) in enumerate(takes):
        for lower in range(1, answer):
            yield (*takes[:place], (question, lower), *takes[place + 1 :])
    for place in range(count):
        head, tail = takes[:place], takes[place:]
        for by in range(-FARTHEST, 0):
            yield from _moved(head, tail, by)
            yield from ((*moved, *tail[1:]) for moved in _moved(head, tail[:1], by))


def _moves() -> Iterator[int]:
    yield 0
    for by in range(1, FARTHEST + 1):
        yield from (-by, by)


def _moved(head: Takes, tail: Takes, by: int) -> Iterator[Takes]:
    """Yield a course whose later answers are given so many questions later, if they come behind the earlier ones."""
    moved = tuple((question + by, answer) for question, answer in tail)
    before = head[-1][0] if head else -1
    if not moved or moved[0][0] > before:
        yield head + moved
