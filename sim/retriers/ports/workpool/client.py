"""The class that an app makes of a component and calls (`src/client/index.ts`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.kernel.durations import NS_PER_MS
from sim.retriers.ports.workpool import lib
from sim.retriers.ports.workpool.shared import DEFAULT_RETRY_BEHAVIOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.request import Request
    from sim.retriers.ports.workpool.context import Ctx

SMALL: Final = 100
"""Assumed bytes of a work's arguments."""
MAX_BATCH_BYTES: Final = 8_000_000
"""Bytes of arguments that one call of `enqueueBatch` takes."""
Options = dict[str, Any]


def enqueue(ctx: Ctx, request: Request, options: Options) -> str:
    """Put the work of a request into the pool and return its id: `enqueueAction`, `enqueueMutation`, `enqueueQuery`."""
    return ctx.call(lib.enqueue, _item(ctx, request, options), _config(options))


def enqueue_batch(ctx: Ctx, requests: Sequence[Request], options: Options) -> list[str]:
    """Put the works of requests into the pool, with the same options, and return their ids."""
    ids: list[str] = []
    batch: list[dict[str, Any]] = []
    size = 0
    for item in (_item(ctx, request, options) for request in requests):
        item_size = item["fnArgsSize"] + item["contextSize"]
        if batch and size + item_size > MAX_BATCH_BYTES:
            ids += ctx.call(lib.enqueue_batch, batch, _config(options))
            batch, size = [], 0
        batch.append(item)
        size += item_size
    if batch:
        ids += ctx.call(lib.enqueue_batch, batch, _config(options))
    return ids


def retry_behavior_of(options: Options) -> dict[str, Any] | None:
    """Return the retry behavior that the options of the client and of an enqueue come to, or None for no retry."""
    retry = options.get("retry")
    if retry is None:
        retry = bool(options.get("retryActionsByDefault"))
    if retry is True:
        return options.get("defaultRetryBehavior") or DEFAULT_RETRY_BEHAVIOR
    return retry or None


def _item(ctx: Ctx, request: Request, options: Options) -> dict[str, Any]:
    """Make what `enqueue` takes of one work; its times are absolute, in ns."""
    kind = options.get("fnType", "action")
    run_at = options.get("runAt")
    after_ns = ctx.now_ns + _ns(options.get("runAfter") or 0)
    item = {
        "fnType": kind,
        "fnArgs": {"request": request.number, "submission": request.submission},
        "runAt": after_ns if run_at is None else run_at + ctx.pool.epoch_ns,
        "fnArgsSize": options.get("fnArgsSize", SMALL),
        "contextSize": options.get("contextSize", 0),
    }
    then = options.get("onComplete", "ok")
    if then != "none":
        item["onComplete"] = {"excludeKinds": tuple(options.get("onCompleteExcludeKinds") or ()), "then": then}
    behavior = retry_behavior_of(options) if kind == "action" else None
    return item if behavior is None else {**item, "retryBehavior": behavior}


def _ns(delay_ms: float) -> float:
    """Return a delay in ns: whole unless it is infinite or not a number, which the component judges."""
    ns = delay_ms * NS_PER_MS
    return round(ns) if abs(ns) < float("inf") else ns


def _config(options: Options) -> dict[str, Any]:
    return {"maxParallelism": options.get("maxParallelism"), "logLevel": options.get("logLevel")}
