"""Canceling jobs: what a canceled job still does, and what it leaves behind."""

from collections.abc import Callable
from typing import Any

import pytest

from sim.convex.contexts import MutationContext
from sim.convex.functions import FunctionError, action, mutation
from sim.laws.distributions import Constant
from sim.retriers.ports.component import Component

MS = 1_000_000
MakeBench = Callable[..., Any]

NOTHING = mutation("nothing", lambda _ctx, _args: None)


def canceling(b: Any, at_ms: float, job: int) -> None:
    b.at(at_ms, lambda: b.call(lambda ctx: ctx.cancel(job)))


# By state.


def test_a_pending_job_that_is_canceled_never_runs(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(10, b.action))
    canceling(b, 5, 0)
    b.run()
    assert (b.steps(0), b.request.attempts) == ([(5, "canceled")], 0)


def test_a_running_job_is_canceled_at_once_and_its_end_changes_nothing(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, b.action))
    canceling(b, 20, 0)
    b.run()
    assert (b.steps(0), b.when("attempt_end"), b.when("effect")) == (
        [(0, "inProgress"), (20, "canceled")],
        [50],
        [50],
    )


def test_a_running_job_that_is_canceled_keeps_its_slot_until_its_end(bench: MakeBench) -> None:
    b, ran = bench(parallelism=1), []

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(0, b.action)
        ctx.run_after(1, mutation("note", lambda ctx, _: ran.append(ctx.now_ms)))

    b.call(handler)
    canceling(b, 20, 0)
    b.run()
    assert ran == [50]


def test_canceling_a_completed_job_does_nothing(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, b.action))
    canceling(b, 60, 0)
    b.run()
    assert b.steps(0) == [(0, "inProgress"), (50, "success")]


def test_canceling_twice_is_canceling_once(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(10, NOTHING))
    canceling(b, 5, 0)
    canceling(b, 6, 0)
    b.run()
    assert b.steps(0) == [(5, "canceled")]


def test_canceling_a_job_that_does_not_exist_does_nothing(bench: MakeBench) -> None:
    b = bench()
    assert b.call(lambda ctx: ctx.cancel(77)) == [None]


def test_a_job_created_and_canceled_in_one_mutation_never_runs(bench: MakeBench) -> None:
    b, ran = bench(retention="1s"), []
    b.call(lambda ctx: ctx.cancel(ctx.run_after(5, mutation("note", lambda _ctx, _args: ran.append(1)))))
    b.run()
    assert (b.states(), ran) == (["canceled"], [])


def test_a_mutation_cannot_cancel_its_own_job(bench: MakeBench) -> None:
    b, errors = bench(), []

    def own(ctx: MutationContext, _: Any) -> None:
        try:
            ctx.cancel(0)
        except FunctionError as error:
            errors.append(str(error))
            raise

    b.call(lambda ctx: ctx.run_after(0, mutation("own", own)))
    b.run()
    assert (errors, b.states()) == (["a mutation cannot cancel its own job"], ["failed"])


def test_a_cancel_that_is_rolled_back_cancels_nothing(bench: MakeBench) -> None:
    b = bench()

    def handler(ctx: MutationContext) -> None:
        ctx.cancel(0)
        raise FunctionError("no")

    b.call(lambda ctx: ctx.run_after(10, NOTHING))
    b.at(5, lambda: b.call(handler))
    b.run()
    assert (b.states(), b.steps(0)) == (["success"], [(10, "success")])


# Children of a canceled action.


def parent(scheduling: Callable[[Any], Any]) -> Any:
    """Return an action that waits 20 ms and then schedules in some way."""

    async def run(ctx: Any, _: Any) -> None:
        await ctx.sleep(20)
        await scheduling(ctx)

    return action("parent", run)


@pytest.mark.parametrize(
    "scheduling",
    [
        pytest.param(lambda ctx: ctx.run_after(5, NOTHING), id="itself"),
        pytest.param(
            lambda ctx: ctx.run_mutation(mutation("between", lambda ctx, _: ctx.run_after(5, NOTHING))),
            id="through a mutation it calls",
        ),
        pytest.param(
            lambda ctx: ctx.run_mutation(
                mutation(
                    "between",
                    lambda ctx, _: ctx.run_mutation(mutation("within", lambda ctx, _: ctx.run_after(5, NOTHING))),
                )
            ),
            id="through a sub-transaction of that",
        ),
    ],
)
def test_what_a_canceled_action_schedules_is_born_canceled(bench: MakeBench, scheduling: Callable[[Any], Any]) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, parent(scheduling)))
    canceling(b, 10, 0)
    b.run()
    born = [(event.t_ns // MS, event.state) for event in b.events("job") if event.job == 1]
    assert (b.states(), b.steps(1), born) == (["canceled", "canceled"], [], [(20, "canceled")])


def test_what_a_canceled_action_schedules_lives_on_a_server_that_is_told_so(bench: MakeBench) -> None:
    b = bench()
    b.deployment.server.cancels_children = False
    b.call(lambda ctx: ctx.run_after(0, parent(lambda ctx: ctx.run_after(5, NOTHING))))
    canceling(b, 10, 0)
    b.run()
    assert b.states() == ["canceled", "success"]


def test_what_an_action_scheduled_before_it_was_canceled_runs(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(0, parent(lambda ctx: ctx.run_after(20, NOTHING))))
    canceling(b, 30, 0)
    b.run()
    assert b.states() == ["success", "success"]


def test_only_the_direct_parent_counts(bench: MakeBench) -> None:
    b = bench()
    grandchild = mutation("child", lambda ctx, _: ctx.run_after(5, NOTHING))
    b.call(lambda ctx: ctx.run_after(0, parent(lambda ctx: ctx.run_after(20, grandchild))))
    canceling(b, 30, 0)
    b.run()
    assert b.states() == ["success", "success", "success"]


def test_a_cancel_during_the_window_of_a_mutation_of_the_action_counts(bench: MakeBench) -> None:
    b = bench(commit_window=Constant(value_ns=4 * MS), numbers={"occ_backoff": 0.0})
    between = mutation("between", lambda ctx, _: ctx.run_after(5, NOTHING))
    b.call(lambda ctx: ctx.run_after(0, parent(lambda ctx: ctx.run_mutation(between))))
    # The action starts at 4, its mutation takes its snapshot at 24 and would commit at 28.
    b.at(26, lambda: b.deployment.cancel_from_dashboard(b.request, ["parent"]))
    b.run()
    assert (b.states(), b.request.conflicts) == (["canceled", "canceled"], 1)


def test_a_row_that_is_born_canceled_is_collected_like_others(bench: MakeBench) -> None:
    b = bench(retention="1s")
    b.call(lambda ctx: ctx.run_after(0, parent(lambda ctx: ctx.run_after(5, NOTHING))))
    canceling(b, 10, 0)
    b.call(lambda ctx: ctx.run_after(3000, NOTHING))
    b.run(until_ms=2000)
    assert list(b.store.jobs) == [1]


# From the dashboard.


def test_the_dashboard_cancels_the_newest_unfinished_job_of_a_name(bench: MakeBench) -> None:
    b = bench()

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(10, NOTHING)
        ctx.run_after(20, NOTHING)
        ctx.run_after(5, mutation("other", lambda _ctx, _args: None))

    b.call(handler)
    b.at(7, lambda: b.deployment.cancel_from_dashboard(b.request, ["nothing", "other"]))
    b.run()
    assert b.states() == ["success", "canceled", "success"]


def test_the_dashboard_leaves_other_requests_alone(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(10, NOTHING), b.new_request(1))
    b.at(5, lambda: b.deployment.cancel_from_dashboard(b.request, ["nothing"]))
    b.run()
    assert b.states() == ["success"]


def test_where_nothing_is_unfinished_the_dashboard_cancels_nothing(bench: MakeBench) -> None:
    b = bench()
    b.call(lambda ctx: ctx.run_after(10, NOTHING))
    b.at(15, lambda: b.deployment.cancel_from_dashboard(b.request, ["nothing"]))
    b.run()
    assert b.states() == ["success"]


# The component, canceled behind its back while it runs.


def component(b: Any) -> None:
    retrier = Component()
    retrier.bind(b.action)
    b.store.define("runs", retrier.tables["runs"])
    b.call(retrier.submit)
    b.at(20, lambda: b.deployment.cancel_from_dashboard(b.request, ["execute"]))
    b.run()


def settled(b: Any) -> tuple[str, float]:
    return b.request.outcome.name, b.request.settled_ns / MS


def test_success_after_a_cancel_from_the_dashboard_counts(bench: MakeBench) -> None:
    b = bench()
    component(b)
    assert (settled(b), b.states()) == (("success", 50), ["canceled", "success"])


def test_upstream_bug_after_a_failure_the_retry_is_born_canceled_and_the_next_heartbeat_settles(
    bench: MakeBench,
) -> None:
    b = bench(script=[("fail", 50), ("success", 50)])
    component(b)
    # Numbers are 0.5: the heartbeat comes at 10 s.
    assert (settled(b), b.request.attempts, b.states()) == (
        ("canceled", 10_000),
        1,
        ["canceled", "success", "canceled"],
    )
