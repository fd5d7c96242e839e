"""One call at a service, from its sending to its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.history.traffic import CallEnd
from sim.history.vocabulary import NEVER, RETURNED

if TYPE_CHECKING:
    from sim.history.failure import Failure
    from sim.history.request import Request
    from sim.history.traffic import Call
    from sim.history.vocabulary import AttemptOutcome, End
    from sim.kernel.alarm import Alarm
    from sim.world.attempt import Attempt


class Visit:
    """One call, and the timer of its next stage: on its way, at work, or on its way back."""

    __slots__ = (
        "alarm",
        "answer",
        "attempt",
        "began_ns",
        "call",
        "callbacks",
        "calls_others",
        "effect_at_end",
        "end",
        "how",
        "id",
        "is_canceled",
        "number",
        "outcome",
        "priority",
        "request",
        "seen",
        "waits",
        "writes",
    )
    _ok = True

    def __init__(self, visit_id: int, attempt: Attempt, call: Call | None, priority: int) -> None:
        self.id = visit_id
        """Counts the calls at all services of a world, from 0."""
        self.attempt = attempt
        self.request: Request = attempt.request
        self.number = attempt.number
        self.call = call
        """Its record, if traffic is recorded."""
        self.priority = priority
        self.callbacks: Any = None
        self.waits = False
        """Whether it waits for a server."""
        self.alarm: Alarm | None = None
        """What ends its wait; during its work, what else is to come but its end."""
        self.began_ns = NEVER
        self.outcome: AttemptOutcome | None = None
        """What the world has in store for the work; None before it starts."""
        self.calls_others = False
        """Whether it has calls of its own to make at the end of its latency."""
        self.effect_at_end = False
        """Whether its effect comes as the work ends."""
        self.is_canceled = False
        """Whether the service has heard that its caller needs no answer."""
        self.seen = NEVER
        """The version that it has read."""
        self.writes = False
        """Whether it has read and is on its way to write."""
        self.how: End = RETURNED
        """How its caller is going to hear."""
        self.end = CallEnd.open
        """How it went."""
        self.answer: Failure | None = None
        """What the error says that it is answered with, if it says anything."""


class Cancellation:
    """A message on its way to a service: the caller of a visit needs no answer."""

    __slots__ = ("callbacks", "visit")
    _ok = True

    def __init__(self, visit: Visit, callbacks: Any) -> None:
        self.visit = visit
        self.callbacks = callbacks
