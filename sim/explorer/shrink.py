"""Makes a course that breaks an invariant smaller: fewer answers that differ, fewer steps, earlier and lower answers.

A greedy search among the course's neighbors: it drops an answer, lowers it or moves it to an earlier question. Dropping
an answer renumbers the questions after it, so the later answers may move along. No neighbor of the result is smaller,
but it need not be the smallest course of all. A course that `sim.explorer.explore` finds rarely gets smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.catalogue import Invariant, check
from sim.experiment.terms import terms_of
from sim.explorer.course import Course, around
from sim.explorer.guided import NoSuchAnswer, WrittenGuide
from sim.explorer.repeats import Repeater
from sim.history.request import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.explorer.guided import Answers
    from sim.explorer.search import Size
    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

FARTHEST = 12
"""By how many questions answers move at most."""


class DoesNotBreak(ValueError):  # a wrong question, not a failure
    """A course is to be made smaller that does not break the invariant."""


def minimize(
    scenario: Scenario,
    bounds: Bounds,
    answers: Answers,
    invariant: Invariant,
    *,
    retrier: Callable[[], Retrier] | None = None,
    runs_at_most: int = 2000,
) -> Answers:
    """Return the smallest course that small changes to this one lead to and that still breaks the invariant.

    Raises DoesNotBreak if the course does not break it, NoSuchAnswer if it is no course of this world, and
    NotRepeatable if the same course goes another way.
    """
    with around(scenario, retrier):
        return _smallest(_Judge(scenario, bounds, invariant, retrier), answers, invariant, runs_at_most)


def _smallest(judge: _Judge, answers: Answers, invariant: Invariant, runs_at_most: int) -> Answers:
    best = judge.size(answers)
    if best is None:
        raise DoesNotBreak(f"the course does not break {invariant.name}")
    tried = {answers}
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
    """Runs courses, and measures the ones that break an invariant."""

    def __init__(
        self, scenario: Scenario, bounds: Bounds, invariant: Invariant, make: Callable[[], Retrier] | None
    ) -> None:
        self._scenario = scenario
        self._bounds = bounds
        self._invariant = invariant
        self._make = make
        self._repeater = Repeater(scenario, bounds, make)

    def size(self, answers: Answers) -> Size | None:
        """Return the size of a course, or None if it does not break the invariant.

        Raises NoSuchAnswer and NotRepeatable.
        """
        guide = WrittenGuide(answers, self._bounds.values)
        course = Course(self._scenario, self._bounds, guide, retrier=self._make)
        try:
            course.run()
        except NoSuchAnswer:
            self._repeater.hold(course, answers, failed=True)
            raise
        self._repeater.hold_some(course, answers)
        broken = check(course.history(), terms_of(course.world, records=table(course.requests)), (self._invariant,))
        return (len(answers), course.steps, answers) if broken else None

    def size_if_fit(self, answers: Answers) -> Size | None:
        """Return the size of a course, or None if it does not break the invariant or is no course of this world."""
        try:
            return self.size(answers)
        except NoSuchAnswer:
            return None


def _neighbors(answers: Answers) -> Iterator[Answers]:
    """Yield the courses near one; the ones that may be much smaller come first."""
    count = len(answers)
    for length in (count, count // 2, count // 4):
        if length > 1:
            for start in range(0, count, length):
                yield answers[:start] + answers[start + length :]
    for place in range(count):
        head, tail = answers[:place], answers[place + 1 :]
        for by in _moves():
            yield from _moved(head, tail, by)
    for place, (question, answer) in enumerate(answers):
        for lower in range(1, answer):
            yield (*answers[:place], (question, lower), *answers[place + 1 :])
    for place in range(count):
        head, tail = answers[:place], answers[place:]
        for by in range(-FARTHEST, 0):
            yield from _moved(head, tail, by)
            yield from ((*moved, *tail[1:]) for moved in _moved(head, tail[:1], by))


def _moves() -> Iterator[int]:
    yield 0
    for by in range(1, FARTHEST + 1):
        yield from (-by, by)


def _moved(head: Answers, tail: Answers, by: int) -> Iterator[Answers]:
    """Yield the course with the answers of `tail` so many questions later, if they still follow the ones of `head`."""
    moved = tuple((question + by, answer) for question, answer in tail)
    before = head[-1][0] if head else -1
    if not moved or moved[0][0] > before:
        yield head + moved
