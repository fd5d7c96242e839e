"""One attempt of the user's action: its moments, and what it tells its host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.history.vocabulary import (
    ACK_LOST,
    CRASH_AFTER_EFFECT,
    CRASH_BEFORE_EFFECT,
    FAIL,
    HANG,
    LOST_CONTACT,
    RETURNED,
    SUCCESS,
    Cause,
)

if TYPE_CHECKING:
    from sim.history.events import Failure
    from sim.history.request import Request
    from sim.world.hosts import Host


BLAME: Final = {
    SUCCESS: Cause.report_lost,
    ACK_LOST: Cause.ack_lost,
    CRASH_AFTER_EFFECT: Cause.crash_after_effect,
    LOST_CONTACT: Cause.timeout,
    FAIL: Cause.timeout,
    CRASH_BEFORE_EFFECT: Cause.timeout,
    HANG: Cause.timeout,
}
"""What a duplicate is charged to when the attempt before it had this outcome and its effect, if it has one."""


class Attempt:
    """One start of the user's action."""

    __slots__ = (
        "_effect_at_end",
        "_effect_dropped",
        "blame",
        "callbacks",
        "effect_done",
        "ended",
        "failure",
        "given_up",
        "host",
        "how",
        "number",
        "request",
    )
    _ok = True

    def __init__(self, request: Request, number: int, host: Host, outcome: str) -> None:
        self.request = request
        self.number = number
        self.host = host
        self.how = RETURNED
        self.blame = BLAME[outcome]
        self.ended = False
        self.given_up = False
        self.effect_done = False
        self.failure: Failure | None = None
        """What the error says that it is going to throw."""
        self.callbacks: Any = None
        self._effect_at_end = False
        self._effect_dropped = False

    def abandon(self, now_ns: int, cause: Cause) -> None:
        """Give the attempt up where it is, or its report if it has ended; an effect still ahead comes at its moment.

        A later duplicate of an effect done by now is charged to `cause`, unless the attempt itself was at fault.
        """
        if not self.given_up and (not self.ended or self.blame is Cause.report_lost):
            self.blame = cause if self.effect_done else Cause.timeout
        self.given_up = True
        if not self.ended:
            self.ended = True
            self.request.last_attempt_end_ns = now_ns

    def drop_effect(self) -> None:
        """Let an effect that is still ahead never come."""
        self._effect_dropped = True
