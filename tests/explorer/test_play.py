"""Courses played again: what comes back, what does not fit, and retriers that no file can name."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

import sim
from sim.options.model import Options
from sim.scenario.mistakes.problems import ScenarioError

SECOND = """
requests: {count: 1}
action: {latency: {constant: 1s}, outcomes: {fail: 0.1, ack_lost: 0.1}}
retrier: {kind: component, max_failures: 2}
check: [settles, callback-comes]
course:
  attempts: 3
  crashes: 2
  answers:
    - {question: 0, answer: 1, about: whether the server dies in the middle of a step}
    - {question: 1, answer: 1}
"""
LOST = """
requests: {count: 100}
retrier: {kind: component, on_complete_fails: true}
check: [callback-once]
"""


class Settings(Options):
    pause_ms: float = 10.0


class Patient(sim.LoopRetrier):
    """Tries twice, with a pause."""

    kind = "patient"
    Options: ClassVar[type[Options]] = Settings

    async def retry(self, call: sim.Call, ctx: sim.ClientContext) -> Any:
        try:
            return await call()
        except sim.CallFailed:
            await ctx.sleep(self.options.pause_ms)
            return await call()


OF_PATIENT = """
requests: {count: 1}
action: {latency: {constant: 1s}, outcomes: {fail: 0.1}}
retrier: {kind: "elsewhere:Patient", pause_ms: 30.0}
check: [settles]
course: {answers: [{question: 0, answer: 1, about: outcome of attempt 1 of request 0}]}
"""


def played(text: str, **changes: Any) -> sim.explorer.Played:
    return sim.explorer.play(sim.scenario.parse(text, overrides=tuple(changes.items())))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "second.yaml"
    path.write_text(SECOND)
    return path


def test_a_course_gives_what_it_breaks() -> None:
    course = played(SECOND)
    assert [violation.invariant for violation in course.violations] == ["settles", "callback-comes"]
    assert not course.holds
    assert course.breaks("settles")
    assert not course.breaks("effect-once")


def test_a_course_gives_its_answers_in_words() -> None:
    assert played(SECOND).course_lines(120) == [
        "the course, undisturbed but for this",
        "  at 0 s the server dies in mid-step, right after job #0 (execute of request 0) becoming inProgress",
        "  at 10.5 s the server dies in mid-step, right after job #2 (execute of request 0) becoming inProgress",
    ]


def test_a_course_gives_the_requests_their_outcomes_and_their_history() -> None:
    course = played(SECOND)
    assert course.outcomes == (sim.Outcome.stuck,)
    assert len(course.requests) == 1
    assert course.requests.attempts.tolist() == [0]
    assert [event.kind for event in course.history].count("restart") == 2


def test_the_same_course_gives_the_same_history() -> None:
    assert played(SECOND).history.digest() == played(SECOND).history.digest()


def test_an_invariant_can_be_broken_where_nothing_is_disturbed() -> None:
    course = sim.explorer.play(sim.scenario.parse(LOST), answers=(), bounds=sim.explorer.Bounds(attempts=1))
    assert (course.answers, [violation.invariant for violation in course.violations]) == ((), ["callback-once"])
    assert course.course_lines() == ["the undisturbed course"]


def test_what_a_search_finds_can_be_played() -> None:
    scenario = sim.scenario.parse(SECOND, overrides=[("course", "null"), ("explore", "{crashes: 2}")])
    found = sim.explore(scenario, scenario.explore)
    again = sim.explorer.play(scenario, answers=found.broken["settles"].answers)
    assert again.breaks("settles")


def test_a_report_tells_what_is_broken_by_what_and_the_story() -> None:
    lines = played(SECOND).report().splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "request 0, submitted at 0s, never settles; the last thing that happens to it is 'state' at 10.5s",
        "(settles)",
        "the course, undisturbed but for this",
        "the story of request 0",
    ]


def test_a_report_fits_its_width() -> None:
    assert max(map(len, played(SECOND).lines(60))) <= 60


def test_a_course_that_is_cut_at_once_has_no_story() -> None:
    course = played(SECOND, **{"course.steps": "1", "course.answers": "[]", "cancel": "null"})
    assert course.report().startswith("the undisturbed course")
    assert course.holds


def test_the_repr_of_a_course_has_its_answers_and_what_it_breaks() -> None:
    assert repr(played(SECOND)) == (
        "<a course of scenario with answers {0: 1, 1: 1} that breaks settles, callback-comes>"
    )


def test_a_mended_retrier_is_not_broken_by_the_course() -> None:
    course = played(SECOND, **{"retrier.kind": "component-repaired"})
    assert course.holds
    assert course.outcomes == (sim.Outcome.success,)


def test_without_names_under_check_everything_owed_is_checked() -> None:
    assert {"settles", "serializable"} <= {invariant.name for invariant in played(SECOND, check="[]").invariants}


def test_other_invariants_can_be_checked(file: Path) -> None:
    @sim.contracts.invariant()
    def never_restarts(view: sim.contracts.View) -> Any:
        """The server lives on."""
        yield from (sim.contracts.breach(-1, "it died", event) for event in view.events if event.kind == "restart")

    course = sim.explorer.play(file, invariants=[never_restarts])
    assert [violation.text for violation in course.violations] == ["it died", "it died"]
    assert course.request == 0


@pytest.mark.parametrize(
    ("changes", "place", "reason"),
    [
        ({"course.crashes": "0"}, 0, "question 0 is about: outcome of attempt 1 of request 0"),
        ({"course.answers.0.answer": "7"}, 0, "question 0 (death) has answers 0 to 1, not 7"),
        ({"course.answers.1.question": "99"}, 1, "question 99 is never asked; there are 6"),
        ({"course.answers.1.about": "x"}, 1, "question 1 is about: whether the server dies in the middle of a step"),
    ],
)
def test_a_course_of_another_world_is_told(changes: dict[str, str], place: int, reason: str) -> None:
    with pytest.raises(sim.explorer.CourseMisfit) as caught:
        played(SECOND, **changes)
    (problem,) = caught.value.problems
    assert problem.keys[:3] == ("course", "answers", place)
    assert problem.reason.startswith(f"the course does not fit this world: {reason}")


def test_in_a_file_a_misfit_has_its_place(file: Path) -> None:
    file.write_text(SECOND.replace("answer: 1, about", "answer: 2, about"))
    with pytest.raises(sim.explorer.CourseMisfit) as caught:
        sim.explorer.play(file)
    assert str(caught.value).startswith(f"{file}:10:7: course.answers[0]: the course does not fit this world")


def test_a_scenario_without_a_course_cannot_be_played() -> None:
    with pytest.raises(ScenarioError, match="there is no course to play"):
        sim.explorer.play(sim.scenario.parse(LOST))


def test_a_scenario_of_several_cells_cannot_be_played() -> None:
    with pytest.raises(ScenarioError, match="a course belongs to one cell, but this scenario has 2"):
        sim.explorer.play(sim.scenario.parse(SECOND + "sweep: {retrier.max_failures: [1, 2]}"))


def test_a_replay_of_a_scenario_with_a_course_is_the_course() -> None:
    scenario = sim.scenario.parse(SECOND)
    assert sim.replay(scenario).digest() == sim.explorer.play(scenario).history.digest()
    assert sim.replay(scenario, 0).digest() == sim.replay(scenario).digest()


# Retriers that no file can name.


@pytest.fixture
def of_patient(tmp_path: Path) -> Path:
    path = tmp_path / "patient.yaml"
    path.write_text(OF_PATIENT)
    return path


def sleeps_ms(course: sim.explorer.Played) -> list[float]:
    return [event.duration_ns / 1_000_000 for event in course.history if event.kind == "sleep"]


def test_a_class_takes_the_options_that_the_file_states_for_it(of_patient: Path) -> None:
    assert sleeps_ms(sim.explorer.play(of_patient, retrier=Patient)) == [30.0]


def test_a_function_makes_a_retrier_as_it_likes(of_patient: Path) -> None:
    course = sim.explorer.play(of_patient, retrier=lambda: Patient(Settings(pause_ms=7.0)))
    assert sleeps_ms(course) == [7.0]
    assert course.holds


def test_options_that_the_class_does_not_have_are_told(of_patient: Path) -> None:
    of_patient.write_text(OF_PATIENT.replace("pause_ms: 30.0", "pose_ms: 30.0"))
    with pytest.raises(ScenarioError, match=r"retrier\.pose_ms: unknown key 'pose_ms'; did you mean 'pause_ms'\?"):
        sim.explorer.play(of_patient, retrier=Patient)


def test_without_the_class_the_file_says_how_to_name_it(of_patient: Path) -> None:
    with pytest.raises(ScenarioError, match="a file never imports code"):
        sim.explorer.play(of_patient)


def test_a_file_that_is_not_there_is_a_scenario_error(tmp_path: Path) -> None:
    for retrier in (None, Patient):
        with pytest.raises(ScenarioError, match="there is no such file"):
            sim.explorer.play(tmp_path / "none.yaml", retrier=retrier)
