"""Which of a pool's transactions conflict if they overlap, and that no wake-up is lost by it."""

from collections.abc import Callable
from typing import Any

import pytest
from pooled import Pooled, S

from sim.convex.contexts import MutationContext

Handler = Callable[[MutationContext], Any]


def adding(p: Pooled, number: int, **item: Any) -> Handler:
    """Return an app's mutation that enqueues the work of a request."""
    request = p.request(number)
    return lambda ctx: p.pool.enqueue(ctx, request, **item)


def canceling(p: Pooled, work_id: str) -> Handler:
    return lambda ctx: p.pool.cancel(ctx, work_id)


def overlap_at(p: Pooled, at_ms: float, first: Any, second: Any) -> bool:
    """Tell whether two mutations conflict that have one snapshot at an instant, and commit in this order."""
    found: list[bool] = []
    p.at(at_ms, lambda: found.append(p.overlap(first, second)))
    p.run(at_ms)
    return found[0]


def due_ms(p: Pooled) -> float:
    """Return when the loop runs next."""
    return p.pending("loop").due_ns / 1_000_000


def drained(**options: Any) -> Pooled:
    """Return a pool that has done one work and is idle."""
    p = Pooled("success 50ms", **options)
    p.enqueue(0)
    return p.run()


def asleep(until_ms: float = 60 * S) -> Pooled:
    """Return a pool that sleeps until the start of its one work."""
    p = Pooled("success 50ms")
    p.enqueue(0, runAfter=until_ms)
    return p.run(5 * S)


def running(latency: str = "success 60s", **options: Any) -> tuple[Pooled, str]:
    """Return a pool that runs one work, 300 ms after its start, and the work's id."""
    p = Pooled(latency, **options)
    work_id = p.enqueue(0)
    return p.run(300), work_id


# Pings.


def test_two_pings_of_an_idle_worker_conflict() -> None:
    p = drained()
    assert p.overlap(adding(p, 1), adding(p, 2))


def test_two_pings_that_keep_a_runner_conflict_too() -> None:
    p = asleep()
    p.run(59.5 * S)
    assert p.overlap(adding(p, 1), adding(p, 2))


def test_two_pings_of_a_running_worker_do_not_conflict() -> None:
    p, _ = running()
    assert not p.overlap(adding(p, 1), adding(p, 2))


@pytest.mark.parametrize("loop_first", [True, False])
def test_a_ping_of_a_sleeping_worker_conflicts_with_the_loop_as_it_wakes(*, loop_first: bool) -> None:
    p = asleep()
    order = ("loop", adding(p, 1)) if loop_first else (adding(p, 1), "loop")
    assert overlap_at(p, 60 * S, *order)


@pytest.mark.parametrize("loop_first", [True, False])
def test_a_ping_that_saw_running_conflicts_with_the_loop_as_it_goes_idle(*, loop_first: bool) -> None:
    p = Pooled("success 50ms")
    p.enqueue(0)
    p.run(2.1 * S)
    order = ("loop", adding(p, 1)) if loop_first else (adding(p, 1), "loop")
    assert overlap_at(p, last_poll_ms(), *order)
    assert p.document("workers")["status"] == ("idle" if loop_first else "running")


def last_poll_ms() -> float:
    """Return when the loop of a pool that has nothing else to do goes idle after its one work."""
    twin = Pooled("success 50ms")
    twin.enqueue(0)
    return twin.run().ran("loop")[-1]


def test_a_ping_of_a_loop_that_only_polls_does_not_conflict_with_it() -> None:
    p = Pooled("success 50ms")
    p.enqueue(0)
    p.run(1.1 * S)
    assert not overlap_at(p, 1.2 * S, "loop", adding(p, 1))


@pytest.mark.parametrize("offset_ms", range(-8, 9, 2))
def test_no_wake_up_is_lost_around_the_moment_at_which_the_loop_goes_idle(offset_ms: int) -> None:
    window = {"commit_window": {"constant": "5ms"}}
    twin = Pooled("success 50ms", platform=window)
    twin.enqueue(0)
    idle_ms = twin.run().ran("loop")[-1]
    p = Pooled("success 50ms", platform=window)
    p.enqueue(0)
    p.at(idle_ms - 5 + offset_ms, lambda: p.enqueue(1))
    p.run()
    assert (p.callbacks(), p.documents("work"), p.document("workers")["status"]) == (["success"] * 2, [], "idle")
    assert p.when("attempt", 1)[0] - idle_ms < 400


def test_a_saturated_loop_that_falls_asleep_does_not_retry_for_an_enqueue() -> None:
    p, _ = running(maxParallelism=1)
    p.run(sleepy_ms())
    assert p.document("workers")["status"] == "running"
    at_ms = due_ms(p)
    assert not overlap_at(p, at_ms, adding(p, 1), "loop")


def test_a_saturated_loop_that_falls_asleep_makes_an_enqueue_retry() -> None:
    p, _ = running(maxParallelism=1)
    p.run(sleepy_ms())
    at_ms = due_ms(p)
    assert overlap_at(p, at_ms, "loop", adding(p, 1))


def sleepy_ms() -> float:
    """Return an instant right before the poll at which such a saturated pool falls asleep."""
    twin, _work = running(maxParallelism=1)
    twin.run(30 * S)
    return twin.ran("loop")[-1] - 1


def test_a_saturated_pool_that_sleeps_over_an_enqueue_starts_it_once_a_slot_is_free() -> None:
    p = Pooled("success 20s", maxParallelism=1)
    p.enqueue(0)
    p.at(15 * S, lambda: p.enqueue(1))
    p.run()
    assert p.when("attempt", 1) == [20 * S]


# The loop's own transaction against the app and the workers.


def retrying() -> tuple[Pooled, str, float]:
    """Return a pool whose loop is about to plan a retry, the work's id, and the instant of that run."""
    p, work_id = running("fail 350ms", retry=True)
    p.run(351)
    return p, work_id, due_ms(p)


@pytest.mark.parametrize("loop_first", [True, False])
def test_planning_a_retry_conflicts_with_a_cancel_of_the_work(*, loop_first: bool) -> None:
    p, work_id, at_ms = retrying()
    order = ("loop", canceling(p, work_id)) if loop_first else (canceling(p, work_id), "loop")
    assert overlap_at(p, at_ms, *order)


def test_planning_a_retry_does_not_conflict_with_a_cancel_of_another_work() -> None:
    p, _, at_ms = retrying()
    other = p.enqueue(1, runAfter=60 * S)
    assert not overlap_at(p, at_ms, "loop", canceling(p, other))


def test_a_start_does_not_conflict_with_a_cancel_of_its_work() -> None:
    p = Pooled("success 50ms")
    work_id = p.enqueue(0)
    assert not overlap_at(p, 0, "loop", canceling(p, work_id))


def completing(p: Pooled, work_id: str, kind: str = "success") -> Handler:
    """Return the call of `complete` at the end of a first attempt."""
    job = {"workId": work_id, "attempt": 0, "runResult": {"kind": kind}, "runOnCompleteInline": kind == "success"}
    return lambda ctx: ctx.run_mutation(p.pool.complete, {"jobs": [job]})


@pytest.mark.parametrize("loop_first", [True, False])
def test_marking_a_running_work_canceled_conflicts_with_its_completion(*, loop_first: bool) -> None:
    p, work_id = running()
    p.cancel(work_id)
    order = ("loop", completing(p, work_id)) if loop_first else (completing(p, work_id), "loop")
    assert overlap_at(p, due_ms(p), *order)


def test_marking_a_work_canceled_conflicts_with_another_cancel_of_it() -> None:
    p, work_id = running()
    p.cancel(work_id)
    assert overlap_at(p, due_ms(p), "loop", canceling(p, work_id))


def test_recovery_conflicts_with_a_completion_of_its_suspect() -> None:
    p, work_id = running("success 400s")
    p.run(359 * S)
    assert overlap_at(p, 360 * S, completing(p, work_id), "loop")


def test_a_completion_makes_a_later_cancel_of_the_work_retry() -> None:
    p, work_id = running()
    assert p.overlap(completing(p, work_id), canceling(p, work_id))


def test_a_cancel_does_not_make_a_later_completion_of_the_work_retry() -> None:
    p, work_id = running()
    assert not p.overlap(canceling(p, work_id), completing(p, work_id))


def test_completions_of_two_works_do_not_conflict_while_the_loop_runs() -> None:
    p, one = running()
    other = p.enqueue(1)
    assert not p.overlap(completing(p, one), completing(p, other))


def test_cancel_all_conflicts_with_a_completion_of_a_work_of_its_page() -> None:
    p, work_id = running()
    assert p.overlap(completing(p, work_id), p.pool.cancel_all)


def test_cancel_all_conflicts_with_an_enqueue_of_its_very_instant() -> None:
    p, _ = running()
    assert p.overlap(adding(p, 1), p.pool.cancel_all)


def test_cancel_all_does_not_conflict_with_works_older_than_its_page() -> None:
    p, old = running()
    p.enqueue(1)
    assert not p.overlap(completing(p, old), lambda ctx: p.pool.cancel_all(ctx, 1))


def test_a_change_of_the_settings_conflicts_with_an_enqueue() -> None:
    p, _ = running()
    assert p.overlap(lambda ctx: p.pool.update_config(ctx, maxParallelism=5), adding(p, 1))


def test_the_page_of_the_report_conflicts_with_an_enqueue_that_commits_late() -> None:
    # A work of 58.5 s keeps the loop awake, so that its poll at 60.1 s scans for dead jobs and reports.
    p = Pooled("success 50ms", fates={0: ["success 70s"]})
    p.enqueue(0)
    p.at(58.5 * S, lambda: p.enqueue(1))
    p.run(59.95 * S)
    late = p.open(adding(p, 2), 2)
    p.run(60 * S)
    at_ms = due_ms(p)
    found: list[bool] = []

    def both() -> None:
        loop = p.open("loop")
        found.extend((p.commit(late), p.commit(loop)))

    p.at(at_ms, both)
    p.run(at_ms)
    assert found == [True, False]


# The user's own traffic.


def test_an_inline_callback_conflicts_with_what_the_app_writes() -> None:
    p, work_id = running(onComplete="counts")

    def count(ctx: MutationContext) -> None:
        ctx.insert("counters", {"completed": 0})

    assert p.overlap(count, completing(p, work_id))


def test_a_completion_that_conflicts_runs_again_but_the_action_does_not() -> None:
    p = Pooled("success 50ms", onComplete="counts", platform={"commit_window": {"constant": "10ms"}})
    p.mutate(lambda ctx: ctx.insert("counters", {"completed": 0}))
    p.run()
    p.enqueue(0)

    def disturb() -> None:
        context = p.open(lambda ctx: ctx.patch("counters:1", {"completed": 5}), 9)
        assert p.commit(context)

    end_ms = twin_end_ms()
    p.at(end_ms + 5, disturb)
    p.run()
    refused = [event.function for event in p.events("conflict")]
    assert (refused, len(p.when("attempt")), p.callbacks()) == (["complete"], 1, ["success"])
    assert p.document("counters")["completed"] == 6


def twin_end_ms() -> float:
    """Return when the action of the pool of that test ends."""
    twin = Pooled("success 50ms", onComplete="counts", platform={"commit_window": {"constant": "10ms"}})
    twin.mutate(lambda ctx: ctx.insert("counters", {"completed": 0}))
    twin.run()
    twin.enqueue(0)
    return twin.run().when("attempt_end")[0]


def test_a_completion_that_loses_every_time_is_scheduled_and_then_commits() -> None:
    # Four works end at once and all count: all but one lose, and the platform does not run a loser again.
    p = Pooled("success 50ms", onComplete="counts", platform={"commit_window": {"constant": "10ms"}, "occ_reruns": 0})
    p.mutate(lambda ctx: ctx.insert("counters", {"completed": 0}))
    p.run()
    p.enqueue_batch(4)
    p.run()
    assert p.document("counters")["completed"] == len(p.callbacks()) == 4
    assert len(p.jobs("complete")) == len([one for one in p.events("conflict") if one.job < 0]) > 0  # type: ignore[attr-defined]
    assert len(p.when("attempt")) == 4
