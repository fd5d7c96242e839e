"""What the platform owes: transactions that are atomic and serializable, found from the history alone.

The store is rebuilt in commit order. Every value that a mutation read must be the one right before its commit, and
must not have changed since its snapshot. Steps of job states outside mutations are transactions of their own: each
takes a timestamp between those of the commits around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sortedcontainers import SortedList

from sim.contracts.platform.places import place
from sim.history.deployment_events import DocumentWritten, JobCreated, JobStepped, MutationCommitted, RowsCollected
from sim.history.entities import Commit, when
from sim.history.vocabulary import ALIVE
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.history.deployment_events import RangeRead
    from sim.history.events import Event
    from sim.promises.view import View

Row = int | str
Key = tuple[Any, ...]


@invariant(owed_by="platform")
def atomic_commits(view: View) -> Iterator[Violation]:
    """Writes and jobs happen in commits: all that a commit names, and nothing else."""
    done: dict[Row, Event] = {}
    commits = iter(view.commits)
    for _, event in view.ledger:
        if isinstance(event, DocumentWritten):
            done[event.document_id] = event
        elif isinstance(event, JobCreated | JobStepped):
            done[event.job] = event
        elif isinstance(event, MutationCommitted):
            commit = next(commits)
            for row in dict.fromkeys(event.writes):  # a job that it creates and cancels stands there twice
                if done.pop(row, None) is None:
                    text = f"{_mutation(commit)} commits {when(event)} with a write of {_row(view, row)}"
                    yield breach(event.request, f"{text} that has not happened", event)
            yield from _left_over(view, done, event)
            done.clear()
    if view.terms.drained:
        yield from _left_over(view, done, None)


def _left_over(view: View, done: dict[Row, Event], commit: Event | None) -> Iterator[Violation]:
    for row, event in done.items():
        if not isinstance(event, JobStepped):
            text = f"{_row(view, row)} is written {when(event)} and is part of no commit"
            yield breach(event.request, text, event, commit)


@invariant(owed_by="platform")
def serializable(view: View) -> Iterator[Violation]:
    """Every mutation read what was there right before its commit, unchanged since its snapshot."""
    yield from _Store(view).replay()


class _Store:
    """The documents and the states of jobs, rebuilt event by event."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.documents: dict[Row, Any] = {}
        self.indexes: dict[str, dict[tuple[str, ...], SortedList[tuple[Key, str]]]] = {}
        """The keys and ids of the documents that there are, by table and by the fields of a range that was read."""
        self.states: dict[Row, str] = {}
        self.before: dict[Row, str] = {}
        """The state of a job before its latest step."""
        self.written: dict[Row, tuple[int, Event]] = {}
        """The timestamp and the event of the latest write of each row."""
        self.changed: list[JobStepped] = []
        """Steps of job states since the last commit."""
        self.last_ts = 0
        """At least the timestamp of the latest transaction."""
        self.collected = 0
        self.gone: dict[Row, Event] = {}

    def replay(self) -> Iterator[Violation]:
        commits = iter(self.view.commits)
        pending: list[DocumentWritten] = []
        for _, event in self.view.ledger:
            if isinstance(event, JobStepped):
                self.before[event.job] = self.states.get(event.job, "")
                self.states[event.job] = event.after
                self.changed.append(event)
            elif isinstance(event, JobCreated):
                self.states[event.job] = event.state
            elif isinstance(event, DocumentWritten):
                pending.append(event)
            elif isinstance(event, RowsCollected):
                self.collected += event.count
            else:
                yield from self.commit(next(commits), pending)
                pending.clear()

    def commit(self, commit: Commit, pending: list[DocumentWritten]) -> Iterator[Violation]:
        event = commit.event
        if self.changed:
            self._steps_outside(commit)
        yield from self._timestamps(commit)
        for row, value in event.reads:
            yield from self._read(commit, row, value)
        for found in event.ranges:
            yield from self._range(commit, found)
        for write in pending:
            self._write(write.document_id, write.document)
        if event.commit_ts:
            self.last_ts = max(self.last_ts, event.commit_ts)
            latest = (event.commit_ts, event)
            for row in event.writes:
                self.written[row] = latest

    def _write(self, document_id: str, document: Any) -> None:
        before = self.documents.get(document_id)
        self.documents[document_id] = document
        for fields, entries in self.indexes.get(document_id.rpartition(":")[0], {}).items():
            if before is not None:
                entries.discard((_key(before, fields), document_id))
            if document is not None:
                entries.add((_key(document, fields), document_id))

    def _index(self, table: str, fields: tuple[str, ...]) -> SortedList[tuple[Key, str]]:
        """Return the keys and ids of a table's documents: a scan of all of them for each range read takes too long."""
        indexes = self.indexes.setdefault(table, {})
        if fields not in indexes:
            there = ((str(row), found) for row, found in self.documents.items() if found is not None)
            indexes[fields] = SortedList(
                (_key(found, fields), row) for row, found in there if row.rpartition(":")[0] == table
            )
        return indexes[fields]

    def _steps_outside(self, commit: Commit) -> None:
        """Give the steps since the last commit that are not part of this one their timestamps."""
        own = [step.event for job in commit.event.writes if isinstance(job, int) for step in self._steps(job, commit)]
        for event in self.changed:
            if not any(event is other for other in own):
                self.last_ts += 1
                self.written[event.job] = (self.last_ts, event)
        self.changed.clear()

    def _steps(self, number: int, commit: Commit) -> list[Any]:
        job = self.view.jobs.get(number)
        return [] if job is None else [step for step in job.steps if step.by is commit]

    def _timestamps(self, commit: Commit) -> Iterator[Violation]:
        event = commit.event
        ts = event.commit_ts
        what = f"{_mutation(commit)} commits {when(event)}"
        if commit is self.view.commits[0] and event.begin_ts:
            text = f"{what}, the first in its world, with a snapshot of timestamp {event.begin_ts}"
            yield breach(event.request, text, event)
        if ts == 0:
            if event.writes:
                yield breach(event.request, f"{what} with writes and no timestamp", event)
        elif not event.writes:
            yield breach(event.request, f"{what} with timestamp {ts}, but writes nothing", event)
        elif ts <= self.last_ts:
            text = f"{what} with timestamp {ts}; the one before has {self.last_ts}"
            yield breach(event.request, text, event)
        elif ts <= event.begin_ts:
            yield breach(event.request, f"{what} with timestamp {ts}; its snapshot has {event.begin_ts}", event)

    def _read(self, commit: Commit, row: Row, value: Any) -> Iterator[Violation]:
        written = self.written.get(row)
        if isinstance(row, str):
            there = self.documents.get(row)
            same = value is there or value == there
        else:
            there = self.before.get(row) if row in commit.event.writes else self.states.get(row)
            same = value == there or (value is None and self._collected(row, there, commit.event))
            if same and value is not None and row in self.gone:
                same, there = False, "gone"
        if not same or (written is not None and written[0] > commit.event.begin_ts):
            event, view = commit.event, self.view
            text = f"{_mutation(commit)} reads {_row(view, row)} as {_value(value)}"
            text += f"; when it commits {when(event)} that is {_value(there)}"
            if same and written is not None:
                text += f", written {when(written[1])} after its snapshot"
            yield breach(event.request, text, None if written is None else written[1], event)

    def _collected(self, row: Row, state: str | None, reader: Event) -> bool:
        """Tell whether the row of an ended job can be gone: rows that were found gone are at most those collected."""
        if state in ALIVE or state is None:
            return False
        if row not in self.gone and len(self.gone) < self.collected:
            self.gone[row] = reader
        return row in self.gone

    def _range(self, commit: Commit, read: RangeRead) -> Iterator[Violation]:
        event, own = commit.event, read.own
        inside = self._index(read.table, read.fields).irange((read.low, ""), (read.high, ""), inclusive=(True, False))
        there = tuple(row for _, row in inside if row not in own)
        what = f"{_mutation(commit)} finds {_names(read.ids)} in {read.table}"
        if there != read.ids:
            yield breach(event.request, f"{what}; when it commits {when(event)} that is {_names(there)}", event)
            return
        for row in there:
            written = self.written.get(row)
            if written is not None and written[0] > commit.event.begin_ts:
                text = f"{what}; {row} is written {when(written[1])}, after its snapshot"
                yield breach(event.request, text, written[1], event)


def _key(document: Mapping[str, Any], fields: tuple[str, ...]) -> Key:
    """Return a document's place in an index: missing < null < numbers < booleans < text, then its own number."""
    return (*(place(document, path) for path in fields), (2, int(document["_id"].rpartition(":")[2])))


def _mutation(commit: Commit) -> str:
    event = commit.event
    name = f"mutation {event.function}" if event.function else "a call that schedules"
    return name if event.job < 0 else f"{name} (job {event.job})"


def _row(view: View, row: Row) -> str:
    return view.job_text(row) if isinstance(row, int) else row


def _value(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _names(ids: tuple[Row, ...]) -> str:
    return ", ".join(str(row) for row in ids) or "nothing"
