"""Effects of attempts on the outside: idempotency windows, and the causes of duplicates.

The key of an effect is its request; `Request.key` is what the receiver of the action remembers of it. The receiver
recognizes and suppresses an effect within the window of the last *applied* one; it does not renew the window, and its
attempt succeeds all the same. So it is unless the scenario says otherwise:

- `from: last_seen`: the window counts from the last effect that came, suppressed ones included.
- `answers: first`: a repeated key gets the first answer again, a failure too, without any work (Stripe). The receiver
  has an answer as soon as a call with the key has its effect (a success, even if its caller hears nothing of it) or
  throws because it failed (what its error says). A call that hangs, or whose execution dies or is cut off before that,
  leaves no answer, and the next one does the work afresh. Within the window of its answer a call that would succeed or
  fail gets that instead, after the latency drawn for it. What befalls a call on its way still does: it hangs, dies, is
  lost, or its acknowledgement is. If the answer is a failure, only a hang and a crash before the effect still do.
  The window of a failure counts from that answer; with `last_seen` from the last call that got it.
- `in_use: rejected`: a call takes the key as it starts, and another that starts before the work is over is answered
  `rejected.in_use` at once. The work lasts for the call's latency whatever becomes of its caller, until a crash before
  the effect, and for a call that hangs as long as the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.history.request import CAUSES
from sim.history.vocabulary import APPLIED, NEVER, SUPPRESSED, Cause

if TYPE_CHECKING:
    from sim.history.failure import Failure
    from sim.world.attempt import Attempt


class Memory(NamedTuple):
    """How a receiver remembers keys."""

    window_ns: int
    renews: bool = False
    """Whether the window counts from the last effect that came, not from the last one that was applied."""
    first: bool = False
    """Whether a repeated key gets the first answer again."""
    rejects: bool = False
    """Whether a call is rejected while another with its key is at work."""


class Key:
    """What a receiver remembers of one idempotency key."""

    __slots__ = ("answer", "answer_ns", "applied_ns", "busy_until_ns", "last_applied", "seen_ns")

    def __init__(self) -> None:
        self.seen_ns = NEVER
        """When an effect came last, applied or suppressed."""
        self.busy_until_ns = NEVER
        """Until when the call that has the key is at work."""
        self.answer: Failure | str | None = None
        """The first answer: `success`, what an error said, or `failed` if it said nothing. None: there is none."""
        self.answer_ns = NEVER
        """From when on its window counts."""
        self.last_applied: Attempt | None = None
        """The attempt that made the last applied effect."""
        self.applied_ns = NEVER
        """When it made it."""

    def remembered(self, memory: Memory, now_ns: int) -> Failure | str | None:
        """Return the first answer if the receiver still has it."""
        return self.answer if now_ns - self.answer_ns < memory.window_ns else None

    def remember(self, memory: Memory, answer: Failure | str, now_ns: int) -> None:
        """Keep an answer unless an earlier one is still there."""
        if self.remembered(memory, now_ns) is None:
            self.answer, self.answer_ns = answer, now_ns


def apply_effect(key: Key, attempt: Attempt, now_ns: int, window_ns: int | None, *, renews: bool = False) -> str:
    """Let an effect arrive and count it. Returns `applied`, `suppressed` or, for a duplicate, the name of its cause.

    The cause of a duplicate is how the attempt of the effect before it went; but if the duplicate's own attempt was
    given up before, the cause is `timeout`, and if the two belong to different submissions it is `resubmit`.
    `window_ns` is None if the receiver recognizes nothing; `renews`: an effect that it suppresses renews the window.
    """
    request, last = attempt.request, key.last_applied
    name = APPLIED
    if last is None:
        if request.first_effect_ns == NEVER:
            request.first_effect_ns = now_ns
    elif attempt.by_key or (window_ns is not None and now_ns - (key.seen_ns if renews else key.applied_ns) < window_ns):
        request.suppressed += 1
        key.seen_ns = now_ns
        return SUPPRESSED
    else:
        if attempt.request.submission != last.request.submission:
            cause = Cause.resubmit
        else:
            cause = Cause.timeout if not attempt.is_to_blame else last.blame
        if request.duplicates is None:
            request.duplicates = [0] * CAUSES
        request.duplicates[cause] += 1
        name = cause.name
    request.effects += 1
    key.last_applied = attempt
    key.applied_ns = key.seen_ns = now_ns
    return name
