"""The two shapes of a retrier, and the one registry through which scenarios find them.

A `ScheduledRetrier` lives inside the deployment: its handlers are mutations and actions that run against contexts, as
in Convex. A `LoopRetrier` is a client outside: one coroutine that calls, sleeps and calls again, which is how most
retry libraries work.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from sim.contracts.promises import Promises
from sim.options.model import Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.clients.client import Call, ClientContext
    from sim.convex.contexts import MutationContext
    from sim.convex.functions import Function


class Fields(NamedTuple):
    """Which fields of a retrier's arguments and documents are more than plain values, whatever they are nested in."""

    jobs: tuple[str, ...] = ()
    """Numbers of jobs."""
    instants: tuple[str, ...] = ()
    """Instants in ns."""
    addresses: tuple[str, ...] = ()
    """Counts that only serve as indexes of draws."""


class NoOptions(Options):
    """The options of a retrier that has none."""


class Retrier:
    """What both shapes have in common: a name and a model of options.

    `Options` is the model that a scenario fills and checks; an instance of it is handed to the constructor.
    """

    kind: ClassVar[str] = ""
    Options: ClassVar[type[Options]] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    def promises(self) -> Promises:
        """State what this retrier, with its options, promises of every request; checks hold histories against it."""
        return Promises()


class ScheduledRetrier(Retrier):
    """A retrier made of functions of the deployment: write `bind`, `submit`, and the handlers they schedule.

    A handler says how a request ended with `ctx.settle`. The names of functions let the platform count and prove:
    an unsettled request is stuck for ever once no job or execution of a `watchers` function is left.
    """

    watchers: ClassVar[tuple[str, ...]] = ("retry",)
    """Functions that can still settle a request."""
    action_jobs: ClassVar[tuple[str, ...]] = ("action",)
    """Functions whose job runs the user's action; what `cancel: {target: action}` cancels."""
    poll_jobs: ClassVar[tuple[str, ...]] = ("retry",)
    """Functions that look whether there is something to do; what `cancel: {target: poll}` cancels."""
    fields: ClassVar[Fields | None] = None
    """Lets `retrysim explore` recognize states that differ by a shift in time or in the numbers of jobs.

    To be stated only where handlers do nothing else with the clock.
    """
    tables: ClassVar[Mapping[str, Mapping[str, Sequence[str]]]] = {}
    """The retrier's own tables, each with its indexes and the fields of their keys."""

    def promises(self) -> Promises:
        """State which jobs run the action and which look; a retrier that promises more overrides this."""
        return Promises(action_jobs=self.action_jobs, poll_jobs=self.poll_jobs)

    def bind(self, action: Function) -> None:
        """Take the user's action, which the handlers schedule or run."""
        raise NotImplementedError

    def crons(self) -> Sequence[tuple[int, Function]]:
        """Name the mutations that run again and again: (interval in ns, function); none by default."""
        return ()

    def submit(self, ctx: MutationContext) -> Any:
        """Start one request, inside its caller's mutation; returns the retrier's own name for it, if it has one."""
        raise NotImplementedError

    def cancel(self, ctx: MutationContext, handle: Any) -> Any:
        """Cancel a request, given what `submit` returned.

        It is not asked before the submission has committed: its caller then has no name for the request, and the
        cancel, which finds nothing, answers False. A bool that is returned is held against what came of the cancel.
        A retrier without a cancel of its own leaves its users the scheduler's: the newest unfinished job of the action.
        """
        del handle
        job = ctx.newest_job(*self.action_jobs)
        if job is not None:
            ctx.cancel(job.id)


class LoopRetrier(Retrier):
    """A retrier that is one coroutine at the client: write `retry`."""

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        """Call until done: return for success, let `CallFailed` through for giving up.

        A whole number that it returns is taken for the answer of a call, and held against what happened.
        `await call()` makes one attempt, `await ctx.sleep(ms)` waits, `ctx.uniform(stream, index)` draws.
        """
        raise NotImplementedError


def promises_of(retrier: Retrier) -> Promises:
    """Return what a retrier promises, with the names of its jobs where its own statement leaves them out."""
    promises = retrier.promises()
    if not isinstance(retrier, ScheduledRetrier):
        return promises
    return replace(
        promises,
        action_jobs=promises.action_jobs or retrier.action_jobs,
        poll_jobs=promises.poll_jobs or retrier.poll_jobs,
    )
