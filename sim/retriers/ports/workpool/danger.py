"""Deleting old works, which only an operator does (`src/component/danger.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.retriers.ports.workpool.shared import MINUTE_NS

if TYPE_CHECKING:
    from sim.convex.tables import Document
    from sim.retriers.ports.workpool.context import Ctx

DEFAULT_OLDER_THAN_NS: Final = 24 * 60 * MINUTE_NS
MAX_ROWS_READ: Final = 100
MAX_BYTES_READ: Final = 4_000_000
"""Of payloads: the documents themselves are small."""


def clear_pending(ctx: Ctx, args: dict[str, Any]) -> None:
    """Delete works that wait for a start since before a time, the newest first, a page at a time."""
    page = _page(ctx, "pendingStart", args)
    total_bytes = 0
    for number, start in enumerate(page):
        work = ctx.db.get(start["workId"])
        total_bytes += 0 if work is None else work.get("payloadSize", 0)
        if number == MAX_ROWS_READ or total_bytes > MAX_BYTES_READ:
            ctx.db.run_after(0, ctx.pool.clear_pending, {"before": start["_creationTime"]}, ctx.own)
            return
        ctx.db.delete(start["_id"])
        if work is not None:
            _delete_work(ctx, work)


def clear_old_work(ctx: Ctx, args: dict[str, Any]) -> None:
    """Delete works made before a time with all that is pending of them, the newest first, a page at a time."""
    page = _page(ctx, "work", args)
    total_bytes = 0
    for number, work in enumerate(page):
        found = [
            ctx.db.unique(table, "workId", [work["_id"]])
            for table in ("pendingStart", "pendingCompletion", "pendingCancelation")
        ]
        total_bytes += work.get("payloadSize", 0)
        if number == MAX_ROWS_READ or total_bytes > MAX_BYTES_READ:
            ctx.db.run_after(0, ctx.pool.clear_old_work, {"before": work["_creationTime"]}, ctx.own)
            return
        for pending in found:
            if pending is not None:
                ctx.db.delete(pending["_id"])
        _delete_work(ctx, work)


def _page(ctx: Ctx, table: str, args: dict[str, Any]) -> list[Document]:
    before_ns = args.get("before", ctx.now_ns - args.get("olderThan", DEFAULT_OLDER_THAN_NS))
    return ctx.db.query(table, "by_creation_time", at_most=before_ns, take=MAX_ROWS_READ + 1, newest_first=True)


def _delete_work(ctx: Ctx, work: Document) -> None:
    if "payloadId" in work:
        ctx.db.delete(work["payloadId"])
    ctx.db.delete(work["_id"])
