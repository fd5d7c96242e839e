"""How a history is recorded and read, and a digest to compare histories by.

A model records plain tuples, `Raw`: (instant in ns, kind, request, subject, name, detail). Recording costs one tuple,
and the digest of a history is taken of the tuples. If nothing is recorded, a model has None instead of a recorder,
and the test for None is the whole cost. `History.events` reads the tuples into the classes of `sim.history.events`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sim.history import deployment_events, events, policy_events, service_events
from sim.history.beside import Beside, beside
from sim.history.events import Event
from sim.history.shown import cut, html_table, more_text, text_table
from sim.history.vocabulary import NEVER, PENDING, SUCCESS
from sim.kernel.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.history.deployment_events import RangeRead

Raw = tuple[int, str, int, int, str, Any]
"""(instant in ns, kind, request or -1, job or attempt or -1, name, detail)."""

Step = tuple[str, int, str, Any]
"""An event of a mutation, which bears the instant and the request of its commit: (kind, job or -1, name, detail)."""

Mutation = tuple[Any, ...]
"""The detail of a commit as it is recorded; every poll leaves one, so it is as flat as it can be.

The parts of its steps one after the other; begin ns, begin and commit timestamp; rows read, each an id and what it was;
ranges read; the calling job or -1; ids of documents and of jobs written; jobs created. None stands for nothing.
"""

DRAW: Final = "draw"
OF_JOBS: Final = frozenset({"job", "state"})
JOB_PARTS: Final = 2
"""Parts of the detail of an event of a job; a third names its request, if that is another one."""

NOTES: Final = frozenset({"callback", "callback_lost"})
"""Notes of a mutation that say how a callback went."""


# Details of tuples. A digest covers the names of these classes and of their fields.


class Start(NamedTuple):
    """How an attempt was started; see `AttemptStarted`."""

    job: int
    effect_ns: int
    latency_ns: int = -1


class Committed(NamedTuple):
    """What a transaction was; see `MutationCommitted`."""

    begin_ns: int
    begin_ts: int
    commit_ts: int
    reads: tuple[tuple[int | str, Any], ...]
    ranges: tuple[RangeRead, ...]
    writes: tuple[int | str, ...]
    caller: int


_FIELDS: Final[dict[type[Event], str]] = {
    events.Submitted: "name subject detail",
    events.Resubmitted: "subject name",
    events.Settled: "subject name detail",
    events.SettledAgain: "name",
    events.CallbackRan: "name",
    events.CallbackThrew: "name",
    events.CancelAsked: "name",
    events.CancelAnswered: "name detail",
    deployment_events.OperatorActed: "name detail",
    events.NumberDrawn: "name detail",
    events.SleepStarted: "detail name",
    events.GuestWoken: "name detail",
    events.RanAway: "name",
    events.AttemptStarted: "subject name *detail",
    events.AttemptEnded: "subject name detail",
    events.CallGivenUp: "subject detail",
    events.ContactLost: "subject",
    events.DecidedByKey: "subject name",
    events.EffectMade: "subject name",
    service_events.CallSent: "subject name *detail",
    service_events.CallArrived: "subject name *detail",
    service_events.CallQueued: "subject name *detail",
    service_events.CallRejected: "subject name *detail",
    service_events.CallDropped: "subject name",
    service_events.CallCanceled: "subject name",
    service_events.CancelHeard: "subject name",
    service_events.WorkStarted: "subject name *detail",
    service_events.WorkEnded: "subject name *detail",
    service_events.LayerEffect: "subject name *detail",
    service_events.LayerAnswered: "subject name *detail",
    service_events.RowRead: "subject name *detail",
    service_events.RowWritten: "subject name *detail",
    service_events.ServersChanged: "name detail",
    deployment_events.JobCreated: "subject name *detail",
    deployment_events.JobStepped: "subject name *detail",
    deployment_events.MutationCommitted: "subject name *detail",
    deployment_events.CommitRefused: "subject name detail",
    deployment_events.FunctionThrew: "subject name detail",
    deployment_events.SystemErrorStruck: "subject name detail",
    deployment_events.BackedOff: "subject name *detail",
    deployment_events.DocumentWritten: "name detail",
    deployment_events.RowsCollected: "detail",
    deployment_events.ServerDied: "name detail",
    deployment_events.ServerBooted: "",
    policy_events.Decided: "subject name *detail",
    policy_events.TryRefused: "name *detail",
    policy_events.GateWaited: "subject name *detail",
    policy_events.CopySent: "subject detail",
    policy_events.DeliveredAgain: "detail",
    policy_events.BreakerChanged: "name *detail",
}
"""Which parts of its tuple are the fields of an event, behind the instant and the request."""


Read = Callable[[int, str, int, int, str, Any], Event]
"""From the parts of a tuple to its event."""


_SHAPES: Final[dict[str, Callable[[Callable[..., Event]], Read]]] = {
    "": lambda make: lambda t_ns, _, request, __, ___, ____: make(t_ns, request),
    "subject": lambda make: lambda t_ns, _, request, subject, __, ___: make(t_ns, request, subject),
    "name": lambda make: lambda t_ns, _, request, __, name, ___: make(t_ns, request, name),
    "detail": lambda make: lambda t_ns, _, request, __, ___, detail: make(t_ns, request, detail),
    "subject name": lambda make: lambda t_ns, _, request, subject, name, __: make(t_ns, request, subject, name),
    "subject detail": lambda make: lambda t_ns, _, request, subject, __, detail: make(t_ns, request, subject, detail),
    "detail name": lambda make: lambda t_ns, _, request, __, name, detail: make(t_ns, request, detail, name),
    "name detail": lambda make: lambda t_ns, _, request, __, name, detail: make(t_ns, request, name, detail),
    "name subject detail": lambda make: (
        lambda t_ns, _, request, subject, name, detail: make(t_ns, request, name, subject, detail)
    ),
    "subject name detail": lambda make: (
        lambda t_ns, _, request, subject, name, detail: make(t_ns, request, subject, name, detail)
    ),
    "name *detail": lambda make: lambda t_ns, _, request, __, name, detail: make(t_ns, request, name, *detail),
    "subject name *detail": lambda make: (
        lambda t_ns, _, request, subject, name, detail: make(t_ns, request, subject, name, *detail)
    ),
}


_READ: Final[dict[str, Read]] = {event.kind: _SHAPES[parts](event) for event, parts in _FIELDS.items()}


def read(raw: Raw) -> Event:
    """Read a tuple; one of a kind that is not ours is what a retrier has noted."""
    reader = _READ.get(raw[1])
    if reader is None:
        t_ns, kind, request, _, name, detail = raw
        return deployment_events.Noted(t_ns, request, kind, name, detail)
    return reader(*raw)


def unfold(raw: Raw) -> list[Raw]:
    """Return the events that the tuple of a commit stands for: the mutation's own, its job's end, the commit."""
    t_ns, commit, request, job_id, name, mutation = raw
    parts, begin_ns, begin_ts, commit_ts, seen, ranges, caller, documents, jobs, created = mutation
    found: list[Raw] = [(t_ns, *of_step(request, step)) for step in steps(parts)]
    own: tuple[int, ...] = ()
    if job_id >= 0:
        own = (job_id,)
        found.append((t_ns, "state", request, job_id, name, (PENDING, SUCCESS)))
    written = (*own, *(documents or ()), *(jobs or ()), *(job.id for job in created or ()))
    reads = tuple(zip(seen[::2], seen[1::2], strict=True))
    fields = Committed(begin_ns, begin_ts, commit_ts, reads, ranges, written, caller)
    return [*found, (t_ns, commit, request, job_id, name, fields)]


def steps(parts: tuple[Any, ...]) -> Iterator[Step]:
    """Return the steps of a mutation, given their parts one after the other."""
    return zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True)


def of_step(request: int, step: Step) -> tuple[str, int, int, str, Any]:
    """Return the parts of the event of a step behind its instant: (kind, request, job or -1, name, detail).

    A mutation of one request can draw numbers of another, and schedule and cancel its jobs: the step says so.
    """
    kind, subject, name, detail = step
    if kind == DRAW:
        return kind, request if subject < 0 else subject, -1, name, detail
    if kind in OF_JOBS and len(detail) > JOB_PARTS:
        return kind, detail[JOB_PARTS], subject, name, detail[:JOB_PARTS]
    return kind, request, subject, name, detail


def noted(mutation: Mutation) -> tuple[tuple[str, str], ...]:
    """Return the notes of a mutation that say how a callback went: (kind, name)."""
    return tuple((kind, name) for kind, subject, name, _ in steps(mutation[0]) if subject < 0 and kind in NOTES)


_HEADINGS: Final = ("at", "request", "event", "")
_OWN: Final = frozenset({"t_ns", "request"})
_NOTHING: Final = (None, "", (), NEVER)
LONGEST_FIELD: Final = 60
"""Characters of a field of an event in a table."""


def _row(event: Event) -> tuple[str, str, str, str]:
    """Return an event as a row of a table."""
    named = [(one.name, getattr(event, one.name)) for one in fields(event) if one.name not in _OWN]
    said = ", ".join(
        f"{name.removesuffix('_ns')} {_short(name, value)}" for name, value in named if value not in _NOTHING
    )
    request = "" if event.request < 0 else str(event.request)
    return format_duration(event.t_ns), request, event.kind.replace("_", " "), said


def _short(name: str, value: Any) -> str:
    is_time = name.endswith("_ns") and isinstance(value, int) and value >= 0
    text = format_duration(value) if is_time else value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_FIELD else f"{text[: LONGEST_FIELD - 3]}..."


class History:
    """The events of one simulation, in the order in which they happened."""

    def __init__(self, raw: Sequence[Raw], polls: frozenset[str] | None = None, beside: Beside = ()) -> None:
        """Take tuples, and the functions whose executions count as polls (None: it is not known which).

        `beside` is what others did while the one request of this history was there (`sim.history.beside`).
        """
        self._raw = raw
        self.polls = polls
        self.beside = beside

    @property
    def raw(self) -> Sequence[Raw]:
        """The tuples; `read` reads one."""
        return self._raw

    @cached_property
    def events(self) -> list[Event]:
        """All events."""
        return [read(raw) for raw in self._raw]

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self._raw)

    def __repr__(self) -> str:
        """Return the first events as a table."""
        shown = cut(len(self))
        lines = [f"history of {len(self):,} events"]
        if shown:
            lines.append(text_table(_HEADINGS, [_row(read(raw)) for raw in self._raw[:shown]]))
        return "\n".join([*lines, *filter(None, [more_text(len(self), shown, "events")])])

    def _repr_html_(self) -> str:
        """Return the first events as a table for notebooks."""
        shown = cut(len(self))
        rows = [_row(read(raw)) for raw in self._raw[:shown]]
        note = more_text(len(self), shown, "events")
        return html_table(_HEADINGS, rows, caption=f"history of {len(self):,} events", note=note)

    def of_request(self, request: int) -> History:
        """Return the events of one request, and those that belong to none (deaths of the server)."""
        others = self.beside or beside(self._raw, request)
        return History([raw for raw in self._raw if raw[2] in (request, -1)], self.polls, others)

    def digest(self) -> str:
        """Return the SHA-256 of all tuples, in hexadecimal."""
        sha = hashlib.sha256()
        for raw in self._raw:
            sha.update(repr(raw).encode())
            sha.update(b"\n")
        return sha.hexdigest()


class Recorder:
    """Gathers tuples; `add` is the `append` of a list, so recording costs one tuple."""

    __slots__ = ("add", "polls", "raw")

    def __init__(self) -> None:
        self.raw: list[Raw] = []
        self.add = self.raw.append
        self.polls: set[str] | None = None
        """The functions whose executions have been counted as polls; None if no world says so."""

    def history(self) -> History:
        """Return what was recorded so far; the tuple of a commit unfolds into the events that it stands for."""
        plain = [plain for raw in self.raw for plain in (unfold(raw) if raw[1] == "commit" else (raw,))]
        return History(plain, None if self.polls is None else frozenset(self.polls))
