"""What the receiver of an action owes: that it knows a repeated key by the rules that the scenario states.

Checked if the terms say the rules. They are those of `sim.world.effects`, computed from the history alone.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from sim.history.entities import NOT_YET, when
from sim.history.events import Failure
from sim.history.vocabulary import (
    CRASH_BEFORE_EFFECT,
    DIED,
    FAIL,
    FIRST,
    HANG,
    IN_USE,
    NEVER,
    SUCCESS,
    SUPPRESSED,
    THREW,
    rejected_by,
)
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Attempt, Request
    from sim.promises.terms import KeyRules
    from sim.promises.view import View

REJECTED_IN_USE: Final = Failure(final=False, retry_after_ns=NEVER, kind=rejected_by(IN_USE))
PLAIN: Final = Failure(final=False, retry_after_ns=NEVER)
"""An error that says nothing."""


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
        moments: list[tuple[int, str, Attempt]] = []
        for attempt in request.attempts:
            moments.append((attempt.at, "start", attempt))
            moments += [(at, event.effect, attempt) for at, event in attempt.effects]
            if attempt.end is not None and attempt.end_at < NOT_YET:
                moments.append((attempt.end_at, "end", attempt))
        for at, what, attempt in sorted(moments, key=itemgetter(0)):
            if what == "start":
                text = self._wrong(attempt)
                if text:
                    text = f"attempt {attempt.number} of {request}, which starts {when(attempt.start)}, {text}"
                    yield breach(request.number, text, attempt.start, attempt.end)
                self._take(attempt)
            elif what == "end":
                self._end(attempt)
            else:
                self._effect(what, next(event.t_ns for place, event in attempt.effects if place == at))

    def _known(self, now_ns: int) -> Failure | str | None:
        return self._answer if now_ns - self._answer_ns < self._rules.window_ns else None

    def _wrong(self, attempt: Attempt) -> str:
        """Say what is wrong with how an attempt begins; nothing if it is as it should be."""
        now_ns, rules = attempt.start.t_ns, self._rules
        sure_ns, perhaps_ns = self._busy_ns if rules.rejects else (NEVER, NEVER)
        if attempt.by_key == IN_USE:
            if now_ns >= perhaps_ns:
                return "is rejected although no other call has its key"
            wrong = attempt.how == THREW and attempt.failure != REJECTED_IN_USE
            return "is rejected with another answer than 'rejected.in_use'" if wrong else ""
        if now_ns < sure_ns:
            return "does its work although another call has its key"
        answer = self._known(now_ns) if rules.first else None
        if attempt.by_key == FIRST:
            return self._wrong_answer(attempt, answer)
        works = answer is not None and (
            attempt.outcome in {SUCCESS, FAIL}
            or (answer != SUCCESS and attempt.outcome not in {HANG, CRASH_BEFORE_EFFECT})
        )
        return "does its work although the first answer is known" if works else ""

    @staticmethod
    def _wrong_answer(attempt: Attempt, answer: Failure | str | None) -> str:
        if answer is None:
            return "gets a first answer although there is none"
        if (attempt.outcome == SUCCESS) != (answer == SUCCESS):
            return "gets another answer than the first"
        says = attempt.failure or PLAIN
        return "gets another error than the first" if attempt.how == THREW and says != answer else ""

    def _take(self, attempt: Attempt) -> None:
        now_ns = attempt.start.t_ns
        if attempt.by_key:
            if attempt.by_key == FIRST and attempt.outcome == FAIL and self._rules.renews:
                self._answer_ns = now_ns
            return
        over_ns = now_ns + (self._rules.window_ns if attempt.outcome == HANG else attempt.latency_ns)
        sure_ns = over_ns
        if attempt.outcome == CRASH_BEFORE_EFFECT:
            end = attempt.end
            sure_ns = now_ns if end is None or attempt.how != DIED else end.t_ns
        self._busy_ns = (sure_ns, over_ns)

    def _effect(self, effect: str, now_ns: int) -> None:
        if effect != SUPPRESSED:
            if self._known(now_ns) is None:
                self._answer, self._answer_ns = SUCCESS, now_ns
        elif self._rules.renews and self._answer == SUCCESS:
            self._answer_ns = now_ns

    def _end(self, attempt: Attempt) -> None:
        end = attempt.end
        if end is None or attempt.by_key or attempt.outcome != FAIL or attempt.how != THREW:
            return
        if self._known(end.t_ns) is None:
            self._answer, self._answer_ns = attempt.failure or PLAIN, end.t_ns
