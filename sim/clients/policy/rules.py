"""A policy as the machine reads it: numbers, tables and small enumerations, made once from its options.

Nothing in it changes, and nothing of it is code of a user: a second implementation can be written from these fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from sim.clients.cells import CLIENT, Scope
from sim.clients.policy import limits
from sim.clients.policy.answers import name_that_fits
from sim.clients.policy.delays import ConstantDelay, delay_law
from sim.clients.policy.hedges import AfterPercentile
from sim.clients.policy.options import (
    BREAKER,
    BULKHEAD,
    DEADLINE,
    HEDGE,
    RATE_LIMIT,
    RETRY,
    SHARED,
    TIMEOUT,
    Case,
    PolicyOptions,
)
from sim.laws.formulas import parse
from sim.laws.formulas.machine import encode
from sim.laws.formulas.tree import names_of

if TYPE_CHECKING:
    from sim.clients.policy.breakers import BreakerOptions
    from sim.clients.policy.budgets import BudgetOptions
    from sim.clients.policy.delay_law import DelayLaw
    from sim.clients.policy.delays import DelayOptions
    from sim.clients.policy.gates import BulkheadOptions, CallerRateLimitOptions
    from sim.clients.policy.hedges import Hedge
    from sim.laws.distributions import Law
    from sim.laws.formulas.machine import Code

NO_LIMIT: Final = -1
"""In place of a number of tries or of a time."""
SHARED_COUNTER: Final = 0


class Gate(IntEnum):
    """What a request, a try or a copy passes on its way in, outermost first."""

    deadline = 0
    """The deadline's time begins."""
    bulkhead = 1
    rate_limit = 2
    breaker = 3
    timeout = 4
    """The timeout's time begins."""


_GATES: Final = {
    DEADLINE: Gate.deadline,
    BULKHEAD: Gate.bulkhead,
    RATE_LIMIT: Gate.rate_limit,
    BREAKER: Gate.breaker,
    TIMEOUT: Gate.timeout,
}


@dataclass(frozen=True, slots=True)
class CaseRules:
    """How answers of some kinds are handled."""

    on: tuple[str, ...]
    """The kinds that it is for; () for the policy's own, which is for all."""
    attempts: int
    """Tries at most, or `NO_LIMIT`."""
    law: int
    """The place of its delay in `Rules.laws`."""
    counter: int
    """Which counter of retries it has: `SHARED_COUNTER`, or one of its own."""
    needs_hint: bool


@dataclass(frozen=True, slots=True)
class DeadlineRules:
    """A limit on time."""

    after_ns: int
    hard: bool
    soft: bool
    before_sleep: bool
    cut_sleep: bool
    after_attempt: bool
    counted_from: str
    counts: str


@dataclass(frozen=True, slots=True)
class HintRules:
    """What becomes of a wait that an answer asks for."""

    at_most_ns: int
    above: str
    code: Code | None
    """A formula of `d`, `hint` and `u`, in ms; None: the hint itself."""
    draws: bool
    resets: bool
    decides: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy."""

    attempts: int
    both_limits: bool
    laws: tuple[DelayLaw, ...]
    """The policy's own delay first, then those of its cases."""
    cases: tuple[CaseRules, ...]
    """In their order; the last one is the policy's own."""
    counters: int
    """How many counters of retries there are."""
    retry_on: tuple[str, ...]
    final_retried: bool
    timeout: DelayLaw | None
    timeout_ns: int
    """The timeout if it is always the same, else `NO_LIMIT`."""
    deadline: DeadlineRules | None
    hint: HintRules | None
    pickup_every: Law | None
    pickup_phase_ns: int
    """Of the first look; `NO_LIMIT` if it is random."""
    redeliver_ns: int
    redeliver_from_end: bool
    redeliver_at_most: int
    redeliver_counts: bool
    delay_from_start: bool
    due_floor_ns: int
    """Instants of retries are cut to a multiple of it; 1 leaves them as they are."""
    sleeps_after_last: bool
    budget: BudgetOptions | None
    breaker: BreakerOptions | None
    bulkhead: BulkheadOptions | None
    rate_limit: CallerRateLimitOptions | None
    hedge: Hedge | None
    scopes: tuple[tuple[str, Scope], ...]
    """Whose state each part is, by its name."""
    name: str
    """Shared by policies that share their state; or empty."""
    request_gates: tuple[Gate, ...]
    try_gates: tuple[Gate, ...]
    copy_gates: tuple[Gate, ...]
    shares: bool
    """Whether a part of it has state besides that of a request's tries."""
    remembers: bool
    """Whether a delay depends on those before it."""
    copy_times_out: bool
    """Whether the timeout is that of a copy, and nothing stands between it and the call."""

    def retries(self, kind: str) -> bool:
        """Tell whether answers of a kind are retried."""
        return name_that_fits(kind, self.retry_on) is not None


def rules_of(options: PolicyOptions) -> Rules:
    """Return the rules that some options write."""
    laws = [delay_law(options.delay)]
    cases: list[CaseRules] = []
    counters = 1
    for position, case in enumerate(options.cases):
        law, counter = 0, SHARED_COUNTER
        if case.delay is not None:
            law = len(laws)
            laws.append(delay_law(case.delay, f"cases.{position}.delay"))
        if case.counter == "own":
            counter, counters = counters, counters + 1
        attempts = case.attempts if "attempts" in case.model_fields_set else options.attempts
        cases.append(CaseRules(case.on, _limit(attempts), law, counter, _needs_hint(case)))
    cases.append(CaseRules((), _limit(options.attempts), 0, SHARED_COUNTER, needs_hint=False))
    request_gates, try_gates, copy_gates = _gates(options)
    pickup, redeliver = options.pickup, options.redeliver
    parts = (*(getattr(options, part) for part in SHARED), options.pickup)
    by_latency = options.hedge is not None and isinstance(options.hedge.after, AfterPercentile)
    return Rules(
        shares=by_latency or any(part is not None for part in parts),
        remembers=any(law.start() for law in laws),
        attempts=_limit(options.attempts),
        both_limits=options.limits == "all",
        laws=tuple(laws),
        cases=tuple(cases),
        counters=counters,
        retry_on=options.retry_on,
        final_retried=options.final == "retried",
        timeout=None if options.timeout is None else delay_law(options.timeout, "timeout"),
        timeout_ns=_always(options.timeout),
        deadline=_deadline(options),
        hint=_hint(options),
        pickup_every=None if pickup is None else pickup.every,
        pickup_phase_ns=NO_LIMIT if pickup is None or pickup.phase == "random" else pickup.phase,
        redeliver_ns=NO_LIMIT if redeliver is None else redeliver.after,
        redeliver_from_end=redeliver is not None and redeliver.counted_from == "end",
        redeliver_at_most=NO_LIMIT if redeliver is None or redeliver.at_most is None else redeliver.at_most,
        redeliver_counts=redeliver is None or redeliver.counts,
        delay_from_start=options.delay_from == "start",
        due_floor_ns=options.due_floor or 1,
        sleeps_after_last=options.sleeps_after_last,
        budget=options.budget,
        breaker=options.breaker,
        bulkhead=options.bulkhead,
        rate_limit=options.rate_limit,
        hedge=options.hedge,
        scopes=tuple((part, _scope(options, part)) for part in (*SHARED, HEDGE, "delay", "pickup")),
        name=options.name or "",
        request_gates=request_gates,
        try_gates=try_gates,
        copy_gates=() if copy_gates == (Gate.timeout,) else copy_gates,
        copy_times_out=copy_gates == (Gate.timeout,),
    )


def _always(timeout: DelayOptions | None) -> int:
    """Return a timeout that is always the same, without jitter or other keys; `NO_LIMIT` if it is not."""
    if isinstance(timeout, ConstantDelay) and timeout == ConstantDelay(delay=timeout.delay):
        return timeout.delay
    return NO_LIMIT


def _limit(attempts: int | None) -> int:
    return NO_LIMIT if attempts is None else attempts


def _needs_hint(case: Case) -> bool:
    return case.hint == "required"


def _scope(options: PolicyOptions, part: str) -> Scope:
    own = options.scope_of(part) if part in SHARED else options.scope
    return own or CLIENT


def _gates(options: PolicyOptions) -> tuple[tuple[Gate, ...], tuple[Gate, ...], tuple[Gate, ...]]:
    """Return the gates of a request, of a try and of a copy, each outermost first."""
    order = options.order
    retry, hedge = order.index(RETRY), order.index(HEDGE)

    def present(layers: tuple[str, ...]) -> tuple[Gate, ...]:
        return tuple(_GATES[layer] for layer in layers if layer in _GATES and getattr(options, layer) is not None)

    return present(order[:retry]), present(order[retry:hedge]), present(order[hedge:])


def _deadline(options: PolicyOptions) -> DeadlineRules | None:
    deadline, kinds = options.deadline, options.deadline_kinds
    if deadline is None:
        return None
    return DeadlineRules(
        after_ns=deadline.after,
        hard=limits.HARD in kinds,
        soft=limits.SOFT in kinds,
        before_sleep=limits.BEFORE_SLEEP in kinds,
        cut_sleep=limits.CUT_SLEEP in kinds,
        after_attempt=limits.AFTER_ATTEMPT in kinds,
        counted_from=deadline.counted_from,
        counts=deadline.counts,
    )


def _hint(options: PolicyOptions) -> HintRules | None:
    hint = options.retry_after
    if hint is None or not hint.obey:
        return None
    text = limits.HINT_WORDS.get(hint.applies_as, hint.applies_as)
    code = None if text is None else encode(parse(text, limits.HINT_NAMES), limits.HINT_NAMES)
    return HintRules(
        at_most_ns=NO_LIMIT if hint.at_most is None else hint.at_most,
        above=hint.above,
        code=code,
        draws=text is not None and "u" in names_of(parse(text, limits.HINT_NAMES)),
        resets=hint.resets,
        decides=hint.decides,
    )
