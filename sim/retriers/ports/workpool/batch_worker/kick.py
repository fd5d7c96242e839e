"""Waking the loop, scheduling it, and keeping it watched (`src/component/kick.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.history.pools import LoopState
from sim.history.vocabulary import IN_PROGRESS, PENDING
from sim.retriers.ports.workpool.batch_worker.shared import (
    MONITOR_LAG_NS,
    MONITOR_REFRESH_WITHIN_NS,
    RUNNING_THRESHOLD_NS,
)

if TYPE_CHECKING:
    from sim.convex.jobs import Job, JobVersion
    from sim.convex.tables import Document
    from sim.retriers.ports.workpool.context import Ctx

NEW_STATE: dict[str, Any] = {"generation": 0, "lastWorkTs": 0}


def get_worker(ctx: Ctx, name: str) -> Document | None:
    """Return the worker of this name."""
    return ctx.batch_worker.unique("workers", "name", [name])


def get_or_create_worker_state(ctx: Ctx, worker: Document) -> Document:
    """Return the state of a worker; if its row is missing, a new one."""
    state = ctx.batch_worker.get(worker["stateId"])
    if state is not None:
        return state
    state_id = ctx.batch_worker.insert("workerState", NEW_STATE)
    ctx.batch_worker.patch(worker["_id"], {"stateId": state_id})
    return {**NEW_STATE, "_id": state_id}


# Entry points.


def ping(ctx: Ctx, name: str) -> None:
    """Make sure that the loop runs, and make the worker at the first call. A worker that runs is only read."""
    worker = get_worker(ctx, name)
    if worker is None:
        state_id = ctx.batch_worker.insert("workerState", NEW_STATE)
        row = {"name": name, "config": {"monitorLagMs": MONITOR_LAG_NS}, "status": "running", "stateId": state_id}
        worker_id = ctx.batch_worker.insert("workers", row)
        ctx.log("loop", LoopState.awake)
        schedule_loop_run(ctx, {**row, "_id": worker_id}, 0)
        return
    if worker["status"] == "idle":
        wake(ctx, worker)


def start(ctx: Ctx, name: str) -> None:
    """Wake a worker that was stopped."""
    worker = get_worker(ctx, name)
    if worker is not None and worker["status"] == "stopped":
        wake(ctx, worker)


def stop(ctx: Ctx, name: str) -> None:
    """Cancel the loop and its monitor; only `start` or `kick` makes it run again."""
    worker = get_worker(ctx, name)
    if worker is None:
        return
    state = get_or_create_worker_state(ctx, worker)
    if "runnerId" in state:
        cancel_if_pending(ctx, state["runnerId"])
        ctx.batch_worker.patch(state["_id"], {"generation": state["generation"] + 1}, unset=("runnerId",))
    cancel_monitor(ctx, state)
    ctx.batch_worker.patch(worker["_id"], {"status": "stopped"})
    ctx.log("loop", LoopState.stopped)


def kick(ctx: Ctx, name: str) -> None:
    """Start the loop anew whatever it does, with a new monitor."""
    worker = get_worker(ctx, name)
    if worker is None:
        return
    state = get_or_create_worker_state(ctx, worker)
    if "runnerId" in state:
        cancel_if_pending(ctx, state["runnerId"])
    cancel_monitor(ctx, state)
    if worker["status"] != "running":
        ctx.batch_worker.patch(worker["_id"], {"status": "running"})
        ctx.log("loop", LoopState.awake)
    schedule_loop_run(ctx, worker, 0)


# Waking the loop.


def wake(ctx: Ctx, worker: Document) -> None:
    """Start a loop, unless one is due within a second: that one is kept, and work that comes now waits for it."""
    state = ctx.batch_worker.get(worker["stateId"]) or NEW_STATE
    runner = job(ctx, state["runnerId"]) if "runnerId" in state else None
    ctx.batch_worker.patch(worker["_id"], {"status": "running"})
    ctx.log("loop", LoopState.awake)
    if runner is not None and runner.state == PENDING:
        due_ns = runner.due_ns + ctx.pool.epoch_ns
        if due_ns < ctx.now_ns + RUNNING_THRESHOLD_NS:
            ctx.batch_worker.patch(worker["stateId"], {"lastWorkTs": max(state["lastWorkTs"], due_ns)})
            return
        ctx.outer.cancel(runner.id)
    schedule_loop_run(ctx, worker, 0, ctx.now_ns)


# Scheduling the loop.


def continue_running(ctx: Ctx, worker: Document, delay_ns: int, last_work_ns: int | None = None) -> None:
    """Run the loop again after a delay, with status `running`."""
    if worker["status"] != "running":
        ctx.batch_worker.patch(worker["_id"], {"status": "running"})
        ctx.log("loop", LoopState.awake)
        last_work_ns = max(last_work_ns or 0, ctx.now_ns + delay_ns)
    schedule_loop_run(ctx, worker, delay_ns, last_work_ns)


def schedule_waiting(ctx: Ctx, worker: Document, timeout_ns: int) -> None:
    """Sleep until a time; a ping wakes it before."""
    schedule_loop_run(ctx, worker, timeout_ns)
    ctx.batch_worker.patch(worker["_id"], {"status": "idle"})
    ctx.log("loop", LoopState.asleep)


def go_idle(ctx: Ctx, worker: Document, state: Document) -> None:
    """Loop no more, and cancel the monitor."""
    ctx.batch_worker.patch(state["_id"], {"generation": state["generation"] + 1}, unset=("runnerId",))
    cancel_monitor(ctx, state)
    ctx.batch_worker.patch(worker["_id"], {"status": "idle"})
    ctx.log("loop", LoopState.idle)


def schedule_loop_run(ctx: Ctx, worker: Document, delay_ns: int, last_work_ns: int | None = None) -> None:
    """Schedule the loop of the next generation; the one before is superseded."""
    state = get_or_create_worker_state(ctx, worker)
    generation = state["generation"] + 1
    args = {"name": worker["name"], "generation": generation}
    runner_id = ctx.batch_worker.run_at(ctx.outer.now_ns + delay_ns, ctx.pool.loop, args, ctx.own)
    changes = {"generation": generation, "runnerId": runner_id}
    if last_work_ns is not None:
        changes["lastWorkTs"] = last_work_ns
    ctx.batch_worker.patch(state["_id"], changes)
    ensure_monitored(ctx, worker, ctx.now_ns + delay_ns)


# The monitor.


def ensure_monitored(ctx: Ctx, worker: Document, loop_run_at_ns: int) -> None:
    """Keep a monitor behind the loop's next run; one that is due later than in 10 s stays."""
    state = ctx.batch_worker.get(worker["stateId"])
    if state is None:
        return
    now_ns = ctx.now_ns
    monitor_id = state.get("monitorId")
    grace_ns = min(MONITOR_LAG_NS // 2, MONITOR_REFRESH_WITHIN_NS)
    if monitor_id is not None and state["monitorRunAtMs"] > now_ns + grace_ns:
        return
    if monitor_id is not None:
        cancel_if_pending(ctx, monitor_id)
    desired_ns = max(loop_run_at_ns, now_ns) + MONITOR_LAG_NS
    args = {"name": worker["name"]}
    monitor_id = ctx.batch_worker.run_at(desired_ns - ctx.pool.epoch_ns, ctx.pool.monitor, args, ctx.own)
    ctx.batch_worker.patch(worker["stateId"], {"monitorId": monitor_id, "monitorRunAtMs": desired_ns})


def cancel_monitor(ctx: Ctx, state: Document) -> None:
    """Cancel the monitor and forget it."""
    if "monitorId" in state:
        cancel_if_pending(ctx, state["monitorId"])
    if "monitorId" in state or "monitorRunAtMs" in state:
        ctx.batch_worker.patch(state["_id"], {}, unset=("monitorId", "monitorRunAtMs"))


def cancel_if_pending(ctx: Ctx, job_id: int) -> None:
    """Cancel a job unless it has begun: a mutation finds its own job in progress."""
    found = job(ctx, job_id)
    if found is not None and found.state == PENDING and not is_own(ctx, job_id):
        ctx.outer.cancel(job_id)


def job(ctx: Ctx, job_id: int) -> Job | JobVersion | None:
    """Read a job."""
    return ctx.outer.get_job(job_id)


def is_own(ctx: Ctx, job_id: int) -> bool:
    """Tell whether this is the job of the mutation itself, which counts as in progress."""
    return ctx.outer.job is not None and ctx.outer.job.id == job_id


def state_of(ctx: Ctx, found: Job | JobVersion | None) -> str | None:
    """Return the state of a job as its reader finds it: None if there is none, in progress for the reader's own."""
    if found is None:
        return None
    return IN_PROGRESS if is_own(ctx, found.id) else found.state
