"""A Hypothesis strategy for the courses of a small world, for worlds too big to search completely.

    from sim.testing.courses import courses

    @given(courses(scenario, Bounds(requests=2, attempts=5, crashes=3)))
    def test_every_request_settles(played):
        assert played.holds, played.report()

Each example is a course that has been played; it shrinks to few answers. Needs Hypothesis (the extra `test`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from sim.explorer.course import Course
from sim.explorer.guided import NoSuchAnswer, WrittenGuide
from sim.explorer.play import Played, only_cell, play, stated_bounds
from sim.explorer.repeats import Repeater, another_question
from sim.testing.parts import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.explorer.guided import Answers, Question
    from sim.promises.invariant import Invariant
    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

LONGEST_GAP = 64
NEAR = 4
MOST_WAYS = 16
MOST_ANSWERS = 12


def courses(
    scenario: Scenario,
    bounds: Bounds | None = None,
    *,
    retrier: Callable[[], Retrier] | None = None,
    invariants: Sequence[Invariant] | None = None,
    answers_at_most: int = MOST_ANSWERS,
    longest_gap: int = LONGEST_GAP,
) -> st.SearchStrategy[Played]:
    """Generate courses of a scenario with one cell, played and checked as by `sim.explorer.play`.

    `bounds` default to the scenario's own (`explore`). At most `answers_at_most` answers differ from the undisturbed
    way, with at most `longest_gap` questions between two of them. Raises ScenarioError if the scenario has several
    cells.
    """
    cell = only_cell(scenario)
    within = stated_bounds(cell) if bounds is None else bounds
    # Disturbances in a row are the most likely ones to break something.
    gaps = st.one_of(whole_numbers(min(NEAR, longest_gap)), whole_numbers(longest_gap))
    wishes = st.lists(st.tuples(gaps, whole_numbers(MOST_WAYS - 1)), max_size=answers_at_most)

    def played(wished: list[tuple[int, int]]) -> Played:
        answers = fitted(cell, within, wished, retrier)
        return play(cell, answers=answers, bounds=within, retrier=retrier, invariants=invariants)

    return wishes.map(played)


def fitted(
    scenario: Scenario,
    bounds: Bounds,
    wished: Sequence[tuple[int, int]],
    retrier: Callable[[], Retrier] | None = None,
) -> Answers:
    """Make a course of wishes: (how many questions to leave undisturbed first, which other answer to give then).

    An answer that a question does not have wraps around; wishes after the last question are dropped. Raises
    NotRepeatable.
    """
    answers: Answers = ()
    asked: list[Question] = []
    following = 0
    repeater = Repeater(scenario, bounds, retrier)
    for gap, wish in wished:
        guide = WrittenGuide(answers, bounds.values)
        course = Course(scenario, bounds, guide, retrier=retrier)
        try:
            course.run()
        except NoSuchAnswer as error:  # each answer was made for a question that was asked
            number = len(course.questions)
            expected = asked[number] if number < len(asked) else None
            raise another_question(course.steps, number, expected, error.asked) from None
        for number in range(following if repeater.is_tried else 0):
            repeater.hold_fork(course, number, asked[number])
        asked, number = course.questions, following + gap
        if number >= len(asked):
            break
        answers = (*answers, (number, 1 + wish % (asked[number].ways - 1)))
        following = number + 1
    return answers
