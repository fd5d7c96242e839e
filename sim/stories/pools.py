"""What a pool of works does with the work of one request, read from the pool's own documents.

The loop of a pool serves many requests with one job, and in a shared world that job belongs to none of them. So the
story of a request is gathered from the documents that name its work: its planned starts, the pool's list of what runs,
its completions and cancelations. Polls that change nothing for the work are not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sim.history.deployment_events import DocumentWritten, JobStepped, MutationCommitted
from sim.history.events import AttemptEnded, Submitted
from sim.history.recorder import read as read_event
from sim.stories.phrases import count_text, span_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.history.beside import Raw
    from sim.history.recorder import History

LOOP: Final = "loop"
POOL_JOBS: Final = frozenset({LOOP, "monitor", "calculateBacklogAndReport", "cancelAll"})
"""Functions that serve the whole pool; what they do for a request is told from the documents."""
WORKERS: Final = frozenset({"runBatch", "runMutationWrapper"})
ON_COMPLETE: Final = "onComplete"
LONG_NS: Final = 500_000_000
"""A wait for a slot, or a slot that is held, from here on is told."""
SEGMENT_NS: Final = 100_000_000
_TABLES: Final = (
    "workpool/globals",
    "workpool/internalState",
    "workpool/work",
    "workpool/pendingStart",
    "workpool/pendingCompletion",
    "workpool/pendingCancelation",
    "batchWorker/workers",
)
DEFAULT_PARALLELISM: Final = 10
"""Of a pool that has no document of its settings yet."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that the pool does for the work."""

    t_ns: int
    text: str
    own: bool = False
    """Whether a commit of the request itself does it, such as its submission."""
    who: str = LOOP
    """The function that does it, if it is not the request's own commit."""
    job: tuple[int, str] | None = None
    """The job in which the work starts here, with its function."""


@dataclass(slots=True)
class _Pool:
    """What the documents of a pool say at an instant."""

    running: tuple[Mapping[str, Any], ...] = ()
    parallelism: float = DEFAULT_PARALLELISM
    status: str = ""
    full_ns: int = -1
    """Since when all slots are held, without a break; -1 if they are not."""


@dataclass(slots=True)
class _Work:
    """What is known of a work."""

    planned_ns: int = -1
    due_ns: int = -1
    start: str = ""
    """The document of its planned start."""
    started_ns: int = -1
    waits_full: bool = False
    """Whether all slots were held while it waited."""
    known_ns: int = -1
    """When the result of its attempt was reported."""


@dataclass(slots=True)
class AtPool:
    """The steps of the work of one request, and of its jobs that belong to no single request."""

    request: int
    steps: dict[int, list[Step | JobStepped]] = field(default_factory=dict)
    """By how many events of the request's own history come before."""
    found: bool = False
    """Whether the request has a work in a pool."""
    phase: str = ""
    """What its work does at the end, for a story without an end."""
    _pools: dict[str, _Pool] = field(default_factory=dict)
    _works: dict[str, _Work] = field(default_factory=dict)
    _cancelations: dict[str, str] = field(default_factory=dict)
    _completions: dict[str, str] = field(default_factory=dict)
    _jobs: set[int] = field(default_factory=set)
    _ended_ns: int = -1
    _submitted_ns: int = 0
    _epoch_ns: int = 0
    _at: int = 0

    @classmethod
    def of(cls, history: History, request: int) -> AtPool:
        """Read all that a history says of the work of a request."""
        self = cls(request)
        own = history.of_request(request)
        self._epoch_ns = _epoch_ns(own)
        for at, raw in _merged(own):
            self._at = at
            kind, of = raw[1], raw[2]
            if kind == DocumentWritten.kind:
                event = read_event(raw)
                if isinstance(event, DocumentWritten):
                    self._written(event)
            elif kind == JobStepped.kind and of != request and raw[3] in self._jobs:
                event = read_event(raw)
                if isinstance(event, JobStepped):
                    self.steps.setdefault(self._at, []).append(event)
            elif of == request and kind == AttemptEnded.kind:
                self._ended_ns = raw[0]
            elif of == request and kind == Submitted.kind:
                self._submitted_ns = raw[0]
        self.phase = self._phase()
        return self

    def _say(
        self, t_ns: int, text: str, *, own: bool = False, who: str = LOOP, job: tuple[int, str] | None = None
    ) -> None:
        self.steps.setdefault(self._at, []).append(Step(t_ns, text, own, who, job))

    def _written(self, event: DocumentWritten) -> None:
        name, _, _ = event.document_id.rpartition(":")
        table = next((one for one in _TABLES if name.endswith(one)), None)
        if table is None:
            return
        space, document = name.removesuffix(table), event.document
        pool = self._pools.setdefault(space, _Pool())
        match table:
            case "workpool/work":
                self._work(event, document)
            case "workpool/globals" if document is not None:
                pool.parallelism = document["maxParallelism"]
            case "batchWorker/workers" if document is not None:
                self._worker(event, pool, document["status"])
            case "workpool/internalState" if document is not None:
                self._state(event, pool, document["running"])
            case "workpool/pendingStart":
                self._start(event, pool, document)
            case "workpool/pendingCompletion":
                self._completion(event, document)
            case "workpool/pendingCancelation":
                self._cancelation(event, document)

    def _work(self, event: DocumentWritten, document: Mapping[str, Any] | None) -> None:
        if document is not None and document["fnArgs"]["request"] == self.request:
            self.found = True
            self._works.setdefault(event.document_id, _Work())

    def _worker(self, event: DocumentWritten, pool: _Pool, status: str) -> None:
        if event.request == self.request and pool.status == "idle" and status == "running":
            self._say(event.t_ns, "wakes the loop", own=True)
        pool.status = status

    def _start(self, event: DocumentWritten, pool: _Pool, document: Mapping[str, Any] | None) -> None:
        if document is None:
            for waiting in self._works.values():
                if waiting.start == event.document_id:
                    waiting.start = ""
            return
        work = self._works.get(document["workId"])
        if work is None:
            return
        is_retry = work.planned_ns >= 0
        due_ns = document["segment"] * SEGMENT_NS - self._epoch_ns
        work.planned_ns, work.due_ns = event.t_ns, max(due_ns, event.t_ns)
        work.start, work.started_ns = event.document_id, -1
        work.waits_full = len(pool.running) >= pool.parallelism
        at = span_text(max(due_ns, event.t_ns) - self._submitted_ns)
        if is_retry:
            when = f"due at +{at}" if due_ns > event.t_ns else "due at once"
            self._say(event.t_ns, f"frees its slot and plans the next attempt, {when}")
            work.known_ns = -1
        elif work.due_ns - event.t_ns >= SEGMENT_NS:
            self._say(event.t_ns, f"to start at +{at}", own=True)
        elif work.waits_full:
            held = "the only slot is held" if pool.parallelism == 1 else f"all {len(pool.running)} slots are held"
            self._say(
                event.t_ns, f"{held}, it waits for one" if pool.parallelism else "the pool has no slots", own=True
            )

    def _state(self, event: DocumentWritten, pool: _Pool, running: tuple[Mapping[str, Any], ...]) -> None:
        before = {one["workId"]: one for one in pool.running}
        after = {one["workId"]: one for one in running}
        pool.running = running
        is_full = len(running) >= pool.parallelism
        for work_id, work in self._works.items():
            if work.start and is_full:
                work.waits_full = True
            if work_id in after and after[work_id] is not before.get(work_id) and after[work_id] != before.get(work_id):
                self._started(event, pool, work, after[work_id])
            elif work_id in before and work_id not in after and not work.start:
                self._freed(event, work)

    def _started(self, event: DocumentWritten, pool: _Pool, work: _Work, entry: Mapping[str, Any]) -> None:
        number = entry["scheduledId"]
        beside = sum(one["scheduledId"] == number for one in pool.running) - 1
        others = f", together with {count_text(beside, 'other work')}" if beside else ""
        waited_ns = event.t_ns - work.due_ns
        waited = ""
        if waited_ns >= LONG_NS or (waited_ns >= 0 and work.waits_full and waited_ns >= SEGMENT_NS):
            why = "no slot was free" if work.waits_full else "the loop did not look"
            waited = f", {span_text(waited_ns)} after it was due ({why})"
        work.started_ns, work.waits_full, self._ended_ns, work.known_ns = event.t_ns, False, -1, -1
        self._jobs.add(number)
        slots = f"slot {len(pool.running)} of {pool.parallelism:g}"
        self._say(event.t_ns, f"starts it ({slots}) in job #{number}{others}{waited}", job=(number, "runBatch"))

    def _freed(self, event: DocumentWritten, work: _Work) -> None:
        ended_ns = self._ended_ns if self._ended_ns >= 0 else work.started_ns
        self._say(event.t_ns, f"frees its slot, {span_text(event.t_ns - ended_ns)} after the attempt's end")

    def _completion(self, event: DocumentWritten, document: Mapping[str, Any] | None) -> None:
        if document is None or document["workId"] not in self._works:
            return
        work = self._works[document["workId"]]
        work.known_ns = event.t_ns
        own = event.request == self.request
        told = []
        if self._ended_ns >= 0 and event.t_ns - self._ended_ns >= LONG_NS:
            held = span_text(event.t_ns - self._ended_ns)
            told.append(f"its attempt has been over for {held}, and held its slot for all that time")
        elif self._ended_ns < 0 and work.started_ns >= 0:
            held = span_text(event.t_ns - work.started_ns)
            told.append(f"its job ended without an attempt, and it held its slot for {held}")
        if document["retry"]:
            told.append("the failure is reported, to be retried")
        elif document["runResult"]["kind"] == "failed":
            told.append("the failure is reported, the last one")
        for text in told:
            self._say(event.t_ns, text, own=own, who="complete" if own else "recover")

    def _cancelation(self, event: DocumentWritten, document: Mapping[str, Any] | None) -> None:
        if document is not None:
            if document["workId"] in self._works:
                self._cancelations[event.document_id] = document["workId"]
                own = event.request == self.request
                self._say(event.t_ns, "asks the loop to cancel its work", own=own, who="cancelAll")
            return
        work = self._works.get(self._cancelations.pop(event.document_id, ""))
        if work is not None:
            does = "cancels the start that was planned" if work.start else "will not let it be retried"
            self._say(event.t_ns, f"takes the cancel: {does}")

    def _phase(self) -> str:
        """Say in which phase the newest work is."""
        if not self._works:
            return ""
        work = list(self._works.values())[-1]
        if work.start:
            return "its work waits for a start"
        if work.started_ns >= 0 and work.known_ns < 0:
            return "its work holds a slot"
        return "its result waits for the loop"


def _merged(history: History) -> Iterator[tuple[int, Raw]]:
    """Yield the tuples of a request and of others beside it, each with the number of the request's own before it."""
    others = iter(history.beside)
    beside = next(others, None)
    for at, raw in enumerate(history.raw):
        while beside is not None and beside[0] <= at:
            yield beside
            beside = next(others, None)
        yield at, raw
    while beside is not None:
        yield beside
        beside = next(others, None)


def _epoch_ns(history: History) -> int:
    """Return what the pool's clock is ahead of the simulation's: it stands in each document that it makes."""
    made_ns: int | None = None
    for raw in history.raw:
        if raw[1] not in {DocumentWritten.kind, MutationCommitted.kind}:
            continue
        event = read_event(raw)
        if isinstance(event, DocumentWritten) and event.document is not None and made_ns is None:
            made_ns = event.document.get("_creationTime")
        elif isinstance(event, MutationCommitted) and made_ns is not None:
            return made_ns - event.begin_ns
    return 0
