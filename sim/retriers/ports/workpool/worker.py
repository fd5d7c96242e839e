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
    from sim.retriers.ports.workpool.context import Component, Ctx


async def run_batch(ctx: ActionContext, pool: Component, args: dict[str, Any]) -> None:
    """Run up to 32 actions and queries at once, and complete each as it ends: actions in order, then queries."""
    items = args["items"]
    in_order = [item for kind in ("action", "query") for item in items if item["fnType"] == kind]
    started = [
        (item, ctx.start_action(pool.action, ctx.request_of(key_of(item)), at_once=item["fnType"] == "query"))
        for item in in_order
    ]
    await ctx.all([_complete_item(ctx, pool, item, branch) for item, branch in started])


async def _complete_item(ctx: ActionContext, pool: Component, item: dict[str, Any], branch: Branch) -> None:
    """Wait for one item and tell `complete`, which may run onComplete inline; if that throws, schedule it."""
    job: dict[str, Any] = {"workId": item["workId"], "attempt": item["attempt"]}
    try:
        await branch.answer
        job |= {"runResult": {"kind": "success"}, "runOnCompleteInline": True}
    except ActionFailed as error:
        job |= {"runResult": {"kind": "failed", "error": str(error)}, "nonRetryable": error.final}
    request = ctx.request_of(key_of(item))
    try:
        await ctx.run_mutation(pool.complete, {"jobs": [job]}, request=request)
    except FunctionError:
        await ctx.run_after(0, pool.complete, {"jobs": [job]}, request=request)
    branch.reported(heard=True)


def run_mutation_wrapper(ctx: Ctx, item: dict[str, Any]) -> None:
    """Run a mutation within this transaction, and schedule `complete`: never inline, and one step later."""
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
