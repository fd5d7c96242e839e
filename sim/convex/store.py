"""The transactional store: snapshots, index ranges, optimistic concurrency control.

A transaction reads at its begin timestamp and buffers its writes. Commit checks its read set (rows by id, and index
ranges, so that phantoms count) against every commit since; any overlap is a conflict and nothing is kept.

User documents are plain dicts, shared by reference and never changed in place. Job rows are `Job` objects. Both are
versioned: an older version is kept only while a snapshot that needs it is held open. A transaction that begins and
commits within one step of the simulation is never held, and costs no version.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.convex.jobs import LEGAL, PENDING, SUCCESS, Job, JobVersion
from sim.kernel.errors import BrokenInvariant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Document = dict[str, Any]
Key = tuple[Any, ...]

TOP: Key = (9,)
"""Sorts behind every value of an index key."""

BY_CREATION = "by_creation"
JOBS = "_scheduled_functions"


def index_value(value: Any) -> Key:
    """Give a field's value its place in an index: missing < null < numbers < booleans < text."""
    match value:
        case None:
            return (1,)
        case bool():
            return (3, value)
        case int() | float():
            return (2, value)
        case str():
            return (4, value)
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be indexed")


def _field(document: Mapping[str, Any], path: str) -> Key:
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, (dict, MappingProxyType)) or part not in value:
            return (0,)
        value = value[part]
    return index_value(value)


class Table:
    """A table with its indexes: for each a sorted list of (key, id) of the latest documents."""

    def __init__(self, name: str, indexes: Mapping[str, Sequence[str]] | None = None) -> None:
        self.name = name
        self.fields = {BY_CREATION: (), **{index: tuple(paths) for index, paths in (indexes or {}).items()}}
        self.entries: dict[str, list[tuple[Key, str]]] = {index: [] for index in self.fields}
        self.created = 0

    def key(self, index: str, document: Mapping[str, Any]) -> Key:
        """Return the document's place in an index; its number breaks ties."""
        return (*(_field(document, path) for path in self.fields[index]), (2, int(document["_id"].rpartition(":")[2])))

    def clear(self) -> None:
        """Forget all documents."""
        self.created = 0
        for entries in self.entries.values():
            entries.clear()


class Version:
    """A document as of a commit; None where it was deleted."""

    __slots__ = ("commit_ts", "document", "previous")

    def __init__(self, commit_ts: int, document: Document | None, previous: Version | None) -> None:
        self.commit_ts = commit_ts
        self.document = document
        self.previous = previous


class Range(NamedTuple):
    """A half-open range of an index that was read: low <= key < high."""

    table: str
    index_name: str
    low: Key
    high: Key


class Commit(NamedTuple):
    """One commit, remembered while an older snapshot is open."""

    commit_ts: int
    ids: frozenset[int | str]
    documents: tuple[tuple[str, Document | None, Document | None], ...]
    """(table, before, after) of each document written."""


class Transaction:
    """A snapshot, what was read of it, and the writes to come."""

    __slots__ = ("begin_ts", "commit_ts", "created", "job_states", "ranges", "reads", "store", "writes")

    def __init__(self, store: Store) -> None:
        self.store = store
        self.begin_ts = store.last_ts
        self.commit_ts = 0
        self.reads: list[int | str] = []
        self.ranges: list[Range] | None = None
        self.writes: dict[str, Document | None] | None = None
        self.created: list[Job] | None = None
        self.job_states: dict[int, str] | None = None

    def get(self, document_id: str) -> Document | None:
        """Read a document, or None where there is none."""
        if self.writes is not None and document_id in self.writes:
            return self.writes[document_id]
        self.reads.append(document_id)
        return self.store.document_at(document_id, self.begin_ts)

    def insert(self, table: str, document: Document) -> str:
        """Create a document and return its id."""
        rows = self.store.tables[table]
        rows.created += 1
        document_id = f"{table}:{rows.created}"
        self._write(document_id, {**document, "_id": document_id})
        return document_id

    def replace(self, document_id: str, document: Document) -> None:
        """Put another document in the place of one; LookupError where there is none."""
        self._present(document_id)
        self._write(document_id, {**document, "_id": document_id})

    def patch(self, document_id: str, changes: Document) -> None:
        """Change some fields of a document; LookupError where there is none."""
        self._write(document_id, {**self._present(document_id), **changes})

    def delete(self, document_id: str) -> None:
        """Delete a document; LookupError where there is none."""
        self._present(document_id)
        self._write(document_id, None)

    def _present(self, document_id: str) -> Document:
        document = self.get(document_id)
        if document is None:
            raise LookupError(f"no document {document_id}")
        return document

    def _write(self, document_id: str, document: Document | None) -> None:
        if self.writes is None:
            self.writes = {}
        self.writes[document_id] = _frozen(document) if self.store.freeze and document is not None else document

    def query(  # noqa: PLR0913  # the bounds of a range, as in Convex's index builder
        self,
        table: str,
        index: str = BY_CREATION,
        equal: Sequence[Any] = (),
        *,
        above: Any = None,
        at_least: Any = None,
        below: Any = None,
        at_most: Any = None,
        take: int | None = None,
    ) -> list[Document]:
        """Read the documents of an index range, in its order: the first fields equal, the next one between bounds."""
        prefix = tuple(index_value(value) for value in equal)
        low, high = prefix, (*prefix, TOP)
        if above is not None:
            low = (*prefix, index_value(above), TOP)
        elif at_least is not None:
            low = (*prefix, index_value(at_least))
        if below is not None:
            high = (*prefix, index_value(below))
        elif at_most is not None:
            high = (*prefix, index_value(at_most), TOP)
        rows = self.store.tables[table]
        found = self.store.range_at(Range(table, index, low, high), self.begin_ts)
        for document_id, document in (self.writes or {}).items():
            if document_id.rpartition(":")[0] == table:
                found = [(key, other) for key, other in found if other["_id"] != document_id]
                if document is not None and low <= (key := rows.key(index, document)) < high:
                    insort(found, (key, document), key=lambda entry: entry[0])
        if take is not None and len(found) >= take:
            # What lies behind the last document taken was not read, so a change there is no conflict.
            found = found[:take]
            high = (*found[-1][0], TOP) if found else low
        if self.ranges is None:
            self.ranges = []
        self.ranges.append(Range(table, index, low, high))
        return [document for _, document in found]

    def get_job(self, job_id: int) -> Job | JobVersion | None:
        """Read a row of `_scheduled_functions`, or None where there is none (any more)."""
        job = self.store.jobs.get(job_id)
        self.reads.append(job_id)
        if job is None or job.commit_ts > self.begin_ts or self.job_states is not None:
            return self._other_version(job_id)
        return job

    def _other_version(self, job_id: int) -> Job | JobVersion | None:
        """Find the row among this transaction's own writes, or as of its snapshot."""
        own = [job for job in self.created or () if job.id == job_id]
        version = own[0] if own else self.store.job_at(job_id, self.begin_ts)
        if version is not None and self.job_states is not None and job_id in self.job_states:
            changed = JobVersion(version)  # type: ignore[arg-type]  # a version has all that is copied
            changed.state = self.job_states[job_id]
            return changed
        return version

    def set_job_state(self, job_id: int, state: str) -> None:
        """Change a job's state at commit."""
        if self.job_states is None:
            self.job_states = {}
        self.job_states[job_id] = state

    def savepoint(self) -> tuple[Any, ...]:
        """Remember the writes so far; `restore` brings back exactly these. Reads stay read."""
        return (
            None if self.writes is None else dict(self.writes),
            None if self.created is None else list(self.created),
            None if self.job_states is None else dict(self.job_states),
        )

    def restore(self, savepoint: tuple[Any, ...]) -> None:
        """Drop the writes made since the savepoint."""
        self.writes, self.created, self.job_states = savepoint


class Store:
    """Documents and jobs, committed one transaction after the other.

    `check` switches validation off, which is how tests show what it prevents; `freeze` makes documents immutable in
    depth, which is how tests show that nobody changes one in place.
    """

    def __init__(self, *, check: bool = True, freeze: bool = False) -> None:
        self.check = check
        self.freeze = freeze
        self.last_ts = 0
        self.tables: dict[str, Table] = {}
        self.documents: dict[str, Version] = {}
        self.jobs: dict[int, Job] = {}
        self.jobs_created = 0
        self._deleted_jobs: dict[int, tuple[int, JobVersion]] = {}
        self._held: dict[int, int] = {}
        self._log: deque[Commit] = deque()

    def reset(self) -> None:
        """Forget everything but the tables."""
        self.last_ts = 0
        self.documents.clear()
        self.jobs.clear()
        self.jobs_created = 0
        self._deleted_jobs.clear()
        self._held.clear()
        self._log.clear()
        for table in self.tables.values():
            table.clear()

    def define(self, table: str, indexes: Mapping[str, Sequence[str]] | None = None) -> None:
        """Declare a table; `indexes` maps a name to the (dotted) fields of its key."""
        self.tables.setdefault(table, Table(table, indexes))

    def begin(self) -> Transaction:
        """Open a transaction that may commit in a later step."""
        transaction = Transaction(self)
        self.hold(transaction)
        return transaction

    def hold(self, transaction: Transaction) -> None:
        """Keep what the transaction's snapshot needs until it is committed or released."""
        self._held[transaction.begin_ts] = self._held.get(transaction.begin_ts, 0) + 1

    def release(self, transaction: Transaction) -> None:
        """Let go of a held snapshot, and of the versions only it needed."""
        left = self._held[transaction.begin_ts] - 1
        if left:
            self._held[transaction.begin_ts] = left
            return
        del self._held[transaction.begin_ts]
        # Timestamps only grow, so the first key is the oldest snapshot.
        oldest = next(iter(self._held), self.last_ts)
        while self._log and self._log[0].commit_ts <= oldest:
            self._forget(self._log.popleft())

    def commit(  # noqa: C901, PLR0912  # every poll passes here: a call saved is a tenth of a microsecond a poll
        self, transaction: Transaction, job: Job | None = None, *, held: bool = False
    ) -> bool:
        """Commit, or change nothing and return False where the transaction overlaps a commit since its begin.

        `job` is the mutation's own job, which succeeds in the same commit. `held` says that the transaction was held;
        it is released either way.
        """
        if held:
            refused = transaction.begin_ts != self.last_ts and self.check and self._overlaps(transaction)
            self.release(transaction)
            if refused:
                return False
        elif transaction.begin_ts != self.last_ts:
            raise BrokenInvariant("a transaction that was not held spans another commit")
        created, states, writes = transaction.created, transaction.job_states, transaction.writes
        if created is None and job is None and states is None and writes is None:
            return True
        transaction.commit_ts = commit_ts = self.last_ts = self.last_ts + 1
        if job is not None:
            if job.state != PENDING:
                job.check_step(SUCCESS)  # a mutation's job that is not pending has no step left
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
            written = tuple(self._put(document_id, document, commit_ts) for document_id, document in writes.items())
        if self._held:
            own = () if job is None else (job.id,)
            ids = frozenset([*own, *(row.id for row in created or ()), *(states or ()), *(writes or ())])
            self._log.append(Commit(commit_ts, ids, written))
        return True

    def step(self, job: Job, state: str) -> None:
        """Change one job's state in a transaction of its own that reads and writes only this row."""
        if (job.function.kind, job.state, state) not in LEGAL:
            job.check_step(state)
        self.last_ts = commit_ts = self.last_ts + 1
        if self._held:
            job.previous = JobVersion(job)
            self._log.append(Commit(commit_ts, frozenset((job.id,)), ()))
        job.state = state
        job.commit_ts = commit_ts

    def reschedule(self, job: Job, due_ns: int) -> None:
        """Put a pending job off, in a transaction of its own."""
        self.last_ts += 1
        if self._held:
            job.previous = JobVersion(job)
            self._log.append(Commit(self.last_ts, frozenset((job.id,)), ()))
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
            self._log.append(Commit(self.last_ts, frozenset(job_ids), ()))

    def _change(self, job: Job, state: str, commit_ts: int) -> None:
        job.check_step(state)
        if self._held:
            job.previous = JobVersion(job)
        job.state = state
        job.commit_ts = commit_ts

    def _put(self, document_id: str, document: Document | None, commit_ts: int) -> tuple[str, Any, Any]:
        before = self.documents.get(document_id)
        old = before.document if before is not None else None
        table = self.tables[document_id.rpartition(":")[0]]
        for index, entries in table.entries.items():
            if old is not None:
                del entries[bisect_left(entries, (table.key(index, old), document_id))]
            if document is not None:
                insort(entries, (table.key(index, document), document_id))
        if document is not None or self._held:
            self.documents[document_id] = Version(commit_ts, document, before if self._held else None)
        elif before is not None:
            del self.documents[document_id]
        return table.name, old, document

    def _overlaps(self, transaction: Transaction) -> bool:
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

    def range_at(self, wanted: Range, snapshot_ts: int) -> list[tuple[Key, Document]]:
        """Return the documents in a range as of a snapshot, with their keys, in order."""
        table = self.tables[wanted.table]
        entries = table.entries[wanted.index_name]
        first = bisect_left(entries, (wanted.low,))
        last = bisect_left(entries, (wanted.high,))
        ids = [document_id for _, document_id in entries[first:last]]
        changed = {
            document["_id"]: None
            for commit in self._log
            if commit.commit_ts > snapshot_ts
            for name, *both in commit.documents
            if name == wanted.table
            for document in both
            if document is not None
        }
        found = []
        for document_id in [*(i for i in ids if i not in changed), *changed]:
            document = self.document_at(document_id, snapshot_ts)
            if document is not None and wanted.low <= (key := table.key(wanted.index_name, document)) < wanted.high:
                found.append((key, document))
        found.sort(key=lambda entry: entry[0])
        return found

    def _forget(self, commit: Commit) -> None:
        """Drop the versions that a commit replaced: no snapshot older than it is open any more."""
        for row_id in sorted(commit.ids, key=str):
            row: Any = self.jobs.get(row_id) if isinstance(row_id, int) else self.documents.get(row_id)
            while row is not None and row.commit_ts > commit.commit_ts:
                row = row.previous
            if row is not None:
                row.previous = None
                if isinstance(row, Version) and row.document is None and self.documents[str(row_id)] is row:
                    del self.documents[str(row_id)]
            elif isinstance(row_id, int) and self._deleted_jobs[row_id][0] == commit.commit_ts:
                del self._deleted_jobs[row_id]


def _frozen(value: Any) -> Any:
    match value:
        case dict() | MappingProxyType():
            return MappingProxyType({key: _frozen(item) for key, item in value.items()})
        case list() | tuple():
            return tuple(_frozen(item) for item in value)
        case _:
            return value
