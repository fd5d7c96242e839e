"""The shapes of a retrier, in the deployment and at the client.

A `ScheduledRetrier` lives inside the deployment: its handlers are mutations and actions that run against contexts, as
in Convex. A `LoopRetrier` is a client outside: one coroutine that calls, sleeps and calls again, which is how most
retry libraries work.

What a retrier may keep: anything in `self`, for as long as its deployment lives. Each request of an isolated world has
a deployment, and so a retrier, of its own; in a shared world one retrier serves all requests of a replication, and each
replication gets a new one. If the scenario has several `clients`, each has a `LoopRetrier` of its own, and a class of
callers that names a retrier has one apart from the others. A budget in `self` is thus one request's in an isolated
world, and that of a client, or of all requests, in a shared one. `explore` puts the requests of an isolated scenario
into one deployment: they share a `ScheduledRetrier`, but each client has a `LoopRetrier` of its own.

A loop can keep state by the scopes of policies instead, whatever `self` is: `ctx.budget`, `ctx.breaker`,
`ctx.bulkhead`, `ctx.rate_limit` and `ctx.shared` (`sim.clients.context`). Such state is forgotten with its world, a
search of a small world knows it, and what a loop holds of it is let go when the loop ends.

Nothing may outlive that: no class attribute, no global of a module, no object that several retriers hold. Nothing may
come from outside either: not the module `random`, no clock, no process number. Draw with `ctx.uniform`, ask
`ctx.now_ms` for the time. Otherwise a request depends on the ones simulated before it, and no replay shows it again.
A cache of what is the same every time does no harm.

`run` simulates some requests again and says so if one does something else, `run --check` some more, and `explore` runs
some courses twice and refuses to go on; all of them then exit with 4.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from sim.clients.client import Client
from sim.options.model import Options
from sim.promises.promises import Promises

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sim.clients.around import Around
    from sim.clients.client import Call, ClientContext
    from sim.clients.place import Place
    from sim.clients.policy.machine import Run
    from sim.convex.contexts import MutationContext
    from sim.convex.functions import Function
    from sim.history.pools import PoolLog
    from sim.history.request import Request
    from sim.world.hosts import External


class Fields(NamedTuple):
    """Which fields of a retrier's arguments and documents are more than plain values, at any depth."""

    jobs: tuple[str, ...] = ()
    """Numbers of jobs."""
    instants: tuple[str, ...] = ()
    """Instants in ns."""
    addresses: tuple[str, ...] = ()
    """Counts that serve only as indexes of draws."""


class NoOptions(Options):
    """The options of a retrier that has none."""


class Retrier:
    """The base of both shapes: a name and a model of options.

    `Options` is the model that a scenario fills and checks; the constructor takes an instance of it.
    """

    kind: ClassVar[str] = ""
    Options: ClassVar[type[Options]] = NoOptions
    stateless: ClassVar[bool] = False
    """Whether a retrier keeps nothing from one request to the next, so that one may serve all isolated requests.

    It speaks for one class alone: a subclass may keep something, so it has to say so itself.
    """

    def __init_subclass__(cls, **more: Any) -> None:
        """Take back what a base class says about its state."""
        super().__init_subclass__(**more)
        if "stateless" not in vars(cls):
            cls.stateless = False

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    @classmethod
    def pool_of(cls, options: Any) -> str:
        """Return the name of the pool of works that a retrier with these options stands for; empty if it has none.

        Retriers of a kind that name the same pool share its tables and jobs.
        """
        del options
        return ""

    concurrent: ClassVar[bool] = False
    """Whether its client runs code that may do several things at once; see `Promises.concurrent`."""
    needs_around: ClassVar[bool] = False
    """Whether `around_world` and `end` do anything; all kinds that say so need the same around their world."""

    @classmethod
    def around_world(cls) -> AbstractContextManager[None]:
        """Return what is to be entered while a world runs in which this kind of retrier is; by default nothing is."""
        return nullcontext()

    def end(self) -> None:
        """Let nothing of it go on, since its world is over; by default nothing does."""

    def promises(self) -> Promises:
        """State what this retrier, with its options, promises of every request; `check` compares histories with it."""
        return Promises()


class ScheduledRetrier(Retrier):
    """A retrier made of functions of the deployment: write `bind`, `submit`, and the handlers they schedule.

    A handler says with `ctx.settle` how a request ended. From the names of functions the platform can prove that an
    unsettled request is stuck for ever: no job or execution of a `watchers` function is left.
    """

    watchers: ClassVar[tuple[str, ...]] = ("retry",)
    """Functions that can still settle a request."""
    action_jobs: ClassVar[tuple[str, ...]] = ("action",)
    """Functions whose job runs the user's action; `cancel: {target: action}` cancels such a job."""
    poll_jobs: ClassVar[tuple[str, ...]] = ("retry",)
    """Functions that look whether there is something to do; `cancel: {target: poll}` cancels a job of theirs."""
    functions: ClassVar[tuple[str, ...]] = ()
    """All functions that it schedules, by their names; an operator can cancel their jobs."""
    fields: ClassVar[Fields | None] = None
    """Lets `retrysim explore` recognize states that differ by a shift in time or in the numbers of jobs.

    State it only if handlers do nothing else with the clock.
    """
    tables: ClassVar[Mapping[str, Mapping[str, Sequence[str]]]] = {}
    """The retrier's own tables, each with its indexes and the fields of their keys."""

    def of_operator(self, doing: str) -> Function | None:
        """Return the mutation by which an operator acts on the whole of it, given the name of a fault, or None.

        Its arguments are the fault's options.
        """
        del doing
        return None

    def promises(self) -> Promises:
        """State which jobs run the action and which poll; a retrier that promises more overrides this."""
        return Promises(action_jobs=self.action_jobs, poll_jobs=self.poll_jobs)

    def bind(self, action: Function) -> None:
        """Take the user's action, which the handlers schedule or run."""
        raise NotImplementedError

    def serve_many(self, own: Request) -> None:
        """Take the request that is charged with what serves no single request: a retrier may serve many with one job.

        It is called before the first request of a deployment that has several; by default nothing happens.
        """

    def keep_log(self, log: PoolLog) -> None:
        """Take what is to be told of the works of a pool over time; only a retrier with a pool is asked."""

    def stand_alone(self, uniform: Callable[[str], float]) -> None:
        """Prepare for a request that has a deployment of its own; by default nothing happens.

        `uniform(stream)` draws what differs from one deployment to the next, such as where its clock stands.
        """

    def crons(self) -> Sequence[tuple[int, Function]]:
        """Return the mutations that run again and again: (interval in ns, function); none by default."""
        return ()

    def submit(self, ctx: MutationContext) -> Any:
        """Start one request, inside its caller's mutation; returns the retrier's own name for it, if it has one."""
        raise NotImplementedError

    def cancel(self, ctx: MutationContext, handle: Any) -> Any:
        """Cancel a request, given what `submit` returned.

        It is not called before the submission has committed: the caller has no name for the request yet, so the cancel
        finds nothing and answers False. If it returns a bool, `check` compares that with the effect of the cancel.
        By default it cancels the newest unfinished job of the action, as users of such a retrier do by the scheduler.
        """
        del handle
        job = ctx.newest_job(*self.action_jobs)
        if job is not None:
            ctx.cancel(job.id)


class ClientRetrier(Retrier):
    """A retrier outside of the deployment; `LoopRetrier` is the one to write, `sim.retriers.policy` is all data."""

    def client(
        self,
        around: Around,
        action: External,
        request: Request,
        place: Place,
        concluded: Callable[[bool], None] | None = None,
    ) -> Client | Run:
        """Return what runs one request; `concluded` is told of success or failure in place of the request itself."""
        raise NotImplementedError


class LoopRetrier(ClientRetrier):
    """A retrier that is one coroutine at the client: write `retry`."""

    def client(
        self,
        around: Around,
        action: External,
        request: Request,
        place: Place,
        concluded: Callable[[bool], None] | None = None,
    ) -> Client:
        """Return the client in which the coroutine runs."""
        return Client(around, action, self, request, place, concluded)

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        """Call until done: return for success, let `CallFailed` through for giving up.

        If it returns a whole number, `check` takes that for the answer of a call and compares it with what happened.
        `await call()` makes one attempt, `await call.hedged(...)` one try of several copies, `await ctx.sleep(ms)`
        waits, `ctx.uniform(stream, index)` draws. Nothing else can be awaited but the gates of `ctx`: time is
        simulated, without asyncio. If the request is canceled, or the simulation ends, GeneratorExit is raised where
        the loop waits, and by whatever it awaits then: `finally` finds `ctx.canceled` true, and can tidy up, not wait.
        """
        raise NotImplementedError


def promises_of(retrier: Retrier) -> Promises:
    """Return the promises of a retrier; if they leave out the names of jobs, with those of its class."""
    promises = retrier.promises()
    if not isinstance(retrier, ScheduledRetrier):
        return replace(promises, concurrent=True) if type(retrier).concurrent else promises
    return replace(
        promises,
        action_jobs=promises.action_jobs or retrier.action_jobs,
        poll_jobs=promises.poll_jobs or retrier.poll_jobs,
    )
