"""What an app calls: sizes, bounds of times, settings, cancels, status, and what only an operator calls."""

from typing import Any

import pytest
from pooled import MS, Pooled, S

from sim.convex.functions import FunctionError
from sim.retriers.ports.workpool import client, stats
from sim.retriers.ports.workpool.context import QueryCtx

YEAR_NS = 365 * 24 * 3600 * S * MS
OTHER_BEHAVIOR = {"maxAttempts": 9, "initialBackoffMs": 1, "base": 1}


def segment_ns(p: Pooled, which: int = -1) -> int:
    """Return the instant of the simulation's clock from which the newest pending start is due."""
    return p.documents("pendingStart")[which]["segment"] * 100 * MS - p.pool.epoch_ns


# Sizes.


@pytest.mark.parametrize(
    ("args", "context", "payload"),
    [
        (7999, 0, None),
        (8000, 0, {"args": 8000, "context": 0}),
        (8000, 7999, {"args": 8000, "context": 0}),
        (8000, 8000, {"args": 8000, "context": 8000}),
        (7999, 1, {"args": 0, "context": 1}),
        (0, 8000, {"args": 0, "context": 8000}),
        (100, 7899, None),
    ],
)
def test_arguments_and_context_from_8000_bytes_have_a_payload(args: int, context: int, payload: Any) -> None:
    p = Pooled()
    p.enqueue(0, fnArgsSize=args, contextSize=context)
    found = [{key: one[key] for key in ("args", "context")} for one in p.documents("payload")]
    assert found == ([] if payload is None else [payload])


@pytest.mark.parametrize("which", ["fnArgsSize", "contextSize"])
def test_more_than_a_million_bytes_throw_and_nothing_of_the_enqueue_stays(which: str) -> None:
    p = Pooled()
    assert isinstance(p.enqueue(0, **{which: 1_000_001}), FunctionError)
    assert (p.documents("work"), p.documents("workers"), p.documents("globals")) == ([], [], [])
    assert isinstance(p.enqueue(0, **{which: 1_000_000}), str)


def test_one_item_too_large_throws_away_the_whole_batch() -> None:
    p = Pooled()
    p.enqueue_batch(2, fnArgsSize=1_000_001)
    assert p.documents("work") == []


def test_a_batch_above_eight_million_bytes_is_enqueued_in_several_calls() -> None:
    p = Pooled()
    p.enqueue_batch(9, fnArgsSize=1_000_000)
    writes = p.writes("app")
    assert writes.count("work I") == 9
    # The second call begins once the first has patched all its works.
    assert writes.index("work P", writes.index("work I")) < len(writes) - 1 - writes[::-1].index("work I")


def test_a_payload_is_deleted_with_its_work() -> None:
    p = Pooled()
    p.enqueue(0, fnArgsSize=9000, contextSize=9000)
    p.run()
    assert (p.documents("payload"), p.callbacks()) == ([], ["success"])


def test_completions_of_more_than_two_million_bytes_are_put_off_in_portions() -> None:
    p = Pooled("success 100s")
    ids = p.enqueue_batch(3, fnArgsSize=900_000)
    jobs = [{"workId": one, "attempt": 0, "runResult": {"kind": "failed", "error": ""}} for one in ids]
    p.mutate(lambda ctx: ctx.run_mutation(p.pool.complete, {"jobs": jobs}))
    assert [len(job.args["jobs"]) for job in p.jobs("complete")] == [1]
    assert p.writes("app")[0] == "complete I"


def test_a_work_whose_payload_is_gone_fails_without_running() -> None:
    p = Pooled(fates={0: ["success 50ms"]})
    p.enqueue(0, fnArgsSize=9000)
    p.mutate(lambda ctx: ctx.delete(p.document("payload")["_id"]))
    p.run(1 * S)
    assert (p.when("attempt"), p.callbacks()) == ([], ["failed"])


def test_a_mutation_whose_payload_is_gone_fails_as_a_job_and_is_found_by_recovery() -> None:
    p = Pooled(fnType="mutation")
    p.enqueue(0, fnArgsSize=9000)
    p.mutate(lambda ctx: ctx.delete(p.document("payload")["_id"]))
    p.run()
    assert (p.when("attempt"), p.states("runMutationWrapper"), p.callbacks()) == ([], ["failed"], ["failed"])


# Times.


@pytest.mark.parametrize(
    ("run_at_ns", "due_ns"),
    [
        (-YEAR_NS - 1, 0),
        (-YEAR_NS, 0),  # an old time is due now in any case
        (0, 0),
        (4 * YEAR_NS, 4 * YEAR_NS),
        (4 * YEAR_NS + 100 * MS, YEAR_NS),
        (float("inf"), YEAR_NS),
        (float("-inf"), 0),
    ],
)
def test_times_of_a_start_are_bounded(run_at_ns: float, due_ns: int) -> None:
    p = Pooled()
    p.enqueue(0, runAt=run_at_ns)
    assert segment_ns(p) == due_ns


def test_a_time_that_is_no_number_throws() -> None:
    assert isinstance(Pooled().enqueue(0, runAt=float("nan")), FunctionError)


def test_a_work_starts_up_to_100_ms_early() -> None:
    p = Pooled()
    p.enqueue(0, runAfter=60_099)
    p.run()
    assert p.when("attempt") == [60 * S]


def test_a_retry_far_behind_the_cursor_is_only_seen_by_a_recovery_scan() -> None:
    p = Pooled("fail 50ms", "success 1ms", fates={1: ["success 100s"]})
    p.run(0)
    p.enqueue(0, retry={"maxAttempts": 2, "initialBackoffMs": -20_000, "base": 1})
    p.enqueue(1)
    p.run()
    assert p.when("attempt", 0) == [0, 60 * S]


def test_a_retry_a_little_behind_the_cursor_is_seen_at_once() -> None:
    p = Pooled("fail 50ms", "success 1ms")
    p.enqueue(0, retry={"maxAttempts": 2, "initialBackoffMs": -10_000, "base": 1})
    p.run()
    assert p.when("attempt", 0) == [0, 200]


# Retry behavior.


@pytest.mark.parametrize(
    ("options", "attempts"),
    [
        ({}, None),
        ({"retry": False, "retryActionsByDefault": True}, None),
        ({"retry": True}, 5),
        ({"retryActionsByDefault": True}, 5),
        ({"retryActionsByDefault": True, "defaultRetryBehavior": OTHER_BEHAVIOR}, 9),
        ({"retry": True, "defaultRetryBehavior": OTHER_BEHAVIOR}, 9),
        ({"defaultRetryBehavior": OTHER_BEHAVIOR}, None),
        ({"retry": {"maxAttempts": 2, "initialBackoffMs": 1, "base": 1}, "retryActionsByDefault": True}, 2),
    ],
)
def test_the_retry_behavior_of_client_and_enqueue(options: dict[str, Any], attempts: int | None) -> None:
    behavior = client.retry_behavior_of(options)
    assert (None if behavior is None else behavior["maxAttempts"]) == attempts


@pytest.mark.parametrize("kind", ["mutation", "query"])
def test_mutations_and_queries_are_never_retried(kind: str) -> None:
    p = Pooled("fail 50ms", retry=True, fnType=kind)
    p.enqueue(0)
    p.run()
    assert (len(p.when("attempt")), p.callbacks()) == (1, ["failed"])


def test_upstream_bug_zero_attempts_make_one() -> None:
    p = Pooled("fail 50ms", retry={"maxAttempts": 0, "initialBackoffMs": 1, "base": 1})
    p.enqueue(0)
    p.run()
    assert len(p.when("attempt")) == 1


def test_a_failure_marked_as_final_is_not_retried() -> None:
    p = Pooled("final 50ms", retry=True)
    p.enqueue(0)
    p.run()
    assert (len(p.when("attempt")), p.callbacks()) == (1, ["failed"])


# Settings.


@pytest.mark.parametrize("parallelism", [201, -1])
def test_a_parallelism_out_of_bounds_throws(parallelism: int) -> None:
    p = Pooled(maxParallelism=parallelism)
    assert isinstance(p.enqueue(0), FunctionError)
    assert p.documents("globals") == []


def test_an_enqueue_replaces_the_settings_only_if_they_differ() -> None:
    p = Pooled(maxParallelism=7)
    p.enqueue(0)
    p.enqueue(1)
    assert "globals P" not in p.writes("app")
    p.enqueue(2, maxParallelism=8)
    assert p.writes("app")[0] == "globals P"
    assert p.document("globals")["maxParallelism"] == 8


def test_only_a_greater_parallelism_pings() -> None:
    p = Pooled()
    p.enqueue(0)
    p.run()
    update = p.pool.update_config
    p.mutate(lambda ctx: update(ctx, maxParallelism=5))
    assert p.writes("app") == ["globals P"]
    p.mutate(lambda ctx: update(ctx, maxParallelism=6))
    assert p.writes("app")[:2] == ["globals P", "workers P"]


def test_a_first_update_above_the_default_pings() -> None:
    p = Pooled()
    p.mutate(lambda ctx: p.pool.update_config(ctx, maxParallelism=10))
    assert p.writes("app") == ["globals I"]
    other = Pooled()
    other.mutate(lambda ctx: other.pool.update_config(ctx, maxParallelism=11))
    assert "loop I" in other.writes("app")


# Cancels.


def cancel_all(p: Pooled, limit: float | None = None) -> Any:
    return p.mutate(lambda ctx: p.pool.cancel_all(ctx, limit))


def waiting(count: int) -> Pooled:
    """Return a pool with works that start in an hour."""
    p = Pooled()
    p.enqueue_batch(count, runAfter=3600 * S)
    return p.run(5 * S)


def test_upstream_bug_a_page_of_no_works_throws() -> None:
    assert isinstance(cancel_all(waiting(1), 0), FunctionError)


@pytest.mark.parametrize(("works", "calls"), [(63, 0), (64, 1), (65, 1), (127, 1), (128, 2)])
def test_pages_have_64_works_and_begin_with_the_last_work_of_the_page_before(works: int, calls: int) -> None:
    # 65 works: the second page has one work met before and one more. 127: 64 and 64, full, so there is a third.
    p = waiting(works)
    cancel_all(p)
    p.run()
    assert (len(p.jobs("cancelAll")) - (works == 127), p.callbacks()) == (calls, ["canceled"] * works)


def test_upstream_bug_a_limit_of_one_schedules_itself_for_as_long_as_the_work_lasts() -> None:
    p = Pooled("success 50ms")
    p.enqueue(0)
    p.run(10)
    cancel_all(p, 1)
    # Nothing takes time here, so that the calls follow each other within one instant without end.
    assert not p.clock.drain(20 * MS, 1000)
    assert len(p.jobs("cancelAll")) > 300


def test_a_cancel_of_all_marks_running_works_so_that_they_are_not_retried() -> None:
    p = Pooled("fail 10s", retry=True)
    p.enqueue(0)
    p.at(5 * S, lambda: cancel_all(p))
    p.run()
    assert (len(p.when("attempt")), p.callbacks()) == (1, ["canceled"])


def test_a_second_cancel_that_waits_beside_the_first_does_nothing() -> None:
    p = waiting(1)
    work_id = p.documents("work")[0]["_id"]
    p.cancel(work_id)
    p.cancel(work_id)
    assert (p.writes("app"), len(p.documents("pendingCancelation"))) == ([], 1)


def test_a_cancel_of_a_finished_work_does_nothing() -> None:
    p = Pooled()
    work_id = p.enqueue(0)
    p.run()
    p.cancel(work_id)
    assert p.writes("app") == []


# Status.


def test_the_status_in_every_phase() -> None:
    p = Pooled("fail 50ms", "success 10s", retry={"maxAttempts": 2, "initialBackoffMs": 5000, "base": 2})
    work_id = p.enqueue(0)
    seen = [p.status(work_id)]
    for at_ms in (10, 100, 1 * S, 6 * S, 20 * S):
        p.run(at_ms)
        seen.append(p.status(work_id))
    #        enqueued     runs         not handled   backs off    runs again   over
    assert seen == ["pending 0", "running 0", "pending 1", "pending 1", "running 1", "finished"]


def test_a_work_unknown_to_the_pool_is_finished() -> None:
    assert Pooled().status("workpool/work:99") == "finished"


def test_a_canceled_work_runs_until_its_complete() -> None:
    p = waiting(1)
    work_id = p.documents("work")[0]["_id"]
    p.cancel(work_id)
    assert p.status(work_id) == "pending 0"
    assert p.commit(p.open("loop"))
    assert p.status(work_id) == "running 0"
    p.run()
    assert p.status(work_id) == "finished"


# What an operator calls.


def test_diagnostics_count_the_works_of_each_phase() -> None:
    p = Pooled("success 60s", maxParallelism=2)
    p.enqueue_batch(5)
    p.run(300)
    found = p.mutate(lambda ctx: stats.diagnostics(QueryCtx(ctx, p.pool)))
    assert found == {"canceling": 0, "waiting": 3, "running": 2, "completing": 0, "spareCapacity": 0}


def test_running_works_are_told_with_their_attempts() -> None:
    p = Pooled("success 60s")
    work_id = p.enqueue(0)
    p.run(300)
    (entry,) = p.mutate(lambda ctx: stats.running(QueryCtx(ctx, p.pool)))
    assert (entry["workId"], entry["attempts"]) == (work_id, 0)


@pytest.mark.parametrize("which", ["clear_pending", "clear_old_work"])
def test_clearing_takes_pages_of_100_works_that_are_old_enough(which: str) -> None:
    p = waiting(150)
    clear = getattr(p.pool, which)
    p.mutate(lambda ctx: ctx.run_mutation(clear, {"olderThan": 3600 * S * MS}))
    assert len(p.documents("work")) == 150
    p.mutate(lambda ctx: ctx.run_mutation(clear, {"olderThan": 0}))
    assert len(p.documents("work")) == 50
    p.run(6 * S)
    assert (p.documents("work"), p.documents("pendingStart")) == ([], [])


# The report.


def test_a_report_counts_in_a_job_of_its_own_if_a_page_is_not_the_end() -> None:
    found = {}
    for waiting_works in (10, 11):
        p = Pooled("success 100s", maxParallelism=1)
        p.enqueue(0, runAfter=10 * S)
        p.at(8 * S, lambda p=p: p.mutate(lambda ctx: p.pool.update_config(ctx, maxParallelism=0)))
        p.at(8.5 * S, lambda p=p, n=waiting_works: p.enqueue_batch(n))
        p.at(20 * S, lambda p=p: p.mutate(lambda ctx: p.pool.update_config(ctx, maxParallelism=1)))
        p.run(21 * S)
        found[waiting_works] = len(p.jobs("calculateBacklogAndReport"))
    assert found == {10: 0, 11: 1}


@pytest.mark.parametrize("level", ["WARN", "ERROR"])
def test_a_pool_that_logs_only_warnings_reports_nothing(level: str) -> None:
    p = Pooled("success 100s", maxParallelism=1, logLevel=level)
    p.mutate(lambda ctx: p.pool.update_config(ctx, maxParallelism=0))
    p.enqueue_batch(30, maxParallelism=0)
    p.at(20 * S, lambda: p.mutate(lambda ctx: p.pool.update_config(ctx, maxParallelism=1)))
    p.run(21 * S)
    assert p.jobs("calculateBacklogAndReport") == []


# Starts.


def test_one_run_starts_65_works_in_three_jobs() -> None:
    p = Pooled("success 60s", maxParallelism=200)
    p.enqueue_batch(70)
    assert p.commit(p.open("loop"))
    assert ([len(job.args["items"]) for job in p.jobs("runBatch")], p.running()) == ([32, 32, 1], 65)


def test_without_slots_nothing_starts() -> None:
    p = Pooled("success 1s", maxParallelism=0)
    p.enqueue(0)
    p.run()
    assert (p.when("attempt"), p.document("workers")["status"]) == ([], "idle")
