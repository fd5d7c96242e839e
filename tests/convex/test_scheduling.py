"""Scheduling: when jobs run, in which order, and how many at a time."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from sim.convex.contexts import MutationContext
from sim.convex.functions import Function, FunctionError, action, mutation
from sim.laws.distributions import Constant

MS = 1_000_000
MakeBench = Callable[..., Any]


def noting(ran: list[Any]) -> Function:
    """Return a mutation that notes its argument and the instant in ms."""
    return mutation("note", lambda ctx, args: ran.append((args, ctx.now_ms)))


def lasting(started: list[Any], lasts_ms: float) -> Function:
    """Return an action that notes its argument and the instant in ms, and takes some time."""

    async def run(ctx: Any, args: Any) -> None:
        started.append((args, ctx.now_ns / MS))
        await ctx.sleep(lasts_ms)

    return action("last", run)


# When.


def test_run_after_zero_is_a_later_step_of_the_same_instant(bench: MakeBench) -> None:
    b, ran = bench(), []
    note = noting(ran)

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(0, note, "scheduled")
        ran.append(("caller goes on", ctx.now_ms))

    b.call(handler)
    b.run()
    assert ran == [("caller goes on", 0), ("scheduled", 0)]


def test_a_scheduled_function_that_schedules_at_once_comes_after_what_is_already_due(bench: MakeBench) -> None:
    b, ran = bench(), []
    note = noting(ran)
    again = mutation("again", lambda ctx, _: ctx.run_after(0, note, "child"))

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(0, again)
        ctx.run_after(0, note, "second")

    b.call(handler)
    b.run()
    assert ran == [("second", 0), ("child", 0)]


def test_a_time_in_the_past_runs_as_soon_as_possible_and_keeps_what_was_asked(bench: MakeBench) -> None:
    b, ran = bench(), []
    b.at(5, lambda: b.call(lambda ctx: ctx.run_at(-3 * MS, noting(ran), "late")))
    b.run()
    job = b.store.jobs[0]
    assert (ran, job.asked_ns, job.due_ns) == ([("late", 5)], -3 * MS, 5 * MS)


@pytest.mark.parametrize("delay_ms", [-1, -1e-9, nan, inf, -inf, 1e303])
def test_a_delay_that_is_negative_or_not_finite_rolls_the_mutation_back(bench: MakeBench, delay_ms: float) -> None:
    b, ran = bench(), []
    b.store.define("items")

    def handler(ctx: MutationContext) -> None:
        ctx.insert("items", {})
        ctx.run_after(1, noting(ran))
        ctx.uniform("some", 3)
        ctx.run_after(delay_ms, noting(ran))

    answers = b.call(handler)
    b.run()
    drawn = [(event.stream, event.value) for event in b.events("draw")]
    rolled_back = isinstance(answers[0], FunctionError), b.store.jobs, b.store.documents, ran
    assert (rolled_back, drawn) == ((True, {}, {}, []), [("some", 0.5)])


@pytest.mark.parametrize("delay_ms", [nan, inf, -inf])
def test_an_instant_must_be_finite(bench: MakeBench, delay_ms: float) -> None:
    b = bench()
    answers = b.call(lambda ctx: ctx.after_ns(delay_ms))
    assert isinstance(answers[0], FunctionError)


def test_a_delay_is_rounded_once_and_added_to_now(bench: MakeBench) -> None:
    b = bench()
    b.at(0.1, lambda: b.call(lambda ctx: ctx.run_after(0.3000004, noting([]))))
    b.run()
    assert b.store.jobs[0].due_ns == 100_000 + 300_000


def test_a_scheduled_mutation_that_throws_is_failed_with_none_of_its_writes(bench: MakeBench) -> None:
    b, ran = bench(), []
    b.store.define("items")

    def throw(ctx: MutationContext, _: Any) -> None:
        ctx.insert("items", {})
        ctx.run_after(0, noting(ran))
        raise FunctionError("no")

    b.call(lambda ctx: ctx.run_after(0, mutation("throw", throw)))
    b.run()
    assert (b.states(), b.store.documents, ran) == (["failed"], {}, [])


def test_any_other_exception_is_a_mistake_in_the_handler_and_stops_the_simulation(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, mutation("mistaken", lambda _ctx, _args: 1 // 0)))
    with pytest.raises(ZeroDivisionError):
        b.run()


def test_what_an_action_scheduled_stays_when_it_throws_later(bench: MakeBench) -> None:
    b, ran = bench(), []

    async def run(ctx: Any, _: Any) -> None:
        await ctx.run_after(5, noting(ran), "scheduled")
        raise FunctionError("no")

    b.call(lambda ctx: ctx.run_after(0, action("throws", run)))
    b.run()
    assert (ran, b.states()) == ([("scheduled", 5)], ["failed", "success"])


def test_a_job_beyond_the_end_of_time_makes_its_request_run_away(bench: MakeBench) -> None:
    b, ran = bench(), []
    b.call(lambda ctx: ctx.run_after(2**62 / MS + 1, noting(ran)))
    b.run()
    assert (b.request.runaway, ran) == ("time", [])


# In which order.


def test_due_jobs_run_in_order_of_time_then_creation(bench: MakeBench) -> None:
    b, ran = bench(), []
    note = noting(ran)

    def handler(ctx: MutationContext) -> None:
        for delay_ms, name in ((20, "d"), (10, "a"), (10, "b"), (10, "c"), (0, "first")):
            ctx.run_after(delay_ms, note, name)

    b.call(handler)
    b.run()
    assert [name for name, _ in ran] == ["first", "a", "b", "c", "d"]


def test_jobs_of_one_instant_run_in_order_of_creation_across_mutations(bench: MakeBench) -> None:
    b, ran = bench(), []
    note = noting(ran)
    b.call(lambda ctx: ctx.run_after(10, note, "older"))
    b.at(10, lambda: b.call(lambda ctx: ctx.run_after(0, note, "younger")))
    b.run()
    assert [name for name, _ in ran] == ["older", "younger"]


# How many at a time.


def start_many(b: Any, function: Function, delays_ms: list[float]) -> None:
    def handler(ctx: MutationContext) -> None:
        for number, delay_ms in enumerate(delays_ms):
            ctx.run_after(delay_ms, function, number)

    b.call(handler)


def test_no_more_jobs_run_than_there_are_slots(bench: MakeBench) -> None:
    b, started = bench(parallelism=2), []
    start_many(b, lasting(started, 10), [0, 0, 0, 0, 0])
    b.run()
    assert started == [(0, 0), (1, 0), (2, 10), (3, 10), (4, 20)]


def test_without_a_limit_all_start_at_once(bench: MakeBench) -> None:
    b, started = bench(), []
    start_many(b, lasting(started, 10), [0] * 50)
    b.run()
    assert started == [(number, 0) for number in range(50)]


def test_the_job_that_is_due_longest_takes_the_free_slot(bench: MakeBench) -> None:
    b, started = bench(parallelism=1), []
    start_many(b, lasting(started, 10), [0, 3, 2, 2, 1])
    b.run()
    assert started == [(0, 0), (4, 10), (2, 20), (3, 30), (1, 40)]


def test_mutations_and_actions_share_the_slots(bench: MakeBench) -> None:
    b, ran = bench(parallelism=1), []

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(0, lasting(ran, 10), "action")
        ctx.run_after(1, noting(ran), "mutation")

    b.call(handler)
    b.run()
    assert ran == [("action", 0), ("mutation", 10)]


def test_a_client_takes_no_slot(bench: MakeBench) -> None:
    b, ran = bench(parallelism=1), []
    b.call(lambda ctx: ctx.run_after(0, lasting(ran, 10), "action"))
    b.at(5, lambda: b.call(lambda ctx: ran.append(("client", ctx.now_ms))))
    b.run()
    assert ran == [("action", 0), ("client", 5)]


def test_a_job_canceled_while_it_waits_for_a_slot_never_starts(bench: MakeBench) -> None:
    b, started = bench(parallelism=1), []
    start_many(b, lasting(started, 10), [0, 0, 0])
    b.at(5, lambda: b.call(lambda ctx: ctx.cancel(1)))
    b.run()
    assert (started, b.states()) == ([(0, 0), (2, 10)], ["success", "canceled", "success"])


def test_a_mutation_that_throws_gives_its_slot_back(bench: MakeBench) -> None:
    b, ran = bench(parallelism=1), []

    def throw(_ctx: MutationContext, _args: Any) -> None:
        raise FunctionError("no")

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(0, mutation("throw", throw))
        ctx.run_after(0, noting(ran), "next")

    b.call(handler)
    b.run()
    assert ran == [("next", 0)]


def test_all_slots_are_free_again_when_nothing_is_left_to_do(bench: MakeBench) -> None:
    b = bench(parallelism=3, mutation_latency=Constant(value_ns=MS), dispatch_latency=Constant(value_ns=2 * MS))
    start_many(b, lasting([], 10), [0] * 10)
    start_many(b, noting([]), [3] * 10)
    b.run()
    assert b.deployment.executor.free == 3


# Latencies.


def test_a_job_starts_after_the_dispatch_latency(bench: MakeBench) -> None:
    b, ran = bench(dispatch_latency=Constant(value_ns=3 * MS)), []
    start_many(b, noting(ran), [0, 10])
    b.run()
    assert ran == [(0, 3), (1, 13)]


def test_a_job_holds_its_slot_while_it_is_dispatched(bench: MakeBench) -> None:
    b, ran = bench(dispatch_latency=Constant(value_ns=3 * MS), parallelism=1), []
    start_many(b, noting(ran), [0, 0, 0])
    b.run()
    assert ran == [(0, 3), (1, 6), (2, 9)]


def test_a_job_canceled_while_it_is_dispatched_never_starts_and_gives_its_slot_back(bench: MakeBench) -> None:
    b, ran = bench(dispatch_latency=Constant(value_ns=3 * MS), parallelism=1), []
    start_many(b, noting(ran), [0, 0])
    b.at(1, lambda: b.call(lambda ctx: ctx.cancel(0)))
    b.run()
    assert ran == [(1, 6)]


def test_a_mutation_reaches_its_snapshot_after_its_latency_and_commits_after_its_window(bench: MakeBench) -> None:
    b, ran = bench(mutation_latency=Constant(value_ns=3 * MS), commit_window=Constant(value_ns=4 * MS)), []
    start_many(b, noting(ran), [0])
    b.run()
    # The client's own mutation takes its 7 ms first; its job is due at its snapshot, so it runs at once.
    assert (ran, b.steps(0)) == ([(0, 10)], [(14, "success")])


def test_what_a_mutation_schedules_is_due_by_its_snapshot_and_exists_from_its_commit(bench: MakeBench) -> None:
    b, ran = bench(commit_window=Constant(value_ns=4 * MS)), []
    start_many(b, noting(ran), [10])
    b.run()
    assert (b.store.jobs[0].due_ns, ran) == (10 * MS, [(0, 10)])
