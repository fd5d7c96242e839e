"""How a call fails, as its caller hears it."""

from __future__ import annotations

from sim.history.vocabulary import FAILED, REFUSED, TIMED_OUT


class CallFailed(Exception):
    """A call ended without success, as far as its caller knows."""

    kind: str = FAILED
    """The answer, such as `failed`, `failed.NAME` or `rejected.queue`."""
    final: bool = False
    """Whether the error is marked as not worth a retry."""
    retry_after_ms: float | None = None
    """How long the error asks to wait before a retry; None if it does not."""


class CallTimedOut(CallFailed):
    """The caller gave up on a call; its effect may still come."""

    kind = TIMED_OUT


class CallRefused(CallFailed):
    """No call was made: a loop raises it if its own breaker, bulkhead or rate limit refuses one."""

    kind = REFUSED
