"""Which streams of numbers a small world draws from, so that a search can say which values it gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.explorer.course import Course, around
from sim.explorer.guided import NoSuchAnswer, WrittenGuide
from sim.explorer.repeats import Repeater, another_question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sim.explorer.guided import Question
    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

MOST_COURSES = 200
MOST_STEPS = 20_000
"""Of all courses together. The first course always runs to its end; its own bound of steps limits it."""
MOST_TRIED = 8
"""Courses that are run twice."""
LOW, HIGH = 0.25, 0.75


class _DoublingGuide(WrittenGuide):
    """Gives every stream at least two values, so that each draw that matters is a question; notes the streams."""

    def __init__(self, answers: Mapping[int, int], values: Mapping[str, Sequence[float]]) -> None:
        super().__init__(answers, values)
        self.streams: set[str] = set()

    def values(self, stream: str) -> Sequence[float]:
        """Return the stream's values; if there is only one, add another."""
        self.streams.add(stream)
        values = super().values(stream)
        return values if len(values) > 1 else (*values, LOW if values[0] > LOW else HIGH)


def streams(scenario: Scenario, bounds: Bounds, make: Callable[[], Retrier] | None = None) -> list[str]:
    """Return the streams whose values change what happens, in alphabetical order.

    Runs the undisturbed course and the courses one answer away from it; misses streams that are only drawn from
    farther away. Raises whatever the retrier raises, and NotRepeatable if the same course goes another way.
    """
    with around(scenario, make):
        return _streams(scenario, bounds, make)


def _streams(scenario: Scenario, bounds: Bounds, make: Callable[[], Retrier] | None) -> list[str]:
    drawn: set[str] = set()
    repeater = Repeater(scenario, bounds, make)
    tried = 0

    def run(answers: dict[int, int], expected: Question | None = None) -> tuple[list[Question], int]:
        nonlocal tried
        guide = _DoublingGuide(answers, bounds.values)
        course = Course(scenario, bounds, guide, retrier=make)
        try:
            while course.step():
                pass
        except NoSuchAnswer as error:  # the undisturbed course has asked a question with this answer
            raise another_question(course.steps, len(course.questions), expected, error.asked) from None
        finally:
            course.end()
        for question in answers if repeater.is_tried else ():
            repeater.hold_fork(course, question, expected)
        if tried < MOST_TRIED:
            tried += 1
            repeater.hold_against(course, lambda: _DoublingGuide(answers, bounds.values))
        drawn.update(guide.streams)
        return course.questions, course.steps

    questions, steps = run({})
    found = {question.what for question in questions}
    near = [(at, answer) for at, question in enumerate(questions) for answer in range(1, question.ways)]
    for at, answer in near[:: 1 + len(near) // MOST_COURSES]:
        if steps > MOST_STEPS:
            break
        more, taken = run({at: answer}, questions[at])
        found.update(question.what for question in more)
        steps += taken
    return sorted(found & drawn)
