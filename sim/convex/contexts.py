"""The contexts of queries and mutations: what a handler can do, at one snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sim.convex.functions import Function, FunctionError
from sim.convex.jobs import Job, JobVersion
from sim.convex.tables import BY_CREATION
from sim.convex.transaction import Transaction
from sim.history.vocabulary import ALIVE, CANCELED
from sim.kernel.durations import ms_of_ns, ns_of_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.convex.server import Server
    from sim.convex.tables import Document
    from sim.history.request import Request
    from sim.history.vocabulary import Outcome


class Settlement(NamedTuple):
    """What a mutation concludes about a request."""

    request: Request
    outcome: Outcome
    at_ns: int | None
    """The instant from which it is known, if the mutation writes that down."""
    attempt_end_ns: int | None
    """The end of the last attempt by then."""


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


class SnapshotContext(QueryContext):
    """What a query sees whose reads are not held against later commits."""

    __slots__ = ()

    def query(self, table: str, index: str = BY_CREATION, equal: Sequence[Any] = (), **bounds: Any) -> list[Document]:
        """Read the documents of an index range; of an empty table, or one of a single row, at once."""
        store = self.store
        rows = store.tables[self.full_name(table)].rows
        if len(rows) <= 1 and self.begin_ts == store.last_ts:
            if not rows:
                return []
            if index == BY_CREATION and not equal and not bounds:
                return [store.documents[document_id].document for document_id in rows]  # type: ignore[misc]  # it is there
        return super().query(table, index, equal, **bounds)


class MutationContext(QueryContext):
    """What a mutation can do: read its snapshot, write, schedule, cancel, draw numbers."""

    __slots__ = ("after", "caller", "job", "rerun", "settlements")

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
        self.settlements: tuple[Settlement, ...] = ()
        self.after: tuple[Callable[[], None], ...] = ()
        """What is called once this has committed."""

    def run_at(self, at_ns: int, function: Function, args: Any = None, *, request: Request | None = None) -> int:
        """Schedule a function at an instant and return its job, which exists once this mutation commits.

        A function scheduled for the past runs as soon as possible. The job is charged to `request`, by default to that
        of this mutation.
        """
        store = self.store
        number = store.jobs_created
        store.jobs_created = number + 1
        job = Job(number, function, args, self.request if request is None else request, at_ns)
        if at_ns < self.now_ns:
            job.due_ns = self.now_ns
        if self.caller is not None and self.server.cancels_children:
            # A canceled action schedules jobs that are canceled from birth; only the direct parent counts.
            row = self.get_job(self.caller.id)
            if row is not None and row.state == CANCELED:
                job.state = CANCELED
        if self.created is None:
            self.created = [job]
        else:
            self.created.append(job)
        return number

    def run_after(
        self, delay_ms: float, function: Function, args: Any = None, *, request: Request | None = None
    ) -> int:
        """Schedule a function `delay_ms` from now; see `run_at`.

        Raises FunctionError if the delay is negative or not finite.
        """
        try:
            at_ns = self.now_ns + ns_of_ms(delay_ms)
        except (OverflowError, ValueError):  # infinite, or not a number
            at_ns = None
        if at_ns is None or delay_ms < 0:
            raise FunctionError(f"a delay must be finite and not negative, not {delay_ms} ms")
        return self.run_at(at_ns, function, args, request=request)

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
        before, settlements, after = self.savepoint(), self.settlements, self.after
        try:
            return function.handler(self, args)  # type: ignore[misc]  # a mutation has a handler
        except FunctionError:
            self.restore(before)
            self.settlements, self.after = settlements, after
            raise

    def run_query(self, function: Function, args: Any = None) -> Any:
        """Run a query against this mutation's snapshot and writes."""
        return function.handler(self, args)  # type: ignore[misc]  # a query has a handler

    def run_snapshot_query(self, function: Function, args: Any = None) -> Any:
        """Run a query against this mutation's snapshot alone: it sees none of its writes, and its reads do not count.

        A commit that changes what it read is thus no conflict; Convex' `useStaleSnapshot`.
        """
        return function.handler(SnapshotContext(self.server, self.request), args)  # type: ignore[misc]  # as above

    def uniform(self, stream: str, index: int = 0, *, request: Request | None = None) -> float:
        """Draw the number on [0, 1) of this address for this request, or another; a rerun draws another number."""
        of = self.request if request is None else request
        return self.server.choices.uniform(stream, of.number, index, of.first_rerun + self.rerun)

    def settle(self, outcome: Outcome, at_ns: int | None = None, *, request: Request | None = None) -> None:
        """Conclude how a request ended, by default this mutation's; its last conclusion about one counts.

        Known at the commit, or at `at_ns` if this mutation writes that down.
        """
        of = self.request if request is None else request
        others = tuple(one for one in self.settlements if one.request is not of)
        end_ns = None if at_ns is None else of.last_attempt_end_ns
        self.settlements = (*others, Settlement(of, outcome, at_ns, end_ns))

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call once this has committed, within the same step; never if it does not commit, or is rolled back."""
        self.after = (*self.after, call)

    def note(self, kind: str, name: str, detail: Any = None) -> None:
        """Leave an event in the history, if there is one; it is rolled back with the rest."""
