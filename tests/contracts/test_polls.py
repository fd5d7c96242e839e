"""What a retrier owes of its looks, its draws and its timeouts: each invariant on histories told by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.contracts.retrier import limits, polls, results

Story = Callable[[Any], Any]


def looked_at(tale: Any) -> Any:
    """A request whose action failed and was retried: jobs 0 and 2 run the action, 1 and 3 look."""
    tale.submit().commit("submit", jobs=[(0, "action"), (1, "retry")]).starts(0).attempt(1, "fail", job=0)
    tale.at(50).ends(1, "threw").step(0, "inProgress", "failed")
    tale.at(60).commit(own=1, reads=[(0, "failed")], jobs=[(2, "action", 160), (3, "retry", 300)])
    return tale.at(160).starts(2).attempt(2, job=2).at(210).ends(2, "returned").step(2, "inProgress", "success")


def concluded(tale: Any) -> Any:
    return looked_at(tale).at(300).commit(own=3, reads=[(2, "success")]).settles("success")


# Looks.


def test_a_look_that_goes_on_after_the_end(tale: type) -> None:
    story = looked_at(tale()).at(300).commit(own=3, jobs=[(4, "retry", 400)]).settles("success")
    assert story.broken(polls.looking_ends) == []
    assert story.at(400).commit(own=4, jobs=[(5, "retry", 500)]).broken(polls.looking_ends) == [
        "request 0 settled as success at 300ms, but job 4 (retry) schedules job 5 (retry) at 400ms"
    ]


def test_a_look_whose_snapshot_is_older_than_the_end_cannot_know(tale: type) -> None:
    story = looked_at(tale()).at(300).settles("success").at(310).commit(own=3, begin=290, jobs=[(4, "retry", 400)])
    assert story.broken(polls.looking_ends) == []


def test_two_looks_at_once(tale: type) -> None:
    assert concluded(tale()).broken(polls.looks_one_by_one, polls_at_once=1) == []
    story = looked_at(tale()).at(300).commit(own=3, jobs=[(4, "retry", 400), (5, "retry", 500)])
    assert story.broken(polls.looks_one_by_one, polls_at_once=2) == []
    assert story.broken(polls.looks_one_by_one, polls_at_once=1) == [
        "request 0 has 2 looks scheduled at 300ms, but at most 1 are promised: job 4 (retry) and job 5 (retry)"
    ]


def test_a_look_that_sees_an_end_and_only_looks_again(tale: type) -> None:
    assert concluded(tale()).broken(polls.ends_acted_on, acts_on_ends=True) == []
    story = looked_at(tale()).at(300).commit(own=3, reads=[(2, "success")], jobs=[(4, "retry", 400)])
    assert story.broken(polls.ends_acted_on) == []
    assert story.broken(polls.ends_acted_on, acts_on_ends=True) == [
        "job 3 (retry) of request 0 finds job 2 (action) success at 300ms, but only looks again"
    ]


@pytest.mark.parametrize("reads", [[], [(0, "failed")], [(2, "inProgress")], [(2, None)]])
def test_a_look_at_anything_but_the_end_of_the_newest_job_may_look_again(tale: type, reads: Any) -> None:
    story = looked_at(tale()).at(300).commit(own=3, reads=reads, jobs=[(4, "retry", 400)])
    assert story.broken(polls.ends_acted_on, acts_on_ends=True) == []


def in_an_execution(tale: Any) -> Any:
    return (
        tale.submit().commit("submit", jobs=[(0, "action")]).starts(0).attempt(1, "fail", job=0).at(50).ends(1, "threw")
    )


def test_an_error_that_is_not_taken(tale: type) -> None:
    story = in_an_execution(tale()).step(0, "inProgress", "failed")
    assert story.broken(polls.errors_taken) == []
    assert story.broken(polls.errors_taken, takes_errors=True) == [
        "job 0 (action) of request 0 fails at 50ms, since attempt 1 threw at 50ms"
    ]


@pytest.mark.parametrize(
    "between",
    [
        lambda t: t.add("conflict", name="report", detail=5),
        lambda t: t.add("system_error", 0, "execute", "mutation report"),
        lambda t: t.add("rolled_back", name="report"),
        lambda t: t.restart(),
        lambda t: t.at(1000),
        lambda t: t.step(0, "inProgress", "success"),
    ],
    ids=["conflict", "system error", "its report threw", "death", "time limit", "taken"],
)
def test_an_error_that_could_not_be_taken_or_was(tale: type, between: Story) -> None:
    story = between(in_an_execution(tale()))
    if story.raw[-1][1] != "state":
        story.step(0, "inProgress", "failed")
    assert story.broken(polls.errors_taken, takes_errors=True, action_time_limit_ns=10**9) == []


# Draws.


def draws(tale: Any, *values: float) -> Any:
    tale.submit()
    for value in values:
        tale.add("draw", name="jitter", detail=value).commit("retry")
    return tale


def test_a_number_that_is_drawn_twice(tale: type) -> None:
    assert draws(tale(), 0.25, 0.75).broken(polls.draws_are_fresh, draws_differ=True) == []
    story = draws(tale(), 0.25, 0.75, 0.25)
    assert story.broken(polls.draws_are_fresh) == []
    assert story.broken(polls.draws_are_fresh, draws_differ=True) == [
        "request 0 draws 0.25 (jitter) at 0s, which request 0 has drawn (jitter) at 0s"
    ]


def refused(tale: Any, value: float, job: int) -> Any:
    return tale.add("draw", name="jitter", detail=value).add("conflict", job, "retry", 1)


def test_a_rerun_draws_anew(tale: type) -> None:
    story = refused(tale().submit().commit(jobs=[(1, "retry")]), 0.25, 1)
    story.add("draw", name="jitter", detail=0.25).commit(own=1)
    assert len(story.broken(polls.draws_are_fresh, draws_differ=True)) == 1


def test_what_another_mutation_drew_in_vain_may_be_drawn_again(tale: type) -> None:
    story = draws(refused(tale().submit(), 0.25, -1), 0.25)
    assert story.broken(polls.draws_are_fresh, draws_differ=True) == []


# Timeouts.


def call(tale: Any, given_up: float | None, ended: float | None = None) -> Any:
    tale.submit().attempt(1)
    if given_up is not None:
        tale.at(given_up).timed_out(1)
    return tale if ended is None else tale.at(ended).ends(1, "returned")


LAW: dict[str, Any] = {"timeout_ms": 100}


@pytest.mark.parametrize(
    ("given_up", "ended", "expected"),
    [
        (100, 150, []),
        (None, 100, []),
        (99, 150, ["attempt 1 of request 0 is given up after 99ms, but the law says 100ms"]),
        (101, 150, ["attempt 1 of request 0 is given up after 101ms, but the law says 100ms"]),
        (None, 101, ["attempt 1 of request 0 runs for 101ms and is not given up, but the law says 100ms"]),
        (None, None, ["attempt 1 of request 0 never ends and is not given up, but the law says 100ms"]),
    ],
)
def test_timeouts_in_and_out_of_law(tale: type, given_up: Any, ended: Any, expected: list[str]) -> None:
    assert call(tale(), given_up, ended).broken(polls.timeouts_in_law, **LAW) == expected


def test_a_deadline_cuts_a_timeout_short(tale: type) -> None:
    assert call(tale(), 60, 150).broken(polls.timeouts_in_law, **LAW, deadline_ns=60_000_000) == []
    assert len(call(tale(), 60, 150).broken(polls.timeouts_in_law, **LAW, deadline_ns=70_000_000)) == 1


# What is answered, and what is handed back.


def canceled(tale: Any, *, answer: bool, settles: bool) -> Any:
    tale.submit().commit("submit", jobs=[(0, "action")]).starts(0).attempt(1, job=0).at(20).add(
        "cancel", name="request"
    )
    tale.commit("cancel", reads=[(0, "inProgress")])
    if settles:
        tale.settles("canceled")
    return tale.add("cancel_answer", detail=answer)


def test_a_cancel_that_answers_false_changes_nothing(tale: type) -> None:
    assert canceled(tale(), answer=False, settles=False).broken(limits.cancel_obeyed) == []
    assert canceled(tale(), answer=True, settles=True).broken(limits.cancel_obeyed) == []
    assert canceled(tale(), answer=False, settles=True).broken(limits.cancel_obeyed) == [
        "the cancel of request 0 answers false at 20ms, but has itself settled the request"
    ]


def canceled_late(tale: Any, *, answer: bool, outcome: str = "success") -> Any:
    looked_at(tale).at(300).commit(own=3).settles(outcome).at(400).add("cancel", name="request")
    return tale.commit("cancel").add("cancel_answer", detail=answer)


def test_a_cancel_of_what_has_settled_does_not_answer_true(tale: type) -> None:
    assert canceled_late(tale(), answer=False).broken(limits.cancel_obeyed) == []
    assert canceled_late(tale(), answer=True, outcome="canceled").broken(limits.cancel_obeyed) == []
    assert canceled_late(tale(), answer=True).broken(limits.cancel_obeyed) == [
        "the cancel of request 0 answers true at 400ms, but it had settled as success at 300ms"
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (-1, []),
        (2, []),
        (1, ["the loop of request 0 returns 1 at 20ms, but no attempt of that number has succeeded"]),
        (3, ["the loop of request 0 returns 3 at 20ms, but no attempt of that number has succeeded"]),
    ],
)
def test_a_loop_returns_the_answer_of_a_call_that_succeeded(tale: type, answer: int, expected: list[str]) -> None:
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw").attempt(2).at(20).ends(2, "returned")
    assert story.add("settled", answer, "success", story.t_ns).broken(results.result_is_true) == expected
