"""What an app calls: enqueue, cancel, ask for the status (`src/component/lib.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.convex.functions import FunctionError
from sim.retriers.ports.workpool.config import get_or_update_globals
from sim.retriers.ports.workpool.kick import kick_main_loop
from sim.retriers.ports.workpool.shared import bound_scheduled_time, from_segment, promise_all, to_segment, whole

if TYPE_CHECKING:
    from collections.abc import Generator

    from sim.retriers.ports.workpool.context import Ctx, QueryCtx

INLINE_METADATA_THRESHOLD: Final = 8_000
"""Bytes of arguments or context from which they have a document of their own."""
MAX_DOC_SIZE: Final = 1_000_000
PAYLOAD_DOC_OVERHEAD: Final = 78
PAGE_SIZE: Final = 64


def enqueue(ctx: Ctx, item: dict[str, Any], config: dict[str, Any]) -> str:
    """Put a work into the pool and return its id. Raises FunctionError for a wrong setting, or too large arguments."""
    return enqueue_batch(ctx, [item], config)[0]


def enqueue_batch(ctx: Ctx, items: list[dict[str, Any]], config: dict[str, Any]) -> list[str]:
    """Put works into the pool, with one ping for all, and return their ids."""
    get_or_update_globals(ctx, config)
    kick_main_loop(ctx)
    ids = [""] * len(items)
    promise_all(_enqueue_handler(ctx, item, ids, number) for number, item in enumerate(items))
    return ids


def _enqueue_handler(ctx: Ctx, item: dict[str, Any], ids: list[str], number: int) -> Generator[None, None, None]:
    run_at_ns = bound_scheduled_time(item["runAt"], ctx.now_ns)
    work = {key: value for key, value in item.items() if key not in ("runAt", "fnArgsSize", "contextSize")}
    args_size, context_size = item["fnArgsSize"], item["contextSize"]
    if args_size > MAX_DOC_SIZE:
        raise FunctionError(f"Function arguments too large: {args_size} bytes (max: {MAX_DOC_SIZE} bytes)")
    if context_size > MAX_DOC_SIZE:
        raise FunctionError(f"OnComplete context too large: {context_size} bytes (max: {MAX_DOC_SIZE} bytes)")
    work["attempts"] = 0

    if args_size >= INLINE_METADATA_THRESHOLD:
        # Large arguments are stored apart; a context too if it is large itself.
        apart = context_size if context_size >= INLINE_METADATA_THRESHOLD else 0
        work["payloadSize"] = args_size + PAYLOAD_DOC_OVERHEAD + apart
        work["payloadId"] = ctx.db.insert("payload", {"args": args_size, "context": apart})
        work["argsApart"] = True
        work["contextApart"] = bool(apart)
        yield
    elif args_size + context_size >= INLINE_METADATA_THRESHOLD:
        work["payloadId"] = ctx.db.insert("payload", {"args": 0, "context": context_size})
        work["payloadSize"] = context_size + PAYLOAD_DOC_OVERHEAD
        work["contextApart"] = True
        yield

    work_id = ids[number] = ctx.db.insert("work", work)
    yield
    segment = max(to_segment(run_at_ns), to_segment(ctx.now_ns))
    pending_start_id = ctx.db.insert("pendingStart", {"workId": work_id, "segment": segment})
    yield
    ctx.db.patch(work_id, {"pendingStartId": pending_start_id})
    ctx.log("planned", work_id, item["fnArgs"]["request"], 1, from_segment(segment) - ctx.pool.epoch_ns)
    yield


def cancel(ctx: Ctx, work_id: str, log_level: str | None = None) -> None:
    """Ask for a work to be canceled; the loop does it. A work that is over, or asked for already, is left alone."""
    get_or_update_globals(ctx, {"logLevel": log_level})
    if _should_cancel_work_item(ctx, work_id):
        kick_main_loop(ctx)
        ctx.db.insert("pendingCancelation", {"workId": work_id, "segment": to_segment(ctx.now_ns)})


def cancel_all(ctx: Ctx, args: dict[str, Any]) -> None:
    """Ask for all works to be canceled, a page at a time from the newest on; running ones too.

    The next page begins with the last work of this one. So a limit of 1 schedules itself again and again until that
    work is gone. Raises FunctionError for a limit of 0.
    """
    before = args.get("before")
    before_ns = ctx.now_ns if before is None else before
    limit = args.get("limit")
    page_size = PAGE_SIZE if limit is None else limit
    page = ctx.db.query("work", "by_creation_time", at_most=before_ns, take=whole(page_size), newest_first=True)
    get_or_update_globals(ctx, {"logLevel": args.get("logLevel")})
    should_cancel = [_should_cancel_work_item(ctx, work["_id"]) for work in page]
    if any(should_cancel):
        kick_main_loop(ctx)
    segment = to_segment(ctx.now_ns)
    for work, should in zip(page, should_cancel, strict=True):
        if should:
            ctx.db.insert("pendingCancelation", {"workId": work["_id"], "segment": segment})
    if len(page) == page_size:
        if not page:
            raise FunctionError("a page of no works has no last one")
        following = {"logLevel": args.get("logLevel"), "before": page[-1]["_creationTime"], "limit": page_size}
        ctx.db.run_after(0, ctx.pool.cancel_all_page, following, ctx.own)


def status(ctx: QueryCtx, work_id: str) -> dict[str, Any]:
    """Return `state` (pending, running or finished) and, of a work that is not finished, `previousAttempts`."""
    work = ctx.db.get(work_id)
    if work is None:
        return {"state": "finished"}
    if ctx.db.unique("pendingStart", "workId", [work_id]) is not None:
        return {"state": "pending", "previousAttempts": work["attempts"]}
    completion = ctx.db.unique("pendingCompletion", "workId", [work_id])
    if completion is not None and completion["retry"]:
        return {"state": "pending", "previousAttempts": work["attempts"]}
    return {"state": "running", "previousAttempts": work["attempts"]}


def status_batch(ctx: QueryCtx, work_ids: list[str]) -> list[dict[str, Any]]:
    """Return the status of each work."""
    return [status(ctx, work_id) for work_id in work_ids]


def _should_cancel_work_item(ctx: Ctx, work_id: str) -> bool:
    if ctx.db.get(work_id) is None:
        return False
    return ctx.db.unique("pendingCancelation", "workId", [work_id]) is None
