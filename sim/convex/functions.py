"""Functions of a deployment, and the contexts their handlers run against.

A mutation's handler is a plain function of (context, arguments): it runs against one snapshot and waits for nothing.
An action's handler is a coroutine function of (context, arguments). The user's own action, which is what retriers
retry, is an *external* function: the world plays it (`sim.world.action_model`).

A handler signals an error of its own, what `throw` is in Convex, by raising `FunctionError`. Any other exception is
taken for a mistake in the handler and stops the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

from sim.convex.jobs import Job, JobVersion
from sim.convex.transaction import Transaction
from sim.history.vocabulary import CANCELED, IN_PROGRESS, PENDING
from sim.kernel.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.convex.deployment import Deployment
    from sim.convex.execution import Execution
    from sim.history.events import Failure
    from sim.history.request import Request
    from sim.history.vocabulary import Outcome
    from sim.world.hosts import External

MUTATION: Final = "mutation"
ACTION: Final = "action"
NS_PER_MS = 1e6


class FunctionError(Exception):
    """A function of the deployment threw: an outcome of the model, not a mistake of it."""


class ActionFailed(FunctionError):
    """An action called by an action threw; `final` and `retry_after_ms` (None: not named) are what its error says."""

    final: bool = False
    retry_after_ms: float | None = None

    @classmethod
    def saying(cls, failure: Failure) -> ActionFailed:
        """Make the error that says what a failure of the world says."""
        error = cls("the action failed")
        error.final = failure.final
        error.retry_after_ms = None if failure.retry_after_ns < 0 else failure.retry_after_ns / NS_PER_MS
        return error


class ConflictsExhausted(FunctionError):
    """A mutation lost against other commits as often as its caller lets it run again."""


class SystemFailure(FunctionError):
    """The deployment, not the function, failed."""


def mistaken(error: Exception, function: Function, request: Request, now_ns: int) -> None:
    """Note where in the model a handler made its mistake, and what most often is behind it."""
    error.add_note(f"raised by '{function.name}' for request {request.number} at {format_duration(now_ns)}")
    if isinstance(error, AttributeError) and error.obj is None and error.name == "state":
        error.add_note(
            "ctx.get_job(...) returns None for a row that is gone: the platform collects the rows of jobs that have "
            "been over for its retention. Look for None before you look at the state."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the deployment; `poll` marks those whose executions count as polls of a request."""

    name: str
    kind: str
    handler: Callable[..., Any] | None = None
    external: External | None = None
    poll: bool = False


def mutation(name: str, handler: Callable[..., Any], *, poll: bool = False) -> Function:
    """Declare a mutation (or, called through `run_query`, a query): `handler(ctx, args)`."""
    return Function(name, MUTATION, handler, poll=poll)


def action(name: str, handler: Callable[..., Any]) -> Function:
    """Declare an action: `async def handler(ctx, args)`."""
    return Function(name, ACTION, handler)


class QueryContext(Transaction):
    """What a query sees: a snapshot."""

    __slots__ = ("deployment", "now_ns", "request")

    def __init__(self, deployment: Deployment, request: Request) -> None:
        super().__init__(deployment.store)
        self.deployment = deployment
        self.now_ns = deployment.clock.now_ns
        self.request = request

    @property
    def now_ms(self) -> float:
        """The instant of the snapshot in ms, as `Date.now()` gives it."""
        return self.now_ns / NS_PER_MS


class MutationContext(QueryContext):
    """What a mutation can do: read its snapshot, write, schedule, cancel, draw numbers."""

    __slots__ = ("caller", "job", "rerun", "settlement")

    def __init__(self, deployment: Deployment, request: Request, job: Job | None = None) -> None:
        # Every poll makes one: this is the work of the two initialisers above, without their calls.
        self.store = store = deployment.store
        self.begin_ts = store.last_ts
        self.commit_ts = 0
        self.reads = []
        self.ranges = None
        self.writes = None
        self.created = None
        self.job_states = None
        self.deployment = deployment
        self.now_ns = deployment.clock.now_ns
        self.request = request
        self.job = job
        """The scheduled job that this mutation is."""
        self.caller: Job | None = None
        """The job of the action that called this mutation."""
        self.rerun = 0
        """How often this mutation was refused before."""
        self.settlement: tuple[Outcome, int | None, int | None] | None = None
        """The outcome, and where the mutation writes its instant down, that and the last attempt's end by then."""

    def run_after(self, delay_ms: float, function: Function, args: Any = None, *, at_ns: int | None = None) -> int:
        """Schedule a function `delay_ms` from now and return its job; it exists once this mutation commits.

        `at_ns` is an instant instead of a delay. Raises FunctionError where the delay is negative or not finite.
        """
        if at_ns is None:
            delay_ns = delay_ms * NS_PER_MS
            if not 0 <= delay_ns < inf:
                raise FunctionError(f"a delay must be finite and not negative, not {delay_ms} ms")
            at_ns = self.now_ns + round(delay_ns)
        store = self.store
        number = store.jobs_created
        store.jobs_created = number + 1
        job = Job(number, function, args, self.request, at_ns)
        if at_ns < self.now_ns:
            job.due_ns = self.now_ns
        if self.caller is not None:
            # What a canceled action schedules is born canceled; only the direct parent counts.
            row = self.get_job(self.caller.id)
            if row is not None and row.state == CANCELED:
                job.state = CANCELED
        if self.created is None:
            self.created = [job]
        else:
            self.created.append(job)
        return number

    def run_at(self, at_ns: int, function: Function, args: Any = None) -> int:
        """Schedule a function at an instant; one in the past runs as soon as possible."""
        return self.run_after(0, function, args, at_ns=at_ns)

    def after_ns(self, delay_ms: float) -> int:
        """Return the instant `delay_ms` from now; FunctionError where that is not finite."""
        delay_ns = delay_ms * NS_PER_MS
        if not -inf < delay_ns < inf:
            raise FunctionError(f"a time must be finite, not {delay_ms} ms from now")
        return self.now_ns + round(delay_ns)

    def cancel(self, job_id: int) -> None:
        """Cancel a job: a pending one will not run, a running one goes on unheard, a completed one stays as it is.

        Raises FunctionError for this mutation's own job.
        """
        if self.job is not None and self.job.id == job_id:
            raise FunctionError("a mutation cannot cancel its own job")
        row = self.get_job(job_id)
        if row is None or row.state not in (PENDING, IN_PROGRESS):
            return
        self.set_job_state(job_id, CANCELED)

    def newest_job(self, *names: str) -> Job | JobVersion | None:
        """Return the newest pending or running job of this request with one of these function names.

        A request's jobs are remembered only where the scenario cancels; elsewhere there is none to find.
        """
        for job in reversed(self.request.jobs or ()):
            row = self.get_job(job.id) if job.function.name in names else None
            if row is not None and row.state in (PENDING, IN_PROGRESS):
                return row
        return None

    def run_mutation(self, function: Function, args: Any = None) -> Any:
        """Run a mutation as a sub-transaction: what it raises reaches the caller, and only its writes go."""
        before, settlement = self.savepoint(), self.settlement
        try:
            return function.handler(self, args)  # type: ignore[misc]  # a mutation has a handler
        except FunctionError:
            self.restore(before)
            self.settlement = settlement
            raise

    def run_query(self, function: Function, args: Any = None) -> Any:
        """Run a query against this mutation's snapshot and writes."""
        return function.handler(self, args)  # type: ignore[misc]  # a query has a handler

    def uniform(self, stream: str, index: int = 0) -> float:
        """Draw the number on [0, 1) that has this address for this request; a rerun draws another."""
        return self.deployment.choices.uniform(stream, self.request.number, index, self.rerun)

    def settle(self, outcome: Outcome, at_ns: int | None = None) -> None:
        """Say that the retrier knows how the request ended: at the commit, or at `at_ns` if it writes that down."""
        self.settlement = (outcome, at_ns, None if at_ns is None else self.request.last_attempt_end_ns)

    def note(self, kind: str, name: str, detail: Any = None) -> None:
        """Leave an event in the history, where one is kept; rolled back with the rest."""


class ActionContext:
    """What an action can do: call queries, mutations and the user's action one by one, schedule, sleep."""

    __slots__ = ("_execution",)

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    @property
    def now_ns(self) -> int:
        """The present instant."""
        now_ns = self._execution.deployment.clock.now_ns
        self._execution.hear("now", now_ns)
        return now_ns

    async def run_query(self, function: Function, args: Any = None) -> Any:
        """Run a query against a snapshot of now."""
        execution = self._execution
        context = QueryContext(execution.deployment, execution.request)
        value = function.handler(context, args)  # type: ignore[misc]  # a query has a handler
        execution.hear("query", value)
        return value

    async def run_mutation(self, function: Function, args: Any = None) -> Any:
        """Run a mutation in a transaction of its own; raises what it raised, or `ConflictsExhausted`."""
        return await self._execution.call_mutation(function, args)

    async def run_action(self, function: Function) -> Any:
        """Run the user's action inside this execution; `ActionFailed` where it threw."""
        return await self._execution.call_external(function)

    async def run_after(self, delay_ms: float, function: Function, args: Any = None) -> int:
        """Schedule a function, in a transaction of its own: it stays scheduled when this action throws later."""
        context = self._execution.deployment.own_transaction(self._execution)
        job_id = context.run_after(delay_ms, function, args)
        self._execution.deployment.commit(context)
        self._execution.hear("job", job_id)
        return job_id

    async def sleep(self, delay_ms: float) -> None:
        """Wait."""
        await self._execution.sleep(delay_ms)

    def uniform(self, stream: str, index: int = 0) -> float:
        """Draw the number on [0, 1) that has this address for this request."""
        deployment, request = self._execution.deployment, self._execution.request
        value = deployment.choices.uniform(stream, request.number, index)
        deployment.record("draw", request.number, -1, stream, value)
        self._execution.hear("draw", value)
        return value
