"""System errors: the five places where they strike, and what is done about each."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from sim.convex.contexts import MutationContext
from sim.convex.functions import SystemFailure, action, mutation
from sim.history.vocabulary import Cause
from sim.retriers.ports.component import Component

MS = 1_000_000
MakeBench = Callable[..., Any]

STRIKES, PASSES = 0.0, 0.9


def struck(bench: MakeBench, *numbers: float, **options: Any) -> Any:
    """Return a bench whose steps are struck in the given order; further ones pass."""
    given = {"system_error": [*numbers, PASSES], **options.pop("numbers", {})}
    return bench(system_error_share=0.1, numbers=given, **options)


def run_action(b: Any) -> Any:
    b.call(lambda ctx: ctx.run_after(0, b.action))
    return b.run()


def places(b: Any) -> list[tuple[float, str]]:
    return [(event.t_ns / MS, event.struck) for event in b.events("system_error")]


# 1. The start of an action.


def test_an_error_at_the_start_puts_the_action_back(bench: MakeBench) -> None:
    b = run_action(struck(bench, STRIKES))
    # 0.5 of 500 ms.
    assert (places(b), b.steps(0), b.request.attempts) == (
        [(0, "start")],
        [(250, "inProgress"), (300, "success")],
        1,
    )


def test_an_action_that_is_put_back_gives_its_slot_back(bench: MakeBench) -> None:
    b, ran = struck(bench, STRIKES, parallelism=1), []

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(0, b.action)
        ctx.run_after(0, mutation("note", lambda ctx, _: ran.append(ctx.now_ms)))

    b.call(handler)
    b.run()
    assert ran == [0]


def test_a_job_is_put_back_longer_and_longer_up_to_two_hours(bench: MakeBench) -> None:
    b = run_action(struck(bench, *[STRIKES] * 17))
    times = [at_ms for at_ms, _ in places(b)]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == [min(500 * 2**k, 7_200_000) / 2 for k in range(16)]


def test_a_job_that_is_put_back_shows_when_it_runs_next(bench: MakeBench) -> None:
    b = struck(bench, STRIKES)
    b.call(lambda ctx: ctx.run_after(0, b.action))
    b.run(until_ms=100)
    job = b.store.jobs[0]
    assert (job.state, job.asked_ns, job.due_ns) == ("pending", 0, 250 * MS)


def test_a_job_that_was_put_back_can_be_canceled(bench: MakeBench) -> None:
    b = struck(bench, STRIKES)
    b.at(100, lambda: b.deployment.cancel_from_dashboard(b.request, ["action"]))
    run_action(b)
    assert (b.states(), b.request.attempts, b.deployment.executor.free > 0) == (["canceled"], 0, True)


# 2. The execution of an action.


def test_an_error_in_the_execution_fails_the_action_and_it_is_never_started_again(bench: MakeBench) -> None:
    b = run_action(struck(bench, PASSES, STRIKES, numbers={"system_error_moment": 0.4}))
    assert (places(b), b.steps(0), b.request.attempts) == (
        [(0, "execution")],
        [(0, "inProgress"), (20, "failed")],
        1,
    )


@pytest.mark.parametrize(("moment", "effect_ms"), [(0.4, 45), (0.96, 45)])
def test_the_effect_of_a_struck_attempt_comes_at_its_moment(bench: MakeBench, moment: float, effect_ms: float) -> None:
    b = run_action(struck(bench, PASSES, STRIKES, effect_at=0.9, numbers={"system_error_moment": moment}))
    assert b.when("effect") == [effect_ms]


# 3. The write of an action's end.


def test_an_error_at_the_end_repeats_the_write_until_it_succeeds(bench: MakeBench) -> None:
    b = run_action(struck(bench, PASSES, PASSES, STRIKES, STRIKES))
    # 250 and 500 ms after the end at 50.
    assert (places(b), b.steps(0), b.request.attempts) == (
        [(50, "end"), (300, "end")],
        [(0, "inProgress"), (800, "success")],
        1,
    )


def test_the_slot_is_kept_while_the_end_is_written(bench: MakeBench) -> None:
    b, ran = struck(bench, PASSES, PASSES, STRIKES, parallelism=1), []

    def handler(ctx: MutationContext) -> None:
        ctx.run_after(0, b.action)
        ctx.run_after(60, mutation("note", lambda ctx, _: ran.append(ctx.now_ms)))

    b.call(handler)
    b.run()
    assert ran == [300]


def test_a_restart_while_the_end_is_written_fails_the_action(bench: MakeBench) -> None:
    b = struck(bench, PASSES, PASSES, STRIKES)
    b.restart_at(100, down_ms=5)
    run_action(b)
    assert b.steps(0) == [(0, "inProgress"), (105, "failed")]


# 4. A scheduled mutation.


def test_an_error_in_a_scheduled_mutation_puts_it_back_and_it_commits_once(bench: MakeBench) -> None:
    b, ran = struck(bench, STRIKES), []
    b.call(lambda ctx: ctx.run_after(0, mutation("note", lambda ctx, _: ran.append(ctx.now_ms))))
    b.run()
    assert (places(b), ran, b.steps(0)) == ([(0, "mutation note")], [250], [(250, "success")])


def test_a_mutation_that_is_put_back_gives_its_slot_back(bench: MakeBench) -> None:
    b, ran = struck(bench, STRIKES, parallelism=1), []
    note = mutation("note", lambda ctx, args: ran.append((args, ctx.now_ms)))
    b.call(lambda ctx: [ctx.run_after(0, note, name) for name in ("first", "second")])
    b.run()
    assert (ran, b.deployment.executor.free) == ([("second", 0), ("first", 250)], 1)


# 5. A mutation that an action calls.


def test_an_error_in_a_called_mutation_reaches_the_action(bench: MakeBench) -> None:
    b, caught = struck(bench, PASSES, PASSES, STRIKES), []

    async def run(ctx: Any, _: Any) -> None:
        try:
            await ctx.run_mutation(mutation("called", lambda _ctx, _args: None))
        except SystemFailure as error:
            caught.append(str(error))
            raise

    b.call(lambda ctx: ctx.run_after(0, action("run", run)))
    b.run()
    assert (places(b), caught, b.states()) == (
        [(0, "mutation called")],
        ["the deployment failed before the commit"],
        ["failed"],
    )


def test_upstream_bug_a_report_struck_by_a_system_error_is_lost_and_the_effect_repeated(bench: MakeBench) -> None:
    b = struck(bench, PASSES, PASSES, STRIKES)
    retrier = Component()
    retrier.bind(b.action)
    b.store.define("runs", retrier.tables["runs"])
    b.call(retrier.submit)
    b.run()
    duplicates = {Cause(cause).name: n for cause, n in enumerate(b.request.duplicates) if n}
    assert (b.when("attempt"), b.request.outcome.name, duplicates) == ([0, 10_500], "success", {"report_lost": 1})


# Nobody else.


def test_a_client_is_served_whatever_strikes(bench: MakeBench) -> None:
    b = struck(bench, STRIKES)
    assert (b.call(lambda _: "served"), places(b)) == (["served"], [])


def test_without_a_share_nothing_is_asked(bench: MakeBench) -> None:
    b = run_action(bench())
    assert [address for address in b.numbers.asked if address[0].startswith("system")] == []


@pytest.mark.parametrize(("heals_at_ms", "struck_at_ms"), [(0, []), (49, [0]), (50, [0]), (51, [0, 50])])
def test_nothing_is_struck_from_the_healing_on(bench: MakeBench, heals_at_ms: int, struck_at_ms: list[float]) -> None:
    # Steps at 0 (start) and, put off by nothing, at 0 again (execution) and 50 ms (end).
    b = struck(bench, STRIKES, PASSES, PASSES, STRIKES, numbers={"system_backoff": 0.0})
    b.server.heals_at_ns = heals_at_ms * MS
    run_action(b)
    assert [at_ms for at_ms, _ in places(b)] == struck_at_ms


def test_each_step_asks_by_an_address_of_its_own(bench: MakeBench) -> None:
    b = run_action(struck(bench, STRIKES, STRIKES))
    asked = [address for address in b.numbers.asked if address[0].startswith("system")]
    assert len(asked) == len(set(asked)) > 4
