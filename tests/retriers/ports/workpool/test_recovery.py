"""Recovery: which works it suspects, which jobs it gives up, and in what portions."""

from typing import Any

import pytest
from pooled import MS, Pooled, S

DEAD = "crash_after_effect 1s"


def suspects_of(p: Pooled) -> list[int]:
    """Return how many suspects each job of `recover` was given."""
    return [len(job.args["jobs"]) for job in p.jobs("recover")]


def recovering(p: Pooled, work_id: str, scheduled: int, attempt: int = 0) -> None:
    """Let `recover` look at a work now."""
    job = {"workId": work_id, "scheduledId": scheduled, "started": 0, "attempt": attempt}
    p.mutate(lambda ctx: ctx.run_mutation(p.pool.recover, {"jobs": [job]}))


def running(latency: str = "success 60s") -> tuple[Pooled, str]:
    p = Pooled(latency)
    work_id = p.enqueue(0)
    return p.run(300), work_id


def test_a_call_of_recover_has_32_suspects_at_most() -> None:
    p = Pooled(DEAD, maxParallelism=200)
    p.enqueue_batch(70)
    p.run()
    # One run starts 65 works and the next one the others; both portions are looked at in one scan.
    assert suspects_of(p) == [32, 32, 6]


def test_a_work_that_started_five_minutes_ago_is_no_suspect_yet() -> None:
    p = Pooled("success 1000s", platform={"action_time_limit": "none"})
    p.enqueue(0)
    p.run(359 * S)
    assert suspects_of(p) == []
    p.run(361 * S)
    assert suspects_of(p) == [1]


def test_scans_come_once_a_minute_while_something_runs() -> None:
    p = Pooled("success 1000s", platform={"action_time_limit": "none"})
    p.enqueue(0)
    p.run(545 * S)
    assert p.ran("recover") == [360 * S, 420 * S, 480 * S, 540 * S]


def test_after_a_scan_the_loop_cools_down_again() -> None:
    p = Pooled("success 100s")
    p.enqueue(0)
    p.run(70 * S)
    after = [at for at in p.ran("loop") if at >= 60 * S]
    assert after == [60 * S, *(60 * S + 200 * poll for poll in range(11))]


def test_a_saturated_loop_cools_down_for_ten_seconds_after_a_scan() -> None:
    p = Pooled("success 100s", maxParallelism=1)
    p.enqueue(0)
    p.run(80 * S)
    assert max(at for at in p.ran("loop") if at < 80 * S) == 70 * S


@pytest.mark.parametrize("job_state", ["pending", "inProgress", "success"])
def test_a_job_that_may_still_complete_is_left_alone(job_state: str) -> None:
    p, work_id = running()
    job = p.jobs("runBatch")[0]
    object.__setattr__(job, "state", job_state)
    recovering(p, work_id, job.id)
    assert p.writes("app") == []


@pytest.mark.parametrize(
    ("job_state", "error"), [("failed", "the platform's error"), ("canceled", "Canceled via scheduler")]
)
def test_a_job_that_failed_or_was_canceled_is_a_failed_attempt(job_state: str, error: str) -> None:
    p, work_id = running()
    job = p.jobs("runBatch")[0]
    object.__setattr__(job, "state", job_state)
    recovering(p, work_id, job.id)
    assert p.document("pendingCompletion")["runResult"] == {"kind": "failed", "error": error}


def test_a_job_whose_row_is_gone_is_a_failed_attempt() -> None:
    p, work_id = running()
    recovering(p, work_id, 999)
    assert p.document("pendingCompletion")["runResult"]["error"] == "Scheduled job not found"


def test_a_job_whose_row_was_collected_before_the_scan_is_a_failed_attempt() -> None:
    p = Pooled(DEAD, "success 50ms", retry=True, platform={"retention": "60s"})
    p.enqueue(0)
    p.run()
    assert (p.ran("recover"), p.callbacks()) == ([360 * S], ["success"])


def test_a_work_with_a_completion_that_waits_is_left_alone() -> None:
    p, work_id = running()
    job = {"workId": work_id, "attempt": 0, "runResult": {"kind": "failed", "error": ""}}
    p.mutate(lambda ctx: ctx.run_mutation(p.pool.complete, {"jobs": [job]}))
    recovering(p, work_id, 999)
    assert p.writes("app") == []


def test_a_work_that_is_gone_is_left_alone() -> None:
    p, work_id = running("success 50ms")
    p.run()
    recovering(p, work_id, 999)
    assert p.writes("app") == []


def test_a_work_that_was_retried_since_is_left_alone() -> None:
    p, work_id = running()
    recovering(p, work_id, 999, attempt=1)
    assert p.writes("app") == []


def test_a_running_entry_whose_work_is_gone_is_dropped_after_five_minutes() -> None:
    p = Pooled("success 1000s", platform={"action_time_limit": "none"})
    work_id = p.enqueue(0)
    p.at(100 * S, lambda: p.mutate(lambda ctx: ctx.delete(work_id)))
    p.run(359 * S)
    assert p.running() == 1
    p.run(361 * S)
    assert (p.running(), suspects_of(p)) == (0, [])


def test_without_slots_a_work_that_succeeded_keeps_its_slot_and_is_no_suspect() -> None:
    p = Pooled("success 10s")
    p.enqueue(0)
    p.at(5 * S, lambda: p.mutate(lambda ctx: p.pool.update_config(ctx, maxParallelism=0)))
    p.run(425 * S)
    # The work itself is gone, so its entry is kept for its completion, and there is no suspect.
    assert (p.callbacks(), p.running(), suspects_of(p)) == (["success"], 1, [])


def test_upstream_bug_without_slots_a_failure_is_not_retried_and_its_slot_stays() -> None:
    p = Pooled("fail 10s", retry=True)
    p.enqueue(0)
    p.at(5 * S, lambda: p.mutate(lambda ctx: p.pool.update_config(ctx, maxParallelism=0)))
    p.run(425 * S)
    assert (len(p.when("attempt")), p.running()) == (1, 1)


def test_upstream_bug_without_slots_a_suspect_with_a_completion_is_passed_on_every_minute_in_vain() -> None:
    p = Pooled("fail 10s", retry=True)
    p.enqueue(0)
    p.at(5 * S, lambda: p.mutate(lambda ctx: p.pool.update_config(ctx, maxParallelism=0)))
    p.run(485 * S)
    assert (p.ran("recover"), suspects_of(p)) == ([360 * S, 420 * S, 480 * S], [1, 1, 1])
    # Each writes the row of its own job alone: the work has a completion that waits.
    assert [event.writes for event in p.events("commit") if event.function == "recover"] == [
        (job.id,) for job in p.jobs("recover")
    ]


def test_the_first_run_and_each_run_with_nothing_running_start_the_minute_anew() -> None:
    p = Pooled("success 50ms", fates={1: ["success 200s"]})
    p.enqueue(0)
    p.at(30 * S, lambda: p.enqueue(1))
    p.run(95 * S)
    state: Any = p.document("internalState")
    assert state["lastRecovery"] * 100 * MS - p.pool.epoch_ns == 90 * S * MS
