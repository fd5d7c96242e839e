"""The monitor: it looks for a loop that did not run (`src/component/monitor.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.history.vocabulary import PENDING
from sim.retriers.ports.workpool.batch_worker.kick import (
    cancel_if_pending,
    cancel_monitor,
    continue_running,
    ensure_monitored,
    get_or_create_worker_state,
    get_worker,
    job,
    state_of,
)
from sim.retriers.ports.workpool.batch_worker.shared import STUCK_RUNNER_GRACE_NS

if TYPE_CHECKING:
    from sim.retriers.ports.workpool.context import Ctx


def monitor(ctx: Ctx, args: dict[str, Any]) -> None:
    """Start the loop again if its job is gone, failed, canceled or stuck; else keep watching it."""
    worker = get_worker(ctx, args["name"])
    if worker is None:
        return
    state = get_or_create_worker_state(ctx, worker)
    runner = job(ctx, state["runnerId"]) if "runnerId" in state else None
    is_pending = state_of(ctx, runner) == PENDING
    due_ns = 0 if runner is None else runner.due_ns + ctx.pool.epoch_ns

    if is_pending and due_ns <= ctx.now_ns - STUCK_RUNNER_GRACE_NS and worker["status"] != "stopped":
        cancel_if_pending(ctx, state["runnerId"])
        continue_running(ctx, worker, 0)
        return
    if worker["status"] != "running":
        cancel_monitor(ctx, state)
        return
    if is_pending:
        ensure_monitored(ctx, worker, due_ns)
        return
    continue_running(ctx, worker, 0)
