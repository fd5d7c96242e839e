"""`helpers`: `makeActionRetrier` of convex-helpers.

Source: `convex-helpers` 0.1.124, `server/retries.ts`. Handlers, their order, the order of their draws and the names of
their arguments are upstream's. Two bookkeeping arguments are ours, since every draw has an address: `poll` (number of
this execution of `retry`) and `failure` (number of the failure it would handle).

The code differs from its documentation in this: the "initial delay before checking" is spread by jitter and has grown
once before any failure is handled, because the first `retry` always finds its own new job pending; it is never reset
and has no cap. After a failure the first poll comes after jitter(retryBackoff + waitBackoff), which is drawn
independently of the retry's own delay, so the poll can come before the retried job has started. If a `retry` is
canceled or throws, no poll follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sim.convex.functions import Function, FunctionError, mutation
from sim.history import vocabulary
from sim.history.vocabulary import Outcome, job_not_found
from sim.promises.promises import Promises, attempts_of
from sim.promises.waits import Uniform, grown, spread
from sim.retriers.backoff import PollingOptions, jitter
from sim.retriers.base import Fields, ScheduledRetrier

if TYPE_CHECKING:
    from sim.convex.contexts import MutationContext
    from sim.options.model import Options as AnyOptions


class HelpersOptions(PollingOptions):
    """The options of `makeActionRetrier`, with upstream's defaults."""


class Helpers(ScheduledRetrier):
    """Polls the job of the action with jitter, and schedules another if it has failed."""

    kind: ClassVar[str] = "helpers"
    stateless: ClassVar[bool] = True
    Options: ClassVar[type[AnyOptions]] = HelpersOptions
    watchers: ClassVar[tuple[str, ...]] = ("retry",)
    functions: ClassVar[tuple[str, ...]] = ("retry", "action")
    fields: ClassVar[Fields] = Fields(jobs=("job",), addresses=("poll", "failure"))
    action_jobs: ClassVar[tuple[str, ...]] = ("action",)

    def __init__(self, options: HelpersOptions | None = None, **upstream: float) -> None:
        """Take options, or upstream's own numbers unchecked."""
        given = HelpersOptions() if options is None else options
        super().__init__(given)
        self.defaults: dict[str, Any] = {**given.arguments(), **upstream}
        self.retry = mutation("retry", self._retry, poll=True)

    def promises(self) -> Promises:
        """State the budget and the laws of the delays: each is spread evenly from 0.5 to 1.5 times itself."""
        given = self.defaults
        base = given["base"]

        def polls_ms(waits: int, failure: int) -> Uniform:
            delay_ms = grown(given["waitBackoff"], base, waits)
            if failure:
                delay_ms += grown(given["retryBackoff"], base, failure - 1)
            return Uniform(0.5 * delay_ms, 1.5 * delay_ms)

        return Promises(
            first_ms=(0, 0),
            first_poll_ms=(0, 0),
            polls_at_once=1,
            acts_on_ends=True,
            attempts_at_most=attempts_of(given["maxFailures"]),
            backoff_ms=spread(given["retryBackoff"], base, 0.5, 1.5),
            polls_ms=polls_ms,
            action_jobs=self.action_jobs,
            poll_jobs=self.poll_jobs,
        )

    def bind(self, action: Function) -> None:
        """Take the user's action."""
        self.action = action

    def submit(self, ctx: MutationContext) -> None:
        """Upstream's `runWithRetries`."""
        ctx.run_after(0, self.retry, {**self.defaults, "poll": 1, "failure": 1})

    def _retry(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        job = args.get("job")
        if job is None:
            job = ctx.run_after(0, self.action)
        status = ctx.get_job(job)
        if status is None:
            raise FunctionError(job_not_found(job))

        match status.state:
            case vocabulary.PENDING | vocabulary.IN_PROGRESS:
                ctx.run_after(
                    jitter(args["waitBackoff"], ctx.uniform("poll_jitter", args["poll"])),
                    self.retry,
                    {
                        **args,
                        "job": job,
                        "waitBackoff": args["waitBackoff"] * args["base"],
                        "poll": args["poll"] + 1,
                    },
                )

            case vocabulary.FAILED:
                if args["maxFailures"] <= 0:
                    ctx.settle(Outcome.gave_up)
                    return
                new_job = ctx.run_after(
                    jitter(args["retryBackoff"], ctx.uniform("action_jitter", args["failure"])), self.action
                )
                ctx.run_after(
                    jitter(args["retryBackoff"] + args["waitBackoff"], ctx.uniform("poll_jitter", args["poll"])),
                    self.retry,
                    {
                        **args,
                        "job": new_job,
                        "retryBackoff": args["retryBackoff"] * args["base"],
                        "maxFailures": args["maxFailures"] - 1,
                        "poll": args["poll"] + 1,
                        "failure": args["failure"] + 1,
                    },
                )

            case vocabulary.SUCCESS:
                ctx.settle(Outcome.success)
            case vocabulary.CANCELED:
                ctx.settle(Outcome.canceled)
