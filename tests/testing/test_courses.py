"""Courses as Hypothesis generates them, and courses made smaller."""

from types import ModuleType
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import sim
from sim.contracts.catalogue import INVARIANTS, STRICTER, Invariant
from sim.explorer.guided import NoSuchAnswer
from sim.explorer.repeats import NotRepeatable
from sim.explorer.shrink import minimize
from sim.testing.courses import courses, fitted

NAMED = {one.name: one for one in (*INVARIANTS, *STRICTER)}
SETTLES = NAMED["settles"]
SMALLEST = ((0, 1), (1, 1))
"""Two deaths of the server, each right after the start of an action."""


def component(**more: Any) -> sim.Scenario:
    action = {"latency": {"constant": "1s"}, "outcomes": {"fail": 0.1, "ack_lost": 0.1}}
    return sim.scenario.from_dict({"retrier": {"kind": "component", "max_failures": 2}, "action": action, **more})


TWICE = sim.explorer.Bounds(attempts=3, crashes=2)
LONG = ((1, 1), (2, 1), (4, 1), (5, 1))
"""A course that a search in no order may come upon."""


def calm(most: int) -> settings:
    """Return settings without the phase that explains a failure, which finds nothing smaller."""
    return settings(max_examples=most, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])


def test_hypothesis_finds_a_course_and_shrinks_it_to_few_answers() -> None:
    found = find(
        courses(component(), TWICE),
        lambda course: course.breaks("settles"),
        settings=calm(500),
    )
    assert found.answers == SMALLEST


def test_what_is_found_in_a_world_too_big_to_be_searched_is_as_small_when_minimized() -> None:
    bounds = sim.explorer.Bounds(requests=2, attempts=3, crashes=3)
    found = find(
        courses(component(), bounds, invariants=[SETTLES], answers_at_most=6),
        lambda course: not course.holds,
        settings=calm(200),
    )
    smallest = minimize(component(), bounds, found.answers, SETTLES)
    assert len(found.answers) <= 4
    assert len(smallest) == 2


@given(courses(component(), TWICE))
@settings(max_examples=30)
def test_every_course_fits_its_world(course: sim.explorer.Played) -> None:
    again = sim.explorer.play(component(), answers=course.answers, bounds=TWICE)
    assert (again.answers, again.history.digest()) == (course.answers, course.history.digest())


@given(courses(component(retrier={"kind": "component-repaired", "max_failures": 1}, check=["settles"]), TWICE))
@settings(max_examples=30)
def test_courses_are_held_against_what_the_scenario_checks(course: sim.explorer.Played) -> None:
    assert [invariant.name for invariant in course.invariants] == ["settles"]
    assert course.holds


@given(courses(component(explore={"crashes": 1}), answers_at_most=1))
@settings(max_examples=20)
def test_bounds_are_the_scenarios_own_unless_given(course: sim.explorer.Played) -> None:
    assert course.bounds.crashes == 1
    assert len(course.answers) <= 1


def test_wishes_after_the_last_question_are_dropped() -> None:
    assert fitted(component(), TWICE, [(0, 0), (500, 0), (0, 0)]) == ((0, 1),)


def test_an_answer_that_a_question_does_not_have_wraps_around() -> None:
    outcomes = [fitted(component(), sim.explorer.Bounds(attempts=3), [(0, wish)]) for wish in range(3)]
    assert outcomes == [((0, 1),), ((0, 2),), ((0, 1),)]


# Courses made smaller.


def smaller(answers: tuple[tuple[int, int], ...], invariant: Invariant = SETTLES, **more: Any) -> Any:
    return minimize(component(), TWICE, answers, invariant, **more)


def test_a_course_loses_the_answers_that_it_does_not_need() -> None:
    assert smaller(LONG) == SMALLEST


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=2, max_size=7))
@settings(max_examples=30)
def test_whatever_was_found_shrinks_to_the_known_minimum(wished: list[tuple[int, int]]) -> None:
    course = sim.explorer.play(component(), answers=fitted(component(), TWICE, wished), bounds=TWICE)
    if course.breaks("settles"):
        assert smaller(course.answers) == SMALLEST


def test_what_a_search_found_is_as_small_as_it_gets() -> None:
    found = sim.explore(component(), TWICE, states_at_most=100)
    assert {smaller(broken.answers, NAMED[name]) == broken.answers for name, broken in found.broken.items()} == {True}


def test_a_search_for_something_smaller_ends() -> None:
    assert smaller(LONG, runs_at_most=1) == LONG


def test_a_course_that_breaks_nothing_cannot_be_made_smaller() -> None:
    with pytest.raises(ValueError, match="the course does not break settles"):
        smaller(((0, 1),))


def test_a_course_of_another_world_cannot_be_made_smaller() -> None:
    with pytest.raises(NoSuchAnswer):
        smaller(((0, 9),))


def test_courses_of_a_retrier_that_leaks_fail(leaking: ModuleType) -> None:
    action = {"latency": {"constant": "1s"}, "outcomes": {"fail": 0.5}}
    world = sim.scenario.from_dict({"retrier": "none", "action": action})
    bounds = sim.explorer.Bounds(attempts=3)
    with pytest.raises(NotRepeatable):
        find(courses(world, bounds, retrier=leaking.GlobalChance), lambda _: False, settings=calm(20))


def test_wishes_are_not_fitted_to_a_world_that_changes(leaking: ModuleType) -> None:
    action = {"latency": {"constant": "1s"}, "outcomes": {"fail": 0.5}}
    world = sim.scenario.from_dict({"retrier": "none", "action": action})
    leaking.ClassBudget.left = 3
    with pytest.raises(NotRepeatable):
        fitted(world, sim.explorer.Bounds(attempts=5), [(0, 0)] * 4, leaking.ClassBudget)
