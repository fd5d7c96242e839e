"""One course of a small world: what is asked, where a server dies, and that the same answers give the same history."""

from typing import Any

import pytest

from sim.api.run import run
from sim.explorer.course import Course
from sim.explorer.guided import NoSuchAnswer, WrittenGuide
from sim.history.vocabulary import Outcome
from sim.scenario.load import from_dict
from sim.scenario.parts.course import Bounds
from sim.scenario.schema import Scenario


def scenario(kind: str = "component", outcomes: dict[str, float] | None = None, **more: Any) -> Scenario:
    action = {"latency": {"constant": "1s"}, "outcomes": outcomes or {}}
    options = {"kind": kind} if kind == "none" else {"kind": kind, "max_failures": 1}
    return from_dict({"retrier": options, "action": action, **more})


def course(given: Scenario, answers: dict[int, int] | None = None, **bounds: Any) -> Course:
    return Course(given, Bounds(**bounds), WrittenGuide(answers or {})).run()


def deaths(played: Course) -> list[tuple[int, str]]:
    """Return the instants of restarts, each with the kind of the event before it."""
    events = played.history().events
    return [(event.t_ns, events[at - 1].kind) for at, event in enumerate(events) if event.kind == "restart"]


def what(played: Course) -> list[str]:
    return [question.what for question in played.questions]


def test_an_undisturbed_course_is_what_a_run_simulates() -> None:
    outcome = run(scenario(requests={"count": 1})).requests().outcome[0]
    assert [request.outcome for request in course(scenario()).requests] == [outcome]


def test_the_same_answers_give_the_same_history() -> None:
    answers = {0: 1, 2: 1}
    digests = {course(scenario(), answers, crashes=2).history().digest() for _ in range(3)}
    assert len(digests) == 1


def test_nothing_is_asked_if_nothing_can_go_otherwise() -> None:
    assert what(course(scenario())) == []


def test_the_outcome_of_an_attempt_is_asked() -> None:
    assert what(course(scenario(outcomes={"fail": 0.1, "hang": 0.1}, platform={"action_time_limit": "2s"}))) == [
        "outcome"
    ]


def test_requests_that_come_at_once_come_in_any_order() -> None:
    played = course(scenario(), {0: 1}, requests=2)
    assert (what(played)[0], {request.outcome for request in played.requests}) == ("order", {Outcome.success})


def test_a_server_can_die_right_after_the_start_of_an_action() -> None:
    assert deaths(course(scenario(), {0: 1}, crashes=1)) == [(0, "state")]


def test_a_server_can_die_between_two_steps() -> None:
    played = course(scenario(), {1: 1}, crashes=1)
    assert (what(played)[1], deaths(played)) == ("interrupt", [(0, "attempt")])


def test_a_server_can_die_between_an_effect_and_its_report() -> None:
    assert deaths(course(scenario(), {2: 1}, crashes=1)) == [(1_000_000_000, "attempt_end")]


def test_a_server_can_die_between_the_report_and_the_end_of_the_job() -> None:
    played = course(scenario(), {3: 1}, crashes=1)
    ends = [
        (event.before, event.after)
        for event in played.history()
        if event.kind == "state" and event.function == "execute"
    ]
    assert (deaths(played), ends) == (
        [(1_000_000_000, "settled")],
        [("pending", "inProgress"), ("inProgress", "failed")],
    )


def test_no_more_deaths_are_asked_than_there_may_be() -> None:
    assert what(course(scenario("component-repaired"), {0: 1, 1: 1}, crashes=2))[2:] == []


@pytest.mark.parametrize("target", ["request", "action", "poll"])
def test_a_request_can_be_canceled_between_two_steps(target: str) -> None:
    given = scenario(cancel={"share": 0.5, "after": {"constant": "3s"}, "target": target})
    played = course(given, {0: 1})
    cancels = [event.target for event in played.history() if event.kind == "cancel"]
    assert (what(played)[0], cancels) == ("interrupt", [target])


def test_a_client_outside_is_not_struck_by_deaths() -> None:
    assert what(course(scenario("none", {"fail": 0.1}), crashes=2)) == ["outcome"]


def test_jobs_that_wait_for_a_slot_start_in_the_order_in_which_they_were_due() -> None:
    shared = scenario(world="shared", platform={"profile": "ideal", "parallelism": 1})
    assert "order" not in what(course(shared, requests=2))[1:]


def test_an_answer_to_a_question_that_is_never_asked_is_refused() -> None:
    with pytest.raises(NoSuchAnswer, match="question 7 is never asked; there are 0 questions"):
        course(scenario(), {7: 1})


def test_a_bound_of_steps_cuts_the_course() -> None:
    played = course(scenario(), steps=2)
    assert played.cut
    assert played.requests[0].outcome == Outcome.runaway


def test_a_course_ends_where_the_scenario_does() -> None:
    played = course(scenario(until="500ms"))
    assert ({event.t_ns for event in played.history()}, played.requests[0].outcome) == ({0}, Outcome.open)
