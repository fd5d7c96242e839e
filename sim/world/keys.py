"""The key rules of a receiver that does more than suppress repeated effects; `sim.world.effects` has them in words.

The action and services share them: a receiver asks for the fate of a call, says how long its work lasts, lets its
effect arrive, and says what its error told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.history.failure import Failure
from sim.history.vocabulary import (
    CRASH_BEFORE_EFFECT,
    FAIL,
    FAILED,
    FIRST,
    HANG,
    IN_USE,
    NEVER,
    SUCCESS,
    SUPPRESSED,
    rejected_by,
)
from sim.world.effects import Key, apply_effect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.request import Request
    from sim.history.vocabulary import AttemptOutcome
    from sim.world.attempt import Attempt
    from sim.world.effects import Memory
    from sim.world.fate import Fate

IN_USE_FAILURE: Final = Failure(final=False, retry_after_ns=NEVER, kind=rejected_by(IN_USE))
"""What a call is told whose key is in use."""

Recalled = tuple["AttemptOutcome", int, "Failure | None", str]
"""Outcome, latency in ns, what the error says, and by which rule of its key the call goes so: `in_use`, `first`, ``."""


def key_of(request: Request) -> Key:
    """Return what the receiver remembers of a request's key."""
    key: Key | None = request.key
    if key is None:
        key = request.key = Key()
    return key


class KeyRules:
    """The rules of one receiver."""

    __slots__ = ("memory",)

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def is_in_use(self, request: Request, now_ns: int) -> bool:
        """Tell whether a call is rejected since another one has its key."""
        return self.memory.rejects and now_ns < key_of(request).busy_until_ns

    def recall(self, request: Request, now_ns: int, draw: Callable[[], Fate]) -> Recalled:
        """Return the fate of a call that starts now: that of `draw`, or what the rules make of it."""
        key, memory = key_of(request), self.memory
        if self.is_in_use(request, now_ns):
            return FAIL, 0, IN_USE_FAILURE, IN_USE
        outcome, latency_ns, failure = draw()
        answer = key.remembered(memory, now_ns) if memory.first else None
        if answer is None or outcome in {HANG, CRASH_BEFORE_EFFECT}:
            return outcome, latency_ns, failure, ""
        if answer != SUCCESS:
            if memory.renews:
                key.answer_ns = now_ns
            return FAIL, latency_ns, None if answer == FAILED else _failure(answer), FIRST
        return (SUCCESS, latency_ns, None, FIRST) if outcome in {SUCCESS, FAIL} else (outcome, latency_ns, failure, "")

    def take(self, attempt: Attempt, by_key: str, now_ns: int, end_ns: int) -> None:
        """Let a call that does its work have the key for `end_ns`; one that hangs (`NEVER`) has it for the window."""
        attempt.by_key = by_key == FIRST
        if not by_key:
            key_of(attempt.request).busy_until_ns = now_ns + (self.memory.window_ns if end_ns == NEVER else end_ns)

    def let_go(self, attempt: Attempt, now_ns: int) -> None:
        """Let the key go: the work of the call that has it is over."""
        if not attempt.by_key:
            key_of(attempt.request).busy_until_ns = now_ns

    def apply(self, attempt: Attempt, now_ns: int) -> str:
        """Let an effect arrive; returns what `apply_effect` does."""
        key, memory = key_of(attempt.request), self.memory
        name = apply_effect(key, attempt, now_ns, memory.window_ns, renews=memory.renews)
        if name != SUPPRESSED:
            key.remember(memory, SUCCESS, now_ns)
        elif memory.renews and key.answer == SUCCESS:
            key.answer_ns = now_ns
        return name

    def threw(self, attempt: Attempt, failure: Failure | None, now_ns: int) -> None:
        """Keep what a call was told that failed, unless it was told what is known already."""
        if not (attempt.by_key or attempt.effect_done) and failure is not IN_USE_FAILURE:
            key_of(attempt.request).remember(self.memory, FAILED if failure is None else failure, now_ns)


def _failure(answer: Failure | str) -> Failure:
    assert isinstance(answer, Failure)  # noqa: S101  # the words are taken care of before
    return answer
