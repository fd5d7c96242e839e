"""What happened: one frozen class an event kind, with a field for each thing that is known of it.

The events of a mutation carry the instant of its commit and stand together, right before the commit itself.
`sim.history.recorder` reads them from the tuples that models record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple

from sim.history.vocabulary import FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.history.vocabulary import AttemptOutcome, CancelTarget, End, Inflight, JobState


_WORDS: Final = (
    *("retrier", "function", "outcome", "end", "effect", "result"),
    *("target", "stream", "document_id", "inflight", "limit", "name", "reason"),
)
"""Fields that are the word of an event; no event has two of them."""
CUT_SHORT: Final = "cut"
ON_TIMER: Final = "timer"
ON_LOCK: Final = "lock"
"""By what guest code goes on; see `GuestWoken`."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    kind: ClassVar[str] = ""
    """The word that its tuple has for it."""
    t_ns: int
    """The instant."""
    request: int
    """The request's number, or -1 for an event that belongs to none."""

    @property
    def word(self) -> str:
        """The one word that says most of it: a function, an outcome, an effect, a target; empty if there is none."""
        return next((str(getattr(self, name)) for name in _WORDS if hasattr(self, name)), "")


# Requests, as their callers and their retrier see them.


@dataclass(frozen=True, slots=True)
class Submitted(Event):
    """A caller asks for a request."""

    kind: ClassVar[str] = "submit"
    retrier: str
    """The kind of the retrier."""
    client: int = -1
    """The number of the client that asks, or -1 if there is only one."""
    caller_class: str | None = None
    """The name of its class of callers, or None if there are no classes."""


@dataclass(frozen=True, slots=True)
class Resubmitted(Event):
    """The caller asks for the same request again, on its own."""

    kind: ClassVar[str] = "resubmit"
    submission: int
    """The number of this submission, from 2."""
    reason: str
    """`failed`: it was told of a failure; `silent`: it has heard nothing."""


@dataclass(frozen=True, slots=True)
class Settled(Event):
    """The retrier knows how the request ended."""

    kind: ClassVar[str] = "settled"
    answer: int
    """Any whole number that a client's loop returned, meant as the attempt whose answer it is; -1 for none."""
    outcome: str
    """The name of an `Outcome`."""
    since_ns: int | None
    """The instant from which it has known, if that is written down."""


@dataclass(frozen=True, slots=True)
class SettledAgain(Event):
    """The retrier concludes once more, which changes nothing."""

    kind: ClassVar[str] = "resettled"
    outcome: str


@dataclass(frozen=True, slots=True)
class CallbackRan(Event):
    """The caller's onComplete ran."""

    kind: ClassVar[str] = "callback"
    result: str
    """The result that it was given."""


@dataclass(frozen=True, slots=True)
class CallbackThrew(Event):
    """The caller's onComplete threw, and is not called again."""

    kind: ClassVar[str] = "callback_lost"
    result: str
    """The result that it was given."""


@dataclass(frozen=True, slots=True)
class CancelAsked(Event):
    """A caller or an operator cancels."""

    kind: ClassVar[str] = "cancel"
    target: CancelTarget


@dataclass(frozen=True, slots=True)
class CancelAnswered(Event):
    """The retrier's own cancel has answered."""

    kind: ClassVar[str] = "cancel_answer"
    target: CancelTarget
    answer: Any


@dataclass(frozen=True, slots=True)
class OperatorActed(Event):
    """An operator acts on the deployment; what comes of it follows in the history."""

    kind: ClassVar[str] = "operator"
    name: str
    """The name of the fault, such as `cancel_jobs` or `set_parallelism`."""
    detail: Mapping[str, Any]
    """Its options: the names of the functions, the pool, the new number of slots."""


@dataclass(frozen=True, slots=True)
class NumberDrawn(Event):
    """A retrier drew a random number."""

    kind: ClassVar[str] = "draw"
    stream: str
    value: float
    """On [0, 1)."""


@dataclass(frozen=True, slots=True)
class SleepStarted(Event):
    """A client outside begins to sleep, or to wait for something that has a limit of time."""

    kind: ClassVar[str] = "sleep"
    duration_ns: int
    """How long it is to last; a guest's can be cut."""
    awaits: str = ""
    """`lock` if guest code waits for a lock, or for what is made of locks, with this limit; empty: it sleeps."""


@dataclass(frozen=True, slots=True)
class GuestWoken(Event):
    """Guest code goes on, by something else than the end of a sleep in its time or the answer to a call."""

    kind: ClassVar[str] = "woken"
    reason: str
    """`timer`: a timer of its own fires, such as a limit of time. `lock`: a lock is free for which it waited without a
    limit. `cut`: it waits no longer, though a sleep or a limit of time is not over."""
    left_ns: int | None = None
    """How much is left of what is cut; None of the others."""


@dataclass(frozen=True, slots=True)
class RanAway(Event):
    """A request ran into a limit of the simulation."""

    kind: ClassVar[str] = "runaway"
    limit: str
    """`polls`, `calls`, `sleeps` or `time`; `progress`: what a retrier does of its own accord leads to nothing."""


# Attempts.


@dataclass(frozen=True, slots=True)
class AttemptEvent(Event):
    """Something that concerns one attempt."""

    attempt: int
    """Its number within the request, from 1."""


@dataclass(frozen=True, slots=True)
class AttemptStarted(AttemptEvent):
    """The user's action starts."""

    kind: ClassVar[str] = "attempt"
    outcome: AttemptOutcome | Literal["at_service"]
    """What the world has in store for it; `at_service` if that shows only when a service works on its call."""
    job: int
    """The job that runs it, or -1 for a client outside."""
    effect_ns: int
    """The instant at which its effect is due, or -1."""
    latency_ns: int
    """The latency that it was given, or -1 for a hang, or at a service."""


@dataclass(frozen=True, slots=True)
class AttemptEnded(AttemptEvent):
    """It returned, threw, died or was cut off."""

    kind: ClassVar[str] = "attempt_end"
    end: End
    failure: Failure | None
    """What the error says, if it says anything."""


@dataclass(frozen=True, slots=True)
class DecidedByKey(AttemptEvent):
    """The receiver of an attempt that has just started does no work for it, since it knows the idempotency key."""

    kind: ClassVar[str] = "by_key"
    name: str
    """`first`: it gets the first answer again; `in_use`: it is rejected, since another call is at work."""


@dataclass(frozen=True, slots=True)
class CallGivenUp(AttemptEvent):
    """A client outside gave up on a call after its timeout; the attempt goes on."""

    kind: ClassVar[str] = "timed_out"
    timeout_ns: int | None
    """The timeout, if the history says."""


@dataclass(frozen=True, slots=True)
class ContactLost(AttemptEvent):
    """The platform lost sight of a running attempt, which goes on."""

    kind: ClassVar[str] = "lost"


@dataclass(frozen=True, slots=True)
class EffectMade(AttemptEvent):
    """The effect of an attempt reached the outside."""

    kind: ClassVar[str] = "effect"
    effect: str
    """`applied`, `suppressed`, or the name of a `Cause` for an effect after the first."""


# Calls at services: those of attempts, and those that services make in the course of their work.


@dataclass(frozen=True, slots=True)
class CallEvent(Event):
    """Something that concerns one call at a service."""

    call: int
    """Counts the calls at all services, from 0."""
    service: str
    """The name of the service that is called."""


@dataclass(frozen=True, slots=True)
class CallSent(CallEvent):
    """A call is made; one without a caller is an attempt of its request."""

    kind: ClassVar[str] = "call"
    number: int
    """Counts the calls that this request leads to at this service, from 1; of an attempt its number."""
    caller: str
    """The service that makes it, or empty: the request's retrier."""
    within: int = -1
    """The call in whose work that service makes it, or -1."""


@dataclass(frozen=True, slots=True)
class CallArrived(CallEvent):
    """It reaches the service."""

    kind: ClassVar[str] = "arrived"
    in_queue: int
    """Calls that wait for a server, without this one."""
    in_progress: int
    """Calls that are worked on, without this one."""
    tokens: int | None
    """Whole tokens of the rate limit, before it takes one; None without a limit."""


@dataclass(frozen=True, slots=True)
class CallQueued(CallEvent):
    """It has to wait for a server."""

    kind: ClassVar[str] = "queued"
    ahead: int
    """Calls that are to be served before it, as things stand."""


@dataclass(frozen=True, slots=True)
class CallRejected(CallEvent):
    """The service does not work on it."""

    kind: ClassVar[str] = "rejected"
    reason: str
    """`queue`, `max_wait`, `rate_limit`, `shed` or `in_use`."""
    retry_after_ns: int
    """How long the answer asks to wait before a retry, or -1."""


@dataclass(frozen=True, slots=True)
class CallDropped(CallEvent):
    """It leaves the queue unserved: its caller had given up by its turn, if such calls are dropped, or canceled it."""

    kind: ClassVar[str] = "dropped"


@dataclass(frozen=True, slots=True)
class CallCanceled(CallEvent):
    """Its caller sends word that it needs no answer."""

    kind: ClassVar[str] = "cancel_sent"


@dataclass(frozen=True, slots=True)
class CancelHeard(CallEvent):
    """That word has reached the service: it stops the call, unless it is done with it."""

    kind: ClassVar[str] = "cancel_heard"


@dataclass(frozen=True, slots=True)
class WorkStarted(CallEvent):
    """The work on it begins."""

    kind: ClassVar[str] = "work"
    outcome: AttemptOutcome | Literal["own"]
    """What the world has in store for it; `own` if a service of the user's own does it, of which nothing is known."""
    latency_ns: int
    """The latency that it was given, or -1 for a hang."""
    work_ns: int
    """That latency with the slow-down, or -1."""
    effect_ns: int
    """The instant at which its effect is due; -1 if it has none, or if it comes after calls that the work makes."""
    others: int = -1
    """Other calls that are worked on as it begins, or -1: not said."""
    by_key: str = ""
    """`first` if the service knows the idempotency key and gives the first answer again; else empty."""


@dataclass(frozen=True, slots=True)
class WorkEnded(CallEvent):
    """The work is over, and its server free."""

    kind: ClassVar[str] = "work_end"
    end: str
    """The name of a `CallEnd`; `cut` if its caller has canceled it."""


@dataclass(frozen=True, slots=True)
class LayerEffect(CallEvent):
    """The effect of a call that a service made."""

    kind: ClassVar[str] = "layer_effect"
    effect: str
    """As that of `EffectMade`."""


@dataclass(frozen=True, slots=True)
class LayerAnswered(CallEvent):
    """The answer to a call that a service made has reached it."""

    kind: ClassVar[str] = "answer"
    end: End
    failure: Failure | None
    """What the error says, if it says anything."""


@dataclass(frozen=True, slots=True)
class RowRead(CallEvent):
    """A versioned row is read."""

    kind: ClassVar[str] = "read"
    version: int


@dataclass(frozen=True, slots=True)
class RowWritten(CallEvent):
    """A write reaches a versioned row; it counts only if it was made with the version that is there."""

    kind: ClassVar[str] = "write_back"
    seen: int
    """The version that its caller has read."""
    version: int
    """The version that is there."""


@dataclass(frozen=True, slots=True)
class ServersChanged(Event):
    """A service has another number of servers from now on; each has one such event at the start."""

    kind: ClassVar[str] = "servers"
    service: str
    servers: int
    """-1 if there is no limit."""


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


# The server.


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
class Noted(Event):
    """A note that a retrier of the deployment left with `ctx.note`, in words of its own."""

    kind: ClassVar[str] = "note"
    what: str
    """The kind that the retrier gave it."""
    name: str
    detail: Any


# Parts of events. A digest covers their names and those of their fields.


class RangeRead(NamedTuple):
    """A range of an index that was read: low <= key < high."""

    table: str
    fields: tuple[str, ...]
    low: tuple[Any, ...]
    high: tuple[Any, ...]
    ids: tuple[str, ...]
    """Ids found, without those this transaction wrote itself."""
    own: tuple[str, ...]
    """The documents that the transaction had written by then."""


class Failure(NamedTuple):
    """What the error that an attempt threw says, and what kind of an answer it is."""

    final: bool
    """Whether it is marked as not worth a retry."""
    retry_after_ns: int
    """How long it asks to wait before a retry, or -1."""
    kind: str = FAILED
    """The answer: one of `ANSWERS` besides success, or a kind of one, such as `failed.NAME`."""
