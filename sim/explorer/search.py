"""The part of a search that one process does: it runs courses, and remembers the states it has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sim.contracts.catalogue import INVARIANTS, Invariant, View, Violation, check_view
from sim.experiment.terms import terms_of
from sim.explorer.course import Course, around
from sim.explorer.guided import Answers, NoSuchAnswer, WrittenGuide
from sim.explorer.repeats import Repeater, another_question
from sim.explorer.state import States
from sim.history.request import table
from sim.promises.invariant import SOMETIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sim.explorer.guided import Question
    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

Size = tuple[int, int, Answers]
"""Courses are compared by how many answers differ, by steps, and by the answers themselves."""


class Counterexample(NamedTuple):
    """A course that breaks an invariant, and how."""

    answers: Answers
    steps: int
    violation: Violation

    @property
    def size(self) -> Size:
        """What counterexamples are compared by: the smallest is the simplest."""
        return (len(self.answers), self.steps, self.answers)


class Departure(NamedTuple):
    """A course to run."""

    answers: Answers
    expected: Question | None = None
    """The question to which the last answer belongs, if the retrier is one that is tried; see `Repeater`."""


class Followed(NamedTuple):
    """What one course found."""

    states: list[bytes]
    """The digests of its new states."""
    courses: list[Departure]
    """The courses to run next: this one with one more answer."""
    steps: int
    bounds_hit: tuple[str, ...]
    counterexamples: list[Counterexample]
    sighted: tuple[str, ...]
    """Invariants of kind `sometimes` that it shows and that this process had not seen."""
    up_to_time: bool


class Search:
    """The part of a search that one process does: it runs courses, and remembers the states it has seen."""

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
        self._make = make
        self._invariants = tuple(invariants)
        self._unseen = {one.name: one for one in invariants if one.kind == SOMETIMES}
        self._repeater = Repeater(scenario, bounds, make)

    def around(self) -> AbstractContextManager[Any]:
        """Return what to enter once for all courses."""
        return around(self._scenario, self._make)

    def follow(self, departure: Departure) -> Followed:
        """Run one course until it ends or comes to a state that has been seen before. Raises NotRepeatable."""
        answers, expected = departure
        guide = WrittenGuide(answers, self._bounds.values)
        course = Course(self._scenario, self._bounds, guide, retrier=self._make, listens=True)
        try:
            return self._follow(course, answers, expected)
        finally:
            course.end()

    def _follow(self, course: Course, answers: Answers, expected: Question | None) -> Followed:
        states, asked, seen = States(course), course.questions, self.seen
        last = answers[-1][0] if answers else -1
        new: list[bytes] = []
        known = False
        try:
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
        except NoSuchAnswer as error:  # the course that it departs from has asked a question with this answer
            raise another_question(course.steps, len(asked), expected, error.asked) from None
        self._repeater.hold_fork(course, last, expected)
        self._repeater.hold_some(course, answers)
        if known:
            course.leave()
        else:
            course.conclude()
        terms = terms_of(course.world, records=table(course.requests), concluded=not known)
        view = View(course.history(), terms)
        violations = check_view(view, self._invariants)
        sighted = tuple(name for name, one in self._unseen.items() if any(True for _ in one.search(view)))
        for name in sighted:
            del self._unseen[name]
        courses = [
            Departure((*answers, (question, answer)), asked[question] if self._repeater.is_tried else None)
            for question in range(last + 1, len(asked))
            for answer in range(1, asked[question].ways)
        ]
        found = [Counterexample(answers, course.steps, violation) for violation in violations]
        return Followed(new, courses, course.steps, tuple(_bounds_hit(course)), found, sighted, states.up_to_time)


def _bounds_hit(course: Course) -> Iterator[str]:
    if course.choices.attempts_bound_hit:
        yield "attempts"
    if course.cut:
        yield "steps"
    if course.bounds.crashes and not course.crashes_left:
        yield "crashes"
    if any(request.runaway for request in course.requests):
        yield "limits"
