"""The context of mutations if a history is recorded: it keeps the events of each until the commit.

At the commit the events get its instant. If a mutation does not commit, only its draws remain: numbers are not rolled
back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.convex.contexts import MutationContext
from sim.convex.functions import Function, FunctionError
from sim.history.deployment_events import RangeRead
from sim.history.recorder import DRAW, of_step, steps

if TYPE_CHECKING:
    from sim.convex.jobs import Job, JobVersion
    from sim.convex.server import Server
    from sim.convex.tables import Document
    from sim.history.recorder import Mutation, Raw
    from sim.history.request import Request
    from sim.history.vocabulary import JobState


class TracedContext(MutationContext):
    """A mutation that keeps its events, and what it read of its snapshot."""

    __slots__ = ("_ranges_seen", "_seen", "_trace")

    def __init__(self, server: Server, request: Request, job: Job | None = None) -> None:
        # Here and below the base class is named: `super` looks it up anew in each call, and every poll passes here.
        MutationContext.__init__(self, server, request, job)
        # Flat tuples, since a history keeps them all: one object each, which the garbage collector soon leaves alone.
        self._trace: tuple[Any, ...] = ()
        """The parts of its events: kind, job or -1, name, detail, and so on."""
        self._seen: tuple[Any, ...] = ()
        """The rows read and what they were: id, document or state, and so on."""
        self._ranges_seen: tuple[RangeRead, ...] = ()

    # Reading. Its own writes say nothing of the snapshot, so they do not count as seen.

    def get(self, document_id: str) -> Document | None:
        """Read a document."""
        own = self.writes is not None and document_id in self.writes
        document = MutationContext.get(self, document_id)
        if not own:
            self._seen += (document_id, document)
        return document

    def get_job(self, job_id: int) -> Job | JobVersion | None:
        """Read a job's row."""
        row = MutationContext.get_job(self, job_id)
        own = self.created is not None and any(job.id == job_id for job in self.created)
        if not own and (self.job_states is None or job_id not in self.job_states):
            self._seen += (job_id, None if row is None else row.state)
        return row

    def query(self, table: str, *args: Any, **bounds: Any) -> list[Document]:
        """Read the documents of an index range."""
        documents = super().query(table, *args, **bounds)
        table, index_name, low, high = self.ranges[-1]  # type: ignore[index]  # the query has just added its range
        own = self.writes or {}
        read = documents
        if bounds.get("where") is not None or bounds.get("newest_first"):
            # All that was read, in the order of the index.
            found = self.store.range_at(self.ranges[-1], self.begin_ts)  # type: ignore[index]  # as above
            read = [document for _, document in found]
        ids = tuple(document["_id"] for document in read if document["_id"] not in own)
        fields = self.store.tables[table].fields[index_name]
        self._ranges_seen += (RangeRead(table, fields, low, high, ids, tuple(own)),)
        return documents

    # Doing.

    def run_at(self, at_ns: int, function: Function, args: Any = None, *, request: Request | None = None) -> int:
        """Schedule a function at an instant."""
        number = MutationContext.run_at(self, at_ns, function, args, request=request)
        job, name = self.created[-1], function.name  # type: ignore[index]  # the job has just been added
        if function.poll:
            self.server.polling.add(name)
        self._trace += ("job", number, name, self._of(job.request, (job.asked_ns, job.state)))
        return number

    def _of(self, request: Request, detail: tuple[Any, ...]) -> tuple[Any, ...]:
        """Add to the detail of an event of a job whose request it is, if not that of this mutation."""
        return detail if request is self.request else (*detail, request.number)

    def set_job_state(self, job_id: int, state: JobState) -> None:
        """Change a job's state at commit."""
        row = super().get_job(job_id)
        super().set_job_state(job_id, state)
        if row is not None:
            self._trace += ("state", job_id, row.function.name, self._of(row.request, (row.state, state)))

    def run_mutation(self, function: Function, args: Any = None) -> Any:
        """Run a mutation as a sub-transaction; if it throws, only its draws stay."""
        before = len(self._trace)
        try:
            return MutationContext.run_mutation(self, function, args)
        except FunctionError:
            drawn = [part for step in steps(self._trace[before:]) if step[0] == DRAW for part in step]
            self._trace = (*self._trace[:before], *drawn)
            raise

    def uniform(self, stream: str, index: int = 0, *, request: Request | None = None) -> float:
        """Draw a number."""
        value = MutationContext.uniform(self, stream, index, request=request)
        self._trace += (DRAW, -1 if request is None else request.number, stream, value)
        return value

    def note(self, kind: str, name: str, detail: Any = None) -> None:
        """Leave an event in the history; it is rolled back with the rest."""
        self._trace += (kind, -1, name, detail)

    def _write(self, document_id: str, document: Document | None) -> None:
        MutationContext._write(self, document_id, document)  # noqa: SLF001  # its own
        self._trace += ("write", -1, document_id, None if self.writes is None else self.writes[document_id])

    # The events.

    def drawn(self, t_ns: int) -> list[Raw]:
        """Return its draws as events of an instant: a mutation that does not commit has drawn them all the same."""
        return [(t_ns, *of_step(self.request.number, step)) for step in steps(self._trace) if step[0] == DRAW]

    def committed(self) -> Mutation:
        """Return what the history keeps of it once it has committed; all else of it can be freed."""
        return (
            self._trace,
            self.now_ns,
            self.begin_ts,
            self.commit_ts,
            self._seen,
            self._ranges_seen,
            -1 if self.caller is None else self.caller.id,
            None if self.writes is None else tuple(self.writes),
            None if self.job_states is None else tuple(self.job_states),
            self.created,
        )
