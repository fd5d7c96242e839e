"""How executions end without a word: the time limit, hangs, deaths that are noticed late, contact that is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from started import started

from sim.convex.contexts import MutationContext
from sim.convex.functions import FunctionError, action, mutation
from sim.history.vocabulary import Cause
from sim.laws.distributions import Constant
from sim.retriers.ports.article import Article
from sim.retriers.ports.component import Component

MS = 1_000_000
S = 1000
MakeBench = Callable[..., Any]

SLOW = {"mutation_latency": Constant(value_ns=MS), "commit_window": Constant(value_ns=MS)}


def run_job(b: Any, function: Any = None) -> Any:
    b.call(lambda ctx: ctx.run_after(0, b.action if function is None else function))
    return b.run()


def duplicates(b: Any) -> dict[str, int]:
    return {Cause(cause).name: n for cause, n in enumerate(b.request.duplicates or ()) if n}


# The time limit.


def test_an_action_over_its_time_limit_fails_at_the_limit(bench: MakeBench) -> None:
    b = run_job(bench(script=[("success", 601 * S)]))
    assert b.steps(0) == [(0, "inProgress"), (600 * S, "failed")]


def test_an_action_may_end_at_the_limit_itself(bench: MakeBench) -> None:
    b = run_job(bench(script=[("success", 600 * S)]))
    assert b.steps(0) == [(0, "inProgress"), (600 * S, "success")]


def test_an_effect_that_is_still_ahead_at_the_limit_comes_all_the_same(bench: MakeBench) -> None:
    b = run_job(bench(script=[("success", 700 * S)], effect_at=0.9))
    assert (b.when("effect"), b.request.first_effect_ns / MS) == ([630 * S], 630 * S)


def test_a_hang_fails_at_the_limit_and_has_no_effect(bench: MakeBench) -> None:
    b = run_job(bench(script=[("hang", 0)], action_time_limit="10s"))
    assert (b.steps(0), b.when("effect")) == ([(0, "inProgress"), (10 * S, "failed")], [])


def test_without_a_limit_a_hang_never_ends(bench: MakeBench) -> None:
    b = run_job(bench(script=[("hang", 0)], action_time_limit=None))
    assert (b.states(), b.deployment.requests_looked_at(["action"])) == (["inProgress"], set())


@pytest.mark.parametrize("platform", [{}, SLOW], ids=["ideal", "slow"])
def test_a_function_that_sleeps_too_long_is_cut_off_where_it_is(bench: MakeBench, platform: dict[str, Any]) -> None:
    b, passed = bench(action_time_limit="10s", **platform), []

    async def run(ctx: Any, _: Any) -> None:
        for second in range(20):
            await ctx.sleep(S)
            passed.append(second + 1)

    run_job(b, action("run", run))
    lasted = b.steps(0)[1][0] - b.steps(0)[0][0]
    assert (lasted, passed[-1] in {9, 10}, b.states()) == (10 * S, True, ["failed"])


def test_the_limit_reaches_an_action_that_waits_for_the_users_action(bench: MakeBench) -> None:
    b, after = bench(script=[("hang", 0)], action_time_limit="10s"), []

    async def run(ctx: Any, _: Any) -> None:
        await ctx.sleep(4 * S)
        try:
            await ctx.run_action(b.action)
        except FunctionError:
            after.append("caught")

    run_job(b, action("run", run))
    assert (b.steps(0)[-1], b.when("attempt_end", "cut"), after) == ((10 * S, "failed"), [10 * S], [])


@pytest.mark.parametrize("platform", [{}, SLOW], ids=["ideal", "slow"])
@pytest.mark.parametrize("make", [Article, Component])
@pytest.mark.parametrize("effect_at", [0.1, 0.9])
def test_a_second_effect_after_a_cut_is_charged_to_timeout(
    bench: MakeBench, platform: dict[str, Any], make: Callable[[], Any], effect_at: float
) -> None:
    script = [("success", 20 * S), ("success", S)]
    b = started(bench(script=script, effect_at=effect_at, action_time_limit="10s", **platform), make())
    assert (b.request.effects, duplicates(b)) == (2, {"timeout": 1})


@pytest.mark.parametrize("platform", [{}, SLOW], ids=["ideal", "slow"])
def test_a_limit_that_cuts_nothing_off_does_not_keep_the_world_going(
    bench: MakeBench, platform: dict[str, Any]
) -> None:
    b = started(bench(**platform), Component())
    assert 10 * S <= b.clock.now_ns / MS < 11 * S


@pytest.mark.parametrize("platform", [{}, SLOW], ids=["ideal", "slow"])
def test_a_cut_attempt_has_its_end_in_the_history(bench: MakeBench, platform: dict[str, Any]) -> None:
    b = started(bench(script=[("success", 20 * S), ("success", S)], action_time_limit="10s", **platform), Component())
    assert [(event.attempt, event.end) for event in b.events("attempt_end")] == [(1, "cut"), (2, "returned")]


# Deaths.


def test_a_death_is_noticed_at_once_by_default(bench: MakeBench) -> None:
    b = run_job(bench(script=[("crash_after_effect", 50)]))
    assert b.steps(0) == [(0, "inProgress"), (50, "failed")]


def test_a_death_is_noticed_after_the_detection_and_its_slot_is_kept_until_then(bench: MakeBench) -> None:
    b, ran = bench(script=[("crash_after_effect", 50)], crash_detection="1s", parallelism=1), []

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(0, b.action)
        ctx.run_after(60, mutation("note", lambda ctx, _: ran.append(ctx.now_ms)))

    b.call(handler)
    b.run()
    assert (b.steps(0)[-1], ran) == ((1050, "failed"), [1050])


def test_a_dead_execution_does_not_go_on(bench: MakeBench) -> None:
    b, after = bench(script=[("crash_before_effect", 50)]), []

    async def run(ctx: Any, _: Any) -> None:
        try:
            await ctx.run_action(b.action)
        finally:
            after.append("not even this" if ctx.now_ns < 0 else ctx.now_ns / MS)
        after.append("goes on")

    run_job(b, action("run", run))
    assert (b.states(), "goes on" in after) == (["failed"], False)


def test_a_dead_execution_without_latency_does_not_go_on_either(bench: MakeBench) -> None:
    b, after = bench(script=[("crash_after_effect", 0)]), []

    async def run(ctx: Any, _: Any) -> None:
        await ctx.run_action(b.action)
        after.append("goes on")

    run_job(b, action("run", run))
    assert (b.steps(0), after) == ([(0, "inProgress"), (0, "failed")], [])


def test_a_job_canceled_after_its_execution_died_stays_canceled(bench: MakeBench) -> None:
    b = bench(script=[("crash_after_effect", 50)], crash_detection="1s")
    b.at(500, lambda: b.deployment.cancel_from_dashboard(b.request, ["action"]))
    run_job(b)
    assert (b.states(), b.deployment.executor.running) == (["canceled"], {})


# Lost contact.


def test_lost_contact_fails_the_job_while_the_execution_goes_on(bench: MakeBench) -> None:
    b = run_job(bench(script=[("lost_contact", 100)], numbers={"death": 0.25}))
    assert (b.steps(0), b.when("effect"), b.when("attempt_end", "returned")) == (
        [(0, "inProgress"), (25, "failed")],
        [100],
        [100],
    )


def test_lost_contact_gives_the_slot_back_once(bench: MakeBench) -> None:
    b = run_job(bench(script=[("lost_contact", 100)], parallelism=3))
    assert (b.deployment.executor.free, b.deployment.executor.unseen) == (3, [])


def test_time_of_an_unseen_execution_is_counted_to_its_end(bench: MakeBench) -> None:
    assert run_job(bench(script=[("lost_contact", 100)])).request.action_ns == 100 * MS


def test_upstream_bug_a_stale_attempt_settles_a_newer_one(bench: MakeBench) -> None:
    # Contact is lost at 10 s of 20; the heartbeat at 10 s schedules a retry for 10.5 s that would take 60 s.
    b = started(bench(script=[("lost_contact", 20 * S), ("success", 60 * S)], numbers={"death": 0.25}), Component())
    assert (b.request.outcome.name, b.request.settled_ns / MS, b.when("attempt")) == ("success", 20 * S, [0, 10_500])


def test_the_first_attempts_late_effect_and_the_seconds_make_a_duplicate_by_timeout(bench: MakeBench) -> None:
    b = started(bench(script=[("lost_contact", 20 * S), ("success", 60 * S)], numbers={"death": 0.25}), Component())
    assert (b.when("effect"), duplicates(b)) == ([20 * S, 70_500], {"timeout": 1})
