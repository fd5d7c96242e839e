"""What happens in a deployment: one frozen class an event kind, as in `sim.history.events`.

The events of a mutation carry the instant of its commit and stand together, right before the commit itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from sim.history.events import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.history.vocabulary import Inflight, JobState


# Jobs, and the mutations that change them.


@dataclass(frozen=True, slots=True)
class JobEvent(Event):
    """Something that concerns one job, or a function that is called by no job of its own."""

    job: int
    """The job's number, or -1."""
    function: str


@dataclass(frozen=True, slots=True)
class JobCreated(JobEvent):
    """A mutation scheduled a job."""

    kind: ClassVar[str] = "job"
    due_ns: int
    """The instant asked for, which may be past."""
    state: JobState
    """`pending`, or `canceled` for a job that is born canceled."""


@dataclass(frozen=True, slots=True)
class JobStepped(JobEvent):
    """A job's state changed."""

    kind: ClassVar[str] = "state"
    before: JobState
    after: JobState


@dataclass(frozen=True, slots=True)
class MutationCommitted(JobEvent):
    """A mutation committed; the events of what it did stand right before this one.

    What it read of its own writes is left out. Jobs have whole numbers as ids, documents text.
    """

    kind: ClassVar[str] = "commit"
    begin_ns: int
    """The instant of its snapshot."""
    begin_ts: int
    """The timestamp of its snapshot."""
    commit_ts: int
    """0 if it wrote nothing."""
    reads: tuple[tuple[int | str, Any], ...]
    """(id, value): the state of a job, a document, or None if there was nothing."""
    ranges: tuple[RangeRead, ...]
    writes: tuple[int | str, ...]
    caller: int
    """The job of the action that called this mutation, or -1."""


class RangeRead(NamedTuple):
    """A range of an index that was read: low <= key < high. A digest covers its name and those of its fields."""

    table: str
    fields: tuple[str, ...]
    low: tuple[Any, ...]
    high: tuple[Any, ...]
    ids: tuple[str, ...]
    """Ids found, without those this transaction wrote itself."""
    own: tuple[str, ...]
    """The documents that the transaction had written by then."""


@dataclass(frozen=True, slots=True)
class CommitRefused(JobEvent):
    """A mutation lost against another commit."""

    kind: ClassVar[str] = "conflict"
    rerun: int
    """The number of the rerun that follows, from 1."""


@dataclass(frozen=True, slots=True)
class FunctionThrew(JobEvent):
    """A function threw, and its transaction was rolled back."""

    kind: ClassVar[str] = "rolled_back"
    error: str
    """The error's text."""


@dataclass(frozen=True, slots=True)
class SystemErrorStruck(JobEvent):
    """The deployment itself failed."""

    kind: ClassVar[str] = "system_error"
    struck: str
    """`start`, `execution`, `end`, or `mutation NAME`."""


@dataclass(frozen=True, slots=True)
class BackedOff(JobEvent):
    """The platform waits before it tries again: a mutation that was refused, or what a system error has struck."""

    kind: ClassVar[str] = "backoff"
    stream: str
    """The stream of its jitter, which says what for: `occ_backoff`, `system_backoff` or `completion_backoff`."""
    wait_ns: int


@dataclass(frozen=True, slots=True)
class DocumentWritten(Event):
    """A document of the user changed."""

    kind: ClassVar[str] = "write"
    document_id: str
    document: Mapping[str, Any] | None
    """The new document, or None if it was deleted."""


@dataclass(frozen=True, slots=True)
class RowsCollected(Event):
    """Rows of jobs that had ended were deleted."""

    kind: ClassVar[str] = "collected"
    count: int


# The server, and who acts on it.


@dataclass(frozen=True, slots=True)
class ServerDied(Event):
    """The server goes down."""

    kind: ClassVar[str] = "restart"
    inflight: Inflight
    """What becomes of effects to come."""
    down_ns: int
    """For how long it is to be down."""


@dataclass(frozen=True, slots=True)
class ServerBooted(Event):
    """The server is back."""

    kind: ClassVar[str] = "boot"


@dataclass(frozen=True, slots=True)
class OperatorActed(Event):
    """An operator acts on the deployment; what comes of it follows in the history."""

    kind: ClassVar[str] = "operator"
    name: str
    """The name of the fault, such as `cancel_jobs` or `set_parallelism`."""
    detail: Mapping[str, Any]
    """Its options: the names of the functions, the pool, the new number of slots."""


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """A note that a retrier of the deployment left with `ctx.note`, in words of its own."""

    kind: ClassVar[str] = "note"
    what: str
    """The kind that the retrier gave it."""
    name: str
    detail: Any
