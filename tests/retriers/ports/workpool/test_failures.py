"""Jobs that are lost, loops that throw, servers that restart: what a pool survives, and what it does not."""

from typing import Any

from pooled import MS, Pooled, S

from sim.retriers.ports.workpool.batch_worker import kick
from sim.retriers.ports.workpool.context import Ctx

DEAD = "crash_after_effect 1s"
"""It dies at half a second: the chance of these tests is a half."""


def busy(**options: Any) -> Pooled:
    """Return a pool whose loop polls, with a work that runs for a minute."""
    p = Pooled("success 60s", **options)
    p.enqueue(0)
    return p.run(300)


def state(p: Pooled) -> Any:
    return p.document("workerState")


def force_kick(p: Pooled) -> None:
    p.mutate(p.pool.force_kick)


# Generations.


def test_a_loop_of_an_older_generation_ends_silently() -> None:
    p = busy()
    before = dict(state(p))
    stale = {"name": "main", "generation": before["generation"] - 1}
    p.mutate(lambda ctx: ctx.run_mutation(p.pool.loop, stale))
    assert (dict(state(p)), p.writes("app")) == (before, [])


def test_a_superseded_loop_that_still_runs_starts_no_second_chain() -> None:
    p = busy()
    p.mutate(lambda ctx: ctx.run_after(0, p.pool.loop, {"name": "main", "generation": 1}))
    p.run(1 * S)
    assert p.states("loop").count("pending") == 1


def test_every_loop_scheduled_is_one_generation_more() -> None:
    p = busy()
    generations = [job.args["generation"] for job in p.jobs("loop")]
    assert generations == [*range(1, len(generations) + 1)]


def test_work_that_arrives_between_snapshot_and_transaction_is_left_for_the_next_loop() -> None:
    # The platform of today gives both the same snapshot, so the first answer is put in by hand.
    p = Pooled("success 50ms")
    p.enqueue(0)
    p.run(5 * S)
    p.mutate(lambda ctx: p.pool.enqueue(ctx, p.request(1)), 1)
    loop, generation = p.pending("loop"), state(p)["generation"]
    with_an_old_snapshot(p, {"cooldown_ns": 0, "poll_interval_ns": 200 * MS, "timeout_ns": None}, loop.args)
    assert (state(p)["generation"], p.pending("loop").due_ns, len(p.documents("pendingStart"))) == (
        generation + 1,
        p.clock.now_ns,
        1,
    )


def with_an_old_snapshot(p: Pooled, answer: dict[str, Any], args: Any) -> None:
    """Run a loop whose first query has this answer."""
    real, asked = p.pool.get_batch.handler, []

    def stale(ctx: Any, given: Any) -> Any:
        asked.append(ctx)
        return answer if len(asked) == 1 else real(ctx, given)

    object.__setattr__(p.pool.get_batch, "handler", stale)
    p.mutate(lambda ctx: ctx.run_mutation(p.pool.loop, args))
    object.__setattr__(p.pool.get_batch, "handler", real)


# The monitor.


def test_the_loop_lost_alone_stands_still_until_the_monitor_starts_it_again() -> None:
    p = Pooled("success 50ms")
    p.enqueue(0)
    p.at(1 * S, lambda: p.lose("loop"))
    p.at(2 * S, lambda: p.enqueue(1))
    p.run()
    assert (p.when("attempt", 1), p.ran("monitor")[0]) == ([120 * S], 120 * S)


def test_pings_of_a_worker_that_runs_do_nothing_even_if_its_loop_is_lost() -> None:
    p = busy()
    p.lose("loop")
    p.enqueue(1)
    assert p.writes("app") == ["work I", "pendingStart I", "work P"]


def test_a_loop_that_throws_is_rolled_back_and_started_again_by_the_monitor() -> None:
    p = Pooled("fail 50ms", retry={"maxAttempts": 2, "initialBackoffMs": 1e308, "base": 1e308})
    p.enqueue(0)
    p.run(500 * S)
    threw = [event.t_ns / MS for event in p.events("rolled_back")]
    assert threw == [200, 120 * S, 240 * S, 360 * S, 480 * S]
    assert (p.running(), len(p.documents("pendingCompletion"))) == (1, 1)


def test_upstream_bug_a_backoff_that_is_not_finite_stops_the_pool_for_all() -> None:
    bad = {"maxAttempts": 2, "initialBackoffMs": 1e308, "base": 1e308}
    p = Pooled("success 50ms", fates={0: ["fail 50ms"]})
    p.enqueue(0, retry=bad)
    p.at(1 * S, lambda: p.enqueue(1))
    p.run(1000 * S)
    assert p.when("attempt", 1) == []


def test_a_fractional_parallelism_stops_the_pool() -> None:
    p = Pooled("success 50ms", maxParallelism=2.5)
    p.enqueue(0)
    p.run(500 * S)
    assert (p.when("attempt"), len(p.events("rolled_back"))) == ([], 5)


def ignore(_: Any) -> None:
    """Be a platform that never gets to a job."""


def test_the_monitor_replaces_a_runner_that_is_pending_a_minute_after_its_time() -> None:
    p = busy()
    p.pending("loop").callbacks = (ignore,)
    p.at(1 * S, lambda: p.enqueue(1))
    p.run()
    assert p.when("attempt", 1) == [120 * S]


def test_the_monitor_leaves_a_runner_that_is_pending_for_less_than_a_minute() -> None:
    p = Pooled("success 50ms", fates={0: ["success 400s"]})
    p.enqueue(0)

    def at_the_next_ping() -> None:
        p.enqueue(1)
        p.pending("loop").callbacks = (ignore,)

    p.at(70 * S, at_the_next_ping)
    p.run()
    assert (p.ran("monitor")[:2], p.when("attempt", 1)) == ([120 * S, 240 * S], [240 * S])


def test_loop_and_monitor_lost_while_running_leave_the_pool_stuck_for_ever() -> None:
    p = busy()
    p.lose("loop", "monitor")
    p.enqueue(1)
    p.run()
    assert (p.when("attempt", 1), p.document("workers")["status"]) == ([], "running")


def test_a_forced_kick_mends_a_pool_that_is_stuck() -> None:
    p = busy()
    p.lose("loop", "monitor")
    p.enqueue(1)
    p.at(500 * S, lambda: force_kick(p))
    p.run()
    assert (p.when("attempt", 1), p.document("workers")["status"]) == ([500 * S], "idle")


def test_a_loop_lost_while_asleep_is_repaired_by_the_next_ping() -> None:
    p = Pooled("success 50ms")
    p.enqueue(0, runAfter=300 * S)
    p.at(10 * S, lambda: p.lose("loop"))
    p.at(20 * S, lambda: p.enqueue(1))
    p.run()
    assert (p.when("attempt", 1), p.when("attempt", 0)) == ([20 * S], [300 * S])


def test_upstream_bug_a_loop_lost_while_asleep_never_wakes_for_the_work_it_slept_for() -> None:
    p = Pooled("success 50ms")
    p.enqueue(0, runAfter=300 * S)
    p.at(10 * S, lambda: p.lose("loop"))
    p.run()
    assert (p.when("attempt"), p.ran("monitor")) == ([], [120 * S])


def test_a_stopped_worker_is_not_restarted_by_pings_or_the_monitor() -> None:
    p = busy()
    p.mutate(lambda ctx: kick.stop(Ctx(ctx, p.pool), "main"))
    p.enqueue(1)
    p.run()
    assert (p.when("attempt", 1), p.document("workers")["status"]) == ([], "stopped")


def test_a_kick_from_any_status_makes_a_new_loop_and_a_new_monitor() -> None:
    p = busy()
    p.mutate(lambda ctx: kick.kick(Ctx(ctx, p.pool), "main"))
    assert p.writes("app") == [
        "loop canceled",
        "monitor canceled",
        "workerState P",
        "loop I",
        "workerState P",
        "monitor I",
        "workerState P",
    ]


# Other jobs that are lost.


def test_upstream_bug_a_canceled_work_whose_complete_is_lost_stays_for_ever() -> None:
    p = Pooled("success 50ms")
    work_id = p.enqueue(0, runAfter=60 * S)
    p.run(10 * S)
    p.cancel(work_id)
    assert p.commit(p.open("loop"))
    p.lose("complete")
    p.run()
    assert (p.callbacks(), p.status(work_id), p.running()) == ([], "running 0", 0)
    p.cancel(work_id)
    p.run()
    assert p.status(work_id) == "running 0"


def test_a_lost_recover_is_made_again_a_minute_later() -> None:
    p = Pooled(DEAD, "success 50ms", retry=True)
    p.enqueue(0)
    p.at(360 * S, lambda: p.commit(p.open("loop")) and p.lose("recover"))
    p.run()
    assert (p.ran("recover"), p.callbacks()) == ([420 * S], ["success"])


def test_upstream_bug_a_lost_callback_job_is_never_made_up_for() -> None:
    p = Pooled("fail 50ms")
    work_id = p.enqueue(0)
    p.run(49)
    job = {"workId": work_id, "attempt": 0, "runResult": {"kind": "failed", "error": ""}}
    p.mutate(lambda ctx: ctx.run_mutation(p.pool.complete, {"jobs": [job]}))
    p.lose("onComplete")
    p.run()
    assert (p.callbacks(), p.status(work_id), p.running()) == ([], "finished", 0)


def test_a_callback_that_throws_twice_is_not_called_again_and_the_work_is_over() -> None:
    p = Pooled("success 50ms", onComplete="throw")
    work_id = p.enqueue(0)
    p.run()
    assert (p.states("onComplete"), p.status(work_id), p.running()) == (["failed"], "finished", 0)


# Deaths of executions.


def test_upstream_bug_a_death_takes_the_31_neighbors_of_its_job_with_it() -> None:
    p = Pooled("success 30s", fates={5: [DEAD, "success 1s"]}, retry=True, maxParallelism=200)
    p.enqueue_batch(33)
    p.run()
    retried = [number for number in range(33) if len(p.when("attempt", number)) == 2]
    assert retried == [*range(32)]


def test_neighbors_that_ended_before_the_death_are_safe() -> None:
    p = Pooled("success 100ms", fates={1: [DEAD, "success 1s"]}, retry=True)
    p.enqueue_batch(3)
    p.run()
    assert [len(p.when("attempt", number)) for number in range(3)] == [1, 2, 1]


def test_the_time_limit_ends_a_whole_job_and_all_its_neighbors() -> None:
    p = Pooled("success 700s", fates={1: ["success 650s"], 2: ["success 599s"]})
    p.enqueue_batch(3)
    p.run()
    assert (p.states("runBatch"), sorted(p.callbacks())) == (["failed"], ["failed", "failed", "success"])
    assert {event.t_ns / MS for event in p.events("attempt_end")} == {599 * S, 600 * S}


def test_a_death_is_noticed_at_the_first_scan_more_than_five_minutes_after_the_start() -> None:
    p = Pooled(DEAD)
    p.enqueue(0)
    p.run()
    assert (p.ran("recover"), p.callbacks()) == ([360 * S], ["failed"])


def test_a_slot_is_held_until_a_death_is_noticed() -> None:
    p = Pooled("success 50ms", fates={0: [DEAD]}, maxParallelism=1)
    p.enqueue(0, 1)
    p.run()
    assert p.when("attempt", 1) == [360 * S]


def test_a_restart_loses_running_actions_and_nothing_else() -> None:
    p = Pooled("success 30s", "success 50ms", retry=True)
    p.enqueue(0)
    p.at(1 * S, lambda: p.enqueue(1, runAfter=20 * S))
    p.at(5 * S, lambda: p.deployment.restart(2 * S * MS))
    p.run()
    assert (len(p.when("attempt", 0)), p.when("attempt", 1)) == (2, [21 * S])
    assert (p.callbacks(), p.documents("work")) == (["success"] * 2, [])


def test_mutations_scheduled_before_a_restart_run_after_it() -> None:
    p = Pooled("success 50ms", fnType="mutation")
    p.enqueue(0)
    p.deployment.restart(3 * S * MS)
    p.run()
    assert (p.when("attempt"), p.callbacks()) == ([3 * S], ["success"])


# Executions out of sight.


def zombie() -> Pooled:
    """Return a pool whose first attempt is lost sight of, ends after recovery gave it up, and is retried by then."""
    p = Pooled("lost_contact 500s", "success 1s", retry=True, platform={"action_time_limit": "none"})
    p.enqueue(0)
    return p.run()


def test_the_late_complete_of_a_zombie_is_dropped() -> None:
    p = zombie()
    late = [event for event in p.events("commit") if event.function == "complete"][-1]
    assert (late.t_ns, late.writes, p.callbacks()) == (500 * S * MS, (), ["success"])


def test_a_zombie_runs_the_users_action_twice_at_once() -> None:
    p = zombie()
    assert (len(p.when("attempt")), len(p.when("effect"))) == (2, 2)


def test_a_late_complete_of_another_attempt_changes_nothing() -> None:
    p = Pooled("fail 50ms", retry={"maxAttempts": 3, "initialBackoffMs": 60_000, "base": 2})
    work_id = p.enqueue(0)
    p.run(5 * S)
    late = {"workId": work_id, "attempt": 0, "runResult": {"kind": "success"}, "runOnCompleteInline": True}
    p.mutate(lambda ctx: ctx.run_mutation(p.pool.complete, {"jobs": [late]}))
    assert (p.writes("app"), p.status(work_id)) == ([], "pending 1")


# A job canceled while it runs.


def canceled_while_it_runs(outcome: str, **options: Any) -> Pooled:
    p = Pooled(f"{outcome} 10s", **options)
    p.enqueue(0)
    p.at(1 * S, lambda: p.lose("runBatch"))
    return p.run(200 * S)


def test_a_run_batch_that_goes_on_after_its_cancel_completes_its_works() -> None:
    p = canceled_while_it_runs("success")
    assert (p.callbacks(), p.running()) == (["success"], 0)


def test_a_job_canceled_before_its_start_is_found_by_recovery() -> None:
    p = Pooled("success 50ms", retry=True)
    p.enqueue(0)
    assert p.commit(p.open("loop"))
    p.lose("runBatch")
    p.run()
    failures = [event for event in p.events("commit") if event.function == "recover"]
    assert (len(failures), p.callbacks()) == (1, ["success"])


def born_canceled(latency: str) -> Pooled:
    """Return a pool with a work whose job is canceled while it runs, and a second work long after the end."""
    p = Pooled("success 50ms", fates={0: [f"success {latency}"]}, onComplete="none")
    p.enqueue(0)
    p.at(1 * S, lambda: p.lose("runBatch"))
    p.at(119 * S, lambda: p.enqueue(1))
    return p.run()


def test_upstream_bug_the_loop_that_a_canceled_run_batch_wakes_is_born_canceled() -> None:
    # The end of the action pings by a mutation of the canceled job. The monitor mends it at 120 s.
    p = born_canceled("30s")
    assert ([job.due_ns for job in p.jobs("loop") if job.state == "canceled"][-1], p.when("attempt", 1)) == (
        30 * S * MS,
        [120 * S],
    )


def test_upstream_bug_a_canceled_run_batch_that_renews_the_monitor_stops_the_pool_for_ever() -> None:
    # At 115 s the monitor is due within 10 s, so that the ping replaces it too, by one that is born canceled.
    p = born_canceled("115s")
    assert (p.when("attempt", 1), p.document("workers")["status"], p.states("monitor")) == (
        [],
        "running",
        ["canceled", "canceled"],
    )
