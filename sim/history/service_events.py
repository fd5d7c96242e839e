"""What happens at services: one frozen class an event kind, as in `sim.history.events`.

The calls are those of attempts, and those that services make in the course of their work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from sim.history.events import Event

if TYPE_CHECKING:
    from sim.history.failure import Failure
    from sim.history.vocabulary import AttemptOutcome, End


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
