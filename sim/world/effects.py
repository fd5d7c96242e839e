"""Effects of attempts on the outside: idempotency windows, and the causes of duplicates.

The key of an effect is its request; `Request.key` is what the receiver of the action remembers of it. The receiver
recognizes and suppresses an effect within the window of the last *applied* one; it does not renew the window, and its
attempt succeeds all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.request import CAUSES
from sim.history.vocabulary import APPLIED, NEVER, SUPPRESSED, Cause

if TYPE_CHECKING:
    from sim.world.attempt import Attempt


class Key:
    """What a receiver remembers of one idempotency key."""

    __slots__ = ("applied_ns", "last_applied")

    def __init__(self) -> None:
        self.last_applied: Attempt | None = None
        """The attempt that made the last applied effect."""
        self.applied_ns = NEVER
        """When it made it."""


def apply_effect(key: Key, attempt: Attempt, now_ns: int, window_ns: int | None) -> str:
    """Let an effect arrive and count it. Returns `applied`, `suppressed` or, for a duplicate, the name of its cause.

    The cause of a duplicate is how the attempt of the effect before it went; but if the duplicate's own attempt was
    given up before, the cause is `timeout`, and if the two belong to different submissions it is `resubmit`.
    `window_ns` is None if the receiver recognizes nothing.
    """
    request, last = attempt.request, key.last_applied
    name = APPLIED
    if last is None:
        if request.first_effect_ns == NEVER:
            request.first_effect_ns = now_ns
    elif window_ns is not None and now_ns - key.applied_ns < window_ns:
        request.suppressed += 1
        return SUPPRESSED
    else:
        if attempt.request.submission != last.request.submission:
            cause = Cause.resubmit
        else:
            cause = Cause.timeout if attempt.given_up else last.blame
        if request.duplicates is None:
            request.duplicates = [0] * CAUSES
        request.duplicates[cause] += 1
        name = cause.name
    request.effects += 1
    key.last_applied = attempt
    key.applied_ns = now_ns
    return name
