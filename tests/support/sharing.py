"""Loops that share state through their context, in every way there is; the module can be named to `--retrier`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.clients import CallFailed, CallRefused
from sim.promises.promises import Promises
from sim.retriers.base import LoopRetrier

if TYPE_CHECKING:
    from sim.clients import Call, ClientContext, LoopBudget


class Sharing(LoopRetrier):
    """Has a budget of the world, a breaker of the client, a bulkhead, a rate limit, and counts failures in a row."""

    kind = "sharing"
    stateless = True

    def promises(self) -> Promises:
        """State that it hedges."""
        return Promises(hedges=True)

    async def retry(self, call: Call, ctx: ClientContext) -> int | None:
        """Try up to four times."""
        budget = ctx.budget({"tokens": {"capacity": 20, "cost": 1, "on_success": 0.5}}, scope="world")
        counts = ctx.shared("failures")
        for tries in range(1, 5):
            try:
                number = await self.once(call, ctx, budget)
            except CallFailed as error:
                counts["in a row"] = counts.get("in a row", 0) + 1
                budget.failed(error.kind)
                if tries == 4 or counts["in a row"] > 30 or not budget.take(error.kind):
                    raise
                await ctx.sleep(100 * tries * ctx.uniform("delay", tries))
            else:
                counts["in a row"] = 0
                budget.succeeded()
                return number
        return None

    async def once(self, call: Call, ctx: ClientContext, budget: LoopBudget) -> int:
        """Make one try through all gates."""
        breaker = ctx.breaker({"window": {"consecutive": 4}, "open": "1s"})
        bulkhead = ctx.bulkhead({"at_most": 3, "queue": 2, "max_wait": "2s"}, scope="service")
        limit = ctx.rate_limit({"rate": "5/s", "burst": 5})
        if not await bulkhead.enter():
            raise CallRefused("bulkhead")
        try:
            if not await limit.take():
                raise CallRefused("rate limit")
            ticket = breaker.ask()
            if ticket is None:
                raise CallRefused("breaker")
            try:
                number = await call.hedged(after_ms=200, timeout_ms=1000, budget=budget)
            except CallFailed as error:
                ticket.answered(error.kind)
                raise
            ticket.answered()
            return number
        finally:
            if not ctx.canceled:
                bulkhead.leave()
