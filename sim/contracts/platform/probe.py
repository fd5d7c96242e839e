"""What the platform owes its probe: every answer that a transaction was given is the one that a naive model gives.

The probe (`sim.retriers.probe`) notes what each of its mutations asked and was told. The model runs the same operations
one transaction after the other, in the order of the commits, on a plain dictionary: no snapshots, no indexes, no
versions, no read sets. If transactions are serializable, and ranges, limits, own writes and sub-transactions are right,
every answer is the same; write skew, phantoms, lost updates, dirty and forgotten reads each make one differ.

Operations are tuples of plain values, the word first:

    get ID, query TABLE INDEX EQUAL BOUNDS TAKE, job NUMBER          reads; BOUNDS are pairs such as (at_least, 2)
    insert TABLE DOCUMENT, patch ID CHANGES, replace ID DOCUMENT, delete ID, cancel NUMBER
    sub THROWS OPERATIONS                                            a sub-transaction, with what it asked and was told
    seen T_NS READ                                                   what an action has read earlier, at an instant

A read of an action has no place in the order of commits: it must see the documents as they are within its instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.contracts.platform.places import place
from sim.history.deployment_events import DocumentWritten, JobCreated, JobStepped, MutationCommitted, Noted
from sim.history.entities import Commit, when
from sim.history.vocabulary import ALIVE, CANCELED
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.history.events import Event
    from sim.promises.view import View

PROBED: Final = "probed"
"""The note that a probe leaves: its detail is what a mutation asked and was told, in order."""
INDEXES: Final[Mapping[str, tuple[str, ...]]] = {
    "by_creation": (),
    "by_group": ("group", "at.rank"),
    "by_rank": ("at.rank",),
}
"""The indexes of the probe's tables, and the fields of their keys."""
MISSING: Final = "missing"
"""The answer to a write of a document that is not there."""
DONE: Final = "done"

Operation = tuple[Any, ...]
Asked = tuple[Operation, Any]
Document = dict[str, Any]


@invariant(owed_by="platform")
def probe_is_told_the_truth(view: View) -> Iterator[Violation]:
    """A probe's mutations and queries are told what they would be told one after the other, in the order of commits."""
    yield from _Model(view).replay()


class _Model:
    """Documents and states of jobs as plain dictionaries, after each commit."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.documents: dict[str, Document] = {}
        self.ids: set[str] = set()
        """All ids that were ever committed."""
        self.states: dict[int, str] = {}
        self.before: dict[int, str] = {}
        """The state of a job before its latest step, or nothing if that has created it."""
        self.versions: list[tuple[int, dict[str, Document]]] = [(-1, {})]
        """(instant, documents) after each commit that wrote some."""

    def replay(self) -> Iterator[Violation]:
        notes: list[Noted] = []
        written: dict[str, Any] = {}
        commits = iter(self.view.commits)
        for event in self.view.events:
            if isinstance(event, Noted):
                if event.what == PROBED:
                    notes.append(event)
            elif isinstance(event, JobStepped):
                self.before[event.job] = self.states.get(event.job, "")
                self.states[event.job] = event.after
            elif isinstance(event, JobCreated):
                self.before.pop(event.job, None)
                self.states[event.job] = event.state
            elif isinstance(event, DocumentWritten):
                written[event.document_id] = event.document
            elif isinstance(event, MutationCommitted):
                yield from self.commit(next(commits), notes, written)
                notes, written = [], {}

    def commit(self, commit: Commit, notes: list[Noted], written: dict[str, Any]) -> Iterator[Violation]:
        """Run what a mutation has asked, compare its answers and its writes, and take the writes over."""
        run = _Transaction(self, commit)
        for note in notes:
            for asked, told in note.detail:
                found = run.wrong(asked, told)
                if found is not None:
                    yield _breach(commit, *found)
                    return
        if run.written != written:
            names = ", ".join(sorted(run.written.keys() | written.keys())) or "nothing"
            text = f"mutation {commit.event.function} of the probe commits {when(commit.event)} with other writes than"
            yield breach(commit.event.request, f"{text} it has asked for: {names}", commit.event)
        for document_id, document in written.items():
            self.ids.add(document_id)
            if document is None:
                self.documents.pop(document_id, None)
            else:
                self.documents[document_id] = document
        if written:
            self.versions.append((commit.event.t_ns, dict(self.documents)))

    def within(self, t_ns: int) -> Iterator[dict[str, Document]]:
        """Yield the documents as they are at some moment of an instant."""
        for at_ns, documents in reversed(self.versions):
            if at_ns <= t_ns:
                yield documents
            if at_ns < t_ns:
                return


class _Transaction:
    """One mutation, run again on the model."""

    def __init__(self, model: _Model, commit: Commit) -> None:
        self._model = model
        self._commit = commit
        self._own = commit.event.writes
        self._documents = dict(model.documents)
        self.written: dict[str, Document | None] = {}
        self._canceled: set[int] = set()

    def wrong(self, asked: Operation, told: Any) -> tuple[Operation, Any, Any] | None:
        """Run an operation; return (operation, what it was told, the right answer) if the two differ."""
        word, *args = asked
        if word == "sub":
            return self._sub(args[0], told)
        if word == "seen":
            t_ns, read = args
            rights = [_read(documents, *read) for documents in self._model.within(t_ns)]
            return None if told in rights else (read, told, rights[0])
        if word == "job":
            return self._job(asked, told)
        if word == "insert":
            taken = told in self._model.ids or told in self._documents
            self._write(told, {**args[1], "_id": told})
            return (asked, told, "a new id") if taken else None
        right = self._cancel(args[0]) if word == "cancel" else self._change(word, *args)
        return None if told == right else (asked, told, right)

    def _change(self, word: str, *args: Any) -> Any:
        if word in {"get", "query"}:
            return _read(self._documents, word, *args)
        document_id, *rest = args
        there = self._documents.get(document_id)
        if there is None:
            return MISSING
        match word:
            case "patch":
                self._write(document_id, {**there, **rest[0]})
            case "replace":
                self._write(document_id, {**rest[0], "_id": document_id})
            case _:
                self._write(document_id, None)
        return DONE

    def _write(self, document_id: str, document: Document | None) -> None:
        self.written[document_id] = document
        if document is None:
            self._documents.pop(document_id, None)
        else:
            self._documents[document_id] = document

    def _sub(self, throws: bool, told: Any) -> tuple[Operation, Any, Any] | None:  # noqa: FBT001  # as it is noted
        kept = dict(self._documents), dict(self.written), set(self._canceled)
        for asked, answer in told:
            found = self.wrong(asked, answer)
            if found is not None:
                return found
        if throws:
            self._documents, self.written, self._canceled = kept
        return None

    def _state(self, number: int) -> str | None:
        """Return the state of a job right before this commit, and what this mutation has done to it so far."""
        if number in self._canceled:
            return CANCELED
        states = self._model.before if number in self._own else self._model.states
        return states.get(number)

    def _job(self, asked: Operation, told: Any) -> tuple[Operation, Any, Any] | None:
        right = self._state(asked[1])
        if told == right or (told is None and right not in ALIVE and self._model.view.terms.retention_ns is not None):
            return None  # that the row was collected in time is judged elsewhere
        return asked, told, right

    def _cancel(self, number: int) -> Any:
        if self._state(number) in ALIVE:
            self._canceled.add(number)
        return DONE


def _read(documents: Mapping[str, Document], word: str, *args: Any) -> Any:
    if word == "get":
        return documents.get(args[0])
    table, index, equal, bounds, take = args
    found = [
        (_key(document, index), document)
        for document_id, document in documents.items()
        if document_id.rpartition(":")[0] == table
    ]
    count = len(equal)
    wanted = [place({"value": value}, "value") for value in equal]
    inside = [
        (key, document)
        for key, document in found
        if list(key[:count]) == wanted and all(_within(key[count], name, value) for name, value in bounds)
    ]
    inside.sort(key=lambda entry: entry[0])
    documents_found = tuple(document for _, document in inside)
    return documents_found if take is None else documents_found[:take]


def _key(document: Document, index: str) -> tuple[Any, ...]:
    number = (2, int(document["_id"].rpartition(":")[2]))
    return (*(place(document, path) for path in INDEXES[index]), number)


def _within(value: tuple[Any, ...], bound: str, limit: Any) -> bool:
    at = place({"value": limit}, "value")
    match bound:
        case "above":
            return value > at
        case "at_least":
            return value >= at
        case "below":
            return value < at
        case _:
            return value <= at


def _breach(commit: Commit, asked: Operation, told: Any, right: Any) -> Violation:
    event: Event = commit.event
    what = " ".join(str(part) for part in asked)
    text = f"mutation {commit.event.function} of the probe asks '{what}', is told {told} and commits {when(event)};"
    return breach(event.request, f"{text} in the order of commits the answer is {right}", event)
