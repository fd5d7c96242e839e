"""Records held to a history: each column that says something else, and limits that stop what has not come to them."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.contracts.platform import records
from sim.contracts.platform.columns import columns_of
from sim.history.recorder import History
from sim.history.records import Requests
from sim.history.vocabulary import NEVER
from sim.promises.promises import Promises
from sim.promises.terms import Terms
from sim.promises.view import View

MS = 1_000_000
Make = Callable[..., Requests]
POLLED = {"polling": frozenset({"retry"})}


def polled(tale: Any) -> Any:
    """One attempt that a retrier of the deployment looks at twice; its record is the default of `make_requests`."""
    story = tale.submit().commit("submit", jobs=[(0, "action"), (1, "retry")])
    story.starts(0).attempt(1, job=0, effect=100).commit(own=1, jobs=[(2, "retry", 150)])
    story.at(100).effect(1).at(110).ends(1, "returned").step(0, "inProgress", "success")
    return story.at(150).commit(own=2).settles("success")


def columns(story: Any, **terms: Any) -> dict[str, Any]:
    promises = Promises(action_jobs=("action",), poll_jobs=("retry",))
    view = View(History(story.raw), Terms(promises, **{**POLLED, **terms}))
    return columns_of(view, view.requests[0])


def test_a_true_record_is_true(tale: type, make_requests: Make) -> None:
    story = polled(tale())
    assert story.broken(records.records_tell_the_history, records=make_requests([{}]), **POLLED) == []


@pytest.mark.parametrize(
    ("column", "says", "text"),
    [
        ("submitted_ns", 1, "has 1ns as its submitted_ns, but its history says 0s"),
        ("first_effect_ns", NEVER, "has nothing as its first_effect_ns, but its history says 100ms"),
        ("settled_ns", 150 * MS - 1, "has 149.999999ms as its settled_ns, but its history says 150ms"),
        ("known_attempt_end_ns", NEVER, "has nothing as its known_attempt_end_ns, but its history says 110ms"),
        ("last_attempt_end_ns", 0, "has 0s as its last_attempt_end_ns, but its history says 110ms"),
        ("attempts", 2, "has 2 as its attempts, but its history says 1"),
        ("effects", 0, "has 0 as its effects, but its history says 1"),
        ("suppressed", 1, "has 1 as its suppressed, but its history says 0"),
        ("polls", 3, "has 3 as its polls, but its history says 2"),
        ("conflicts", 1, "has 1 as its conflicts, but its history says 0"),
        ("mutations", 2, "has 2 as its mutations, but its history says 3"),
        ("actions", 0, "has 0 as its actions, but its history says 1"),
        ("action_ns", 100 * MS, "has 100ms as its action_ns, but its history says 110ms"),
        ("outcome", "stuck", "has 'stuck' as its outcome, but its history says 'success'"),
        ("duplicates", {"timeout": 1}, "has 1 as its duplicates with the cause timeout, but its history says 0"),
        ("replication", 1, "has 1 as its replication, but its history says 0"),
    ],
)
def test_each_column_that_says_something_else(
    tale: type, make_requests: Make, column: str, says: Any, text: str
) -> None:
    found = polled(tale()).broken(records.records_tell_the_history, records=make_requests([{column: says}]), **POLLED)
    assert found == [f"the record of request 0 {text}"]


def test_records_of_other_requests_than_those_submitted(tale: type, make_requests: Make) -> None:
    assert polled(tale()).broken(records.records_tell_the_history, records=make_requests([{}, {}]), **POLLED) == [
        "there are records of 2 requests, in the order 0, 1; submitted were 0"
    ]


def test_effects_are_counted_by_what_became_of_them(tale: type) -> None:
    story = tale().submit().attempt(1, "ack_lost", effect=0).effect(1).effect(1, "suppressed").effect(1, "ack_lost")
    found = columns(story)
    assert (found["effects"], found["suppressed"], found["first_effect_ns"]) == (2, 1, 0)


def test_a_conclusion_that_is_written_down_knows_the_ends_before_its_snapshot(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "action")]).starts(0).attempt(1, "fail", job=0)
    story.at(10).ends(1, "threw").at(20).attempt(2, "fail", job=0).at(40).ends(2, "threw")
    story.at(50).commit("report", begin=30, caller=0).add("settled", name="gave_up", detail=30 * MS)
    assert columns(story)["known_attempt_end_ns"] == 10 * MS
    assert columns(story)["settled_ns"] == 30 * MS


def test_a_poll_that_a_death_cuts_off_does_not_count(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "retry", 10)]).at(11).restart().at(20).commit(own=0)
    assert columns(story)["polls"] == 1


def test_a_poll_that_a_system_error_puts_back_counts_once(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "retry")]).add("system_error", 0, "retry", "mutation retry")
    assert columns(story.at(5).commit(own=0))["polls"] == 1


def test_polls_are_not_counted_if_no_one_says_what_polls(tale: type) -> None:
    low, high = columns(polled(tale()), polling=None)["polls"]
    assert (low, high > 10**9) == (0, True)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda t: t.at(50).ends(1, "threw").at(60).step(0, "inProgress", "failed"), 60 * MS),
        (lambda t: t.at(30).restart().ends(1, "died").at(40).step(0, "inProgress", "failed"), 30 * MS),
        (lambda t: t.at(20).lost(1).step(0, "inProgress", "failed").at(50).ends(1, "returned"), 50 * MS),
        (lambda t: t.at(20).step(0, "inProgress", "canceled").at(50).ends(1, "returned"), 50 * MS),
        (lambda t: t.at(70), (0, 70 * MS)),
    ],
)
def test_how_long_an_execution_runs(tale: type, end: Callable[[Any], Any], expected: Any) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "action")]).starts(0).attempt(1, job=0)
    assert columns(end(story), stopped_ns=70 * MS)["action_ns"] == expected


def test_a_canceled_execution_that_does_more_than_the_action_runs_at_least_until_it_is_last_heard_of(
    tale: type,
) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "execute")]).starts(0).attempt(1, job=0)
    story.at(20).step(0, "inProgress", "canceled").at(50).ends(1, "returned").at(60).commit("report", caller=0)
    assert columns(story, stopped_ns=90 * MS)["action_ns"] == (60 * MS, 90 * MS)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, {4}),
        ({"drained": False}, {5}),
        ({"drained": False, "concluded": False}, {0}),
        ({"drained": False, "endless": False, "end_ns": 20 * MS, "watchers": ("retry",)}, {0}),
        ({"drained": False, "endless": False, "end_ns": 20 * MS, "watchers": ("other",)}, {4}),
        ({"drained": False, "endless": False, "end_ns": 20 * MS, "watchers": ("other",), "cancels": True}, {0, 4}),
        ({"drained": False, "endless": False, "end_ns": 20 * MS}, {0, 4}),
    ],
)
def test_what_has_not_settled_is_open_stuck_or_runs_away(tale: type, terms: Any, expected: set[int]) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "retry", 100)])
    outcome = columns(story, **terms)["outcome"]
    assert (set(outcome) if isinstance(outcome, frozenset) else {int(outcome)}) == expected


def test_a_client_is_open_while_it_sleeps_or_waits_for_a_call_that_ends(tale: type) -> None:
    terms = Terms(drained=False, endless=False, end_ns=20 * MS)
    view = View(History(tale().submit().sleep(30).raw), terms)
    assert int(columns_of(view, view.requests[0])["outcome"]) == 0  # type: ignore[call-overload]
    view = View(History(tale().submit().sleep(10).raw), terms)
    assert int(columns_of(view, view.requests[0])["outcome"]) == 4  # type: ignore[call-overload]


# Limits.


def ran_away(tale: Any, limit: str) -> Any:
    return tale.submit().attempt(1, "fail").ends(1, "threw").sleep(1).add("runaway", name=limit)


@pytest.mark.parametrize(
    ("limit", "most", "broken"), [("calls", 1, 0), ("calls", 2, 1), ("sleeps", 2, 1), ("time", 5, 1)]
)
def test_a_request_stops_at_the_limit_that_it_comes_to(tale: type, limit: str, most: int, broken: int) -> None:
    found = ran_away(tale(), limit).broken(records.limits_stop_what_runs_away, polls_per_request=most)
    assert len(found) == broken


def test_a_request_that_goes_on_beyond_a_limit(tale: type) -> None:
    story = tale().submit().attempt(1, "fail").ends(1, "threw").attempt(2)
    assert story.broken(records.limits_stop_what_runs_away, polls_per_request=1) == [
        "request 0 makes 2 calls; a request may poll, call or sleep 1 times"
    ]


def test_nothing_is_said_of_limits_that_are_not_known(tale: type) -> None:
    assert ran_away(tale(), "time").broken(records.limits_stop_what_runs_away) == []


@pytest.mark.parametrize(("state", "broken"), [("pending", 1), ("canceled", 0)])
def test_what_is_due_after_the_end_of_all_time_is_stopped(tale: type, state: str, broken: int) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "retry", 10**14, state)])
    found = story.broken(records.limits_stop_what_runs_away, polls_per_request=5, polling=frozenset({"retry"}))
    assert len(found) == broken
    story.add("runaway", name="time")
    assert story.broken(records.limits_stop_what_runs_away, polls_per_request=5) == [] or not broken
