"""A search over a retrier that does not do the same every time refuses to go on, and says what was different."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING

import pytest

from sim.explorer import repeats
from sim.explorer.course import Course
from sim.explorer.explore import explore
from sim.explorer.files import save
from sim.explorer.guided import Question, WrittenGuide
from sim.explorer.play import CourseMisfit, play
from sim.explorer.repeats import NotRepeatable, Repeater, another_question, not_repeatable
from sim.explorer.shrink import minimize
from sim.explorer.streams import streams
from sim.promises.invariant import Violation
from sim.scenario.load import from_dict, parse
from sim.scenario.parts.course import Bounds
from sim.scenario.parts.invariants import invariants_named

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from sim.scenario.schema import Scenario

TEXT = "{retrier: none, action: {latency: {constant: 800ms}, outcomes: {fail: 0.1, ack_lost: 0.1}}}"
BOUNDS = Bounds(requests=1, attempts=4)
FAILS_ONCE = ((0, 1),)
CHANCE = ("GlobalChance", "GeneratorOfTheModule", "SystemChance", "Clock")


def own(kind: str, text: str = TEXT) -> Scenario:
    return parse(text, retrier=f"leaking:{kind}")


def of(kind: str) -> Scenario:
    return from_dict({"retrier": kind, "action": {"outcomes": {"fail": 0.1}}})


# A search.


@pytest.mark.parametrize("kind", [*CHANCE, "ClassBudget", "ModuleBudget", "DrawnAtImport", "DrawnOnce"])
def test_a_search_refuses_a_retrier_that_leaks(leaking: ModuleType, kind: str) -> None:
    del leaking
    with pytest.raises(NotRepeatable, match="NOT REPEATABLE: the same course asked "):
        explore(own(kind), BOUNDS)


@pytest.mark.parametrize("kind", ["Steady", "Remembers"])
def test_a_search_goes_on_if_all_is_the_same_every_time(leaking: ModuleType, kind: str) -> None:
    del leaking
    assert explore(own(kind), BOUNDS).complete


def test_the_same_questions_with_another_history_are_told_with_both_events(leaking: ModuleType) -> None:
    pattern = r"left another history: 'sleep of \S+' of request 0 at 800ms, but now 'sleep of \S+' of request 0 at"
    with pytest.raises(NotRepeatable, match=pattern):
        explore(own("GlobalChance"), BOUNDS, retrier=leaking.GlobalChance)


def test_another_question_is_told_with_its_step_and_both_questions(leaking: ModuleType) -> None:
    leaking.ClassBudget.left = 1
    with pytest.raises(NotRepeatable) as raised:
        explore(own("ClassBudget"), BOUNDS, retrier=leaking.ClassBudget)
    assert re.search(
        r"asked another question at step \d+: question 1 was: outcome of attempt 2 of request 0 \(3 answers\); "
        r"it is now: no question; the usual causes are ",
        str(raised.value),
    )


def test_what_had_leaked_before_the_search_is_found_with_the_module_run_anew(leaking: ModuleType) -> None:
    leaking.ClassBudget.left = 0
    with pytest.raises(NotRepeatable):
        explore(own("ClassBudget"), BOUNDS)


def test_a_leak_that_shows_only_late_is_found_by_what_a_course_departs_from(
    leaking: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "FIRST", 0)
    monkeypatch.setattr(repeats, "ONE_IN", 10**9)
    leaking.Tires.requests = 1000 - 40
    with pytest.raises(NotRepeatable, match="asked another question"):
        explore(own("Tires"), Bounds(requests=2, attempts=4), retrier=leaking.Tires)


def test_processes_refuse_as_well(leaking: ModuleType) -> None:
    del leaking
    with pytest.raises(NotRepeatable, match="left another history"):
        explore(own("GlobalChance"), BOUNDS, workers=2)


def test_what_is_refused_travels_between_processes() -> None:
    error = not_repeatable("did something else")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  # our own


def test_a_course_that_ends_too_early_is_said_to_ask_no_question() -> None:
    asked = Question(3, "outcome", 0, 2)
    text = str(another_question(4, 7, asked, None))
    assert "at step 4: question 7 was: outcome of attempt 2 of request 0 (3 answers); it is now: no question" in text


@pytest.mark.parametrize("kind", ["article", "helpers", "component", "none"])
def test_ports_run_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = of(kind)
    course = Course(scenario, BOUNDS, WrittenGuide()).run()
    monkeypatch.setattr(repeats, "Course", None)  # another one would fail
    Repeater(scenario, BOUNDS).hold(course, ())


# Everything else that runs courses.


@pytest.mark.parametrize("kind", [*CHANCE, "DrawnAtImport"])
def test_the_look_for_streams_refuses(leaking: ModuleType, kind: str) -> None:
    del leaking
    with pytest.raises(NotRepeatable):
        streams(own(kind), BOUNDS)


@pytest.mark.parametrize("kind", CHANCE)
def test_a_course_that_is_played_is_run_again(leaking: ModuleType, kind: str) -> None:
    del leaking
    with pytest.raises(NotRepeatable):
        play(own(kind), answers=FAILS_ONCE, bounds=BOUNDS)


def test_a_course_of_a_retrier_that_does_the_same_is_played(leaking: ModuleType) -> None:
    del leaking
    assert play(own("Steady"), answers=FAILS_ONCE, bounds=BOUNDS).outcomes


def test_a_course_that_does_not_fit_is_told_from_one_that_changes(leaking: ModuleType) -> None:
    del leaking
    beyond = ((0, 1), (1, 7))
    with pytest.raises(CourseMisfit, match="has answers 0 to 2, not 7"):
        play(own("Steady"), answers=beyond, bounds=BOUNDS)
    with pytest.raises(NotRepeatable):
        play(own("GlobalChance"), answers=beyond, bounds=BOUNDS)


def test_making_a_course_smaller_refuses(leaking: ModuleType) -> None:
    (settles,) = invariants_named(("settles",))
    with pytest.raises(NotRepeatable):
        minimize(own("GlobalChance"), BOUNDS, FAILS_ONCE, settles, retrier=leaking.GlobalChance)


def test_a_saved_course_is_run_again_when_it_is_played(leaking: ModuleType, tmp_path: Path) -> None:
    bad = from_dict({"retrier": "none", "action": {"outcomes": {"fail": 0.1, "ack_lost": 0.1}}})
    played = play(bad, answers=FAILS_ONCE, bounds=BOUNDS, retrier=leaking.Steady)
    save(played, Violation("settles", 0, "only a course", ()), tmp_path, "course", retrier=leaking.Steady)
    assert play(tmp_path / "course.yaml", retrier=leaking.Steady).outcomes
    with pytest.raises(NotRepeatable):
        play(tmp_path / "course.yaml", retrier=leaking.GlobalChance)
