"""The loop: one mutation after the other, each of which schedules the next (`src/component/loop.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.retriers.ports.workpool.batch_worker.kick import (
    continue_running,
    get_or_create_worker_state,
    get_worker,
    go_idle,
    schedule_waiting,
)
from sim.retriers.ports.workpool.batch_worker.shared import RUNNING_THRESHOLD_NS

if TYPE_CHECKING:
    from sim.retriers.ports.workpool.context import Ctx


def loop(ctx: Ctx, args: dict[str, Any]) -> None:
    """Do the work that there is and run again at once; without work cool down, then sleep or go idle.

    A loop of an older generation is superseded and ends. If `getBatch` or `run` throws, nothing schedules the next
    loop: the monitor starts it again.
    """
    worker = get_worker(ctx, args["name"])
    state = worker and get_or_create_worker_state(ctx, worker)
    if worker is None or state is None:
        return
    if state["generation"] != args["generation"]:
        return

    now_ns = ctx.now_ns
    result = ctx.outer.run_snapshot_query(ctx.pool.get_batch)

    # There is work.
    if "batch" in result:
        ctx.outer.run_mutation(ctx.pool.run, result["batch"])
        continue_running(ctx, worker, 0, now_ns)
        return

    # There is none: cool down first.
    if now_ns < state["lastWorkTs"] + result["cooldown_ns"]:
        continue_running(ctx, worker, result["poll_interval_ns"])
        return

    # Read once more, so that work which comes at the same time is a conflict.
    if "batch" in ctx.outer.run_query(ctx.pool.get_batch):
        continue_running(ctx, worker, 0)
        return

    timeout_ns = result["timeout_ns"]
    if timeout_ns is not None:
        if timeout_ns <= RUNNING_THRESHOLD_NS or timeout_ns <= result["poll_interval_ns"]:
            continue_running(ctx, worker, timeout_ns)
        else:
            schedule_waiting(ctx, worker, timeout_ns)
        return

    go_idle(ctx, worker, state)
