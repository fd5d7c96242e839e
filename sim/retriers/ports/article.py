"""`article`: the retrier of the article "Automatically Retry Actions".

Source: `JamesCowling/convex-action-retrier`, commit 3c10169, `convex/retrier.ts`. Handlers, their order and the names
of their arguments are upstream's. No jitter anywhere: a poll every `waitBackoff`, which only grows.

The code differs from its documentation in this: "the maximum number of times to retry" counts failures after which it
retries, so an action is started up to `maxFailures + 1` times; `waitBackoff` is not reset for a new attempt, so the end
of each attempt is noticed later than that of the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sim.convex.functions import Function, FunctionError, mutation
from sim.history import vocabulary
from sim.history.vocabulary import Outcome, job_not_found
from sim.kernel.durations import NS_PER_MS
from sim.promises.promises import Promises, attempts_of
from sim.promises.waits import no_jitter
from sim.retriers.backoff import PollingOptions, RetryBackoff, WaitBackoff
from sim.retriers.base import Fields, ScheduledRetrier

if TYPE_CHECKING:
    from sim.convex.contexts import MutationContext
    from sim.options.model import Options as AnyOptions


class ArticleOptions(PollingOptions):
    """The optional arguments of `runAction`, with upstream's defaults."""

    wait_backoff: WaitBackoff = 10 * NS_PER_MS
    retry_backoff: RetryBackoff = 10 * NS_PER_MS


class Article(ScheduledRetrier):
    """Polls the job of the action, and schedules another if it has failed."""

    kind: ClassVar[str] = "article"
    stateless: ClassVar[bool] = True
    Options: ClassVar[type[AnyOptions]] = ArticleOptions
    watchers: ClassVar[tuple[str, ...]] = ("retry",)
    functions: ClassVar[tuple[str, ...]] = ("retry", "action")
    fields: ClassVar[Fields] = Fields(jobs=("job",))
    action_jobs: ClassVar[tuple[str, ...]] = ("action",)

    def __init__(self, options: ArticleOptions | None = None, **upstream: float) -> None:
        """Take options, or upstream's own numbers unchecked."""
        given = ArticleOptions() if options is None else options
        super().__init__(given)
        self.defaults: dict[str, Any] = {**given.arguments(), **upstream}
        self.retry = mutation("retry", self._retry, poll=True)

    def promises(self) -> Promises:
        """State the budget and the laws of the delays."""
        given = self.defaults
        backoff_ms = no_jitter(given["retryBackoff"], given["base"])
        wait_ms = no_jitter(given["waitBackoff"], given["base"])
        return Promises(
            first_ms=(0, 0),
            first_poll_ms=(0, 0),
            polls_at_once=1,
            acts_on_ends=True,
            attempts_at_most=attempts_of(given["maxFailures"]),
            backoff_ms=backoff_ms,
            polls_ms=lambda waits, failure: backoff_ms(failure) if failure else wait_ms(waits + 1),
            action_jobs=self.action_jobs,
            poll_jobs=self.poll_jobs,
        )

    def bind(self, action: Function) -> None:
        """Take the user's action."""
        self.action = action

    def submit(self, ctx: MutationContext) -> None:
        """Upstream's `runAction`."""
        job = ctx.run_after(0, self.action)
        ctx.run_after(0, self.retry, {"job": job, **self.defaults})

    def _retry(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        job = args["job"]
        status = ctx.get_job(job)
        if status is None:
            raise FunctionError(job_not_found(job))

        match status.state:
            case vocabulary.PENDING | vocabulary.IN_PROGRESS:
                wait_backoff = args["waitBackoff"]
                ctx.run_after(wait_backoff, self.retry, {**args, "waitBackoff": wait_backoff * args["base"]})

            case vocabulary.FAILED:
                if args["maxFailures"] <= 0:
                    ctx.settle(Outcome.gave_up)
                    return
                new_job = ctx.run_after(args["retryBackoff"], self.action)
                ctx.run_after(
                    args["retryBackoff"],
                    self.retry,
                    {
                        **args,
                        "job": new_job,
                        "retryBackoff": args["retryBackoff"] * args["base"],
                        "maxFailures": args["maxFailures"] - 1,
                    },
                )

            case vocabulary.SUCCESS:
                ctx.settle(Outcome.success)
            case vocabulary.CANCELED:
                ctx.settle(Outcome.canceled)
