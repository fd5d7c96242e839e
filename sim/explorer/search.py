"""The part of a search that one process does: it follows courses, and knows the states it has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.contracts.catalogue import INVARIANTS, Invariant, View, Violation, check_view
from sim.contracts.invariant import SOMETIMES
from sim.experiment.terms import terms_of
from sim.explorer.course import Course
from sim.explorer.state import States

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

Takes = tuple[tuple[int, int], ...]
"""The answers of a course that are not 0: (question, answer), ascending."""


class Broken(NamedTuple):
    """A course that breaks an invariant, and how."""

    takes: Takes
    steps: int
    violation: Violation

    @property
    def size(self) -> tuple[int, int, Takes]:
        """By what counterexamples are compared: the shortest is the simplest."""
        return (len(self.takes), self.steps, self.takes)


class Followed(NamedTuple):
    """What one course brought."""

    states: list[bytes]
    courses: list[Takes]
    steps: int
    hit: tuple[str, ...]
    """The bounds that it hit."""
    broken: list[Broken]
    sighted: tuple[str, ...]
    """Invariants of kind `sometimes` that it shows, as far as this process had not seen them."""
    up_to_time: bool


class Search:
    """The part of a search that one process does: it follows courses, and knows the states it has seen."""

    def __init__(
        self,
        scenario: Scenario,
        bounds: Bounds,
        make: Callable[[], Retrier] | None = None,
        invariants: Sequence[Invariant] = INVARIANTS,
    ) -> None:
        self.seen: set[bytes] = set()
        self._scenario = scenario
        self._bounds = bounds
        self._make = scenario.retrier.make if make is None else make
        self._invariants = tuple(invariants)
        self._unseen = {one.name: one for one in invariants if one.kind == SOMETIMES}

    def follow(self, takes: Takes) -> Followed:
        """Run one course as far as it goes where nobody has been."""
        retrier = self._make()
        course = Course(self._scenario, self._bounds, dict(takes), retrier=retrier, listens=True)
        states, asked, seen = States(course), course.guide.asked, self.seen
        last = takes[-1][0] if takes else -1
        new: list[bytes] = []
        known = False
        while True:
            if len(asked) > last:
                digest = states.digest()
                if digest in seen:
                    known = True
                    break
                seen.add(digest)
                new.append(digest)
            if not course.step():
                break
        if not known:
            course.conclude()
        view = View(course.history(), terms_of(course.world))
        violations = check_view(view, self._invariants)
        sighted = tuple(name for name, one in self._unseen.items() if any(True for _ in one.search(view)))
        for name in sighted:
            del self._unseen[name]
        courses = [
            (*takes, (question, answer))
            for question in range(last + 1, len(asked))
            for answer in range(1, asked[question].ways)
        ]
        broken = [Broken(takes, course.steps, violation) for violation in violations]
        return Followed(new, courses, course.steps, tuple(_hit(course)), broken, sighted, states.translates)


def _hit(course: Course) -> Iterator[str]:
    if course.guide.held_back:
        yield "attempts"
    if course.cut:
        yield "steps"
    if course.bounds.crashes and not course.crashes_left:
        yield "crashes"
    if any(request.runaway for request in course.requests):
        yield "limits"
