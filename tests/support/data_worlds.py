"""Random shared worlds that are all data: small, with few different durations, so that much falls on one instant."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Values = dict[str, Any]

MS = ("0ms", "10ms", "20ms", "30ms", "50ms", "100ms")
"""Sums and differences of these often are equal."""
POSITIVE = MS[1:]
KINDS = ("failed", "failed.busy", "rejected", "rejected.queue", "timed_out")

durations = st.sampled_from(MS)
positive = st.sampled_from(POSITIVE)
constants = durations.map(lambda ms: {"constant": ms})
laws = st.one_of(
    constants, st.sampled_from([{"exponential": {"mean": "20ms"}}, {"uniform": {"low": "0ms", "high": "60ms"}}])
)
shares = st.sampled_from([0.2, 0.1, 0.3])


def some(draw: st.DrawFn, **of: st.SearchStrategy[Any]) -> Values:
    """Draw each of these keys, or leave it out."""
    return {key: draw(strategy) for key, strategy in of.items() if draw(st.booleans())}


@st.composite
def outcomes(draw: st.DrawFn) -> Values:
    says = st.composite(lambda draw: some(draw, final=st.sampled_from([1.0, 0.5]), retry_after=laws, latency=laws))()
    fails = st.one_of(
        shares,
        st.builds(lambda share, more: {"share": share, **more}, shares, says),
        st.builds(
            lambda share, more: [{"kind": "busy", "share": share, **more}, {"kind": "bad", "share": 0.2}], shares, says
        ),
    )
    return some(draw, fail=fails, ack_lost=shares, hang=st.sampled_from([0.1, 0.2]))


@st.composite
def work(draw: st.DrawFn) -> Values:
    found = some(
        draw,
        latency=laws,
        outcomes=outcomes(),
        effect_at=st.sampled_from([0.0, 0.5, 0.9]),
        idempotency=positive.map(lambda ms: {"window": ms}),
        weather=st.sampled_from(
            [
                [{"outage": {"from": "100ms", "to": "300ms"}}],
                [{"on_off": {"up": {"constant": "70ms"}, "down": {"exponential": {"mean": "50ms"}}, "fail": 0.6}}],
            ]
        ),
    )
    if draw(st.sampled_from([False, False, False, True])):
        found.pop("latency", None), found.pop("outcomes", None), found.pop("weather", None)
        steps = [
            {"outcome": "fail", "latency": "10ms", "retry_after": "20ms"},
            {"outcome": "fail", "latency": "0ms", "final": True},
            {"outcome": "ack_lost", "latency": "30ms"},
            {"outcome": "hang"},
            {"outcome": "success", "latency": "10ms"},
        ]
        found["script"] = draw(st.lists(st.sampled_from(steps), min_size=1, max_size=4))
    return found


@st.composite
def services(draw: st.DrawFn) -> Values:
    service: Values = draw(work())
    if draw(st.booleans()):
        service["servers"] = draw(st.integers(1, 3))
        queue = some(
            draw,
            limit=st.integers(0, 3),
            order=st.sampled_from(["fifo", "lifo", "priority"]),
            abandoned=st.just("dropped"),
            max_wait=positive,
        )
        if queue:
            service["queue"] = queue
    if network := some(draw, request=laws, reply=laws):
        service["network"] = network
    slowdown = st.one_of(positive.map(lambda ms: {"per_call": ms}), st.just({"curve": [[0, 1.0], [2, 1.5], [4, 3.0]]}))
    rate_limits = st.fixed_dictionaries(
        {"rate": st.sampled_from(["20/s", "100/s"])},
        optional={
            "burst": st.integers(1, 3),
            "retry_after": st.one_of(st.just("next"), laws),
        },
    )
    sheds = st.fixed_dictionaries(
        {"when": st.sampled_from(["inside >= 2", "in_queue > 0", "in_progress >= 1"])},
        optional={"share": st.just(0.5)},
    )
    changes = [
        {"from": "20ms", "to": "50ms", "servers": 0},
        {"from": "0ms", "to": "100ms", "servers": 1, "slowdown": {"per_call": "10ms"}},
        {"from": "50ms", "to": "60ms", "slowdown": {"curve": [[0, 2.0]]}},
        {"on_off": {"up": {"constant": "30ms"}, "down": {"exponential": {"mean": "20ms"}}, "servers": 1}},
    ]
    return service | some(
        draw,
        slowdown=slowdown,
        rate_limit=rate_limits,
        shed=sheds,
        capacity=st.lists(st.sampled_from(changes), min_size=1, max_size=2),
    )


jitters = st.sampled_from(["full", "equal", {"spread": 0.5}, {"plus": "10ms"}])


@st.composite
def delays(draw: st.DrawFn) -> Any:
    shaped = some(draw, jitter=jitters, at_least=durations, floor=st.just("10ms"), first=durations)
    initial = draw(positive)
    return draw(
        st.sampled_from(
            [
                "none",
                initial,
                {"exponential": {"initial": initial, "cap": "100ms", **shaped}},
                {"linear": {"initial": initial, "step": "10ms", **shaped}},
                {"decorrelated": {"base": initial, "cap": "200ms"}},
                {"decorrelated": {"base": initial, "state": "client"}},
                {"table": {"delays": [initial, "0ms", "20ms"], "then": "stop"}},
                {"formula": "min(elapsed, 50ms) + 10ms * n * u2"},
            ]
        )
    )


timeouts = st.one_of(
    positive,
    st.sampled_from(
        [{"exponential": {"initial": "20ms"}}, {"constant": {"delay": "50ms", "jitter": "full"}}, "100ms", "50ms"]
    ),
)


@st.composite
def plain_policies(draw: st.DrawFn) -> Values:
    """Generate policies of which the kind of an answer and the number of the try decide."""
    plain = [{"exponential": {"initial": "10ms", "jitter": "full"}}, "none", "20ms", {"table": ["10ms", "0ms"]}]
    return {
        "kind": "policy",
        "attempts": draw(st.integers(1, 5)),
        **some(
            draw,
            timeout=timeouts,
            delay=st.sampled_from(plain),
            final=st.just("retried"),
            retry_on=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True),
        ),
    }


BUDGETS = (
    {
        "tokens": {
            "capacity": 3,
            "cost": {"timed_out": 2, "else": 1},
            "on_success": {"clean": 1, "retried": "last_cost"},
        }
    },
    {"tokens": {"capacity": 2, "per_second": 10, "empty": "sleep"}},
    {"tokens": {"capacity": 2, "on_request": 0.5, "takes": "at_start"}},
    {"tokens": {"capacity": 3, "charges": "on_failure", "allows": "above_half", "on_success": 1}},
    {"window": {"share": 0.5, "of": "200ms", "at_least": "5/s"}},
    {"active": {"share": 0.5, "at_least": 1}},
    {"active": {"share": 0.25, "at_least": 1, "sleeping": True, "round": "down"}},
    {"failures": {}},
)


@st.composite
def judged_policies(draw: st.DrawFn) -> Values:
    """Generate policies that ask for more."""
    policy: Values = draw(plain_policies())
    policy.pop("retry_on", None)
    policy |= some(draw, delay=delays())
    kinds = st.lists(
        st.sampled_from(["hard", "soft", "before_sleep", "cut_sleep", "after_attempt"]),
        min_size=1,
        max_size=2,
        unique=True,
    )
    deadlines = st.fixed_dictionaries(
        {"after": st.sampled_from(["50ms", "100ms", "200ms"]), "kind": kinds},
        optional={
            "from": st.sampled_from(["submitted", "first_call", "first_failure"]),
            "counts": st.sampled_from(["all", "calls", "sleeps"]),
        },
    )
    hints = st.fixed_dictionaries(
        {},
        optional={
            "at_most": positive,
            "above": st.sampled_from(["cap", "give_up", "ignore"]),
            "as": st.sampled_from(["instead", "lower_bound", "max(d, hint * u)"]),
            "resets": st.booleans(),
            "decides": st.booleans(),
        },
    )
    cases = st.lists(
        st.fixed_dictionaries(
            {"on": st.sampled_from(["failed.busy", "timed_out", "rejected", "failed"])},
            optional={
                "delay": delays(),
                "attempts": st.integers(1, 4),
                "counter": st.just("own"),
                "hint": st.just("required"),
            },
        ),
        max_size=2,
    )
    return policy | some(
        draw,
        deadline=deadlines,
        retry_after=hints,
        cases=cases,
        delay_from=st.just("start"),
        due_floor=st.just("20ms"),
        sleeps_after_last=st.just(value=True),
        pickup=st.sampled_from(
            [{"every": {"constant": "30ms"}, "phase": "10ms"}, {"every": {"exponential": {"mean": "20ms"}}}]
        ),
        budget=st.builds(
            lambda budget, scope: {name: {**options, **scope} for name, options in budget.items()},
            st.sampled_from(BUDGETS),
            st.sampled_from([{}, {"scope": "request"}, {"scope": "service"}, {"scope": "world"}]),
        ),
    )


ARRIVALS = (
    "at_once",
    {"poisson": {"rate": "50/s"}},
    {"constant": {"rate": "100/s"}},
    {"constant": {"rate": "20/s"}},
    {"bursts": {"every": "50ms", "size": 3}},
    {"bursts": {"every": "100ms", "size": 2, "spread": {"exponential": {"mean": "10ms"}}}},
    {"closed": {"think": {"constant": "20ms"}}},
    {"closed": {"think": {"exponential": {"mean": "30ms"}}}},
    {"closed": {"pace": {"constant": "50ms"}}},
    {"schedule": [{"from": "0s", "rate": "20/s"}, {"from": "100ms", "rate": "200/s"}]},
)


@st.composite
def data_worlds(draw: st.DrawFn, policies: st.SearchStrategy[Values]) -> Values:
    """Generate a world of which policies and services are data, as plain values."""
    tree: Values = {
        "world": "shared",
        "seed": draw(st.integers(0, 50)),
        "requests": {"count": draw(st.integers(3, 20)), "arrivals": draw(st.sampled_from(ARRIVALS))},
        "retrier": draw(st.one_of(policies, st.just({"kind": "none"}))),
        # A call that waits behind one that hangs keeps changes of servers going without an end.
        "limits": {"events": 20_000},
    }
    if draw(st.sampled_from([True, True, False])):
        tree["services"] = {"other": draw(services()), "server": draw(services())}
        tree["action"] = {"service": "server"}
    else:
        action = draw(work())
        if "script" not in action:
            action |= some(draw, permanent_failure=st.just(0.3))
        if action:
            tree["action"] = action
    return tree | some(
        draw,
        until=st.sampled_from(["10ms", "100ms", "150ms", "200ms", "1s"]),
        heals_at=st.sampled_from(["100ms", "1s"]),
        clients=st.fixed_dictionaries({"count": st.integers(2, 4), "deal": st.sampled_from(["turn", "random"])}),
    )
