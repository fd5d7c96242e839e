"""What happened, in order: frozen events, the recorder that gathers them, and a digest to compare runs by.

The events of a mutation carry the instant of its commit and stand together, right before the commit itself.

A model records by appending plain tuples to the list of a `Recorder`; where nothing is recorded it holds None instead
of a recorder, so that the test for None is the whole cost. `History` turns the tuples into events when somebody looks.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KINDS = (
    "submit",  # a caller asks for a request; name: the retrier
    "commit",  # a mutation's, behind the events of what it did; subject: job or -1, name: function, detail: a Committed
    "conflict",  # a commit was refused; subject: job or -1, name: function, detail: number of the rerun that follows
    "rolled_back",  # a function threw; subject: job or -1, name: function, detail: the error's text
    "job",  # a job was created; subject: job, name: function, detail: (due ns as asked, state)
    "state",  # a job's state changed; subject: job, name: function, detail: (from, to)
    "attempt",  # the user's action starts; subject: attempt, name: outcome in store, detail: a Start
    "attempt_end",  # it returned, threw, died or was cut off; subject: attempt, name: how, detail: None or a Failure
    "timed_out",  # a client outside gave up on a call that goes on; subject: attempt, detail: after how many ns
    "lost",  # the platform lost sight of a running attempt; subject: attempt
    "effect",  # subject: attempt, name: applied, suppressed or the cause of a duplicate
    "draw",  # a retrier drew a number; name: stream, detail: the number
    "write",  # a user document changed; name: its id, detail: the new document or None
    "callback",  # the caller's onComplete ran; name: the result it was told
    "callback_lost",  # the caller's onComplete threw, and is not told again; name: the result it was told
    "cancel",  # somebody cancels; name: the target
    "cancel_answer",  # what the retrier's own cancel answered; detail: the answer
    "settled",  # the retrier knows how the request ended; subject: the attempt whose answer a client's loop returned
    #             (any whole number that it returned), or -1, name: outcome, detail: since when, in ns
    "resettled",  # it concludes again, which changes nothing; name: outcome
    "sleep",  # a client outside sleeps; detail: for how many ns
    "system_error",  # subject: job or -1, name: function, detail: what it struck
    "restart",  # the server goes down; name: what becomes of effects to come (continues, lost), detail: for how many ns
    "boot",  # the server is back
    "collected",  # rows of completed jobs were deleted; detail: how many
    "runaway",  # a request ran into a limit; name: which
)
"""Every kind of event, with the meaning of its `subject`, `name` and `detail`."""

Raw = tuple[int, str, int, int, str, Any]


class RangeRead(NamedTuple):
    """A range of an index that was read: low <= key < high."""

    table: str
    fields: tuple[str, ...]
    low: tuple[Any, ...]
    high: tuple[Any, ...]
    ids: tuple[str, ...]
    """The documents found, those aside that the transaction had written itself."""
    own: tuple[str, ...]
    """The documents that the transaction had written by then."""


class Start(NamedTuple):
    """How an attempt was started."""

    job: int
    """The job that runs it, or -1 for a client outside."""
    effect_ns: int
    """The instant at which its effect is due, or -1."""
    latency_ns: int = -1
    """The latency that it was given, or -1 for a hang."""


class Failure(NamedTuple):
    """What the error that an attempt threw says."""

    final: bool
    """Whether it is marked as not worth a retry."""
    retry_after_ns: int
    """How long it asks to wait before a retry, or -1."""


class Committed(NamedTuple):
    """What a transaction was: when it took its snapshot, its timestamps, what it read there and what it wrote.

    What it read of its own writes is left out. Jobs have whole numbers as ids, documents text.
    """

    begin_ns: int
    begin_ts: int
    commit_ts: int
    """0 where it wrote nothing."""
    reads: tuple[tuple[int | str, Any], ...]
    """(id, what was there): the state of a job, a document, or None where there was nothing."""
    ranges: tuple[RangeRead, ...]
    writes: tuple[int | str, ...]
    caller: int
    """The job of the action that called this mutation, or -1."""


class Event(NamedTuple):
    """One thing that happened: an instant in ns, a kind (see `KINDS`), and whom and what it concerns."""

    t_ns: int
    kind: str
    request: int
    """The request's number, or -1 for what belongs to none."""
    subject: int
    """A job's or an attempt's number, or -1."""
    name: str
    detail: Any = None


class History:
    """The events of one simulation, in the order in which they happened."""

    def __init__(self, raw: Sequence[Raw]) -> None:
        self._raw = raw

    @property
    def events(self) -> list[Event]:
        """All events."""
        return [Event(*raw) for raw in self._raw]

    def __iter__(self) -> Iterator[Event]:
        return (Event(*raw) for raw in self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def of_request(self, request: int) -> History:
        """Return what concerns one request, and what concerns none (restarts)."""
        return History([raw for raw in self._raw if raw[2] in (request, -1)])

    def digest(self) -> str:
        """Return the SHA-256 of all events, in hexadecimal."""
        sha = hashlib.sha256()
        for raw in self._raw:
            sha.update(repr(raw).encode())
            sha.update(b"\n")
        return sha.hexdigest()


class Recorder:
    """Gathers events; `add` is the `append` of a list, so that recording costs one tuple."""

    __slots__ = ("add", "raw")

    def __init__(self) -> None:
        self.raw: list[Raw] = []
        self.add = self.raw.append

    def history(self) -> History:
        """Return what was recorded so far; the tuple of a commit unfolds into the events that it stands for."""
        return History([plain for raw in self.raw for plain in (raw[5].unfold(raw) if raw[1] == "commit" else (raw,))])
