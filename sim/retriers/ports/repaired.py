"""`component-repaired`: the component with two of its faults mended, to show that these two changes are enough.

This is not upstream's code, but a possible patch of `@convex-dev/action-retrier` 0.3.1. A heartbeat that has repaired a
crash schedules the next one, so that a second crash is noticed too. And `execute` passes the number of its attempt to
`finishExecution`, which drops the result of an attempt that was given up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from sim.convex.functions import ActionFailed
from sim.kernel.durations import ns_of_ms
from sim.promises.waits import Sum, Uniform
from sim.retriers.backoff import jitter
from sim.retriers.ports.component import BEAT_MS, HEARTBEAT_INTERVAL_MS, Component

if TYPE_CHECKING:
    from sim.convex.contexts import MutationContext
    from sim.convex.execution import ActionContext
    from sim.promises.promises import Promises


class Repaired(Component):
    """The component, with a heartbeat after each repair and numbers on results."""

    kind: ClassVar[str] = "component-repaired"
    stateless: ClassVar[bool] = True

    def promises(self) -> Promises:
        """State that a heartbeat after a repair counts from the start of the retry."""
        promised = super().promises()
        backoff_ms = promised.backoff_ms

        def polls_ms(_waits: int, failure: int) -> tuple[float, float]:
            if backoff_ms is None or not failure:
                return BEAT_MS
            return Sum(Uniform(*backoff_ms(failure)), BEAT_MS)

        return replace(promised, polls_ms=polls_ms)

    async def _execute(self, ctx: ActionContext, args: dict[str, Any]) -> None:
        run = await ctx.run_query(self.load, args)
        if run["state"]["type"] != "inProgress":
            return
        try:
            await ctx.run_action(self.action)
            result = {"type": "success"}
        except ActionFailed as error:
            result = {"type": "failed", "error": str(error)}
        # The number of failures before an attempt numbers it: no other attempt starts with as many.
        answer = {"runId": args["runId"], "result": result, "attempt": run["numFailures"]}
        await ctx.run_mutation(self.finish_execution, answer)

    def _heartbeat(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        before = ctx.get(args["runId"])
        super()._heartbeat(ctx, args)
        after = ctx.get(args["runId"])
        if before is None or after is None or after["state"]["type"] != "inProgress":
            return
        if after["numFailures"] > before["numFailures"]:
            next_heartbeat_ms = jitter(HEARTBEAT_INTERVAL_MS, ctx.uniform("heartbeat", args["scheduled"]))
            start_ns = after["state"]["startTime"] + ns_of_ms(next_heartbeat_ms)
            ctx.run_at(start_ns, self.heartbeat, {**args, "scheduled": args["scheduled"] + 1})

    def _finish_execution(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        run = self._load(ctx, args)
        if args.get("attempt", run["numFailures"]) == run["numFailures"]:
            super()._finish_execution(ctx, args)
