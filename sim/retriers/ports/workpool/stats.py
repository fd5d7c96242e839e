"""The report of a minute, and what an operator can ask (`src/component/stats.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.retriers.ports.workpool.shared import DEFAULT_MAX_PARALLELISM, INITIAL_STATE, MINUTE_NS, to_segment

if TYPE_CHECKING:
    from sim.convex.tables import Document
    from sim.retriers.ports.workpool.context import Ctx, QueryCtx

SILENT: Final = ("WARN", "ERROR")
"""Log levels at which there is no report."""
LEAST_PAGE: Final = 10


def generate_report(ctx: Ctx, state: Document, settings: Document) -> None:
    """Report once a minute: count the works that wait, in a job of its own if there are more than a page."""
    last_ns = state["report"]["lastReportTs"]
    if ctx.now_ns - last_ns < MINUTE_NS:
        return
    if settings["logLevel"] not in SILENT:
        page = int(max(settings["maxParallelism"], LEAST_PAGE))
        below = to_segment(ctx.now_ns)
        cursor = state["segmentCursors"]["incoming"]
        waiting = ctx.db.query("pendingStart", "segment", at_least=cursor, below=below, take=page + 1)
        if len(waiting) > page:
            ctx.db.run_after(0, ctx.pool.calculate_backlog_and_report, {"report": state["report"]}, ctx.own)
    next_ns = last_ns + MINUTE_NS
    if ctx.now_ns > next_ns + MINUTE_NS // 2:
        next_ns = ctx.now_ns
    state["report"] = {**INITIAL_STATE["report"], "lastReportTs": next_ns}


def calculate_backlog_and_report(ctx: Ctx, _args: dict[str, Any]) -> None:
    """Count the works that wait, for the log."""
    ctx.db.query("pendingStart")


def running(ctx: QueryCtx) -> list[dict[str, Any]]:
    """Return what is running, with the number of attempts made before."""
    state = ctx.db.unique("internalState") or INITIAL_STATE
    found = [(entry, ctx.db.get(entry["workId"])) for entry in state["running"]]
    return [{**entry, "attempts": 0 if work is None else work["attempts"]} for entry, work in found]


def diagnostics(ctx: QueryCtx) -> dict[str, Any]:
    """Count the works in each phase."""
    settings = ctx.db.unique("globals")
    state = ctx.db.unique("internalState") or INITIAL_STATE
    in_progress = len(state["running"])
    parallelism = DEFAULT_MAX_PARALLELISM if settings is None else settings["maxParallelism"]
    completing = len(ctx.db.query("pendingCompletion"))
    return {
        "canceling": len(ctx.db.query("pendingCancelation")),
        "waiting": len(ctx.db.query("pendingStart")),
        "running": in_progress - completing,
        "completing": completing,
        "spareCapacity": parallelism - in_progress,
    }
