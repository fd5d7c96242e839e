"""The documents of a pool, rebuilt commit by commit: a `Turn` is one commit that writes some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.history.deployment_events import DocumentWritten, MutationCommitted
from sim.history.events import CallbackRan, NumberDrawn, Settled, SettledAgain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.history.entities import Commit
    from sim.history.events import Event
    from sim.promises.pool import PoolPromises
    from sim.promises.view import View

    Document = Mapping[str, Any]

POOLS: Final = "pools"
BACKOFF: Final = "backoff"


class Turn:
    """One commit of a pool: the documents before and after it, and what stands around it."""

    def __init__(self, commit: Commit, before: dict[str, Document], number: int) -> None:
        self.commit = commit
        self.number = number
        self.before = before
        """All documents of the pool before it, by id without the namespace."""
        self.writes: list[tuple[str, Document | None]] = []
        """In their order, also several of one document."""
        self.draws: dict[int, float] = {}
        """The latest backoff drawn for each request."""
        self.callbacks: list[CallbackRan] = []
        self.settled: list[Settled | SettledAgain] = []
        """What it concludes."""

    @property
    def event(self) -> MutationCommitted:
        """The commit's event."""
        return self.commit.event

    @property
    def after(self) -> dict[str, Document]:
        """All documents after it."""
        found = dict(self.before)
        for name, document in self.writes:
            if document is None:
                found.pop(name, None)
            else:
                found[name] = document
        return found

    def inserted(self, table: str) -> Iterator[tuple[str, Document]]:
        """Yield the documents of a table that are new, as they are in the end."""
        last = dict(self.writes)
        for name, document in last.items():
            if document is not None and name not in self.before and table_of(name) == table:
                yield name, document

    def deleted(self, table: str) -> Iterator[tuple[str, Document]]:
        """Yield the documents of a table that are gone, as they were last."""
        last = dict(self.writes)
        for name, document in last.items():
            if document is None and name in self.before and table_of(name) == table:
                written = [one for other, one in self.writes if other == name and one is not None]
                yield name, written[-1] if written else self.before[name]


class Pool:
    """One pool of a history."""

    def __init__(self, promises: PoolPromises, namespace: str) -> None:
        self.promises = promises
        self.namespace = namespace
        self.turns: list[Turn] = []
        self.offset_ns: int | None = None
        """The least from a snapshot to the creation of a document in it; only the first one comes at once."""
        self.documents: dict[str, Document] = {}
        """At the end of the history."""

    @property
    def epoch_ns(self) -> int:
        """What is added to the clock to get the pool's absolute time."""
        return self.offset_ns or 0

    def now_ns(self, turn: Turn) -> int:
        """Return the absolute time of a commit's snapshot."""
        return turn.event.begin_ns + self.epoch_ns


def table_of(name: str) -> str:
    """Return the table of a document's id, without its component."""
    return name.partition(":")[0].rpartition("/")[2]


def rows(documents: Mapping[str, Document], table: str) -> list[Document]:
    """Return the documents of a table."""
    return [document for name, document in documents.items() if table_of(name) == table]


def row(documents: Mapping[str, Document], table: str) -> Document:
    """Return the only document of a table, or an empty one."""
    return next(iter(rows(documents, table)), {})


def short(pool: Pool, name: str) -> str:
    """Return a document's id without the namespace of its pool."""
    return name.removeprefix(pool.namespace)


def running(documents: Mapping[str, Document]) -> tuple[Document, ...]:
    """Return what is in the slots."""
    found: tuple[Document, ...] = row(documents, "internalState").get("running", ())
    return found


def request_of(work: Document) -> int:
    """Return the number of a work's request."""
    number: int = work["fnArgs"]["request"]
    return number


def pools(view: View) -> list[Pool]:
    """Return the pools of a history; computed once for a view."""
    found: list[Pool] | None = view.known.get(POOLS)
    if found is None:
        named = (view.terms, *view.terms.classes.values())
        promises = next((terms.promises.pool for terms in named if terms.promises.pool is not None), None)
        found = view.known[POOLS] = [] if promises is None else _pools(view, promises)
    return found


def _pools(view: View, promises: PoolPromises) -> list[Pool]:
    found: dict[str, Pool] = {}
    pending: list[DocumentWritten] = []
    callbacks: list[CallbackRan] = []
    draws: dict[int, float] = {}
    latest: list[Turn] = []
    commits = iter(view.commits)
    for event in view.events:
        match event:
            case DocumentWritten():
                pending.append(event)
            case NumberDrawn() if event.stream == BACKOFF:
                draws[event.request] = event.value
            case CallbackRan():
                callbacks.append(event)
            case Settled() | SettledAgain():
                for turn in latest:
                    turn.settled.append(event)
            case MutationCommitted():
                latest = _turns(found, promises, next(commits), pending)
                for turn in latest:
                    turn.draws, turn.callbacks = dict(draws), callbacks
                pending, callbacks = [], []
            case _:
                pass
    return list(found.values())


def _turns(found: dict[str, Pool], promises: PoolPromises, commit: Commit, writes: list[DocumentWritten]) -> list[Turn]:
    made: dict[str, Turn] = {}
    for event in writes:
        mark = next((one for one in (promises.tables, promises.loop_tables) if one in event.document_id), None)
        if mark is None:
            continue
        namespace, _, rest = event.document_id.partition(mark)
        pool = found.get(namespace)
        if pool is None:
            pool = found[namespace] = Pool(promises, namespace)
        if namespace not in made:
            made[namespace] = Turn(commit, pool.documents, len(pool.turns))
            pool.turns.append(made[namespace])
        made[namespace].writes.append((mark + rest, event.document))
        created = event.document is not None and "_creationTime" in event.document
        if created and event.document is not None and mark + rest not in pool.documents:
            offset_ns = event.document["_creationTime"] - commit.event.begin_ns
            pool.offset_ns = offset_ns if pool.offset_ns is None else min(pool.offset_ns, offset_ns)
    for namespace, turn in made.items():
        found[namespace].documents = turn.after
    return list(made.values())


def quoted(turn: Turn, *more: Event | None) -> tuple[Event | None, ...]:
    """Return the proof of a violation: the commit and more."""
    return (turn.event, *more)
