"""What happened in any world: one frozen class an event kind, with a field for each thing that is known of it.

These are the events of requests and of their attempts. What happens only in some worlds has modules of its own:
`sim.history.deployment_events`, `sim.history.service_events` and `sim.history.policy_events`. `sim.history.recorder`
reads all of them from the tuples that models record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

if TYPE_CHECKING:
    from sim.history.failure import Failure
    from sim.history.vocabulary import AttemptOutcome, CancelTarget, End


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
