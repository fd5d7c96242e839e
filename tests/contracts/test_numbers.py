"""What the platform owes of its numbers and of its executions: each invariant on histories told by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.contracts.platform import effects, executions, jobs, numbers
from sim.history.recorder import Start

MS = 1_000_000
Story = Callable[[Any], Any]


def runs(tale: Any, *, name: str = "action", outcome: str = "success") -> Any:
    """Job 0 runs attempt 1 from 0 on."""
    return tale.submit().commit("submit", jobs=[(0, name)]).starts(0).attempt(1, outcome, job=0)


# Executions.


@pytest.mark.parametrize(
    ("how", "state", "expected"),
    [
        ("returned", "success", []),
        ("threw", "failed", []),
        ("died", "failed", []),
        ("cut", "failed", []),
        ("returned", "canceled", []),
        ("returned", "failed", ["job 0 (action) ends as failed at 50ms, but attempt 1 returned"]),
        ("threw", "success", ["job 0 (action) ends as success at 50ms, but attempt 1 threw"]),
    ],
)
def test_a_job_ends_as_its_attempt(tale: type, how: str, state: str, expected: list[str]) -> None:
    story = runs(tale()).at(50).ends(1, how).step(0, "inProgress", state)
    assert story.broken(executions.ends_as_attempted) == expected


def test_a_job_does_not_succeed_before_its_attempt(tale: type) -> None:
    story = runs(tale()).at(50).step(0, "inProgress", "success").at(60).ends(1, "returned")
    assert story.broken(executions.ends_as_attempted) == [
        "job 0 (action) ends as success at 50ms, but attempt 1 still runs"
    ]


@pytest.mark.parametrize("unseen", [lambda t: t.lost(1), lambda t: t.ends(1, "returned").restart()])
def test_a_success_that_the_platform_did_not_see_may_fail(tale: type, unseen: Story) -> None:
    story = unseen(runs(tale()).at(50)).step(0, "inProgress", "failed")
    assert story.broken(executions.ends_as_attempted) == []


def test_a_job_that_does_more_than_the_action_ends_as_it_likes(tale: type) -> None:
    story = runs(tale(), name="execute").at(50).ends(1, "threw").step(0, "inProgress", "success")
    assert story.broken(executions.ends_as_attempted) == []


def test_an_attempt_that_survives_the_server(tale: type) -> None:
    assert (
        runs(tale())
        .at(50)
        .add("restart", name="continues", detail=0, request=-1)
        .ends(1, "died")
        .broken(executions.deaths_take_all)
        == []
    )
    assert runs(tale()).at(50).restart().at(60).ends(1, "returned").broken(executions.deaths_take_all) == [
        "attempt 1 of request 0 goes on after the death of the server at 50ms"
    ]


def test_a_mutation_that_a_dead_execution_called(tale: type) -> None:
    story = runs(tale()).commit("report", caller=0)
    assert story.broken(executions.deaths_take_all) == []
    assert story.at(50).restart().ends(1, "died").at(60).commit("report", caller=0).broken(
        executions.deaths_take_all
    ) == ["mutation report commits at 60ms, called by job 0 (action), which died with the server"]


def waiting(tale: Any, *order: int) -> Any:
    """Jobs 0 to 2 are due at 10, 20 and 30 ms, and start 100 ms apart from 100 ms on."""
    tale.submit().commit("submit", jobs=[(number, "action", 10 * (number + 1)) for number in range(3)])
    for place, number in enumerate(order):
        tale.at(100 * (place + 1)).starts(number)
    return tale


def test_jobs_that_start_in_and_out_of_order(tale: type) -> None:
    assert waiting(tale(), 0, 1, 2).broken(executions.starts_in_order, in_order=True) == []
    assert waiting(tale(), 0, 2, 1).broken(executions.starts_in_order) == []
    assert waiting(tale(), 0, 2, 1).broken(executions.starts_in_order, in_order=True) == [
        "job 2 (action) starts at 200ms before job 1 (action), which was due earlier"
    ]


def test_a_job_that_a_system_error_puts_back_loses_its_place(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "action", 10), (1, "action", 20)])
    story.at(15).add("system_error", 0, "action", "start").at(100).starts(1).at(200).starts(0)
    assert story.broken(executions.starts_in_order, in_order=True) == []


def test_a_mutation_that_runs_before_the_action_scheduled_before_it(tale: type) -> None:
    def first(tale: Any) -> Any:
        return tale.submit().commit("submit", jobs=[(0, "action"), (1, "retry")])

    assert first(tale()).starts(0).commit(own=1).broken(executions.starts_in_order, in_order=True) == []
    assert first(tale()).commit(own=1).starts(0).broken(executions.starts_in_order, in_order=True) == [
        "job 1 (retry) runs before job 0 (action) starts at 0s, which was scheduled before it"
    ]


def operated(tale: Any) -> Any:
    tale.submit().commit("submit", jobs=[(0, "action"), (1, "action"), (2, "retry")]).at(20)
    return tale.add("cancel", name="action")


def test_an_operators_cancel_ends_the_newest_job(tale: type) -> None:
    assert operated(tale()).step(1, "pending", "canceled").broken(executions.operators_cancel) == []
    missed = ["an operator cancels the action of request 0 at 20ms, but job 1 (action) is not"]
    assert operated(tale()).step(0, "pending", "canceled").broken(executions.operators_cancel) == missed
    assert operated(tale()).at(30).starts(0).broken(executions.operators_cancel) == missed
    assert operated(tale()).broken(executions.operators_cancel) == missed
    assert operated(tale()).broken(executions.operators_cancel, drained=False) == []


def test_an_operator_finds_nothing_to_cancel(tale: type) -> None:
    story = tale().submit().commit("submit", jobs=[(0, "action")]).starts(0).step(0, "inProgress", "failed")
    assert story.at(20).add("cancel", name="action").broken(executions.operators_cancel) == []


def test_a_canceled_action_keeps_its_slot_while_it_runs(tale: type) -> None:
    story = runs(tale()).commit(jobs=[(1, "action")]).at(20).step(0, "inProgress", "canceled")
    story.at(30).starts(1).at(50).ends(1, "returned")
    assert story.broken(jobs.slots_respected, parallelism=1) == ["2 jobs run in 1 slots at 30ms"]
    story = runs(tale()).commit(jobs=[(1, "action")]).at(20).step(0, "inProgress", "canceled")
    story.at(30).ends(1, "returned").starts(1)
    assert story.broken(jobs.slots_respected, parallelism=1) == []


# Numbers.


@pytest.mark.parametrize(("asked", "expected"), [(50, []), (60, ["expected after 60ms"])])
def test_a_timeout_lasts_as_long_as_asked(tale: type, asked: int, expected: list[str]) -> None:
    story = tale().submit().attempt(1).at(50).add("timed_out", 1, detail=asked * MS)
    found = story.broken(numbers.clients_wait)
    assert [text.partition("; ")[2] for text in found] == expected


@pytest.mark.parametrize(
    ("until", "expected"), [(100, []), (90, ["request 0 sleeps 100ms at 0s, but goes on at 90ms"])]
)
def test_a_sleep_lasts_as_long_as_asked(tale: type, until: int, expected: list[str]) -> None:
    assert tale().submit().sleep(100).at(until).attempt(1).broken(numbers.clients_wait) == expected


def test_a_cancel_ends_a_sleep(tale: type) -> None:
    assert tale().submit().sleep(100).at(20).settles("canceled").broken(numbers.clients_wait) == []


@pytest.mark.parametrize(("up", "expected"), [(30, []), (40, ["the server is down for 40ms; expected for 30ms"])])
def test_the_server_is_down_as_long_as_it_is_said(tale: type, up: int, expected: list[str]) -> None:
    story = tale().add("restart", name="lost", detail=30 * MS, request=-1).at(up).add("boot", request=-1)
    assert story.broken(numbers.restarts_last) == expected


def lost_calls(tale: Any, count: int) -> Any:
    runs(tale).at(50).ends(1, "threw")
    for number in range(1, count + 1):
        tale.at(50 + number).add("conflict", name="report", detail=number)
    return tale


def test_a_call_runs_again_as_often_as_it_may(tale: type) -> None:
    assert lost_calls(tale(), 3).broken(numbers.reruns_in_law, occ_reruns=2) == []
    assert lost_calls(tale(), 3).broken(numbers.reruns_in_law) == []
    assert lost_calls(tale(), 3).broken(numbers.reruns_in_law, occ_reruns=1) == [
        "report of request 0 loses 3 times at 53ms, but runs again at most 1 times"
    ]


def test_a_call_is_not_given_up_too_soon(tale: type) -> None:
    story = lost_calls(tale(), 3).step(0, "inProgress", "failed")
    assert story.broken(numbers.reruns_in_law, occ_reruns=2) == []
    assert story.broken(numbers.reruns_in_law, occ_reruns=3) == [
        "report of request 0 is given up at 53ms after 3 of 3 reruns"
    ]


def rerun(tale: Any, *waits: float) -> Any:
    tale.submit()
    for number, wait in enumerate(waits):
        tale.at(100 * number).commit(jobs=[(number, "retry", 100 * number)]).add("conflict", number, "retry", 1)
        tale.at(100 * number + wait).commit(own=number)
    return tale


BACKOFF: dict[str, Any] = {"scheduled_occ_backoff_ns": (10 * MS, 20 * MS)}


def test_a_refused_mutation_waits_within_its_backoff(tale: type) -> None:
    assert rerun(tale(), 10).broken(numbers.reruns_in_law, **BACKOFF) == []
    assert rerun(tale(), 11).broken(numbers.reruns_in_law) == []
    assert rerun(tale(), 11).broken(numbers.reruns_in_law, **BACKOFF) == [
        "job 0 (retry) runs again 11ms after conflict 1; expected within 10ms"
    ]


def test_a_backoff_grows_with_the_conflicts_up_to_its_maximum(tale: type) -> None:
    def third(wait: float) -> Any:
        story = tale().submit().commit(jobs=[(0, "retry")])
        for number in (1, 2, 3):
            story.add("conflict", 0, "retry", number)
        return story.at(wait).commit(own=0)

    assert third(20).broken(numbers.reruns_in_law, **BACKOFF) == []
    assert len(third(21).broken(numbers.reruns_in_law, **BACKOFF)) == 1


def test_reruns_do_not_all_come_at_once(tale: type) -> None:
    assert rerun(tale(), 0).broken(numbers.reruns_in_law, **BACKOFF, draws_differ=True) == []
    assert rerun(tale(), 0, 1).broken(numbers.reruns_in_law, **BACKOFF, draws_differ=True) == []
    assert rerun(tale(), 0, 0).broken(numbers.reruns_in_law, **BACKOFF) == []
    assert rerun(tale(), 0, 0).broken(numbers.reruns_in_law, **BACKOFF, draws_differ=True) == [
        "all 2 reruns come at once, with no wait behind a conflict"
    ]


DETECTION: dict[str, Any] = {"crash_detection_ns": 10 * MS}


def test_a_crash_is_detected_when_it_is_to_be(tale: type) -> None:
    def dead(at: float | None) -> Any:
        story = runs(tale()).at(50).ends(1, "died")
        return story if at is None else story.at(at).step(0, "inProgress", "failed")

    assert dead(60).broken(numbers.crashes_detected, **DETECTION) == []
    assert dead(50).broken(numbers.crashes_detected) == []
    assert dead(50).broken(numbers.crashes_detected, **DETECTION) == [
        "job 0 (action) is marked failed at 50ms; expected at 60ms"
    ]
    assert dead(None).broken(numbers.crashes_detected, **DETECTION) == [
        "job 0 (action) is never marked failed; expected at 60ms"
    ]
    assert dead(None).broken(numbers.crashes_detected, **DETECTION, drained=False) == []


@pytest.mark.parametrize(
    "between",
    [
        lambda t: t.at(55).restart(),
        lambda t: t.at(60).add("system_error", 0, "action", "end"),
        lambda t: t.at(55).step(0, "inProgress", "canceled"),
    ],
)
def test_a_detection_that_something_else_delays_or_overtakes(tale: type, between: Story) -> None:
    story = between(runs(tale()).at(50).ends(1, "died")).at(70)
    if story.raw[-1][1] != "state":
        story.step(0, "inProgress", "failed")
    assert story.broken(numbers.crashes_detected, **DETECTION) == []


def test_rows_are_collected_when_they_are_ripe(tale: type) -> None:
    def late(at: float) -> Any:
        return runs(tale()).at(50).ends(1, "returned").step(0, "inProgress", "success").at(at).sleep(1)

    kept = {"retention_ns": 100 * MS, "collection_batch": 10}
    assert late(150).broken(numbers.rows_collected, **kept) == []
    assert late(151).broken(numbers.rows_collected) == []
    assert late(151).broken(numbers.rows_collected, **{**kept, "collection_batch": 1}) == []
    assert late(151).add("collected", detail=1, request=-1).broken(numbers.rows_collected, **kept) == []
    assert late(151).broken(numbers.rows_collected, **kept) == [
        "0 rows have been collected by 151ms, but 1 jobs had been over for more than 100ms"
    ]


def timed(tale: Any, outcome: str, effect: float | None) -> Any:
    due_ns = -1 if effect is None else round(effect * MS)
    return tale.submit().add("attempt", 1, outcome, Start(-1, due_ns, 100 * MS))


def test_an_effect_is_due_at_its_moment(tale: type) -> None:
    assert timed(tale(), "success", 50).broken(numbers.effects_at_their_moment, effect_at=0.5) == []
    assert timed(tale(), "success", 50).broken(numbers.effects_at_their_moment) == []
    assert timed(tale(), "success", 100).broken(numbers.effects_at_their_moment, effect_at=0.5) == [
        "the effect of attempt 1 of request 0 is due at 100ms, but its moment is 50ms"
    ]


@pytest.mark.parametrize(
    ("at", "expected"),
    [(49, []), (60, ["attempt 1 of request 0 dies at 60ms, behind the moment of its effect at 50ms"])],
)
def test_a_crash_before_the_effect_comes_before_it(tale: type, at: float, expected: list[str]) -> None:
    story = timed(tale(), "crash_before_effect", None).at(at).ends(1, "died")
    assert story.broken(numbers.effects_at_their_moment, effect_at=0.5) == expected


@pytest.mark.parametrize(
    ("at", "outcome", "expected"),
    [
        (10, "fail", []),
        (20, "success", []),
        (9, "success", []),
        (10, "success", ["attempt 1 of request 0 has 'success' in store at 10ms, in the outage from 10ms to 20ms"]),
    ],
)
def test_what_starts_in_an_outage_fails(tale: type, at: float, outcome: str, expected: list[str]) -> None:
    story = tale().submit().at(at).attempt(1, outcome)
    assert story.broken(numbers.outages_strike, outages_ns=((10 * MS, 20 * MS, frozenset({"fail"})),)) == expected


def test_an_attempt_that_is_cut_off_too_soon(tale: type) -> None:
    story = runs(tale()).at(50).ends(1, "cut").step(0, "inProgress", "failed")
    assert story.broken(effects.time_limit_holds, action_time_limit_ns=50 * MS) == []
    assert story.broken(effects.time_limit_holds, action_time_limit_ns=60 * MS) == [
        "attempt 1 of request 0 is cut off at 50ms, before 60ms, the time limit of job 0 (action)"
    ]
