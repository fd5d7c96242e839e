"""The transactional store: snapshots, index ranges, optimistic concurrency control.

A transaction reads at its begin timestamp and buffers its writes. Commit checks its read set (rows by id, and index
ranges, so that phantoms count) against every commit since; any overlap is a conflict, and nothing is written.

User documents are plain dicts, shared by reference and never changed in place. Job rows are `Job` objects. Both are
versioned: an older version stays only while a held snapshot needs it. A transaction that begins and commits within one
step of the simulation is never held, so it costs no version.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.convex.jobs import LEGAL, Job, JobVersion
from sim.convex.tables import Document, Entry, Range, Table, merged
from sim.history.vocabulary import PENDING, SUCCESS
from sim.kernel.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sim.convex.footprint import Footprint
    from sim.history.vocabulary import JobState


class Version:
    """A document as of a commit; None if that deleted it."""

    __slots__ = ("commit_ts", "document", "previous")

    def __init__(self, commit_ts: int, document: Document | None, previous: Version | None) -> None:
        self.commit_ts = commit_ts
        self.document = document
        self.previous = previous


class Commit(NamedTuple):
    """One commit, remembered while an older snapshot is held."""

    commit_ts: int
    ids: Sequence[int | str]
    documents: tuple[tuple[str, Document | None, Document | None], ...]
    """(table, before, after) of each document written."""


class Store:
    """Documents and jobs, committed one transaction after the other.

    `freeze` makes documents immutable in depth: with it tests show that no handler changes one in place.
    """

    def __init__(self, *, freeze: bool = False) -> None:
        self.freeze = freeze
        self.last_ts = 0
        self.tables: dict[str, Table] = {}
        self.documents: dict[str, Version] = {}
        self.jobs: dict[int, Job] = {}
        self.jobs_created = 0
        self.created_ns: dict[str, int] = {}
        """The time of the last creation in the database of each component."""
        self._deleted_jobs: dict[int, tuple[int, JobVersion]] = {}
        """(commit timestamp of the deletion, the row before) by id, while a held snapshot needs it."""
        self._held: dict[int, int] = {}
        """How many held snapshots have this begin timestamp."""
        self._log: deque[Commit] = deque()

    def reset(self) -> None:
        """Forget everything but the tables."""
        self.last_ts = 0
        self.documents.clear()
        self.jobs.clear()
        self.jobs_created = 0
        self.created_ns.clear()
        self._deleted_jobs.clear()
        self._held.clear()
        self._log.clear()
        for table in self.tables.values():
            table.clear()

    def define(self, table: str, indexes: Mapping[str, Sequence[str]] | None = None) -> None:
        """Declare a table; `indexes` maps a name to the (dotted) fields of its key."""
        self.tables.setdefault(table, Table(table, indexes))

    def hold(self, transaction: Footprint) -> None:
        """Keep the versions that the transaction's snapshot needs, until it is committed or released."""
        self._held[transaction.begin_ts] = self._held.get(transaction.begin_ts, 0) + 1

    def release(self, transaction: Footprint) -> None:
        """Drop a held snapshot, and the versions that only it needed."""
        left = self._held[transaction.begin_ts] - 1
        if left:
            self._held[transaction.begin_ts] = left
            return
        del self._held[transaction.begin_ts]
        # Timestamps only grow, so the first key is the oldest snapshot.
        oldest = next(iter(self._held), self.last_ts)
        while self._log and self._log[0].commit_ts <= oldest:
            self._forget(self._log.popleft())

    def commit(  # noqa: C901, PLR0912  # every poll passes here, and calls cost
        self, transaction: Footprint, job: Job | None = None, *, held: bool = False
    ) -> bool:
        """Commit, or change nothing and return False if the transaction overlaps a commit since its begin.

        `job` is the mutation's own job, which succeeds in the same commit. A `held` transaction is released either
        way. Raises IllegalStep, and InternalError if a transaction that is not held spans another commit.
        """
        if held:
            refused = transaction.begin_ts != self.last_ts and self.overlaps(transaction)
            self.release(transaction)
            if refused:
                return False
        elif transaction.begin_ts != self.last_ts:
            raise InternalError("a transaction that was not held spans another commit")
        created, states, writes = transaction.created, transaction.job_states, transaction.writes
        if created is None and job is None and states is None and writes is None:
            return True
        if job is not None and job.state != PENDING:
            job.check_step(SUCCESS)  # of a mutation's job only a pending one has a step left
        if states is not None:
            for job_id, state in states.items():
                if job_id in self.jobs:
                    self.jobs[job_id].check_step(state)  # before any change: an illegal step changes nothing
        transaction.commit_ts = commit_ts = self.last_ts = self.last_ts + 1
        if job is not None:
            if self._held:
                job.previous = JobVersion(job)
            job.state = SUCCESS
            job.commit_ts = commit_ts
        if created is not None:
            jobs = self.jobs
            for row in created:
                row.commit_ts = commit_ts
                jobs[row.id] = row
        if states is not None:
            for job_id, state in states.items():
                self._change(self.jobs[job_id], state, commit_ts)
        written: tuple[tuple[str, Any, Any], ...] = ()
        if writes is not None:
            written = tuple([self._put(document_id, document, commit_ts) for document_id, document in writes.items()])
        if self._held:
            ids: list[int | str] = [] if job is None else [job.id]
            if created is not None:
                ids += [row.id for row in created]
            if states is not None:
                ids += states
            if writes is not None:
                ids += writes
            self._log.append(Commit(commit_ts, ids, written))
        return True

    def step(self, job: Job, state: JobState) -> None:
        """Change one job's state in a transaction of its own that reads and writes only this row."""
        if (job.function.kind, job.state, state) not in LEGAL:
            job.check_step(state)
        self.last_ts = commit_ts = self.last_ts + 1
        if self._held:
            job.previous = JobVersion(job)
            self._log.append(Commit(commit_ts, (job.id,), ()))
        job.state = state
        job.commit_ts = commit_ts

    def reschedule(self, job: Job, due_ns: int) -> None:
        """Let a pending job run later, in a transaction of its own."""
        self.last_ts += 1
        if self._held:
            job.previous = JobVersion(job)
            self._log.append(Commit(self.last_ts, (job.id,), ()))
        job.due_ns = due_ns
        job.commit_ts = self.last_ts

    def delete_jobs(self, job_ids: Sequence[int]) -> None:
        """Delete rows of completed jobs in one transaction."""
        self.last_ts += 1
        for job_id in job_ids:
            job = self.jobs.pop(job_id)
            if self._held:
                self._deleted_jobs[job_id] = (self.last_ts, JobVersion(job))
        if self._held:
            self._log.append(Commit(self.last_ts, job_ids, ()))

    def _change(self, job: Job, state: JobState, commit_ts: int) -> None:
        job.check_step(state)
        if self._held:
            job.previous = JobVersion(job)
        job.state = state
        job.commit_ts = commit_ts

    def _put(self, document_id: str, document: Document | None, commit_ts: int) -> tuple[str, Any, Any]:
        before = self.documents.get(document_id)
        old = before.document if before is not None else None
        table = self.tables[document_id.rpartition(":")[0]]
        table.note(document_id, old, document)
        if document is not None or self._held:
            self.documents[document_id] = Version(commit_ts, document, before if self._held else None)
        elif before is not None:
            del self.documents[document_id]
        return table.name, old, document

    def overlaps(self, transaction: Footprint) -> bool:
        """Tell whether a commit since its begin has changed what a held transaction read."""
        read = frozenset(transaction.reads)
        begin_ts = transaction.begin_ts
        for commit in reversed(self._log):
            if commit.commit_ts <= begin_ts:
                return False
            if not read.isdisjoint(commit.ids):
                return True
            if transaction.ranges is not None and self._in_ranges(commit, transaction.ranges):
                return True
        return False

    def _in_ranges(self, commit: Commit, ranges: Sequence[Range]) -> bool:
        return any(
            document is not None and low <= self.tables[table].key(index, document) < high
            for table, before, after in commit.documents
            for document in (before, after)
            for read_table, index, low, high in ranges
            if read_table == table
        )

    def document_at(self, document_id: str, snapshot_ts: int) -> Document | None:
        """Return a document as of a snapshot."""
        version = self.documents.get(document_id)
        while version is not None and version.commit_ts > snapshot_ts:
            version = version.previous
        return version.document if version is not None else None

    def job_at(self, job_id: int, snapshot_ts: int) -> Job | JobVersion | None:
        """Return a job's row as of a snapshot."""
        row: Job | JobVersion | None = self.jobs.get(job_id)
        if row is None and job_id in self._deleted_jobs:
            deleted_ts, version = self._deleted_jobs[job_id]
            row = version if snapshot_ts < deleted_ts else None
        while row is not None and row.commit_ts > snapshot_ts:
            row = row.previous
        return row

    def range_at(self, wanted: Range, snapshot_ts: int, *, newest_first: bool = False) -> Iterable[Entry]:
        """Return the documents in a range as of a snapshot, with their keys, in order or in reverse.

        They are found as they are asked for, so the first few of a long range cost no more than these few.
        """
        table, documents = self.tables[wanted.table], self.documents
        latest = table.between(wanted, self._latest, newest_first=newest_first)
        changed = self._changed_since(snapshot_ts, wanted.table) if snapshot_ts != self.last_ts else ()
        if not changed:
            return ((key, documents[document_id].document) for key, document_id in latest)  # type: ignore[misc]  # none of them is deleted
        then = {document_id: self.document_at(document_id, snapshot_ts) for document_id in changed}
        same = ((key, documents[i].document) for key, i in latest if i not in then)
        return merged(same, table.among(then.values(), wanted), newest_first=newest_first)  # type: ignore[arg-type]  # as above

    def _changed_since(self, snapshot_ts: int, table: str) -> list[str]:
        """Return the ids of the documents of a table written since a snapshot."""
        changed = []
        for commit in reversed(self._log):
            if commit.commit_ts <= snapshot_ts:
                break
            for name, before, after in commit.documents:
                document = before if after is None else after
                if name == table and document is not None:
                    changed.append(document["_id"])
        return changed

    def _latest(self, table: str) -> Iterator[Document]:
        """Return the latest documents of a table."""
        for document_id, version in self.documents.items():
            if version.document is not None and document_id.rpartition(":")[0] == table:
                yield version.document

    def _forget(self, commit: Commit) -> None:
        """Drop the versions that a commit replaced: no snapshot older than it is held anymore."""
        for row_id in commit.ids:
            row: Any = self.jobs.get(row_id) if isinstance(row_id, int) else self.documents.get(row_id)
            while row is not None and row.commit_ts > commit.commit_ts:
                row = row.previous
            if row is not None:
                row.previous = None
                if isinstance(row, Version) and row.document is None and self.documents[str(row_id)] is row:
                    del self.documents[str(row_id)]
            elif isinstance(row_id, int) and self._deleted_jobs[row_id][0] == commit.commit_ts:
                del self._deleted_jobs[row_id]
