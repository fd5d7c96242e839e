"""Doing the work (`src/component/worker.ts`).

A worker writes to none of the loop's tables: it tells `complete` how an attempt went. Retries are not its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.convex.functions import ActionFailed, FunctionError
from sim.history.vocabulary import NEVER, SUCCESS
from sim.retriers.ports.workpool.context import key_of

if TYPE_CHECKING:
    from sim.convex.branches import Branch
    from sim.convex.execution import ActionContext
    from sim.history.request import Request
    from sim.history.vocabulary import End
    from sim.retriers.ports.workpool.context import Component, Ctx, QueryCtx

NO_ARGUMENTS = "the arguments of the work are gone"


async def run_batch(ctx: ActionContext, pool: Component, args: dict[str, Any]) -> None:
    """Run up to 32 actions and queries at once, and complete each as it ends: actions in order, then queries."""
    items = args["items"]
    in_order = [item for kind in ("action", "query") for item in items if item["fnType"] == kind]
    started = [(item, await _start(ctx, pool, item)) for item in in_order]
    await ctx.all([_complete_item(ctx, pool, item, branch) for item, branch in started])


def get_work_args(ctx: QueryCtx, payload_id: str) -> bool:
    """Tell whether the arguments that are stored apart are still there."""
    return ctx.db.get(payload_id) is not None


async def _start(ctx: ActionContext, pool: Component, item: dict[str, Any]) -> Branch | None:
    """Start one item, or return None if its arguments are gone."""
    if "payloadId" in item and not await ctx.run_query(pool.get_work_args, item["payloadId"]):
        return None
    return ctx.start_action(pool.action, ctx.request_of(key_of(item)), at_once=item["fnType"] == "query")


async def _answer(branch: Branch | None) -> None:
    """Wait for the end of an item. Raises ActionFailed if it throws, or could not start."""
    if branch is None:
        raise ActionFailed(NO_ARGUMENTS)
    await branch.answer


async def _complete_item(ctx: ActionContext, pool: Component, item: dict[str, Any], branch: Branch | None) -> None:
    """Wait for one item and tell `complete`, which may run onComplete inline; if that throws, schedule it."""
    job: dict[str, Any] = {"workId": item["workId"], "attempt": item["attempt"]}
    try:
        await _answer(branch)
        job |= {"runResult": {"kind": "success"}, "runOnCompleteInline": True}
    except ActionFailed as error:
        job |= {"runResult": {"kind": "failed", "error": str(error)}, "nonRetryable": error.final}
    request = ctx.request_of(key_of(item))
    try:
        await ctx.run_mutation(pool.complete, {"jobs": [job]}, request=request)
    except FunctionError:
        await ctx.run_after(0, pool.complete, {"jobs": [job]}, request=request)
    if branch is not None:
        branch.reported(heard=True)


def run_mutation_wrapper(ctx: Ctx, item: dict[str, Any]) -> None:
    """Run a mutation within this transaction, and schedule `complete`: never inline, and one step later."""
    if "payloadId" in item and ctx.db.get(item["payloadId"]) is None:
        raise FunctionError(NO_ARGUMENTS)
    request = ctx.request_of(item)
    external: Any = ctx.pool.action.external
    fate = external.foresee(request, ctx.outer.now_ns)
    job: dict[str, Any] = {"workId": item["workId"], "attempt": item["attempt"]}
    if fate.outcome == SUCCESS:
        job |= {"runResult": {"kind": "success"}}
    else:
        is_final = fate.failure is not None and fate.failure.final
        job |= {"runResult": {"kind": "failed", "error": "the mutation failed"}, "nonRetryable": is_final}
    host = Within(-1 if ctx.outer.job is None else ctx.outer.job.id)
    ctx.outer.after_commit(lambda: host.happen(external, request, fate))
    ctx.db.run_after(0, ctx.pool.complete, {"jobs": [job]}, request)


class Within:
    """Hosts an attempt that is a part of a mutation's transaction: it begins and ends as that commits."""

    deadline_ns = None
    strike = None
    is_copy = False
    slept_ns = NEVER

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        self.attempt: Any = None

    def happen(self, external: Any, request: Request, fate: Any) -> None:
        """Make the attempt."""
        external.happen(self, request, fate)
        self.attempt.over(reported=True)
        self.attempt = None

    def attempt_over(self, how: End) -> None:
        """Take the end of the attempt, which is known already."""

    def attempt_lost(self) -> None:
        """Never called: a mutation is not lost sight of."""
