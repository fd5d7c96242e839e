"""The end of an attempt, written down (`src/component/complete.ts`)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sim.convex.functions import FunctionError
from sim.history.vocabulary import Outcome
from sim.retriers.ports.workpool.kick import kick_main_loop
from sim.retriers.ports.workpool.shared import promise_all, to_segment

if TYPE_CHECKING:
    from collections.abc import Generator

    from sim.convex.tables import Document
    from sim.retriers.ports.workpool.context import Ctx

MAX_BATCH_SIZE: Final = 2_000_000
"""Bytes of jobs, works and payloads that one transaction takes."""
DOCUMENT_SIZE: Final = 500
"""Assumed bytes of a job and a work without their arguments."""
OUTCOMES: Final = {"success": Outcome.success, "failed": Outcome.gave_up, "canceled": Outcome.canceled}

Both = tuple[dict[str, Any], "Document"]
"""A job that `complete` is given, and the work that it is about."""


def complete(ctx: Ctx, args: dict[str, Any]) -> None:
    """Take the results of attempts: a work that is not retried ends here, and the loop hears of its slot."""
    ctx.db.unique("globals")
    found: list[Both] = []
    for job in args["jobs"]:
        work = ctx.db.get(job["workId"])
        if work is not None and work["attempts"] == job["attempt"]:
            found.append((job, work))
    if not found:
        return
    ours, *others = _batches(found)
    for batch in others:
        request = ctx.request_of_all([work for _, work in batch])
        ctx.db.run_after(0, ctx.pool.complete, {"jobs": [job for job, _ in batch]}, request)

    completions: list[dict[str, Any]] = []
    promise_all(_complete_one(ctx, job, work, completions) for job, work in ours)
    if completions:
        kick_main_loop(ctx)
        segment = to_segment(ctx.now_ns)
        for completion in completions:
            ctx.db.insert("pendingCompletion", {**completion, "segment": segment})


def _batches(found: list[Both]) -> list[list[Both]]:
    """Put jobs into batches by their size."""
    batches: list[list[Both]] = []
    size = MAX_BATCH_SIZE + 1
    for job, work in found:
        item_size = DOCUMENT_SIZE + work.get("payloadSize", 0)
        if size + item_size > MAX_BATCH_SIZE:
            batches.append([])
            size = 0
        batches[-1].append((job, work))
        size += item_size
    return batches


def _complete_one(
    ctx: Ctx, job: dict[str, Any], work: Document, completions: list[dict[str, Any]]
) -> Generator[None, None, None]:
    attempts = work["attempts"] + 1
    ctx.db.patch(work["_id"], {"attempts": attempts})
    yield
    pending = ctx.db.unique("pendingCompletion", "workId", [work["_id"]])
    yield
    if pending is not None:
        return
    result = job["runResult"]
    max_attempts = work.get("retryBehavior", {}).get("maxAttempts")
    can_retry = result["kind"] == "failed" and not job.get("nonRetryable")
    retry = can_retry and bool(max_attempts) and attempts < max_attempts
    if retry:
        ctx.log("retried", work["_id"])
    else:
        on_complete = work.get("onComplete")
        if on_complete is not None and result["kind"] not in on_complete["excludeKinds"]:
            if work.get("contextApart"):
                ctx.db.get(work["payloadId"])
                yield
            _call_on_complete(ctx, job, work)
            yield
        if "payloadId" in work:
            with suppress(FunctionError):  # upstream only warns if it is gone
                ctx.db.delete(work["payloadId"])
            yield
        ctx.db.delete(work["_id"])
        ctx.log("over", work["_id"], result["kind"])
        ctx.outer.settle(OUTCOMES[result["kind"]], request=ctx.request_of(work))
        yield
    if result["kind"] != "canceled":
        completions.append({"runResult": _strip_result(result), "workId": work["_id"], "retry": retry})


def _call_on_complete(ctx: Ctx, job: dict[str, Any], work: Document) -> None:
    """Run the caller's onComplete within this transaction, if the job says so and it does not throw; else schedule it.

    It has one more try as a job, but none after that.
    """
    args = {"workId": work["_id"], "result": job["runResult"], "then": work["onComplete"]["then"]}
    if job.get("runOnCompleteInline"):
        try:
            ctx.outer.run_mutation(ctx.pool.on_complete, args)
        except FunctionError:
            ctx.outer.note("callback_scheduled", job["runResult"]["kind"])
        else:
            return
    ctx.db.run_after(0, ctx.pool.on_complete, args, ctx.request_of(work))


def _strip_result(result: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "success", "returnValue": None} if result["kind"] == "success" else result
