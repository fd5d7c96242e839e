"""One attempt of the user's action: its state, and how it is given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.history.traffic import CallEnd
from sim.history.vocabulary import (
    ACK_LOST,
    ATTEMPT_OUTCOMES,
    CRASH_AFTER_EFFECT,
    CUT,
    DIED,
    NEVER,
    RETURNED,
    SUCCESS,
    THREW,
    Cause,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.history.failure import Failure
    from sim.history.request import Request
    from sim.history.traffic import Call
    from sim.history.vocabulary import AttemptOutcome, End
    from sim.kernel.alarm import Alarm
    from sim.world.hosts import Host


BLAME: Final[Mapping[AttemptOutcome, Cause]] = {
    **dict.fromkeys(ATTEMPT_OUTCOMES, Cause.timeout),
    SUCCESS: Cause.report_lost,
    ACK_LOST: Cause.ack_lost,
    CRASH_AFTER_EFFECT: Cause.crash_after_effect,
}
"""The cause of a duplicate if the attempt before it had this outcome, and its effect if it has one.

A success is to blame only if its report is lost; once the report is there, see `Attempt.reported`.
"""


CALL_ENDS: Final[Mapping[End, CallEnd]] = {
    RETURNED: CallEnd.success,
    THREW: CallEnd.failed,
    DIED: CallEnd.failed,
    CUT: CallEnd.cut,
}
"""How the call of an attempt went that ends like this."""


class Attempt:
    """One start of the user's action; it is its own end timer."""

    __slots__ = (
        "_effect_at_end",
        "_has_copy",
        "_is_over",
        "alarm",
        "blame",
        "by_key",
        "call",
        "callbacks",
        "effect_done",
        "effect_dropped",
        "ended",
        "failure",
        "given_up",
        "host",
        "how",
        "number",
        "request",
    )
    _ok = True

    def __init__(self, request: Request, number: int, host: Host, outcome: AttemptOutcome) -> None:
        self.request = request
        self.number = number
        self.host: Host | None = host
        """None once neither needs the other: two that refer to each other would be left to the garbage collector."""
        self.how: End = RETURNED
        """How it ends, known from its start."""
        self.blame = BLAME[outcome]
        """The cause of a duplicate of its effect."""
        self.by_key = False
        """Whether it gets the first answer to its key again: then its effect is suppressed."""
        self.ended = False
        self.given_up = False
        self.call: Call | None = None
        """The record of the call, in a shared world."""
        self.effect_done = False
        self.failure: Failure | None = None
        """What the error that it is going to throw says."""
        self.callbacks: Any = None
        self.alarm: Alarm | None = None
        """What cuts it off at the platform's time limit, if a service decides how long it takes."""
        self._effect_at_end = False
        self.effect_dropped = False
        self._is_over = False
        self._has_copy = False
        """Whether another attempt began while it ran."""

    def abandon(self, now_ns: int, cause: Cause) -> None:
        """Give the attempt up, or only its report if it has ended; an effect still ahead comes at its moment.

        `cause` is that of a later duplicate of an effect done by now, unless the attempt itself was at fault.
        """
        if not self.given_up and (not self.ended or self.blame is Cause.report_lost):
            self.blame = cause if self.effect_done else Cause.timeout
        self.host = None
        self.give_up(now_ns)
        if not self.ended:
            self.ended = True
            self.request.last_attempt_end_ns = now_ns

    def give_up(self, now_ns: int) -> None:
        """Note that its caller does not wait for it any more."""
        self.given_up = True
        if self.call is not None and self.call.given_up_ns == NEVER:
            self.call.given_up_ns = now_ns

    @property
    def is_to_blame(self) -> bool:
        """Whether a duplicate of its effect is its own fault: its caller has neither given it up nor copied it."""
        return not (self.given_up or self._has_copy)

    def over(self, *, reported: bool) -> None:
        """Note that its host is done with it; `reported`: the retrier can see how it ended."""
        self._is_over = True
        self.host = None
        if reported and self.blame is Cause.report_lost:
            self.blame = Cause.repeated

    def overtaken(self, host: Host) -> None:
        """Note that another attempt of the request begins, in `host`.

        The retrier has given up an attempt that it overtakes while that runs, or while its report is under way. A
        handler that calls the action again has heard of a success itself.
        """
        if self.ended and (self._is_over or self.blame is not Cause.report_lost):
            return
        if self.ended and host is self.host:
            self.blame = Cause.repeated
        else:
            self._has_copy = True
            self.given_up = self.given_up or not host.is_copy  # the caller of a copy waits for both
            self.blame = Cause.timeout

    def drop_effect(self) -> None:
        """Drop an effect that is still ahead: it never comes."""
        self.effect_dropped = True
