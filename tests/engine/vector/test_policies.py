"""The vector engine plays policies whose requests share nothing: its records are those of the event engine.

Worlds are generated, and some are written by hand: there, timers of one instant meet, whose order decides.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sim.engine import event, vector
from sim.engine.vector import engine
from sim.history.records import Requests
from sim.scenario.load import from_dict, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.testing.features import ALL
from sim.testing.strategies import as_yaml, scenario_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.scenario.schema import Scenario

REQUESTS = range(6)
TIMES = st.sampled_from(["100ms", "1ms", "10ms", "200ms", "1s", "2s", "7s", "30s"])
ANSWERS = ("failed", "failed.throttled", "failed.invalid", "timed_out", "rejected")
"""`rejected` is an answer that no isolated world gives."""


def test_a_policy_that_only_calls_needs_no_event() -> None:
    scenario = parse("retrier: {kind: policy, attempts: 3, delay: 1s}\naction: {outcomes: {fail: 0.5}}\n")
    assert vector.refusal(scenario) is None
    assert_same(scenario, range(200))


def assert_same(scenario: Scenario, requests: range = REQUESTS) -> None:
    got = vector.simulate(scenario, requests)
    expected = event.simulate(scenario, numbers=requests)
    for field in fields(Requests):
        ours, theirs = getattr(got, field.name), getattr(expected, field.name)
        assert ours.dtype == theirs.dtype, field.name
        assert ours.tolist() == theirs.tolist(), f"{field.name}\n{as_yaml(scenario)}"


# Generated policies.

JITTERS = st.sampled_from(["none", "full", "equal", {"spread": 0.3}, {"plus": "30ms"}])
NAMED = st.one_of(
    st.builds(lambda time, jitter: {"constant": {"delay": time, "jitter": jitter}}, TIMES, JITTERS),
    st.builds(
        lambda initial, jitter, cap, applies: {
            "exponential": {"initial": initial, "jitter": jitter, "cap": cap, "cap_applies": applies}
        },
        TIMES,
        JITTERS,
        TIMES,
        st.sampled_from(["before", "after"]),
    ),
    st.builds(lambda initial, step: {"linear": {"initial": initial, "step": step}}, TIMES, TIMES),
    st.builds(
        lambda base, state: {"decorrelated": {"base": base, "cap": "1m", "state": state}},
        TIMES,
        st.sampled_from(["request", "client"]),
    ),
    st.builds(
        lambda delays, then: {"table": {"delays": delays, "then": then}},
        st.lists(TIMES, min_size=1, max_size=3),
        st.sampled_from(["repeat", "stop"]),
    ),
    st.builds(lambda time, first: {"exponential": {"initial": time, "first": first}}, TIMES, st.just("0s")),
)
FORMULAS: list[dict[str, Any]] = [
    {
        "let": {"t": "n - 1 + u", "f": "2 ** t * tanh(sqrt(4 * t))"},
        "formula": "min((f - last_f) / 1.4 * b, 1m)",
        "b": "100ms",
    },
    {"formula": "max(previous * 2, 50ms) * (0.5 + u2)", "start": {"previous": "30ms"}},
    {"formula": "min(elapsed, 1s) + u * 10ms"},
    {"formula": "1s / (n - 1)", "overflow": "300ms"},
    {"formula": "u_previous * 2s + n * 1ms"},
]
DELAYS = st.one_of(st.just("none"), TIMES, NAMED, st.sampled_from(FORMULAS))
TIMEOUTS = st.one_of(
    TIMES,
    st.sampled_from(
        [
            {"linear": {"initial": "50ms", "step": "50ms"}},
            {"table": ["50ms", "1s"]},
            {"exponential": {"initial": "200ms", "jitter": "full"}},
            {"formula": "100ms + u2 * 10s"},
        ]
    ),
)
DEADLINES = st.fixed_dictionaries(
    {"after": TIMES},
    optional={
        "kind": st.lists(
            st.sampled_from(["hard", "soft", "before_sleep", "cut_sleep", "after_attempt"]),
            min_size=1,
            max_size=3,
            unique=True,
        ),
        "from": st.sampled_from(["submitted", "first_call", "first_failure"]),
        "counts": st.sampled_from(["all", "calls", "sleeps"]),
    },
)
CASES = st.lists(
    st.fixed_dictionaries(
        {"on": st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=2, unique=True)},
        optional={
            "delay": DELAYS,
            "attempts": st.integers(1, 4),
            "counter": st.sampled_from(["shared", "own"]),
            "hint": st.just("required"),
        },
    ),
    max_size=3,
)
HINTS = st.fixed_dictionaries(
    {},
    optional={
        "at_most": TIMES,
        "above": st.sampled_from(["cap", "give_up", "ignore"]),
        "as": st.sampled_from(["instead", "lower_bound", "max(d, min(hint, d + 5s)) * (1 + u)", "log(d) * hint"]),
        "resets": st.booleans(),
        "decides": st.booleans(),
        "obey": st.booleans(),
    },
)
PICKUPS = st.fixed_dictionaries(
    {"every": st.sampled_from([{"constant": "2s"}, {"uniform": {"low": "250ms", "high": "750ms"}}])},
    optional={"phase": st.sampled_from(["random", "0s", "300ms"])},
)
POLICIES = st.fixed_dictionaries(
    {"kind": st.just("policy"), "attempts": st.sampled_from([3, 1, 2, 6, "unlimited"])},
    optional={
        "name": st.just("shared"),
        "delay": DELAYS,
        "timeout": TIMEOUTS,
        "deadline": st.one_of(TIMES, DEADLINES),
        "limits": st.sampled_from(["any", "all"]),
        "retry_on": st.lists(st.sampled_from(ANSWERS), max_size=4, unique=True),
        "final": st.sampled_from(["gives_up", "retried"]),
        "cases": CASES,
        "retry_after": HINTS,
        "pickup": PICKUPS,
        "delay_from": st.sampled_from(["end", "start"]),
        "due_floor": TIMES,
        "sleeps_after_last": st.booleans(),
        "order": st.just(["deadline", "retry", "bulkhead", "rate_limit", "breaker", "timeout", "hedge"]),
    },
)
"""Policies of which some are refused: their parts do not fit together, or a request would never end."""
WORLDS = scenario_values({"kind": "policy"}, "isolated", ALL, limits={"polls_per_request": 40})


def of_a_policy(policy: dict[str, Any], values: dict[str, Any]) -> Scenario:
    """Return a scenario with a policy; skip the example if such a file is refused."""
    try:
        return from_dict({**values, "retrier": policy})
    except ScenarioError:
        assume(condition=False)
        raise


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(policy=POLICIES, values=WORLDS)
def test_records_are_equal_under_any_policy(policy: dict[str, Any], values: dict[str, Any]) -> None:
    scenario = of_a_policy(policy, values)
    if vector.refusal(scenario) is None:
        assert_same(scenario)


@pytest.mark.slow
@settings(max_examples=8000, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(policy=POLICIES, values=WORLDS)
def test_records_are_equal_under_very_many_policies(policy: dict[str, Any], values: dict[str, Any]) -> None:
    scenario = of_a_policy(policy, values)
    if vector.refusal(scenario) is None:
        assert_same(scenario, range(20))


# Policies and worlds by hand.

HARM = "{fail: 0.2, ack_lost: 0.1, crash_before_effect: 0.1, crash_after_effect: 0.1, lost_contact: 0.1, hang: 0.05}"
BY_HAND = {
    "a timeout as long as each call": (
        "attempts: 4, timeout: 1s, delay: 1s",
        "action: {latency: {constant: 1s}, outcomes: {fail: 0.5}}",
    ),
    "ends of calls given up at the instants of timeouts": (
        "attempts: 4, timeout: 1s",
        (
            "action: {script: [{outcome: fail, latency: 3s}, {outcome: success, latency: 2s},"
            " {outcome: fail, latency: 4s}, {outcome: fail, latency: 1s}]}"
        ),
    ),
    "a call given up ends as a later one succeeds": (
        "attempts: 3, timeout: 1s",
        (
            "action: {script: [{outcome: success, latency: 2500ms}, {outcome: success, latency: 1500ms},"
            " {outcome: success, latency: 500ms}]}"
        ),
    ),
    "a deadline at the end of a sleep": (
        "attempts: 9, delay: 1s, deadline: 3s",
        "action: {latency: {constant: 500ms}, outcomes: {fail: 0.9}}",
    ),
    "a deadline at the instant of a timeout": (
        "attempts: 9, timeout: 1s, deadline: 3s",
        "action: {latency: {constant: 3s}}",
    ),
    "a deadline from the first failure, as calls end": (
        "attempts: 9, timeout: 1s, delay: 1s, deadline: {after: 2s, from: first_failure}",
        "action: {latency: {constant: 3s}}",
    ),
    "a deadline that counts calls": (
        "attempts: unlimited, timeout: 1s, delay: 1s, deadline: {after: 3500ms, counts: calls}",
        f"action: {{latency: {{uniform: {{low: 0s, high: 2s}}}}, outcomes: {HARM}}}",
    ),
    "a deadline that counts sleeps": (
        "attempts: unlimited, timeout: 1s, delay: 1s, deadline: {after: 3s, counts: sleeps}",
        f"action: {{latency: {{constant: 1s}}, outcomes: {HARM}}}",
    ),
    "every kind of deadline but a hard one": (
        (
            "attempts: 9, delay: {exponential: {initial: 100ms, jitter: full}},"
            " deadline: {after: 2s, kind: [soft, before_sleep, cut_sleep, after_attempt]}"
        ),
        f"action: {{latency: {{exponential: {{mean: 300ms}}}}, outcomes: {HARM}}}",
    ),
    "both limits": (
        "attempts: 3, limits: all, deadline: 5s, timeout: 2s, delay: {linear: {initial: 0s, step: 500ms}}",
        f"action: {{latency: {{exponential: {{mean: 300ms}}}}, outcomes: {HARM}}}",
    ),
    "no time at all": ("attempts: 20", f"action: {{latency: {{constant: 0s}}, outcomes: {HARM}}}"),
    "canceled": (
        "attempts: 5, timeout: 2s, delay: {exponential: {initial: 100ms, jitter: equal}}",
        (
            f"action: {{latency: {{exponential: {{mean: 1s}}}}, outcomes: {HARM}, effect_at: 0.5}}\n"
            "cancel: {share: 0.7, after: {uniform: {low: 0s, high: 5s}}}"
        ),
    ),
    "canceled at once": (
        "attempts: 5",
        "action: {latency: {constant: 0s}}\ncancel: {share: 0.5, after: {constant: 0s}}",
    ),
    "kinds, own counters, hints": (
        (
            "attempts: 9, deadline: 1m, retry_on: [failed, timed_out], timeout: 3s, retry_after: {at_most: 5s, above: "
            "give_up, as: 'max(d, hint * u)', resets: true}, cases: [{on: [failed.a], delay: {table: [1s, 2s]}, "
            "counter: own, attempts: 3}, {on: [failed.b], hint: required}, {on: [timed_out], delay: none}]"
        ),
        (
            "action: {latency: {exponential: {mean: 1s}}, effect_at: 0.3, outcomes: {fail: [{kind: a, share: 0.3,"
            " final: 0.1}, {kind: b, share: 0.3, retry_after: {exponential: {mean: 3s}}}], ack_lost: 0.1},"
            " permanent_failure: 0.1, weather: [{on_off: {up: {constant: 3s}, down: {constant: 3s}, fail: 0.9,"
            " retry_after: {constant: 4s}}}],"
            " idempotency: {window: 8s}}"
        ),
    ),
    "a delay that remembers": (
        "attempts: 9, delay: {decorrelated: {base: 100ms, cap: 5s}}, timeout: {linear: {initial: 1s, step: 1s}}",
        f"action: {{latency: {{exponential: {{mean: 2s}}}}, outcomes: {HARM}}}",
    ),
    "a worker that looks": (
        "attempts: 9, delay: 1s, pickup: {every: {uniform: {low: 2500ms, high: 7500ms}}}",
        f"action: {{latency: {{constant: 1s}}, outcomes: {HARM}}}",
    ),
    "more tries than may be": (
        "attempts: 1000",
        "action: {latency: {constant: 1s}, outcomes: {fail: 1.0}}\nlimits: {polls_per_request: 30}",
    ),
    "beyond the clock": (
        "attempts: 99, delay: {exponential: {initial: 1h, factor: 30}}",
        "action: {latency: {pareto: {shape: 0.05, scale: 1ms}}, outcomes: {fail: 0.9}}",
    ),
    "delays from the starts of tries, cut to seconds, and one after the last": (
        (
            "attempts: 4, delay_from: start, due_floor: 1s, sleeps_after_last: true, delay: 1500ms, deadline: 20s,"
            " timeout: 3s"
        ),
        (
            f"action: {{latency: {{exponential: {{mean: 1s}}}}, outcomes: {HARM}}}\n"
            "cancel: {share: 0.3, after: {uniform: {low: 0s, high: 9s}}}"
        ),
    ),
    "a script that asks to stop": (
        "attempts: 9, delay: 1s, retry_after: {}, cases: [{on: failed.slow_down, attempts: 5}]",
        (
            "action: {script: [{outcome: fail, kind: slow_down, retry_after: 3s}, {outcome: fail, final: false},"
            " {outcome: fail, retry_after: stop}]}"
        ),
    ),
    "a table that ends": (
        "attempts: 9, delay: {table: {delays: [1s, 2s], then: stop}}",
        "action: {outcomes: {fail: 0.9}}",
    ),
}


def by_hand(name: str, keys: str = "") -> Scenario:
    policy, world = BY_HAND[name]
    return parse(f"seed: 5\nretrier: {{kind: policy, {policy}{keys}}}\n{world}\n")


@pytest.mark.parametrize("name", list(BY_HAND))
def test_records_are_equal_in_worlds_by_hand(name: str) -> None:
    scenario = by_hand(name)
    assert vector.refusal(scenario) is None
    assert_same(scenario, range(60))


@pytest.mark.parametrize("name", ["canceled", "kinds, own counters, hints", "a delay that remembers"])
def test_records_do_not_depend_on_how_a_cell_is_cut_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = by_hand(name)
    whole = vector.simulate(scenario, range(300))
    monkeypatch.setattr(engine, "BLOCK", 7)
    parts = [vector.simulate(scenario, range(*ends)) for ends in ((0, 3), (3, 200), (200, 300))]
    joined = Requests.concatenate(parts)
    for field in fields(Requests):
        assert getattr(joined, field.name).tolist() == getattr(whole, field.name).tolist(), field.name


def left_to_the_event_engine(name: str) -> Iterator[str]:
    policy = by_hand(name)
    left = Counter[str]()
    simulate = event.simulate

    def counting(cell: Scenario, **more: Any) -> Requests:
        left[name] += len(more["numbers"])
        return simulate(cell, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.event, "simulate", counting)
        vector.simulate(policy, range(5000))
    yield from left.elements()


TIED = (
    "a call given up ends as a later one succeeds",
    "beyond the clock",
    "canceled at once",
    "ends of calls given up at the instants of timeouts",
    "no time at all",
)
"""Worlds with more requests than a few whose course arrays cannot tell: effects of one instant, endless sleeps."""


@pytest.mark.parametrize("name", [name for name in BY_HAND if name not in TIED])
def test_hardly_a_request_is_left_to_the_event_engine(name: str) -> None:
    assert len(list(left_to_the_event_engine(name))) <= 25


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("budget: {tokens: {capacity: 5}}", "retrier.budget"),
        ("breaker: {window: {consecutive: 5}, open: 10s}", "retrier.breaker"),
        ("hedge: {after: 50ms}", "retrier.hedge"),
        ("bulkhead: {at_most: 5}", "retrier.bulkhead"),
        ("rate_limit: {rate: 5/s}", "retrier.rate_limit"),
        ("redeliver: {after: 30s}", "retrier.redeliver"),
        (
            "timeout: 1s, order: [timeout, deadline, retry, bulkhead, rate_limit, breaker, hedge]",
            "retrier.order puts the timeout around all tries",
        ),
        (
            "deadline: {after: 9s, kind: cut_sleep}, pickup: {every: {constant: 1s}}",
            "retrier.deadline cuts the sleep that retrier.pickup has planned",
        ),
    ],
)
def test_what_it_does_not_play_is_named(keys: str, reason: str) -> None:
    refusal = vector.refusal(parse(f"retrier: {{kind: policy, attempts: 3, {keys}}}"))
    assert refusal is not None
    assert refusal.startswith(reason)
