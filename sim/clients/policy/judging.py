"""What follows from an answer: another try after a wait, or the end and its reason.

In this order: the case, whether its kind is retried, the tries, the delay and Retry-After, the deadline, the budget.
The first that ends the request is the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sim.clients.policy.answers import name_that_fits
from sim.clients.policy.delay_law import STOP
from sim.clients.policy.rules import NO_LIMIT, SHARED_COUNTER
from sim.history.vocabulary import ASKS_TO_STOP, NEVER
from sim.kernel.durations import RUNAWAY_NS, ms_of_ns
from sim.laws.formulas.machine import evaluate

if TYPE_CHECKING:
    from sim.clients.policy.party import Party
    from sim.clients.policy.rules import CaseRules, HintRules, Rules
    from sim.clients.policy.spent import Spent

RETRY: Final = "retry"
FINAL: Final = "final"
NOT_RETRIED: Final = "retry_on"
NO_HINT: Final = "no_hint"
HINT: Final = "hint"
"""The answer asks never to come back, or to wait longer than the policy does."""
ATTEMPTS: Final = "attempts"
TABLE: Final = "table"
"""The table of delays is at its end."""
DEADLINE: Final = "deadline"
BUDGET: Final = "budget"
COPY: Final = "copy"
"""The budget is empty for a further copy; the request goes on."""

HINT_STREAM: Final = "hint"
"""What a formula of `retry_after.as` draws from; `retry_after` is the stream of the wait that the answer names."""


class Answer(NamedTuple):
    """How a try, or a copy of it, failed."""

    kind: str
    attempt: int
    """Its number; -1 if there was no call, or several."""
    final: bool = False
    hint_ns: int = NEVER
    """The wait that it asks for; -1 if it does not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from an answer."""

    reason: str = ""
    """Why the request ends; empty for another try."""
    n: int = 0
    """The number of the retry as its delay counts it."""
    own_ns: int = NEVER
    """The policy's own delay."""
    hint_ns: int = NEVER
    """The wait that the answer asked for."""
    wait_ns: int = 0
    sleeps: bool = False
    """Whether it sleeps even so, and ends after that."""
    level: Any = None
    """What the budget has, of how much."""

    def detail(self, kind: str, moment: str) -> tuple[Any, ...]:
        """Return what a history says of it; `kind` is the answer's, `moment` that of `Decided`."""
        level = (NEVER, NEVER, "") if self.level is None else tuple(self.level)
        return (self.n, self.own_ns, self.hint_ns, self.wait_ns, *level, kind, moment)


def is_retried(rules: Rules, answer: Answer) -> bool:
    """Tell whether an answer of this kind is retried at all."""
    if answer.final and not rules.final_retried:
        return False
    return rules.retries(answer.kind) or (rules.hint is not None and rules.hint.decides and answer.hint_ns >= 0)


def case_of(rules: Rules, kind: str) -> CaseRules:
    """Return how answers of a kind are handled."""
    cases = rules.cases
    if len(cases) > 1:
        for case in cases[:-1]:
            if name_that_fits(kind, case.on) is not None:
                return case
    return cases[-1]


def judge(run: Party, answer: Answer, spent: Spent | None) -> Verdict:  # noqa: C901, PLR0911, PLR0912  # one branch a reason
    """Decide what follows from the answer of a try; a retry is paid for, and its delay is drawn."""
    rules, kind = run.rules, answer.kind
    if answer.final and not rules.final_retried:
        return Verdict(FINAL)
    case = case_of(rules, kind)
    if not is_retried(rules, answer):
        return Verdict(NOT_RETRIED)
    hint_ns = NEVER if rules.hint is None else answer.hint_ns
    if hint_ns <= ASKS_TO_STOP:
        return Verdict(HINT)
    if case.needs_hint and answer.hint_ns < 0:
        return Verdict(NO_HINT)
    out = _is_out(run, case)
    if out and not rules.both_limits and not rules.sleeps_after_last:
        return Verdict(ATTEMPTS)
    n = run.counters[case.counter] + 1 - (run.shift if case.counter == SHARED_COUNTER else 0)
    own_ns = _own_delay_ns(run, case, n)
    if own_ns == STOP:
        return Verdict(TABLE, n)
    wait_ns = own_ns
    if rules.delay_from_start:
        wait_ns = max(run.tried_ns + own_ns - run.clock.now_ns, 0)
    if hint_ns >= 0 and rules.hint is not None:
        obeyed_ns = _obeyed_ns(run, rules.hint, own_ns, hint_ns, wait_ns)
        if obeyed_ns is None:
            return Verdict(HINT, n, own_ns, hint_ns)
        wait_ns = obeyed_ns
    if rules.due_floor_ns > 1:
        due_ns = run.clock.now_ns + wait_ns
        wait_ns = max(wait_ns - due_ns % rules.due_floor_ns, 0)
    if out and rules.sleeps_after_last:
        return Verdict(ATTEMPTS, n, own_ns, hint_ns, wait_ns, sleeps=True)
    if rules.pickup_every is not None:
        assert run.shared.looks is not None  # noqa: S101  # a policy with `pickup` has them
        wait_ns = run.shared.looks.next_ns(run.clock.now_ns + wait_ns) - run.clock.now_ns
    if rules.deadline is not None and spent is not None and (spent.started or rules.both_limits):
        cut_ns = _within_deadline(run, spent, wait_ns)
        if cut_ns is None and (out or not rules.both_limits):
            return Verdict(DEADLINE, n, own_ns, hint_ns, wait_ns)
        wait_ns = wait_ns if cut_ns is None else cut_ns
    verdict = Verdict("", n, own_ns, hint_ns, wait_ns)
    budget, now_ns = run.shared.budget, run.clock.now_ns
    if budget is not None:
        level = budget.level(now_ns)
        if not budget.takes_at_start:
            if not budget.allows(now_ns, kind):
                return Verdict(BUDGET, n, own_ns, hint_ns, wait_ns, sleeps=budget.sleeps_if_empty, level=level)
            run.last_cost = budget.take(now_ns, kind)
        verdict = Verdict("", n, own_ns, hint_ns, wait_ns, level=level)
    run.counters[case.counter] += 1
    if hint_ns >= 0 and rules.hint is not None and rules.hint.resets:
        run.shift = run.counters[SHARED_COUNTER]
    return verdict


def out_of_attempts(run: Party) -> bool:
    """Tell whether the policy's own number of tries is used up."""
    return _is_out(run, run.rules.cases[-1])


def _is_out(run: Party, case: CaseRules) -> bool:
    if case.attempts == NO_LIMIT:
        return False
    if case.counter != SHARED_COUNTER:
        return run.counters[case.counter] + 1 >= case.attempts
    return run.tries + (run.deliveries if run.rules.redeliver_counts else 0) >= case.attempts


def _own_delay_ns(run: Party, case: CaseRules, n: int) -> int:
    law = run.rules.laws[case.law]
    draws = [run.draw("delay" + suffix, run.retries + 1) for suffix in law.streams]
    return law.delay_ns(n, run.clock.now_ns - run.started_ns, run.states[case.law], draws)


def _obeyed_ns(run: Party, rules: HintRules, own_ns: int, hint_ns: int, wait_ns: int) -> int | None:
    """Return the wait that a hint makes of the own delay; None if it ends the request.

    `wait_ns` is the wait without a hint.
    """
    if rules.at_most_ns != NO_LIMIT and hint_ns > rules.at_most_ns:
        if rules.above == "give_up":
            return None
        if rules.above == "ignore":
            return wait_ns
        hint_ns = rules.at_most_ns
    if rules.code is None:
        return hint_ns
    u = run.draw(HINT_STREAM, run.retries + 1) if rules.draws else 0.0
    return wait_of_ms(evaluate(rules.code, (ms_of_ns(own_ns), ms_of_ns(hint_ns), u)))


def wait_of_ms(value_ms: float) -> int:
    """Round a wait to whole ns: at least 0, and beyond all instants if it is infinite or no number."""
    value_ns = value_ms * 1e6
    if value_ns < 0.0:
        return 0
    return round(value_ns) if value_ns < RUNAWAY_NS else RUNAWAY_NS


def _within_deadline(run: Party, spent: Spent, wait_ns: int) -> int | None:
    """Return the wait that the deadline leaves; None if it ends the request."""
    deadline = run.rules.deadline
    assert deadline is not None  # noqa: S101  # asked only with one
    left_ns = spent.left_ns
    if (deadline.after_attempt or deadline.cut_sleep) and left_ns <= 0:
        return None
    counted_ns = 0 if deadline.counts == "calls" else wait_ns
    if deadline.before_sleep and counted_ns > left_ns:
        return None
    return min(wait_ns, left_ns) if deadline.cut_sleep and deadline.counts != "calls" else wait_ns
