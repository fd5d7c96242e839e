"""What follows from an answer, decided again: the case, retry_on, the tries, the delay, the deadline, the budget.

The first that ends the request is the reason. A worker's looks draw numbers that no history has, so that a retry that
waits for one (`pickup`) is only held to the longest time between two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.contracts.policy.budgets import levels
from sim.contracts.policy.clock import CALLS, DeadlineClock
from sim.contracts.policy.course import steps
from sim.contracts.policy.delays import at_first, delay_ns, drawn, formula
from sim.contracts.policy.steps import Address, What, fits, is_retried
from sim.history.entities import when
from sim.history.policy_events import Decided
from sim.kernel.durations import RUNAWAY_NS, format_duration
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.policy import TokensTerms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sim.contracts.policy.budgets import Level
    from sim.contracts.policy.delays import Memory
    from sim.contracts.policy.steps import Run, Step
    from sim.history.events import NumberDrawn
    from sim.promises.policy import CaseTerms, HintTerms
    from sim.promises.services import Span
    from sim.promises.view import View

KNOWN: Final = "decisions of policies"
RETRY, ATTEMPTS, TABLE, DEADLINE, BUDGET, HINT = "retry", "attempts", "table", "deadline", "budget", "hint"
BY_ANSWER: Final = frozenset({"final", "retry_on", "no_hint", HINT})
"""Reasons that lie in the answer itself."""
ASKS_TO_STOP: Final = -2
STREAMS: Final = {"u": "delay", "u2": "delay.second"}
HINT_STREAM: Final = "retry_after"
UNKNOWN: Final = ""


class Expected(NamedTuple):
    """A decision as it should be."""

    reason: str
    """Empty if only the budget decides, of which nothing is known."""
    n: int = 0
    own_ns: int | None = None
    wait_ns: Span | None = None
    """The least and the most that it waits."""


class Judged(NamedTuple):
    """A decision, and what it should be."""

    step: Step
    event: Decided
    expected: Expected


@dataclass(slots=True)
class _Judge:
    """Decides for one request."""

    run: Run
    memories: dict[Address, Memory]
    """What laws remember for the requests of a client."""
    levels: Mapping[int, Level]
    draws: list[tuple[int, NumberDrawn]]
    """The numbers that the request drew, with their places."""
    tries: int = 0
    begun_ns: int = 0
    counters: dict[int, int] = field(default_factory=dict)
    """Retries, by their counters."""
    shift: int = 0
    answer: Step | None = None
    ends: str = ""
    """Why it gives up, if it has decided so."""
    start: str = RETRY
    """Whether the present try was to begin: `retry`, or why not."""
    clock: DeadlineClock | None = None
    own: dict[int, Memory] = field(default_factory=dict)
    _drawn: int = 0

    def __post_init__(self) -> None:
        deadline = self.run.terms.deadline
        self.clock = None if deadline is None else DeadlineClock(deadline)

    def take(self, step: Step) -> Judged | None:
        """Take a step; return what it decides."""
        if self.clock is not None:
            self.clock.take(step)
        event, found = step.event, None
        match step.what:
            case What.begun:
                self.start = self._at_start(step) if self.tries else RETRY
                self.tries += 1
                self.begun_ns = step.t_ns
            case What.again:
                self.tries += step.run.terms.redeliver_counts
            case What.failed:
                self.answer = step
            case What.decided if isinstance(event, Decided) and self.answer is not None:
                expected, case = self._judge(self.answer, step)
                found = Judged(step, event, expected)
                self._remember(event, case)
                self.ends = "" if event.reason == RETRY else event.reason
            case What.ended_at_start if isinstance(event, Decided):
                found = Judged(step, event, Expected(self._at_start(step)))
        return found

    def _judge(self, answer: Step, step: Step) -> tuple[Expected, CaseTerms]:  # noqa: C901, PLR0911  # one a reason
        terms, t_ns = self.run.terms, step.t_ns
        hint = terms.hint
        case = next(one for one in terms.cases if not one.on or fits(answer.kind, one.on))
        draws = self._new_draws(step.at)
        if answer.final and not terms.retries_final:
            return Expected("final"), case
        if not is_retried(terms, answer):
            return Expected("retry_on"), case
        if hint is not None and answer.hint_ns <= ASKS_TO_STOP:
            return Expected(HINT), case
        if case.needs_hint and answer.hint_ns < 0:
            return Expected("no_hint"), case
        out = self.is_out(case)
        if out and not terms.both_limits and not terms.sleeps_after_last:
            return Expected(ATTEMPTS), case
        n = self.counters.get(case.counter, 0) + 1 - (0 if case.counter else self.shift)
        own_ns = self._own_ns(case, n, t_ns, draws)
        if own_ns is None:
            return Expected(TABLE, n), case
        wait_ns: int | None = max(self.begun_ns + own_ns - t_ns, 0) if terms.delay_from_start else own_ns
        if hint is not None and answer.hint_ns >= 0:
            wait_ns = _obeyed_ns(hint, own_ns, wait_ns or 0, answer.hint_ns, draws)
            if wait_ns is None:
                return Expected(HINT, n, own_ns), case
        wait_ns = wait_ns or 0
        if terms.due_floor_ns is not None:
            wait_ns = max((t_ns + wait_ns) // terms.due_floor_ns * terms.due_floor_ns - t_ns, 0)
        if out and terms.sleeps_after_last:
            return Expected(ATTEMPTS, n, own_ns, (wait_ns, wait_ns)), case
        waits = wait_ns, wait_ns if terms.pickup_ns is None else wait_ns + max(terms.pickup_ns[1], 1)
        within = self._within_deadline(t_ns, waits, step.event)
        if within is None and (out or not terms.both_limits):
            return Expected(DEADLINE, n, own_ns), case
        return Expected(self._by_budget(step), n, own_ns, within or waits), case

    def _by_budget(self, step: Step) -> str:
        budget = self.run.terms.budget
        if budget is None or (isinstance(budget, TokensTerms) and budget.takes_at_start):
            return RETRY
        level = self.levels.get(step.at)
        if level is None:
            return UNKNOWN
        return RETRY if level.allows else BUDGET

    def is_out(self, case: CaseTerms) -> bool:
        """Tell whether a case has had all its tries."""
        if case.attempts is None:
            return False
        made = self.counters.get(case.counter, 0) + 1 if case.counter else self.tries
        return made >= case.attempts

    def _own_ns(self, case: CaseTerms, n: int, t_ns: int, draws: Mapping[str, float]) -> int | None:
        law = self.run.terms.delays[case.delay]
        given = {name: draws[STREAMS[name]] for name in drawn(law) if STREAMS[name] in draws}
        if len(given) < len(drawn(law)):
            given = dict.fromkeys(drawn(law), 0.0)  # a delay that draws nothing is no delay of this law
        memory = self._memory(case.delay)
        return delay_ns(law, n, t_ns - self.run.request.submitted_ns, memory, given)

    def _memory(self, place: int) -> Memory:
        law, scope = self.run.terms.delays[place], self.run.terms.scopes.get("delay", "client")
        if law.of_client and scope != "request":
            address = Address(self.run.terms.name, f"delay.{place}", "client", self.run.client)
            return self.memories.setdefault(address, at_first(law))
        return self.own.setdefault(place, at_first(law))

    def _new_draws(self, at: int) -> dict[str, float]:
        """Return the numbers drawn since the last decision, by their streams."""
        found = {}
        while self._drawn < len(self.draws) and self.draws[self._drawn][0] < at:
            event = self.draws[self._drawn][1]
            found[event.stream] = event.value
            self._drawn += 1
        return found

    def _within_deadline(self, t_ns: int, waits: Span, event: object) -> Span | None:
        """Return the wait that the deadline leaves, None if it ends the request."""
        deadline, clock = self.run.terms.deadline, self.clock
        if deadline is None or clock is None or not (clock.is_on or self.run.terms.both_limits):
            return waits
        left_ns, (low_ns, high_ns) = clock.left_ns(t_ns), waits
        if left_ns <= 0 and deadline.kinds & {"after_attempt", "cut_sleep"}:
            return None
        sleeps = deadline.counts != CALLS
        if "before_sleep" in deadline.kinds:
            told_ns = event.wait_ns if isinstance(event, Decided) and low_ns <= event.wait_ns <= high_ns else low_ns
            if (told_ns if sleeps else 0) > left_ns:
                return None
        if "cut_sleep" in deadline.kinds and sleeps:
            return min(low_ns, left_ns), min(high_ns, left_ns)
        return waits

    def _at_start(self, step: Step) -> str:
        """Return why a try does not begin although its sleep is over; `retry` if it should."""
        if self.ends:
            return self.ends
        terms, clock = self.run.terms, self.clock
        soft = terms.deadline is not None and "soft" in terms.deadline.kinds
        is_past = soft and clock is not None and clock.is_on and clock.left_ns(step.t_ns) <= 0
        if is_past and (not terms.both_limits or self.is_out(terms.cases[-1])):
            return DEADLINE
        if isinstance(terms.budget, TokensTerms) and terms.budget.takes_at_start:
            level = self.levels.get(step.at)
            if level is None:
                return UNKNOWN
            return RETRY if level.allows else BUDGET
        return RETRY

    def _remember(self, event: Decided, case: CaseTerms) -> None:
        if event.reason != RETRY:
            return
        self.counters[case.counter] = self.counters.get(case.counter, 0) + 1
        hint, answer = self.run.terms.hint, self.answer
        if hint is not None and hint.resets and answer is not None and answer.hint_ns >= 0:
            self.shift = self.counters.get(0, 0)


def _obeyed_ns(hint: HintTerms, own_ns: int, else_ns: int, asked_ns: int, draws: Mapping[str, float]) -> int | None:
    """Return the wait that a hint makes of the own delay, None if it ends the request."""
    if hint.at_most_ns is not None and asked_ns > hint.at_most_ns:
        if hint.above == "give_up":
            return None
        if hint.above == "ignore":
            return else_ns
        asked_ns = hint.at_most_ns
    if not hint.formula:
        return asked_ns
    values = {"d": own_ns / 1e6, "hint": asked_ns / 1e6, "u": draws.get(HINT_STREAM, 0.0)}
    value_ns = formula(hint.formula, values) * 1e6
    return max(min(round(value_ns), RUNAWAY_NS), 0) if isfinite(value_ns) else RUNAWAY_NS


def judged(view: View) -> list[Judged]:
    """Return all decisions with what they should be."""
    found: list[Judged] | None = view.known.get(KNOWN)
    if found is None:
        found = view.known[KNOWN] = [one for _, one in _walk(view) if isinstance(one, Judged)]
    return found


def _walk(view: View) -> Iterator[tuple[_Judge, Judged | Step]]:
    """Yield all steps, or the decisions in their place, with who judges them."""
    judges: dict[Run, _Judge] = {}
    memories: dict[Address, Memory] = {}
    draws: dict[int, list[tuple[int, NumberDrawn]]] = {}
    for at, event in view.draws:
        if event.stream in {*STREAMS.values(), HINT_STREAM}:
            draws.setdefault(event.request, []).append((at, event))
    for step in steps(view):
        judge = judges.get(step.run)
        if judge is None:
            judge = judges[step.run] = _Judge(step.run, memories, levels(view), draws.get(step.run.number, []))
        yield judge, judge.take(step) or step


@invariant()
def reasons_in_order(view: View) -> Iterator[Violation]:
    """A policy gives up for the first reason of case, retry_on, tries, delay, deadline and budget, or else retries."""
    for step, event, expected in judged(view):
        reason = expected.reason
        if reason == event.reason or (reason == UNKNOWN and event.reason in {RETRY, BUDGET}):
            continue
        does = "retries" if event.reason == RETRY else f"gives up ({event.reason})"
        should = "should retry" if reason in {RETRY, UNKNOWN} else f"should give up ({reason})"
        yield breach(step.run.number, f"{step.run.request} {does} {when(event)}, but {should}", event)


@invariant()
def only_listed_answers_retried(view: View) -> Iterator[Violation]:
    """An answer is retried only if its kind is one of `retry_on`, and no final one unless final ones are retried."""
    for step, event, expected in judged(view):
        if (event.reason == RETRY) is (expected.reason not in BY_ANSWER):
            continue
        if event.reason == RETRY or event.reason in BY_ANSWER:
            does = "retries" if event.reason == RETRY else "does not retry"
            why = f", for which it should give up ({expected.reason})" if event.reason == RETRY else ""
            yield breach(step.run.number, f"{step.run.request} {does} {step.kind} {when(event)}{why}", event)


@invariant()
def tries_within_attempts(view: View) -> Iterator[Violation]:
    """No try begins beyond `attempts`, copies of a hedge not counted, and none of them is left out."""
    for judge, one in _walk(view):
        if isinstance(one, Judged):
            step, event, expected = one
            out = expected.reason == ATTEMPTS
            if event.reason == RETRY and out:
                text = f"{step.run.request} retries {when(event)} after all its {judge.tries} tries"
                yield breach(step.run.number, text, event)
            elif event.reason == ATTEMPTS and not out:
                text = f"{step.run.request} gives up {when(event)} for its tries, but has had only {judge.tries}"
                yield breach(step.run.number, text, event)
        elif one.what == What.again:
            most = one.run.terms.attempts
            if most is not None and judge.tries > most:
                text = f"{one.run.request} is delivered again {when(one.event)} as try {judge.tries} of {most}"
                yield breach(one.run.number, text, one.event)


@invariant()
def own_delays_follow_law(view: View) -> Iterator[Violation]:
    """The own delay before a retry is what its law makes of the retry's number and of the numbers that were drawn."""
    for step, event, expected in judged(view):
        if expected.own_ns is None or event.own_ns < 0 or (expected.n, expected.own_ns) == (event.n, event.own_ns):
            continue
        text = f"{step.run.request} has a delay of {format_duration(event.own_ns)} {when(event)} as retry {event.n}"
        text += f", but by its law it is {format_duration(expected.own_ns)}, as retry {expected.n}"
        yield breach(step.run.number, text, event)


@invariant()
def waits_as_stated(view: View) -> Iterator[Violation]:
    """Before a retry a policy waits as its own delay, Retry-After and what the deadline leaves say together."""
    for step, event, expected in judged(view):
        if expected.wait_ns is None or event.reason not in {RETRY, ATTEMPTS, BUDGET}:
            continue
        low_ns, high_ns = expected.wait_ns
        if not low_ns <= event.wait_ns <= high_ns:
            text = f"{step.run.request} waits {format_duration(event.wait_ns)} {when(event)}"
            most = "" if low_ns == high_ns else f" to {format_duration(high_ns)}"
            yield breach(step.run.number, f"{text}, but it should be {format_duration(low_ns)}{most}", event)


def _off_deadline(judge: _Judge, one: Judged | Step, clock: DeadlineClock) -> str:
    """Say what a step does that the deadline does not allow, or leaves out; nothing if there is nothing."""
    if isinstance(one, Judged):
        told, should = one.event.reason == DEADLINE, one.expected.reason == DEADLINE
        if told is should:
            return ""
        return "gives up for its deadline" if told else "goes on after its deadline"
    if one.what == What.begun and judge.start == DEADLINE:
        return "begins a try after its deadline"
    is_cut = one.what == What.cut and isinstance(one.event, Decided) and one.event.reason == DEADLINE
    left_ns = clock.left_ns(one.t_ns)
    if is_cut and left_ns:
        return f"is cut by a deadline of which {format_duration(abs(left_ns))} are left"
    return ""


@invariant()
def policy_deadlines_hold(view: View) -> Iterator[Violation]:
    """A deadline ends a request as its kinds say: at its instant, at a start, at an answer, before a sleep."""
    due: dict[Run, int] = {}
    for judge, one in _walk(view):
        step = one.step if isinstance(one, Judged) else one
        run, deadline = step.run, step.run.terms.deadline
        if deadline is None or judge.clock is None:
            continue
        text = _off_deadline(judge, one, judge.clock)
        if "hard" in deadline.kinds:
            by_ns = due.pop(run, None)
            if by_ns is not None and step.t_ns > by_ns:
                text = text or f"goes on after its deadline at {format_duration(by_ns)}"
            if step.what not in {What.over, What.cut, What.succeeded} and judge.clock.due_ns is not None:
                due[run] = judge.clock.due_ns
        if text:
            yield breach(run.number, f"{run.request} {text} {when(step.event)}", step.event)
    for run, by_ns in due.items():
        if view.is_past(by_ns) and run.request.settled is None and run.request.runaway is None:
            text = f"{run.request} is not over by its deadline at {format_duration(by_ns)}"
            yield breach(run.number, text, run.request.submit)
