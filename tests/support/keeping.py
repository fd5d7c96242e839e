"""Retriers that keep something in themselves, and count how many of them are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.clients.client import CallFailed
from sim.convex.functions import Function, mutation
from sim.history.vocabulary import Outcome
from sim.retriers.base import LoopRetrier, ScheduledRetrier

if TYPE_CHECKING:
    from sim.clients.client import Call, ClientContext
    from sim.convex.contexts import MutationContext

TRIES = 5


class Budget(LoopRetrier):
    """Takes its retries from a budget that it keeps in itself."""

    kind = "budget"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.left = TRIES - 1

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        while True:
            try:
                return await call()
            except CallFailed:
                if not self.left:
                    raise
                self.left -= 1
                await ctx.sleep(100)


class DeployedBudget(ScheduledRetrier):
    """The same inside the deployment."""

    kind = "deployed-budget"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.left = TRIES - 1

    def bind(self, action: Function) -> None:
        self.action = action
        self.retry = mutation("retry", self.look, poll=True)

    def submit(self, ctx: MutationContext) -> None:
        ctx.run_after(100, self.retry, {"job": ctx.run_after(0, self.action)})

    def look(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        match ctx.get_job(args["job"]).state:
            case "success":
                ctx.settle(Outcome.success)
            case "failed" if self.left > 0:
                self.left -= 1
                ctx.run_after(100, self.retry, {"job": ctx.run_after(0, self.action)})
            case "failed":
                ctx.settle(Outcome.gave_up)
            case _:
                ctx.run_after(100, self.retry, args)
