"""Hypothesis strategies for policies: trees of options with any of their keys, each as a file could have it.

Durations are short, so that small worlds see deadlines, full queues and open breakers. Examples shrink to a policy of
one try. Keys that a policy may not have together are drawn apart, not filtered out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from sim.testing.parts import Values

LAYERS: Final = ("bulkhead", "rate_limit", "breaker", "hedge", "timeout")
PARTS: Final = ("budget", "breaker", "bulkhead", "rate_limit")
KINDS: Final = ("failed", "rejected", "conflict", "timed_out", "refused")

Tree = dict[str, Any]


def _maybe(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    """Return a mapping that has any of these keys."""
    return st.fixed_dictionaries({}, optional=keys)


def _one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


@st.composite
def delays(draw: st.DrawFn) -> Any:  # noqa: PLR0911  # one a law
    """Generate delays of any law."""
    jitter = _one_of("full", "equal", {"spread": 0.2}, {"plus": "10ms"})
    cap = draw(_one_of(None, "25ms", "40ms"))
    shape = draw(
        _maybe(
            jitter=jitter, at_least=st.just("5ms"), floor=st.just("1ms"), round=st.just("10ms"), first=st.just("3ms")
        )
    )
    if cap is not None:
        shape |= {"cap": cap, "cap_applies": draw(_one_of("before", "after"))}
    law = draw(_one_of("none", "constant", "linear", "exponential", "decorrelated", "table", "formula"))
    match law:
        case "none":
            return "none"
        case "constant":
            return {law: {"delay": draw(_one_of("10ms", "0s", "30ms")), **shape}}
        case "linear":
            return {law: {"initial": "10ms", "step": "5ms", **shape}}
        case "exponential":
            return {law: {"initial": draw(_one_of("10ms", "0s")), "factor": draw(_one_of(2, 1.5, 3)), **shape}}
        case "decorrelated":
            return {law: {"base": "5ms", "state": draw(_one_of("request", "client")), **shape}}
        case "table":
            return {law: {"delays": ["10ms", "20ms", "5ms"], "then": draw(_one_of("repeat", "stop")), **shape}}
    return draw(_FORMULAS)


_FORMULAS: Final = _one_of(
    {"formula": "min(cap, initial * 2 ** (n - 1)) * u", "initial": "10ms", "cap": "30ms"},
    {"let": {"t": "n - 1 + u", "f": "2 ** t * tanh(sqrt(4 * t))"}, "formula": "max(f - last_f, 0) * b", "b": "8ms"},
    {"formula": "previous * 0.5 + u2 * 10ms + elapsed * 0.1", "start": {"previous": "20ms"}, "state": "client"},
    {"formula": "entry * (1 + u_previous)", "table": ["10ms", "20ms"]},
)

_TOKENS: Final = st.fixed_dictionaries(
    {"capacity": _one_of(3, 5), "cost": _one_of(1, 0.5, {"timed_out": 2, "else": 1})},
    optional={
        "start": _one_of("full", 1),
        "on_success": _one_of(0.5, {"clean": 1, "retried": 0.3}),
        "on_request": st.just(0.3),
        "per_second": _one_of(5, 0.7),
        "allows": _one_of("at_least_cost", "above_half", {"above": 1.0}),
        "empty": _one_of("fail", "sleep"),
    },
)
_BUDGETS: Final = st.one_of(
    st.builds(
        lambda tokens, more: {"tokens": {**tokens, **more}},
        _TOKENS,
        _one_of({}, {"charges": "on_failure"}, {"takes": "at_start"}, {"on_success": "last_cost"}),
    ),
    st.fixed_dictionaries(
        {"share": st.just(0.3), "of": _one_of("100ms", "1s"), "at_least": _one_of("10/s", "3/s")},
        optional={"round": st.just("down")},
    ).map(lambda window: {"window": window}),
    st.fixed_dictionaries(
        {"share": st.just(0.3), "at_least": st.just(1)}, optional={"sleeping": st.booleans(), "round": st.just("down")}
    ).map(lambda active: {"active": active}),
    st.fixed_dictionaries({"share": st.just(0.5), "of": _one_of("life", "200ms")}).map(lambda of: {"failures": of}),
)


@st.composite
def _breakers(draw: st.DrawFn) -> Tree:
    window = draw(_one_of({"calls": 4}, {"time": "200ms"}, {"consecutive": 2}, "life"))
    half_open = _maybe(calls=st.just(2), uncounted=_one_of("release", "keep"), max_wait=st.just("60ms"))
    found = draw(
        _maybe(
            half_open=half_open,
            counts=_one_of(["failed"], ["timed_out", "rejected"]),
            others=st.just("success"),
            judged=st.just("at_failure"),
            late=st.just("counts"),
        )
    )
    found |= {"window": window, "open": draw(_one_of("50ms", "100ms", {"linear": {"initial": "20ms", "step": "20ms"}}))}
    if window != {"consecutive": 2}:
        found |= {"opens_at": draw(_one_of("50%", "30%")), "at_least": draw(_one_of(2, 3))}
        found |= draw(_maybe(slow=st.just({"over": "30ms", "opens_at": "50%"})))
    if window == {"time": "200ms"} and draw(st.booleans()):
        found |= {"slots": 4, "slots_from": draw(_one_of("grid", "answer"))}
    return found


_HEDGES: Final = st.fixed_dictionaries(
    {"after": _one_of("10ms", "20ms", "never", "0s", {"percentile": 50, "of": "last_20"}, {"percentile": 90})},
    optional={
        "at_most": st.just(2),
        "at_failure": _one_of("next", "delay", "wait"),
        "cancels": st.booleans(),
    },
)
_BULKHEADS: Final = st.one_of(
    st.fixed_dictionaries({"at_most": _one_of(1, 2)}),
    st.fixed_dictionaries(
        {"at_most": _one_of(1, 2), "queue": _one_of(1, 2, "unlimited")}, optional={"max_wait": st.just("20ms")}
    ),
)
_RATES: Final = st.fixed_dictionaries(
    {"rate": _one_of("30/s", "50/s")}, optional={"burst": st.just(2), "empty": _one_of("wait", "refuse")}
)
_HINTS: Final = st.builds(
    lambda hint, most: {**hint, **most},
    _maybe(
        **{"as": _one_of("instead", "lower_bound", "max(d, min(hint, d + 5ms))", "hint + u * 10ms")},
        resets=st.sampled_from([True]),
        decides=st.sampled_from([True]),
    ),
    _one_of({}, *({"at_most": "20ms", "above": above} for above in ("cap", "give_up", "ignore"))),
)
_DEADLINES: Final = st.fixed_dictionaries(
    {
        "after": _one_of("60ms", "100ms"),
        "kind": _one_of(
            *("hard", "soft", "before_sleep", "cut_sleep", "after_attempt"),
            *(["hard", "cut_sleep"], ["soft", "before_sleep"]),
        ),
    },
    optional={"from": _one_of("first_call", "first_failure"), "counts": _one_of("calls", "sleeps")},
)
_CASES: Final = st.fixed_dictionaries(
    {"on": _one_of("failed", "rejected", ["timed_out"])},
    optional={
        "delay": delays(),
        "attempts": st.just(2),
        "counter": st.just("own"),
        "hint": st.just("required"),
    },
)
_TIMEOUTS: Final = _one_of(
    "30ms", "45ms", *({"linear": {"initial": "20ms", "step": "10ms", "jitter": jitter}} for jitter in ("none", "equal"))
)


@st.composite
def _orders(draw: st.DrawFn) -> list[str]:
    """Generate orders of layers: retry left of hedge, and the deadline left of retry."""
    order = list(draw(st.permutations(LAYERS)))
    order.insert(draw(st.integers(0, order.index("hedge"))), "retry")
    order.insert(draw(st.integers(0, order.index("retry"))), "deadline")
    return order


@st.composite
def policies(draw: st.DrawFn, *, shared: bool = True) -> Values:
    """Generate policies with any keys; in a world that is not shared each request has all state for itself."""
    found = draw(
        _maybe(
            attempts=_one_of(2, 3, 4, 6),
            delay=delays(),
            timeout=_TIMEOUTS,
            deadline=_DEADLINES,
            retry_on=_one_of(["failed", "timed_out"], list(KINDS)),
            final=st.just("retried"),
            retry_after=_HINTS,
            delay_from=st.just("start"),
            due_floor=st.just("7ms"),
            sleeps_after_last=st.sampled_from([True]),
            pickup=st.fixed_dictionaries({"every": st.just({"uniform": {"low": "5ms", "high": "20ms"}})}),
            redeliver=st.fixed_dictionaries({"after": _one_of("25ms", "50ms"), "from": _one_of("start", "end")}),
            budget=_BUDGETS,
            breaker=_breakers(),
            hedge=_HEDGES,
            bulkhead=_BULKHEADS,
            rate_limit=_RATES,
            order=_orders(),
        )
    )
    if "retry_on" not in found:
        found |= draw(_maybe(cases=st.lists(_CASES, min_size=1, max_size=2)))
    soft = "deadline" in found and "hard" not in found["deadline"]["kind"]
    if soft and "attempts" in found:
        found |= draw(_maybe(limits=st.just("all")))
    if shared and any(part in found for part in PARTS):
        found |= draw(_maybe(scope=_one_of("request", "world", "service")))
    return {"kind": "policy", **found}


WORK: Final = st.builds(
    lambda latency, fails: {"latency": latency, "outcomes": {"fail": fails}},
    _one_of({"uniform": {"low": "5ms", "high": "60ms"}}, {"constant": "20ms"}),
    _one_of(
        0.3, {"share": 0.4, "retry_after": {"uniform": {"low": "1ms", "high": "40ms"}}}, {"share": 0.4, "final": 0.3}
    ),
)


@st.composite
def policy_worlds(draw: st.DrawFn) -> Values:
    """Generate shared worlds in which policies have something to do, as plain values of a scenario."""
    work = draw(WORK)
    tree: Values = {"world": "shared", "until": "20s", "limits": {"polls_per_request": 60, "events": 100_000}}
    tree["requests"] = {
        "count": draw(_one_of(12, 4)),
        "arrivals": {"constant": {"rate": draw(_one_of("20/s", "50/s"))}},
    }
    tree["retrier"] = draw(policies())
    if draw(st.booleans()):
        queue = {"servers": draw(_one_of(1, 2, 5)), "queue": {"limit": draw(_one_of(0, 2))}}
        limit = draw(_maybe(rate_limit=st.just({"rate": "40/s", "burst": 2, "retry_after": "next"})))
        tree |= {"action": {"service": "db"}, "services": {"db": {**work, **queue, **limit}}}
    else:
        tree["action"] = work
    if draw(st.booleans()):
        tree["clients"] = {"count": draw(_one_of(2, 3))}
    return {**tree, "seed": draw(st.integers(0, 2**16 - 1))}
