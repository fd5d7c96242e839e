"""Rows of completed jobs are kept for a while, then collected; whoever looks later finds nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from started import started

from sim.convex.contexts import MutationContext
from sim.convex.functions import mutation
from sim.retriers.ports.article import Article
from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers

DAY = 86_400_000
MakeBench = Callable[..., Any]

NOTHING = mutation("nothing", lambda _ctx, _args: None)


def go_on_until(b: Any, *at_ms: float) -> None:
    """Keep the world going; collection alone does not."""
    b.call(lambda ctx: [ctx.run_after(delay_ms, NOTHING) for delay_ms in at_ms])


def test_a_row_is_kept_for_seven_days_after_its_completion(bench: MakeBench) -> None:
    b, seen = bench(retention="7d"), []
    b.call(lambda ctx: ctx.run_after(1000, NOTHING))
    look = mutation("look", lambda ctx, _: seen.append(ctx.get_job(0) is not None))
    b.call(lambda ctx: [ctx.run_after(1000 + 7 * DAY + shift_ms, look) for shift_ms in (-1, 1)])
    b.run()
    assert seen == [True, False]


def test_without_retention_rows_stay(bench: MakeBench) -> None:
    b = bench()
    go_on_until(b, 0, 100 * DAY)
    b.run()
    assert len(b.store.jobs) == 2


@pytest.mark.parametrize("end", ["success", "failed", "canceled"])
def test_every_completed_row_is_collected_whatever_its_state(bench: MakeBench, end: str) -> None:
    b = bench(retention="1s", script=[("fail" if end == "failed" else "success", 50)])
    b.call(lambda ctx: ctx.run_after(0, b.action))
    if end == "canceled":
        b.at(20, lambda: b.deployment.cancel_from_dashboard(b.request, ["action"]))
    go_on_until(b, 1100)
    b.run()
    assert (b.steps(0)[-1][1], b.when("collected"), 0 in b.store.jobs) == (
        end,
        [1020 if end == "canceled" else 1050],
        False,
    )


def test_a_row_that_is_not_completed_is_never_collected(bench: MakeBench) -> None:
    b = bench(retention="1s", script=[("success", 5000)])
    b.call(lambda ctx: (ctx.run_after(0, b.action), ctx.run_after(6000, NOTHING)))
    b.run(until_ms=4000)
    assert b.states() == ["inProgress", "pending"]


def test_rows_are_collected_a_thousand_at_a_time_with_a_pause_of_ten_seconds(bench: MakeBench) -> None:
    b = bench(retention="1h")

    def handler(ctx: MutationContext) -> None:
        for _ in range(2500):
            ctx.run_after(0, NOTHING)
        ctx.run_after(2 * 3_600_000, NOTHING)

    b.call(handler)
    b.run()
    collected = [(event.t_ns / 1e9, event.count) for event in b.events("collected")]
    assert collected == [(3600, 1000), (3610, 1000), (3620, 500)]


def test_a_batch_is_one_transaction(bench: MakeBench) -> None:
    b, before = bench(retention="1s"), []
    go_on_until(b, 0, 0, 0, 1500)
    b.at(999, lambda: before.append(b.store.last_ts))
    b.run(until_ms=1200)
    assert b.store.last_ts - before[0] == 1


def test_collection_alone_does_not_keep_a_world_going(bench: MakeBench) -> None:
    b = bench(retention="1s")
    go_on_until(b, 10)
    b.run()
    assert (b.clock.now_ns / 1e6, len(b.store.jobs)) == (10, 1)


# What the retriers make of it.


@pytest.mark.parametrize("make", [Article, Helpers])
def test_upstream_bug_a_poll_that_comes_after_the_row_is_gone_throws_and_nobody_looks_again(
    bench: MakeBench, make: Callable[..., Any]
) -> None:
    # The action ends at 0.9 s, its row is gone at 1.9 s, and the poll that would tell comes later.
    waits = {"waitBackoff": 500, "base": 5}
    b = started(bench(retention="1s", script=[("success", 900)]), make(**waits))
    last = b.events("rolled_back")[-1]
    assert (b.request.outcome.name, b.request.settled_ns, last.function, "not found" in last.error) == (
        "open",
        -1,
        "retry",
        True,
    )


def test_a_heartbeat_that_finds_no_row_takes_it_for_a_transient_failure(bench: MakeBench) -> None:
    b = started(bench(retention="1s", script=[("crash_after_effect", 50), ("success", 50)]), Component())
    # Numbers are 0.5: the heartbeat comes at 10 s, the retry 500 ms later.
    assert (b.when("collected", "")[0], b.when("attempt"), b.request.outcome.name) == (1050, [0, 10_500], "success")
