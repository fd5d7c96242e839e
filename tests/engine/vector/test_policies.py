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


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
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
