"""What a retrier owes: a request among others does what it does alone.

The two histories of the request are compared event by event. Numbers of jobs and ids of documents are given out in
order of creation, so they differ if others create some too: they must correspond one to one. Instants are taken
from the submission. Timestamps of transactions and ranges of shared tables are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from sim.history.deployment_events import DocumentWritten, MutationCommitted
from sim.history.entities import when
from sim.history.events import AttemptStarted
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.history.events import Event
    from sim.promises.view import View

EXACT = frozenset({"attempt", "function", "outcome", "end", "effect", "stream", "target", "limit", "result", "retrier"})
"""Fields that must be the same to the letter."""


@invariant()
def no_leak(view: View) -> Iterator[Violation]:
    """What happens to a request does not depend on the requests around it; checked if the terms give it alone."""
    alone = view.terms.alone
    if alone is None:
        return
    events: dict[int, list[Event]] = {}
    for event in view.events:
        events.setdefault(event.request, []).append(event)
    for request in view.requests.values():
        if request.submit is None:
            continue
        here = events[request.number]
        there = [event for event in alone(request.number).events if event.request == request.number]
        twin = _Twin(here, there)
        for mine, other in zip_longest(here, there):
            if mine is None or other is None:
                if view.terms.drained:
                    text = f"{request} goes on, but alone it ends: {_words(mine)}" if mine is not None else ""
                    text = f"{request} ends, but alone it goes on: {_words(other)}" if other is not None else text
                    yield breach(request.number, text, mine, other)
                break
            if not twin.same_event(mine, other):
                text = (
                    f"{request} differs {when(mine)} from what it does alone: {_words(mine)}, but alone {_words(other)}"
                )
                yield breach(request.number, text, mine, other)
                break


class _Twin:
    """Two histories of one request, and which job and document of the one is which of the other."""

    def __init__(self, here: Sequence[Event], there: Sequence[Event]) -> None:
        self._jobs: dict[int, int] = {}
        self._jobs_taken: dict[int, int] = {}
        self._documents: dict[str, str] = {}
        self._documents_taken: dict[str, str] = {}
        self._start_ns = (here[0].t_ns if here else 0, there[0].t_ns if there else 0)

    def same_event(self, mine: Event, other: Event) -> bool:
        if type(mine) is not type(other) or not self._same_instant(mine.t_ns, other.t_ns):
            return False
        if isinstance(mine, MutationCommitted) and isinstance(other, MutationCommitted):
            return self._same_commit(mine, other)
        if isinstance(mine, DocumentWritten) and isinstance(other, DocumentWritten):
            same_id = self._same_document(mine.document_id, other.document_id)
            return same_id and self._same(mine.document, other.document)
        if isinstance(mine, AttemptStarted) and isinstance(other, AttemptStarted):
            due_ns = (mine.effect_ns, other.effect_ns)
            same_effect = self._same_instant(*due_ns) if min(due_ns) >= 0 else max(due_ns) < 0
            same = (mine.attempt, mine.outcome) == (other.attempt, other.outcome)
            return same and self._same_job(mine.job, other.job) and same_effect
        return all(self._same_field(name, getattr(mine, name), getattr(other, name)) for name in _own_fields(mine))

    def _same_field(self, name: str, mine: Any, other: Any) -> bool:
        if name == "job":
            return self._same_job(mine, other)
        return bool(mine == other) if name in EXACT else self._same(mine, other)

    def _same_commit(self, mine: MutationCommitted, other: MutationCommitted) -> bool:
        return (
            self._same_job(mine.job, other.job)
            and mine.function == other.function
            and self._same_instant(mine.begin_ns, other.begin_ns)
            and self._same_job(mine.caller, other.caller)
            and len(mine.reads) == len(other.reads)
            and len(mine.writes) == len(other.writes)
            and all(map(self._same_row, mine.writes, other.writes))
            and all(
                self._same_row(row, twin) and self._same(value, twin_value)
                for (row, value), (twin, twin_value) in zip(mine.reads, other.reads, strict=True)
            )
        )

    def _same_row(self, mine: int | str | None, other: int | str | None) -> bool:
        if mine is None or other is None:  # what was read by an id that its caller did not have
            return mine is other
        if isinstance(mine, int) and isinstance(other, int):
            return self._same_job(mine, other)
        return isinstance(mine, str) and isinstance(other, str) and self._same_document(mine, other)

    def _same_instant(self, mine_ns: int, other_ns: int) -> bool:
        mine_start_ns, other_start_ns = self._start_ns
        return mine_ns - mine_start_ns == other_ns - other_start_ns

    def _same_job(self, mine: int, other: int) -> bool:
        if mine < 0 or other < 0:
            return mine == other
        if mine not in self._jobs and other not in self._jobs_taken:
            self._jobs[mine], self._jobs_taken[other] = other, mine
        return self._jobs.get(mine) == other

    def _same_document(self, mine: str, other: str) -> bool:
        if mine not in self._documents and other not in self._documents_taken:
            self._documents[mine], self._documents_taken[other] = other, mine
        return self._documents.get(mine) == other

    def _same(self, mine: Any, other: Any) -> bool:
        """Compare values in which a whole number may be an instant or a job's, and a text a document's id."""
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            return list(mine) == list(other) and all(self._same(mine[key], other[key]) for key in mine)
        if isinstance(mine, list | tuple) and isinstance(other, list | tuple):
            return len(mine) == len(other) and all(map(self._same, mine, other))
        if isinstance(mine, bool) or isinstance(other, bool):
            return mine is other
        if isinstance(mine, int) and isinstance(other, int):
            return mine == other or self._same_instant(mine, other) or self._jobs.get(mine) == other
        if isinstance(mine, str) and isinstance(other, str):
            return mine == other or self._documents.get(mine) == other
        return bool(mine == other)


def _own_fields(event: Event) -> list[str]:
    """Name the fields of an event besides its instant and its request."""
    return [field.name for field in fields(event)[2:]]


def _words(event: Event) -> str:
    told = [] if isinstance(event, MutationCommitted) else _own_fields(event)
    said = [_value_text(name, getattr(event, name)) for name in told]
    return " ".join([f"'{event.kind}'", *filter(None, said), when(event)])


def _value_text(name: str, value: Any) -> str:
    if value in (None, "", -1):
        return ""
    return format_duration(value) if name.endswith("_ns") else str(value)
