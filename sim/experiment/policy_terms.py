"""What a scenario states of its policies, as plain values: the part of the terms that their histories are held to.

Written from the options of a policy alone, and not from the tables that its machine plays.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from sim.clients.cells import CLIENT
from sim.clients.policy import answer_windows, delays, shaping
from sim.clients.policy.breaker_options import USUAL_AT_LEAST, BreakerOptions
from sim.clients.policy.formula_delay import FormulaDelay
from sim.clients.policy.hedges import NEVER_AFTER, AfterPercentile
from sim.clients.policy.options import HEDGE, RETRY, SHARED, PolicyOptions
from sim.clients.policy.share_budgets import ActiveOptions, FailuresOptions
from sim.clients.policy.token_budget import TokensOptions
from sim.clients.policy.window_budget import WindowOptions
from sim.experiment.work_terms import span_of
from sim.kernel.durations import NS_PER_MS, NS_PER_S, parse_duration
from sim.promises.policy import (
    ActiveTerms,
    BreakerTerms,
    BudgetTerms,
    BulkheadTerms,
    CallerRateTerms,
    CaseTerms,
    DeadlineTerms,
    DelayTerms,
    FailuresTerms,
    HedgeTerms,
    HintTerms,
    PolicyTerms,
    TokensTerms,
    WindowTerms,
)
from sim.retriers.policy import Policy
from sim.scenario.parts.services import ServiceOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.clients.policy.delays import DelayOptions
    from sim.clients.policy.hedges import Hedge
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario

FINEST_RATE: Final = 10**12
"""The largest denominator of a rate in tokens a second."""
PARTS: Final = (*SHARED, HEDGE, "delay", "pickup")
"""What has state that requests may share."""
_HINT_FORMULAS: Final = {"instead": "", "lower_bound": "max(d, hint)"}


def policy_terms(retrier: Retrier, cell: Scenario, *, namespace: str = "", service: str = "") -> PolicyTerms | None:
    """Return what is stated of a retrier of a cell if it is a policy, None if it is not.

    `namespace` is that of its class, `service` what it calls.
    """
    if not isinstance(retrier, Policy):
        return None
    options = retrier.options
    terms = PolicyTerms(
        **_limits(options),
        **_parts(options),
        gates=_gates(options),
        name=f"={options.name}" if options.name else namespace,
        service=service,
        scopes={part: _scope(options, part) for part in PARTS},
    )
    return replace(terms, unseen=frozenset(_parts_of_layers(options, cell)))


def _limits(options: PolicyOptions) -> dict[str, Any]:
    """Return what decides about a try more."""
    laws, cases, counters = [options.delay], [], 0
    for case in options.cases:
        delay = 0
        if case.delay is not None:
            laws.append(case.delay)
            delay = len(laws) - 1
        own = case.counter == "own"
        counters += own
        attempts = case.attempts if "attempts" in case.model_fields_set else options.attempts
        cases.append(
            CaseTerms(
                on=case.on,
                attempts=attempts,
                delay=delay,
                counter=counters if own else 0,
                needs_hint=case.hint is not None,
            )
        )
    cases.append(CaseTerms(attempts=options.attempts))
    hint, redeliver, deadline = options.retry_after, options.redeliver, options.deadline
    return {
        "attempts": options.attempts,
        "both_limits": options.limits == "all",
        "cases": tuple(cases),
        "delays": tuple(map(delay_terms, laws)),
        "delay_from_start": options.delay_from == "start",
        "due_floor_ns": options.due_floor,
        "sleeps_after_last": options.sleeps_after_last,
        "retry_on": options.retry_on,
        "retries_final": options.final == "retried",
        "timeout": None if options.timeout is None else delay_terms(options.timeout),
        "deadline": None
        if deadline is None
        else DeadlineTerms(
            after_ns=deadline.after,
            kinds=frozenset(_kinds(options)),
            counted_from=deadline.counted_from,
            counts=deadline.counts,
        ),
        "hint": None
        if hint is None or not hint.obey
        else HintTerms(
            at_most_ns=hint.at_most,
            above=hint.above,
            formula=_HINT_FORMULAS.get(hint.applies_as, hint.applies_as),
            resets=hint.resets,
            decides=hint.decides,
        ),
        "pickup_ns": None if options.pickup is None else span_of(options.pickup.every),
        "redeliver_ns": None if redeliver is None else redeliver.after,
        "redeliver_from_end": redeliver is not None and redeliver.counted_from == "end",
        "redeliver_at_most": None if redeliver is None else redeliver.at_most,
        "redeliver_counts": redeliver is None or redeliver.counts,
    }


def _kinds(options: PolicyOptions) -> tuple[str, ...]:
    """Return the kinds of a deadline: beside `limits: all` it is tested at an answer unless they are written."""
    assert options.deadline is not None  # noqa: S101  # asked only with one
    if options.limits == "all" and "kind" not in options.deadline.model_fields_set:
        return ("after_attempt",)
    return options.deadline.kind


def _parts(options: PolicyOptions) -> dict[str, Any]:
    """Return what has state."""
    bulkhead, limit = options.bulkhead, options.rate_limit
    return {
        "budget": None if options.budget is None else _budget(options.budget),
        "breaker": None if options.breaker is None else _breaker(options.breaker),
        "bulkhead": None
        if bulkhead is None
        else BulkheadTerms(at_most=bulkhead.at_most, queue=bulkhead.queue, max_wait_ns=bulkhead.max_wait),
        "rate_limit": None
        if limit is None
        else CallerRateTerms(
            rate=Fraction(limit.rate).limit_denominator(FINEST_RATE),
            burst=limit.burst,
            refuses=limit.empty == "refuse",
        ),
        "hedge": None if options.hedge is None else _hedge(options.hedge),
    }


def _hedge(hedge: Hedge) -> HedgeTerms:
    after = hedge.after
    fixed: dict[str, Any] = {"at_most": hedge.at_most, "at_failure": hedge.at_failure, "cancels": hedge.cancels}
    if isinstance(after, AfterPercentile):
        return HedgeTerms(percentile=_decimal(after.percentile), remembers=after.remembers, **fixed)
    return HedgeTerms(after_ns=None if after == NEVER_AFTER else after, **fixed)


def _scope(options: PolicyOptions, part: str) -> str:
    own = getattr(getattr(options, part, None), "scope", None) if part in SHARED else None
    return own or options.scope or CLIENT


def _gates(options: PolicyOptions) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return what a request, a try and a copy pass, outermost first."""
    order = options.order
    retry, hedge = order.index(RETRY), order.index(HEDGE)
    found = [
        tuple(layer for layer in part if layer not in {RETRY, HEDGE} and getattr(options, layer) is not None)
        for part in (order[:retry], order[retry:hedge], order[hedge:])
    ]
    return found[0], found[1], found[2]


def _parts_of_layers(options: PolicyOptions, cell: Scenario) -> Iterator[str]:
    """Yield the parts of a policy that services may share which call by a policy of the same name."""
    if not options.name:
        return
    for service in cell.services.values():
        for layer in service.calls if isinstance(service, ServiceOptions) else ():
            others = layer.retrier.options
            if isinstance(others, PolicyOptions) and others.name == options.name:
                yield from PARTS


# Delays.


def delay_terms(options: DelayOptions) -> DelayTerms:  # noqa: PLR0911  # one a law
    """Return a law of delays."""
    if isinstance(options, delays.NoDelay):
        return DelayTerms()
    bounds: dict[str, Any] = {
        "at_least_ms": _ms(options.at_least),
        "floor_ms": _ms(options.floor),
        "round_ms": _ms(options.round),
        "first_ns": options.first,
        "overflow_ns": options.overflow,
    }
    if isinstance(options, FormulaDelay):
        return _formula(options, bounds)
    bounds |= {
        "cap_ms": _ms(options.cap),
        "cap_after": options.cap_applies == "after",
        "overflow_ns": options.cap if options.overflow is None else options.overflow,
        **_jitter(options),
    }
    match options:
        case delays.ConstantDelay():
            return DelayTerms(law="constant", of=(options.delay / NS_PER_MS,), **bounds)
        case delays.LinearDelay():
            of = options.initial / NS_PER_MS, options.step / NS_PER_MS
            return DelayTerms(law="linear", of=of, **bounds)
        case delays.ExponentialDelay():
            return DelayTerms(law="exponential", of=(options.initial / NS_PER_MS, options.factor), **bounds)
        case delays.DecorrelatedDelay():
            base_ms = options.base / NS_PER_MS
            return DelayTerms(
                law="decorrelated",
                of=(base_ms, options.factor),
                starts=(("previous", base_ms),),
                of_client=options.state == "client",
                **bounds,
            )
        case delays.TableDelay():
            entries = tuple(one / NS_PER_MS for one in options.delays)
            return DelayTerms(law="table", of=entries, stops=options.then == "stop", **bounds)


def _formula(options: FormulaDelay, bounds: dict[str, Any]) -> DelayTerms:
    given = {name: _number(value) for name, value in options.given.items()}
    cap = options.given.get("cap")
    cap_ns = parse_duration(cap) if isinstance(cap, str) else None
    if options.overflow is None:
        bounds["overflow_ns"] = cap_ns
    return DelayTerms(
        law="formula",
        of=tuple(one / NS_PER_MS for one in options.table or (0,)),
        stops=options.then == "stop",
        formula=options.formula,
        lets=tuple(options.let.items()),
        given=tuple(given.items()),
        starts=tuple((name, _number(value)) for name, value in options.start.items()),
        cap_ms=given["cap"] if options.cap_applies else None,
        cap_after=True,
        of_client=options.state == "client",
        **bounds,
    )


def _jitter(options: shaping.ShapedDelay) -> dict[str, Any]:
    match options.jitter:
        case shaping.SpreadJitter(share=share):
            return {"jitter": "spread", "jitter_by": share}
        case shaping.PlusJitter(most=most):
            return {"jitter": "plus", "jitter_by": most / NS_PER_MS}
        case shaping.FullJitter():
            return {"jitter": "full"}
        case shaping.EqualJitter():
            return {"jitter": "equal"}
        case _:
            return {}


def _number(value: float | str) -> float:
    return parse_duration(value) / NS_PER_MS if isinstance(value, str) else value


def _ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / NS_PER_MS


def _decimal(number: float) -> Fraction:
    """Return the decimal number that a float was written as."""
    return Fraction(repr(float(number)))


# Budgets and breakers.


def _budget(options: Any) -> BudgetTerms:
    match options:
        case TokensOptions():
            return _tokens(options)
        case WindowOptions():
            rate = Fraction(options.at_least or 0).limit_denominator(FINEST_RATE)
            return WindowTerms(
                share=_decimal(options.share),
                of_ns=options.of,
                reserve=rate * options.of / NS_PER_S,
                whole=options.round == "down",
                slots=options.slots or 0,
                slot_rule=options.slot_rule or "finagle",
                per_request=options.per_request,
            )
        case ActiveOptions():
            return ActiveTerms(
                share=_decimal(options.share),
                at_least=options.at_least,
                sleeping=options.sleeping,
                whole=options.round == "down",
            )
        case FailuresOptions():
            return FailuresTerms(share=_decimal(options.share), of_ns=options.of)
    raise TypeError(f"no budget is a {type(options).__name__}")


def _tokens(options: TokensOptions) -> TokensTerms:
    capacity = _decimal(options.capacity)
    starts = {"full": capacity, "empty": Fraction(0)}
    refund = options.on_success
    above = None
    if options.allows == "above_half":
        above = capacity / 2
    elif not isinstance(options.allows, str):
        above = _decimal(options.allows)
    return TokensTerms(
        capacity=capacity,
        start=starts[options.start] if isinstance(options.start, str) else _decimal(options.start),
        costs={name: _decimal(cost) for name, cost in options.cost},
        clean=_decimal(refund.clean),
        retried=None if isinstance(refund.retried, str) else _decimal(refund.retried),
        on_request=_decimal(options.on_request),
        per_second=_decimal(options.per_second),
        above=above,
        on_failure=options.charges == "on_failure",
        sleeps_if_empty=options.empty == "sleep",
        takes_at_start=options.takes == "at_start",
    )


def _breaker(options: BreakerOptions) -> BreakerTerms:
    window, half_open, slow = options.window, options.half_open, options.slow
    tried = half_open.at_least or half_open.calls
    opens_at = Fraction(1, 2) if options.opens_at is None else _decimal(options.opens_at)
    at_least, size = options.at_least or USUAL_AT_LEAST, 0
    closes_below = opens_at
    match window:
        case answer_windows.CallsWindow():
            kind, size, at_least = "calls", window.calls, options.at_least or window.calls
        case answer_windows.TimeWindow():
            in_slots = {"grid": "slots", "answer": "slots_from_answer"}[options.slots_from]
            kind, size = "time" if options.slots is None else in_slots, window.time
        case answer_windows.ConsecutiveWindow():
            kind, at_least, opens_at, closes_below = "consecutive", window.consecutive, Fraction(1), Fraction(1, tried)
        case _:
            kind = "life"
    return BreakerTerms(
        window=kind,
        size=size,
        slots=options.slots or 0,
        opens_at=opens_at,
        at_least=at_least,
        open=delay_terms(options.open),
        half_open_calls=half_open.calls,
        half_open_at_least=tried,
        closes_below=closes_below if half_open.closes_at is None else _decimal(half_open.closes_at),
        half_open_max_wait_ns=half_open.max_wait,
        keeps=half_open.uncounted == "keep",
        counts=options.counts,
        others_succeed=options.others == "success",
        slow_over_ns=None if slow is None else slow.over,
        slow_opens_at=Fraction(1) if slow is None else _decimal(slow.opens_at),
        judged_at_failure=options.judged == "at_failure",
        late_counts=options.late == "counts",
    )
