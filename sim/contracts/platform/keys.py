"""What the receiver of an action owes: that it knows a repeated key by the rules that the scenario states.

The receiver is the action, or a service: that looks at the key as its work begins, and has its own answer even if the
caller hears none. Checked if the terms say the rules. They are those of `sim.world.effects`, computed from the
history alone.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.history.entities import NOT_YET, when
from sim.history.failure import Failure
from sim.history.vocabulary import (
    ACK_LOST,
    CRASH_AFTER_EFFECT,
    CRASH_BEFORE_EFFECT,
    DIED,
    FAIL,
    FIRST,
    HANG,
    IN_USE,
    NEVER,
    OWN,
    SUCCESS,
    SUPPRESSED,
    THREW,
    rejected_by,
)
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Attempt, Request
    from sim.history.events import Event
    from sim.promises.terms import KeyRules
    from sim.promises.view import View

REJECTED_IN_USE: Final = Failure(final=False, retry_after_ns=NEVER, kind=rejected_by(IN_USE))
PLAIN: Final = Failure(final=False, retry_after_ns=NEVER)
"""An error that says nothing."""
UNHEARD: Final = "unheard"
"""A failure whose error reached no caller, so that the history does not tell what it says."""
DIES: Final = (CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT)


@invariant(owed_by="platform")
def keys_are_known(view: View) -> Iterator[Violation]:
    """A call is rejected while another has its key, and gets the first answer again, where the receiver does that."""
    rules = view.terms.keys
    for request in view.requests.values() if rules is not None else ():
        yield from _Receiver(rules).judge(request)  # type: ignore[arg-type]  # there are rules


class _Receiver:
    """What the receiver knows of the key of one request, as its events go by."""

    def __init__(self, rules: KeyRules) -> None:
        self._rules = rules
        self._busy_ns = (NEVER, NEVER)
        """Until when another call has the key, for sure and perhaps."""
        self._answer: Failure | str | None = None
        self._answer_ns = NEVER

    def judge(self, request: Request) -> Iterator[Violation]:
        moments: list[tuple[int, str, _Turn]] = []
        for turn in filter(None, map(_turn_of, request.attempts)):
            moments.append((turn.at, "start", turn))
            moments += [(at, event.effect, turn) for at, event in turn.attempt.effects]
            if turn.end is not None and turn.end_at < NOT_YET:
                moments.append((turn.end_at, "end", turn))
        for at, what, turn in sorted(moments, key=itemgetter(0)):
            if what == "start":
                text = self._wrong(turn)
                if text:
                    text = f"attempt {turn.attempt.number} of {request}, which starts {when(turn.start)}, {text}"
                    yield breach(request.number, text, turn.start, turn.attempt.end)
                self._take(turn)
            elif what == "end":
                self._end(turn)
            else:
                self._effect(what, next(event.t_ns for place, event in turn.attempt.effects if place == at))

    def _known(self, now_ns: int) -> Failure | str | None:
        return self._answer if now_ns - self._answer_ns < self._rules.window_ns else None

    def _wrong(self, turn: _Turn) -> str:
        """Say what is wrong with how an attempt begins; nothing if it is as it should be."""
        now_ns, rules = turn.start.t_ns, self._rules
        sure_ns, perhaps_ns = self._busy_ns if rules.rejects else (NEVER, NEVER)
        if turn.by_key == IN_USE:
            if now_ns >= perhaps_ns:
                return "is rejected although no other call has its key"
            wrong = turn.attempt.how == THREW and turn.attempt.failure != REJECTED_IN_USE
            return "is rejected with another answer than 'rejected.in_use'" if wrong else ""
        if now_ns < sure_ns:
            return "does its work although another call has its key"
        answer = self._known(now_ns) if rules.first else None
        if turn.by_key == FIRST:
            return self._wrong_answer(turn, answer)
        works = answer is not None and (
            turn.outcome in {SUCCESS, FAIL} or (answer != SUCCESS and turn.outcome not in {HANG, CRASH_BEFORE_EFFECT})
        )
        return "does its work although the first answer is known" if works else ""

    @staticmethod
    def _wrong_answer(turn: _Turn, answer: Failure | str | None) -> str:
        if answer is None:
            return "gets a first answer although there is none"
        if (turn.outcome == SUCCESS) != (answer == SUCCESS):
            return "gets another answer than the first"
        says = turn.attempt.failure or PLAIN
        told = turn.attempt.how == THREW and answer != UNHEARD
        return "gets another error than the first" if told and says != answer else ""

    def _take(self, turn: _Turn) -> None:
        now_ns = turn.start.t_ns
        if turn.by_key:
            if turn.by_key == FIRST and turn.outcome == FAIL and self._rules.renews:
                self._answer_ns = now_ns
            return
        if turn.outcome == HANG:
            self._busy_ns = (now_ns + self._rules.window_ns,) * 2
        else:
            self._busy_ns = turn.busy_ns

    def _effect(self, effect: str, now_ns: int) -> None:
        if effect != SUPPRESSED:
            if self._known(now_ns) is None:
                self._answer, self._answer_ns = SUCCESS, now_ns
        elif self._rules.renews and self._answer == SUCCESS:
            self._answer_ns = now_ns

    def _end(self, turn: _Turn) -> None:
        if turn.end is None or turn.by_key or not turn.says:
            return
        if self._known(turn.end.t_ns) is None:
            self._answer, self._answer_ns = turn.says, turn.end.t_ns


class _Turn(NamedTuple):
    """One attempt as its receiver sees it."""

    attempt: Attempt
    at: int
    start: Event
    outcome: str
    by_key: str
    busy_ns: tuple[int, int]
    """Until when it has the key if it does not hang: for sure, and perhaps."""
    end_at: int
    end: Event | None
    says: Failure | str | None
    """The answer that its end leaves behind; None if it leaves none."""


def _turn_of(attempt: Attempt) -> _Turn | None:
    """Return an attempt as its receiver sees it; None if a service has it and does not come to its key."""
    return _turn_at_service(attempt) if attempt.is_at_service else _turn_of_action(attempt)


def _turn_of_action(attempt: Attempt) -> _Turn:
    now_ns, end = attempt.start.t_ns, attempt.end
    sure_ns = over_ns = now_ns + attempt.latency_ns
    if attempt.outcome == CRASH_BEFORE_EFFECT:
        sure_ns = now_ns if end is None or attempt.how != DIED else end.t_ns
    says = (attempt.failure or PLAIN) if attempt.outcome == FAIL and attempt.how == THREW else None
    key, busy_ns = attempt.by_key, (sure_ns, over_ns)
    return _Turn(attempt, attempt.at, attempt.start, attempt.outcome, key, busy_ns, attempt.end_at, end, says)


def _turn_at_service(attempt: Attempt) -> _Turn | None:
    """A service looks at the key as the work begins, and has its own answer even if the caller hears none."""
    call = attempt.call
    if call is None:
        return None
    if call.rejected is not None and call.rejected.reason == IN_USE:
        return _Turn(attempt, call.out_at, call.rejected, FAIL, IN_USE, (NEVER, NEVER), NOT_YET, None, None)
    work, end = call.work, call.work_end
    if work is None or work.outcome == OWN:
        return None
    over_ns = NOT_YET if end is None else end.t_ns
    fails = end is not None and end.end != SUCCESS and work.outcome not in {ACK_LOST, *DIES} and not attempt.effects
    says: Failure | str | None = None
    if fails:
        says = (attempt.failure or PLAIN) if attempt.how == THREW else UNHEARD
    key, busy_ns = work.by_key, (over_ns, over_ns)
    return _Turn(attempt, call.work_at, work, work.outcome, key, busy_ns, call.work_end_at, end, says)
