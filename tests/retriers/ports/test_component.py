"""`component`: its handlers branch by branch, the addresses of its draws, and upstream's bugs, which stay."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from sim.convex.contexts import MutationContext
from sim.convex.functions import FunctionError
from sim.retriers.ports.component import MAX_CLEANUP_BATCH, Component, ComponentOptions

Play = Callable[..., Any]
LEAST, MOST = 0.0, 1 - 2**-53
S = 1000
DAY_NS = 86_400_000_000_000


# Options.


def test_options_have_upstreams_defaults() -> None:
    assert Component().run_options == {
        "initialBackoffMs": 250.0,
        "base": 2.0,
        "maxFailures": 4,
        "runAfter": 0.0,
        "onComplete": "ok",
    }


def test_options_of_a_scenario_become_upstreams_numbers() -> None:
    options = ComponentOptions.model_validate(
        {"initial_backoff": "1s", "base": 3.0, "max_failures": 2, "run_after": "5s", "on_complete_fails": True}
    )
    assert Component(options).run_options == {
        "initialBackoffMs": 1000.0,
        "base": 3.0,
        "maxFailures": 2,
        "runAfter": 5000.0,
        "onComplete": "throw",
    }


# start


def test_start_inserts_a_run_and_schedules_its_execution_and_a_heartbeat(play: Play) -> None:
    played = play("component", "success 50ms", heartbeat=0.25)
    writes = [(event.document_id, event.document["state"]) for event in played.events("write")][:2]
    assert (writes, played.due("execute"), played.due("heartbeat")) == (
        [
            ("runs:1", {"type": "inProgress", "startTime": 0}),
            ("runs:1", {"type": "inProgress", "startTime": 0, "schedulerId": 0}),
        ],
        [0],
        [7.5 * S],
    )


def test_a_delayed_start_delays_the_heartbeat_too(play: Play) -> None:
    played = play("{kind: component, run_after: 3s}", "success 50ms")
    assert (played.due("execute"), played.due("heartbeat"), played.end) == ([3 * S], [13 * S], ("success", 3050))


def test_a_start_in_the_past_runs_at_once(play: Play) -> None:
    played = play("component", "success 50ms", retrier=Component(runAt=-4_000_000_000))
    assert (played.due("execute"), played.due("heartbeat"), played.end) == ([-4 * S], [6 * S], ("success", 50))


# execute and finishExecution


def test_a_success_settles_the_run_at_its_end(play: Play) -> None:
    played = play("component", "success 50ms")
    state = played.document("runs:1")["state"]
    assert (played.end, state) == (
        ("success", 50),
        {"type": "completed", "completedAt": 50_000_000, "result": {"type": "success"}},
    )


def test_a_failure_schedules_the_next_attempt_and_counts(play: Play) -> None:
    played = play("component", "fail 50ms", "success 50ms")
    retried = played.events("write")[2].document
    assert (retried["numFailures"], retried["state"]) == (
        1,
        {"type": "inProgress", "startTime": 550_000_000, "schedulerId": 2},
    )


def test_the_backoff_grows_by_the_base(play: Play) -> None:
    played = play("{kind: component, base: 3}", *["fail 0ms"] * 4, "success 0ms")
    gaps = [later - earlier for earlier, later in pairwise(played.when("attempt"))]
    assert gaps == [750, 2250, 6750, 20_250]


@pytest.mark.parametrize(("uniform", "expected"), [(LEAST, 250), (0.5, 500), (MOST, 750)])
def test_the_backoff_is_spread_from_half_to_one_and_a_half(play: Play, uniform: float, expected: float) -> None:
    assert play("component", "fail 0ms", "success 0ms", backoff=uniform).when("attempt")[1] == pytest.approx(expected)


def test_after_the_last_allowed_failure_the_run_has_failed(play: Play) -> None:
    played = play("{kind: component, max_failures: 2}", "fail 0ms")
    assert (played.when("attempt"), played.end, played.document("runs:1")["state"]["result"]["type"]) == (
        [0, 500, 1500],
        ("gave_up", 1500),
        "failed",
    )


def test_an_execution_of_a_completed_run_does_not_run_the_action(play: Play) -> None:
    # The attempt loses contact at 15 s, the heartbeat at 10 s sees it running and that at 20 s schedules a retry
    # for 20.5 s; at 20.2 s the first attempt reports its success.
    played = play("component", "lost_contact 20200ms", "success 1s", death=0.75)
    assert (played.due("execute"), played.when("attempt"), played.end) == ([0, 20.5 * S], [0], ("success", 20.2 * S))


def test_a_result_for_a_run_that_is_over_is_dropped(play: Play) -> None:
    played = play("component", "success 50ms")
    before = played.document("runs:1")
    finish = Component().finish_execution
    played.mutate(lambda ctx: ctx.run_mutation(finish, {"runId": "runs:1", "result": {"type": "failed"}}))
    assert played.document("runs:1") == before


# heartbeat


def test_heartbeats_are_half_to_one_and_a_half_of_ten_seconds_apart(play: Play) -> None:
    played = play("component", "success 40s", heartbeat=[LEAST, MOST, 0.5, LEAST])
    assert played.ran("heartbeat") == pytest.approx([5 * S, 20 * S, 30 * S, 35 * S, 40 * S])


def test_a_heartbeat_of_a_completed_run_is_the_last(play: Play) -> None:
    played = play("component", "success 50ms")
    assert (played.ran("heartbeat"), len(played.due("heartbeat"))) == ([10 * S], 1)


def test_a_heartbeat_of_a_run_that_is_gone_stops(play: Play) -> None:
    played = play("component", "success 50ms")
    ran = played.mutate(lambda ctx: (ctx.delete("runs:1"), ctx.run_mutation(heartbeat_of(played), {"runId": "runs:1"})))
    assert ran[1] is None


def heartbeat_of(played: Any) -> Any:
    return played.world.retrier.heartbeat


def test_a_heartbeat_that_finds_success_where_the_run_goes_on_throws(play: Play) -> None:
    played = play("component", "success 50ms")

    def handler(ctx: MutationContext) -> None:
        run = ctx.get("runs:1")
        ctx.replace("runs:1", {**(run or {}), "state": {"type": "inProgress", "schedulerId": 0, "startTime": 0}})
        with pytest.raises(FunctionError, match="invalid scheduler state"):
            ctx.run_mutation(heartbeat_of(played), {"runId": "runs:1", "scheduled": 1})

    played.mutate(handler)


def test_a_crash_is_noticed_at_the_next_heartbeat_and_the_backoff_comes_on_top(play: Play) -> None:
    played = play("component", "crash_before_effect 50ms", "success 50ms")
    assert (played.when("attempt"), played.end) == ([0, 10.5 * S], ("success", 10_550))


def test_a_crash_counts_as_a_failure(play: Play) -> None:
    played = play("{kind: component, max_failures: 0}", "crash_before_effect 50ms")
    assert played.end == ("gave_up", 10 * S)


def test_a_job_canceled_behind_its_back_before_it_starts_settles_the_run_at_the_next_heartbeat(play: Play) -> None:
    cancel = "cancel: {share: 1, after: {constant: 1s}, target: action}"
    played = play("{kind: component, run_after: 3s}", "success 50ms", more=cancel)
    assert (played.end, played.request.attempts) == (("canceled", 13 * S), 0)


# cancel


def test_its_own_cancel_settles_at_once_and_the_running_attempt_goes_on_unheard(play: Play) -> None:
    played = play("component", "success 50ms", more="cancel: {share: 1, after: {constant: 20ms}}")
    answers = [event.answer for event in played.events("cancel_answer")]
    assert (played.end, played.request.effects, answers, played.jobs[0]) == (
        ("canceled", 20),
        1,
        [True],
        ("execute", "canceled"),
    )


def test_canceling_between_attempts_cancels_the_next_one(play: Play) -> None:
    played = play("component", "fail 50ms", "success 50ms", more="cancel: {share: 1, after: {constant: 100ms}}")
    assert (played.end, played.request.attempts) == (("canceled", 100), 1)


def test_canceling_a_run_that_is_over_answers_false(play: Play) -> None:
    played = play("component", "success 50ms", more="cancel: {share: 1, after: {constant: 1s}}")
    assert (played.end, [event.answer for event in played.events("cancel_answer")]) == (("success", 50), [False])


def test_canceling_a_run_that_is_gone_answers_false(play: Play) -> None:
    played = play("component", "success 50ms")
    assert played.mutate(lambda ctx: played.world.retrier.cancel(ctx, "runs:77")) is False


# onComplete


def test_on_complete_runs_once_with_the_result(play: Play) -> None:
    played = play("{kind: component, max_failures: 1}", "fail 50ms")
    assert [(event.t_ns / 1e6, event.result) for event in played.events("callback")] == [(600, "failed")]


def test_without_on_complete_nothing_runs(play: Play) -> None:
    played = play("component", "success 50ms", retrier=Component(onComplete="none"))
    assert (played.events("callback"), played.end) == ([], ("success", 50))


def test_upstream_bug_an_on_complete_that_throws_is_lost_and_never_runs_again(play: Play) -> None:
    played = play("{kind: component, on_complete_fails: true}", "success 50ms")
    assert (played.events("callback"), played.end, played.document("runs:1")["state"]["type"]) == (
        [],
        ("success", 50),
        "completed",
    )


# status, cleanup, cleanupExpiredRuns


def test_status_tells_whether_it_goes_on_or_how_it_ended(play: Play) -> None:
    ended = play("component", "success 50ms")
    going = play("component", "success 50ms", more="until: 20ms")
    retrier = Component()
    assert [played.mutate(lambda ctx: retrier.status(ctx, "runs:1")) for played in (ended, going)] == [
        {"type": "completed", "result": {"type": "success"}},
        {"type": "inProgress"},
    ]


def test_status_of_an_unknown_run_throws(play: Play) -> None:
    played = play("component", "success 50ms")
    with pytest.raises(FunctionError, match="runs:77 not found"):
        played.mutate(lambda ctx: Component().status(ctx, "runs:77"))


def test_cleanup_deletes_a_completed_run(play: Play) -> None:
    played = play("component", "success 50ms")
    played.mutate(lambda ctx: Component().cleanup(ctx, "runs:1"))
    assert played.document("runs:1") is None


def test_cleanup_of_a_run_that_goes_on_throws(play: Play) -> None:
    played = play("component", "success 50ms", more="until: 20ms")
    with pytest.raises(FunctionError, match="has not completed"):
        played.mutate(lambda ctx: Component().cleanup(ctx, "runs:1"))


def with_runs(played: Any, completed_days_ago: list[float]) -> None:
    """Insert completed runs, and go to a day on which they are that old."""
    now_ns = 100 * DAY_NS
    played.world.clock.call_after(now_ns - played.world.clock.now_ns, lambda: None)
    played.world.clock.drain(None, 10)

    def handler(ctx: MutationContext) -> None:
        ctx.delete("runs:1")
        for days in completed_days_ago:
            state = {"type": "completed", "completedAt": now_ns - round(days * DAY_NS), "result": {"type": "success"}}
            ctx.insert("runs", {"state": state})
        ctx.insert("runs", {"state": {"type": "inProgress", "startTime": 0}})

    played.mutate(handler)


def clean_up(played: Any) -> None:
    played.mutate(lambda ctx: ctx.run_mutation(played.world.retrier.clean_up_expired_runs, {}))


def test_expired_are_the_runs_completed_more_than_seven_days_ago(play: Play) -> None:
    played = play("component", "success 50ms")
    with_runs(played, [30, 7.1, 7, 6.9])
    clean_up(played)
    left = [version.document["_id"] for version in played.store.documents.values()]
    assert left == ["runs:4", "runs:5", "runs:6"]


@pytest.mark.parametrize(("expired", "further_jobs"), [(MAX_CLEANUP_BATCH - 1, 0), (MAX_CLEANUP_BATCH, 1)])
def test_a_full_batch_is_followed_by_another_at_once(play: Play, expired: int, further_jobs: int) -> None:
    played = play("component", "success 50ms")
    with_runs(played, [30] * expired)
    clean_up(played)
    assert [name for name, _ in played.jobs].count("cleanupExpiredRuns") == further_jobs


# Draws.


def test_draws_have_the_addresses_of_the_failure_and_of_the_heartbeats_before(play: Play) -> None:
    # Heartbeats at 10 s (running), 20 s (the job has failed) and none after that.
    played = play("component", "fail 0ms", "crash_after_effect 15s", "success 0ms")
    assert played.drawn == [
        ("heartbeat", 0, 0, 0),
        ("backoff", 0, 1, 0),
        ("heartbeat", 0, 1, 0),
        ("backoff", 0, 2, 0),
    ]


def test_each_heartbeat_draws_by_the_number_of_those_scheduled_before(play: Play) -> None:
    assert play("component", "success 35s").drawn == [("heartbeat", 0, number, 0) for number in range(4)]


def test_draws_are_in_the_history(play: Play) -> None:
    played = play("component", "fail 0ms", "success 0ms", heartbeat=0.25, backoff=0.75)
    assert [(event.stream, event.value) for event in played.events("draw")] == [("heartbeat", 0.25), ("backoff", 0.75)]


# What is to be measured, not mended.


def test_upstream_bug_the_first_backoff_is_500_ms_where_the_documentation_says_250(play: Play) -> None:
    assert play("component", "fail 0ms", "success 0ms").when("attempt") == [0, 500]


def test_upstream_bug_a_second_crash_is_never_noticed_and_on_complete_never_runs(play: Play) -> None:
    played = play("component", "crash_before_effect 50ms", "crash_before_effect 50ms", "success 50ms")
    assert (played.end[0], played.jobs, played.events("callback"), played.document("runs:1")["state"]["type"]) == (
        "stuck",
        [("execute", "failed"), ("heartbeat", "success"), ("execute", "failed")],
        [],
        "inProgress",
    )


def test_upstream_bug_a_crash_during_a_retry_is_noticed_only_while_a_heartbeat_is_left(play: Play) -> None:
    played = play("component", "fail 50ms", "crash_before_effect 50ms", "success 50ms")
    assert (played.when("attempt"), played.end[0]) == ([0, 550, 11 * S], "success")


def test_upstream_bug_a_stale_attempt_settles_a_newer_one(play: Play) -> None:
    # Given up at 5 s, replaced at 10.5 s, the first attempt still reports its failure at 20 s while the second runs.
    played = play("{kind: component, max_failures: 1}", "lost_contact 20s", "success 60s", death=0.25)
    assert (played.end, played.request.attempts, played.causes) == (("success", 20 * S), 2, {"timeout": 1})


def test_upstream_bug_canceled_from_the_dashboard_while_it_runs_a_success_still_counts(play: Play) -> None:
    cancel = "cancel: {share: 1, after: {constant: 20ms}, target: action}"
    assert play("component", "success 50ms", more=cancel).end == ("success", 50)


def test_upstream_bug_canceled_from_the_dashboard_while_it_runs_a_failure_cancels_ten_seconds_later(play: Play) -> None:
    cancel = "cancel: {share: 1, after: {constant: 20ms}, target: action}"
    played = play("component", "fail 50ms", "success 50ms", more=cancel)
    assert (played.end, played.jobs[2]) == (("canceled", 10 * S), ("execute", "canceled"))


def test_upstream_bug_a_canceled_heartbeat_leaves_a_crash_unnoticed(play: Play) -> None:
    cancel = "cancel: {share: 1, after: {constant: 1s}, target: poll}"
    played = play("component", "crash_before_effect 50ms", "success 50ms", more=cancel)
    assert played.end[0] == "stuck"
