"""Effects of attempts on the outside: idempotency windows, and the causes of duplicates.

The key of an effect is its request. The receiver recognizes and suppresses an effect within the window of the last
*applied* one; it does not renew the window, and its attempt succeeds all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.request import CAUSES
from sim.history.vocabulary import APPLIED, NEVER, SUPPRESSED, Cause

if TYPE_CHECKING:
    from sim.history.request import Request
    from sim.world.attempt import Attempt


def apply_effect(request: Request, attempt: Attempt, now_ns: int, window_ns: int | None) -> str:
    """Let an effect arrive and count it. Returns `applied`, `suppressed` or, for a duplicate, the name of its cause.

    The cause of a duplicate is how the attempt of the effect before it went; but if the duplicate's own attempt was
    given up before, the cause is `timeout`, and if the two belong to different submissions it is `resubmit`.
    `window_ns` is None if the receiver recognizes nothing.
    """
    name = APPLIED
    if request.first_effect_ns == NEVER:
        request.first_effect_ns = now_ns
    elif window_ns is not None and now_ns - request.last_applied_ns < window_ns:
        request.suppressed += 1
        return SUPPRESSED
    else:
        if attempt.request.submission != request.last_applied.request.submission:
            cause = Cause.resubmit
        else:
            cause = Cause.timeout if attempt.given_up else request.last_applied.blame
        if request.duplicates is None:
            request.duplicates = [0] * CAUSES
        request.duplicates[cause] += 1
        name = cause.name
    request.effects += 1
    request.last_applied = attempt
    request.last_applied_ns = now_ns
    return name
