"""The query that looks for work, and the mutation that does it (`src/component/loop.ts`).

The batch worker asks `get_batch` whether there is something to do. If so, `run` takes what it found: completions free
slots or plan retries, cancelations mark or end works, every minute a scan looks for dead jobs, and starts fill the
slots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.kernel.durations import NS_PER_S
from sim.retriers.backoff import jitter, power
from sim.retriers.ports.workpool.config import get_globals
from sim.retriers.ports.workpool.shared import (
    INITIAL_STATE,
    MINUTE_NS,
    from_segment,
    promise_all,
    segment_after,
    to_segment,
    whole,
)
from sim.retriers.ports.workpool.stats import generate_report

if TYPE_CHECKING:
    from collections.abc import Generator

    from sim.convex.tables import Document
    from sim.retriers.ports.workpool.context import Ctx, QueryCtx

CANCELLATION_BATCH_SIZE: Final = 64
RECOVERY_BATCH_SIZE: Final = 32
MAIN_BATCH_SIZE: Final = 64
"""Completions, and starts but one, that one run takes at most."""
RUN_BATCH_SIZE: Final = 32
"""Actions and queries of one `runBatch`."""
RECOVERY_THRESHOLD_NS: Final = 5 * MINUTE_NS
"""Only works that started longer ago than this are looked at."""
RECOVERY_PERIOD_SEGMENTS: Final = to_segment(MINUTE_NS)
STATUS_COOLDOWN_NS: Final = 2 * NS_PER_S
SATURATED_COOLDOWN_NS: Final = 10 * NS_PER_S
COOLDOWN_CHECK_INTERVAL_NS: Final = NS_PER_S // 5
CURSOR_BUFFER_SEGMENTS: Final = to_segment(15 * NS_PER_S)
"""How far behind its cursors a scan begins: a transaction may commit later than another that began after it."""


def get_batch(ctx: QueryCtx) -> dict[str, Any]:
    """Return the `batch` of work that there is, or how long to cool down, how often to look, and when to wake up."""
    settings = get_globals(ctx)
    state = ctx.db.unique("internalState") or INITIAL_STATE
    running, cursors, last_recovery = state["running"], state["segmentCursors"], state["lastRecovery"]
    segment = to_segment(ctx.now_ns)

    is_recovery = bool(running) and segment - last_recovery >= RECOVERY_PERIOD_SEGMENTS
    bounds = {name: 0 if is_recovery else cursor - CURSOR_BUFFER_SEGMENTS for name, cursor in cursors.items()}
    completions, cancelations, all_starts = _query_pending(ctx, bounds, settings["maxParallelism"], len(running))
    starts = [start for start in all_starts if start["segment"] <= segment]
    if completions or cancelations or starts or is_recovery:
        return {
            "batch": {
                "recovery": is_recovery,
                "completions": completions,
                "cancelations": cancelations,
                "starts": starts,
            }
        }

    future = next((start["segment"] for start in all_starts if start["segment"] > segment), None)
    wake_ups = [] if future is None else [future]
    if running:
        wake_ups.append(last_recovery + RECOVERY_PERIOD_SEGMENTS)
    saturated = len(running) >= settings["maxParallelism"]
    return {
        "cooldown_ns": SATURATED_COOLDOWN_NS if saturated else STATUS_COOLDOWN_NS,
        "poll_interval_ns": COOLDOWN_CHECK_INTERVAL_NS,
        "timeout_ns": max(0, from_segment(min(wake_ups)) - ctx.now_ns) if wake_ups else None,
    }


def _query_pending(
    ctx: QueryCtx, bounds: dict[str, int], parallelism: float, running: int
) -> tuple[list[Document], list[Document], list[Document]]:
    """Return completions, cancelations, and starts, one more than there will be room for."""
    most = whole(min(parallelism, MAIN_BATCH_SIZE))
    completions = ctx.db.query("pendingCompletion", "segment", at_least=bounds["completion"], take=most)
    cancelations = ctx.db.query(
        "pendingCancelation", "segment", at_least=bounds["cancelation"], take=CANCELLATION_BATCH_SIZE
    )
    limit = min(MAIN_BATCH_SIZE, max(0, parallelism - running + len(completions)))
    if limit == 0:
        return completions, cancelations, []
    excluded = {found["workId"] for found in (*completions, *cancelations)}
    all_starts = ctx.db.query(
        "pendingStart",
        "segment",
        at_least=bounds["incoming"],
        take=whole(limit + 1),
        where=(lambda start: start["workId"] not in excluded) if excluded else None,
    )
    return completions, cancelations, all_starts


def run(ctx: Ctx, batch: dict[str, Any]) -> None:
    """Take a batch: completions, cancelations, recovery, starts; then move the cursors and write the state down."""
    found = ctx.db.unique("internalState")
    state = dict(INITIAL_STATE if found is None else found)
    before = state["running"]
    state_id = ctx.db.insert("internalState", state) if found is None else found["_id"]
    settings = get_globals(ctx)
    segment = to_segment(ctx.now_ns)

    to_cancel = _handle_completions(ctx, state, batch["completions"])
    _handle_cancelation(ctx, state, batch["cancelations"], to_cancel)

    if not state["running"]:
        state["lastRecovery"] = segment
    elif batch["recovery"]:
        _handle_recovery(ctx, state)
        state["lastRecovery"] = segment

    kept = state["running"]
    capacity = settings["maxParallelism"] - len(kept)
    pending = batch["starts"][: int(capacity)] if capacity > 0 else []
    _handle_start(ctx, state, pending)
    if ctx.pool.log is not None:
        _log_slots(ctx, before, kept, state["running"])

    generate_report(ctx, state, settings)

    cursors = dict(state["segmentCursors"])
    if batch["completions"]:
        cursors["completion"] = batch["completions"][-1]["segment"]
    if batch["cancelations"]:
        cursors["cancelation"] = batch["cancelations"][-1]["segment"]
    if pending:
        cursors["incoming"] = pending[-1]["segment"]
    elif capacity > 0 and not batch["starts"]:
        cursors["incoming"] = segment
    state["segmentCursors"] = cursors
    ctx.db.replace(state_id, state)


def _log_slots(ctx: Ctx, before: tuple[Document, ...], kept: tuple[Document, ...], after: tuple[Document, ...]) -> None:
    if len(kept) < len(before):
        still = {entry["workId"] for entry in kept}
        ctx.log("freed", [entry["workId"] for entry in before if entry["workId"] not in still])
    if len(after) > len(kept):
        ctx.log("started", [entry["workId"] for entry in after[len(kept) :]])


# Completions.


def _handle_completions(ctx: Ctx, state: Document, completions: list[Document]) -> list[Document]:
    """Free the slots, plan the retries, and return the works that are canceled in place of a retry."""
    to_cancel: list[Document] = []
    if not completions:
        return to_cancel
    report = dict(state["report"])
    running = {entry["workId"] for entry in state["running"]}
    promise_all(_handle_completion(ctx, one, running, report, to_cancel) for one in completions)
    over = {one["workId"] for one in completions}
    report["completed"] += sum(work_id in running for work_id in over)
    state["running"] = tuple(entry for entry in state["running"] if entry["workId"] not in over)
    state["report"] = report
    return to_cancel


def _handle_completion(
    ctx: Ctx, completion: Document, running: set[str], report: dict[str, Any], to_cancel: list[Document]
) -> Generator[None, None, None]:
    ctx.db.delete(completion["_id"])
    yield
    if completion["workId"] not in running:
        return
    if not completion["retry"]:
        report["succeeded" if completion["runResult"]["kind"] == "success" else "failed"] += 1
        return
    work = ctx.db.get(completion["workId"])
    yield
    if work is None:
        return
    retried = yield from _reschedule_job(ctx, work)
    if retried:
        report["retries"] += 1
    else:
        report["canceled"] += 1
        to_cancel.append(work)


def _reschedule_job(ctx: Ctx, work: Document) -> Generator[None, None, bool]:
    """Plan the next attempt of a work unless it has been canceled; returns whether it is planned."""
    canceled = ctx.db.unique("pendingCancelation", "workId", [work["_id"]])
    yield
    if canceled is not None:
        yield
        return False
    if work.get("canceled"):
        return False
    behavior = work.get("retryBehavior")
    if behavior is None:
        return False
    planned = ctx.db.unique("pendingStart", "workId", [work["_id"]])
    yield
    if planned is not None:
        yield
        return False
    backoff_ms = behavior["initialBackoffMs"] * power(behavior["base"], work["attempts"] - 1)
    request = ctx.request_of(work)
    next_attempt_ms = jitter(backoff_ms, ctx.outer.uniform("backoff", work["attempts"], request=request))
    segment = segment_after(ctx.now_ns, next_attempt_ms)
    pending_start_id = ctx.db.insert("pendingStart", {"workId": work["_id"], "segment": segment})
    yield
    ctx.db.patch(work["_id"], {"pendingStartId": pending_start_id})
    due_ns = from_segment(segment) - ctx.pool.epoch_ns
    ctx.log("planned", work["_id"], work["fnArgs"]["request"], work["attempts"] + 1, due_ns)
    yield
    return True


# Cancelations.


def _handle_cancelation(ctx: Ctx, state: Document, cancelations: list[Document], to_cancel: list[Document]) -> None:
    """Mark works canceled; those that wait for a start are completed as canceled, with those given."""
    report = dict(state["report"])
    seen: set[str] = set()
    jobs = [*to_cancel]
    promise_all(_handle_one_cancelation(ctx, one, seen, report, jobs) for one in cancelations)
    state["report"] = report
    if jobs:
        canceled = [
            {"workId": work["_id"], "runResult": {"kind": "canceled"}, "attempt": work["attempts"]} for work in jobs
        ]
        ctx.db.run_after(0, ctx.pool.complete, {"jobs": canceled}, ctx.request_of_all(jobs))


def _handle_one_cancelation(
    ctx: Ctx, cancelation: Document, seen: set[str], report: dict[str, Any], jobs: list[Document]
) -> Generator[None, None, None]:
    work_id = cancelation["workId"]
    if ctx.db.get(cancelation["_id"]) is not None:
        yield
        ctx.db.delete(cancelation["_id"])
    yield
    if work_id in seen:
        return
    seen.add(work_id)
    work = ctx.db.get(work_id)
    yield
    if work is None:
        return
    ctx.db.patch(work_id, {"canceled": True})
    yield
    planned = ctx.db.unique("pendingStart", "workId", [work_id])
    yield
    if planned is not None:
        yield
        ctx.db.delete(planned["_id"])
        yield
        report["canceled"] += 1
        jobs.append(work)


# Recovery.


def _handle_recovery(ctx: Ctx, state: Document) -> None:
    """Let `recover` look at the jobs of works that started more than five minutes ago."""
    old = [entry for entry in state["running"] if entry["started"] < ctx.now_ns - RECOVERY_THRESHOLD_NS]
    gone: set[str] = set()
    suspects: list[dict[str, Any]] = []
    works: list[Document] = []
    for entry in old:
        work = ctx.db.get(entry["workId"])
        if work is not None:
            suspects.append({**entry, "attempt": work["attempts"]})
            works.append(work)
        elif ctx.db.unique("pendingCompletion", "workId", [entry["workId"]]) is None:
            gone.add(entry["workId"])
    state["running"] = tuple(entry for entry in state["running"] if entry["workId"] not in gone)
    for first in range(0, len(suspects), RECOVERY_BATCH_SIZE):
        part = slice(first, first + RECOVERY_BATCH_SIZE)
        ctx.db.run_after(0, ctx.pool.recover, {"jobs": suspects[part]}, ctx.request_of_all(works[part]))


# Starts.


def _handle_start(ctx: Ctx, state: Document, pending: list[Document]) -> None:
    """Start works: actions and queries in batches of 32, each mutation in a job of its own."""
    running = {entry["workId"] for entry in state["running"]}
    found: dict[str, Document] = {}
    promise_all(_handle_one_start(ctx, start, running, found) for start in pending)
    works = [found[start["workId"]] for start in pending if start["workId"] in found]
    started = [*state["running"]]
    batched = [work for work in works if work["fnType"] != "mutation"]
    for first in range(0, len(batched), RUN_BATCH_SIZE):
        part = batched[first : first + RUN_BATCH_SIZE]
        items = [_item(work) for work in part]
        job = ctx.db.run_after(0, ctx.pool.run_batch, {"items": items}, ctx.request_of_all(part))
        started += [{"workId": work["_id"], "scheduledId": job, "started": ctx.now_ns} for work in part]
        _remember(ctx, job, part)
    for work in works:
        if work["fnType"] == "mutation":
            job = ctx.db.run_after(0, ctx.pool.run_mutation_wrapper, _item(work), ctx.request_of(work))
            started.append({"workId": work["_id"], "scheduledId": job, "started": ctx.now_ns})
    state["running"] = tuple(started)


def _handle_one_start(
    ctx: Ctx, start: Document, running: set[str], found: dict[str, Document]
) -> Generator[None, None, None]:
    if start["workId"] in running:
        return
    there = ctx.db.get(start["_id"])
    yield
    if there is None:
        return
    work = ctx.db.get(start["workId"])
    yield
    ctx.db.delete(start["_id"])
    yield
    if work is None:
        return
    if "pendingStartId" not in work:  # a work older than 0.4.16
        ctx.db.patch(work["_id"], {"pendingStartId": start["_id"]})
        yield
    found[work["_id"]] = work


def _item(work: Document) -> dict[str, Any]:
    """Return what a worker is told of a work."""
    item = {"workId": work["_id"], "fnType": work["fnType"], "fnArgs": work["fnArgs"], "attempt": work["attempts"]}
    return {**item, "payloadId": work["payloadId"]} if "argsApart" in work else item


def _remember(ctx: Ctx, job_id: int, works: list[Document]) -> None:
    """Let an operator who looks for the job of a request find the one that it shares with others."""
    requests = [ctx.request_of(work) for work in works]
    sharing = [request for request in requests if request.jobs is not None]
    if len(works) > 1 and sharing:
        jobs = ctx.outer.server.store.jobs

        def remember() -> None:
            for request in sharing:
                if request.jobs is not None and jobs[job_id].request is not request:
                    request.jobs.append(jobs[job_id])

        ctx.outer.after_commit(remember)
