"""One transaction: it reads a snapshot and its own writes, which it buffers."""

from __future__ import annotations

from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sim.convex.footprint import Footprint
from sim.convex.jobs import JobVersion
from sim.convex.tables import BY_CREATION, TOP, Document, Entry, Range, index_value, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sim.convex.jobs import Job
    from sim.convex.store import Store
    from sim.history.vocabulary import JobState


class Transaction(Footprint):
    """A snapshot, what was read of it, and the writes to come."""

    __slots__ = ("store",)

    def __init__(self, store: Store) -> None:
        super().__init__(store.last_ts)
        self.store = store

    def get(self, document_id: str) -> Document | None:
        """Read a document, or None if there is none."""
        if self.writes is not None and document_id in self.writes:
            return self.writes[document_id]
        self.reads.append(document_id)
        return self.store.document_at(document_id, self.begin_ts)

    def full_name(self, table: str) -> str:
        """Return the name by which the store knows a table."""
        return table

    def insert(self, table: str, document: Document) -> str:
        """Create a document and return its id."""
        table = self.full_name(table)
        rows = self.store.tables[table]
        rows.created += 1
        document_id = f"{table}:{rows.created}"
        self._write(document_id, {**document, "_id": document_id})
        return document_id

    def replace(self, document_id: str, document: Document) -> None:
        """Put another document in the place of one. Raises LookupError if there is none."""
        self._present(document_id)
        self._write(document_id, {**document, "_id": document_id})

    def patch(self, document_id: str, changes: Document) -> None:
        """Change some fields of a document. Raises LookupError if there is none."""
        self._write(document_id, {**self._present(document_id), **changes})

    def delete(self, document_id: str) -> None:
        """Delete a document. Raises LookupError if there is none."""
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

    def query(
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
        where: Callable[[Document], bool] | None = None,
        newest_first: bool = False,
    ) -> list[Document]:
        """Read the documents of an index range, in its order: the first fields equal, the next one between bounds.

        `where` leaves documents out while they are read, so that they count as read but not for `take`.
        """
        table = self.full_name(table)
        prefix = tuple([index_value(value) for value in equal])
        low, high = prefix, (*prefix, TOP)
        if above is not None:
            low = (*prefix, index_value(above), TOP)
        elif at_least is not None:
            low = (*prefix, index_value(at_least))
        if below is not None:
            high = (*prefix, index_value(below))
        elif at_most is not None:
            high = (*prefix, index_value(at_most), TOP)
        wanted = Range(table, index, low, high)
        entries = self._entries(wanted, newest_first=newest_first)
        if where is not None:
            entries = (entry for entry in entries if where(entry[1]))
        found = list(entries if take is None else islice(entries, take))
        if take is not None and len(found) == take:
            # Documents after the last one taken were not read, so a change of those is no conflict.
            if newest_first:
                wanted = Range(table, index, found[-1][0] if found else high, high)
            else:
                wanted = Range(table, index, low, (*found[-1][0], TOP) if found else low)
        if self.ranges is None:
            self.ranges = []
        self.ranges.append(wanted)
        return [document for _, document in found]

    def _entries(self, wanted: Range, *, newest_first: bool) -> Iterable[Entry]:
        """Return the documents in a range as this transaction sees them, with their keys, in order or in reverse."""
        table = wanted.table
        found = self.store.range_at(wanted, self.begin_ts, newest_first=newest_first)
        writes = self.writes
        if not writes:
            return found
        own = {i: writes[i] for i in writes if i.rpartition(":")[0] == table}
        if not own:
            return found
        others = (entry for entry in found if entry[1]["_id"] not in own)
        return merged(others, self.store.tables[table].among(own.values(), wanted), newest_first=newest_first)

    def get_job(self, job_id: int) -> Job | JobVersion | None:
        """Read a row of `_scheduled_functions`, or None if there is none (anymore)."""
        job = self.store.jobs.get(job_id)
        self.reads.append(job_id)
        if job is None or job.commit_ts > self.begin_ts or self.job_states is not None:
            return self._other_version(job_id)
        return job

    def _other_version(self, job_id: int) -> Job | JobVersion | None:
        """Return the row as this transaction has written it, or else as of its snapshot."""
        own = [job for job in self.created or () if job.id == job_id]
        version = own[0] if own else self.store.job_at(job_id, self.begin_ts)
        if version is not None and self.job_states is not None and job_id in self.job_states:
            changed = JobVersion(version)
            changed.state = self.job_states[job_id]
            return changed
        return version

    def set_job_state(self, job_id: int, state: JobState) -> None:
        """Change a job's state at commit."""
        if self.job_states is None:
            self.job_states = {}
        self.job_states[job_id] = state

    def savepoint(self) -> tuple[Any, ...]:
        """Return the writes so far; `restore` brings back exactly these. Reads stay read."""
        return (
            None if self.writes is None else dict(self.writes),
            None if self.created is None else list(self.created),
            None if self.job_states is None else dict(self.job_states),
        )

    def restore(self, savepoint: tuple[Any, ...]) -> None:
        """Drop the writes made since the savepoint."""
        self.writes, self.created, self.job_states = savepoint


def _frozen(value: Any) -> Any:
    match value:
        case dict() | MappingProxyType():
            return MappingProxyType({key: _frozen(item) for key, item in value.items()})
        case list() | tuple():
            return tuple(_frozen(item) for item in value)
        case _:
            return value
