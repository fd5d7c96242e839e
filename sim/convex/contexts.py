"""The contexts of queries and mutations: what a handler can do, at one snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.convex.functions import Function, FunctionError
from sim.convex.jobs import Job, JobVersion
from sim.convex.transaction import Transaction
from sim.history.vocabulary import ALIVE, CANCELED
from sim.kernel.durations import ms_of_ns, ns_of_ms

if TYPE_CHECKING:
    from sim.convex.server import Server
    from sim.history.request import Request
    from sim.history.vocabulary import Outcome


class QueryContext(Transaction):
    """What a query sees: a snapshot."""

    __slots__ = ("now_ns", "request", "server")

    def __init__(self, server: Server, request: Request) -> None:
        super().__init__(server.store)
        self.server = server
        self.now_ns = server.clock.now_ns
        self.request = request

    def full_name(self, table: str) -> str:
        """Return the name of a table of the request's retrier: retriers of one deployment have tables of their own."""
        return self.request.namespace + table

    @property
    def now_ms(self) -> float:
        """The instant of the snapshot in ms, as `Date.now()` gives it."""
        return ms_of_ns(self.now_ns)


class MutationContext(QueryContext):
    """What a mutation can do: read its snapshot, write, schedule, cancel, draw numbers."""

    __slots__ = ("caller", "job", "rerun", "settlement")

    def __init__(self, server: Server, request: Request, job: Job | None = None) -> None:
        # Every poll makes one: this is the work of the three initializers above, without their calls.
        self.store = store = server.store
        self.begin_ts = store.last_ts
        self.commit_ts = 0
        self.reads = []
        self.ranges = None
        self.writes = None
        self.created = None
        self.job_states = None
        self.server = server
        self.now_ns = server.clock.now_ns
        self.request = request
        self.job = job
        """The scheduled job that this mutation is."""
        self.caller: Job | None = None
        """The job of the action that called this mutation."""
        self.rerun = 0
        """How often this mutation was refused before."""
        self.settlement: tuple[Outcome, int | None, int | None] | None = None
        """The outcome; if the mutation writes its instant down, that instant and the last attempt's end by then."""

    def run_at(self, at_ns: int, function: Function, args: Any = None) -> int:
        """Schedule a function at an instant and return its job, which exists once this mutation commits.

        A function scheduled for the past runs as soon as possible.
        """
        store = self.store
        number = store.jobs_created
        store.jobs_created = number + 1
        job = Job(number, function, args, self.request, at_ns)
        if at_ns < self.now_ns:
            job.due_ns = self.now_ns
        if self.caller is not None:
            # A canceled action schedules jobs that are canceled from birth; only the direct parent counts.
            row = self.get_job(self.caller.id)
            if row is not None and row.state == CANCELED:
                job.state = CANCELED
        if self.created is None:
            self.created = [job]
        else:
            self.created.append(job)
        return number

    def run_after(self, delay_ms: float, function: Function, args: Any = None) -> int:
        """Schedule a function `delay_ms` from now; see `run_at`.

        Raises FunctionError if the delay is negative or not finite.
        """
        try:
            at_ns = self.now_ns + ns_of_ms(delay_ms)
        except (OverflowError, ValueError):  # infinite, or not a number
            at_ns = None
        if at_ns is None or delay_ms < 0:
            raise FunctionError(f"a delay must be finite and not negative, not {delay_ms} ms")
        return self.run_at(at_ns, function, args)

    def after_ns(self, delay_ms: float) -> int:
        """Return the instant `delay_ms` from now. Raises FunctionError if that is not finite."""
        try:
            return self.now_ns + ns_of_ms(delay_ms)
        except (OverflowError, ValueError):  # infinite, or not a number
            raise FunctionError(f"a time must be finite, not {delay_ms} ms from now") from None

    def cancel(self, job_id: int) -> None:
        """Cancel a job: a pending one will not run, a running one goes on unheard, a completed one stays as it is.

        Raises FunctionError for this mutation's own job.
        """
        if self.job is not None and self.job.id == job_id:
            raise FunctionError("a mutation cannot cancel its own job")
        row = self.get_job(job_id)
        if row is None or row.state not in ALIVE:
            return
        self.set_job_state(job_id, CANCELED)

    def newest_job(self, *names: str) -> Job | JobVersion | None:
        """Return the newest pending or running job of this request with one of these function names.

        A request's jobs are remembered only if the scenario cancels; otherwise there is none to find.
        """
        for job in reversed(self.request.jobs or ()):
            row = self.get_job(job.id) if job.function.name in names else None
            if row is not None and row.state in ALIVE:
                return row
        return None

    def run_mutation(self, function: Function, args: Any = None) -> Any:
        """Run a mutation as a sub-transaction: its error reaches the caller, and its writes are dropped."""
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
        """Draw the number on [0, 1) of this address for this request; a rerun draws another."""
        rerun = self.request.first_rerun + self.rerun
        return self.server.choices.uniform(stream, self.request.number, index, rerun)

    def settle(self, outcome: Outcome, at_ns: int | None = None) -> None:
        """Conclude how the request ended: known at the commit, or at `at_ns` if this mutation writes that down."""
        self.settlement = (outcome, at_ns, None if at_ns is None else self.request.last_attempt_end_ns)

    def note(self, kind: str, name: str, detail: Any = None) -> None:
        """Leave an event in the history, if there is one; it is rolled back with the rest."""
