"""Worlds that have everything, and the claim that two engines make the same records in them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from sim.engine import event, vector
from sim.history.records import Requests
from sim.testing.features import ALL
from sim.testing.strategies import as_yaml

if TYPE_CHECKING:
    from sim.scenario.schema import Scenario

OVERLAPPING = ("convex_profile", "mutation_latency", "commit_window", "dispatch_latency")
"""The features that the engine refuses."""
FEATURES = tuple(name for name in ALL if name not in OVERLAPPING)

HARM = "{fail: 0.2, ack_lost: 0.1, crash_before_effect: 0.1, crash_after_effect: 0.1, lost_contact: 0.1, hang: 0.05}"
SLOW = "{lognormal: {median: 2s, p99: 60s}}"
WORLDS = {
    "all outcomes": f"action: {{latency: {SLOW}, outcomes: {HARM}, effect_at: 0.7}}",
    "no latency": f"action: {{latency: {{constant: 0s}}, outcomes: {HARM}}}",
    "effects at the start": f"action: {{latency: {{uniform: {{low: 0s, high: 20s}}}}, effect_at: 0, outcomes: {HARM}}}",
    "latencies of their own": "action: {latency: {constant: 1s}, outcomes:"
    " {fail: {share: 0.3, latency: {constant: 5ms}}, ack_lost: {share: 0.2, latency: {exponential: {mean: 9s}}}}}",
    "weather": "action: {latency: {constant: 200ms}, outcomes: {fail: 0.1, crash_after_effect: 0.1}, weather:"
    " [{outage: {from: 100ms, to: 2s, fail: 0.5}},"
    " {on_off: {up: {exponential: {mean: 1s}}, down: {gamma: {shape: 2, mean: 700ms}}, fail: 0.9}},"
    " {on_off: {up: {constant: 3s}, down: {constant: 3s}}}]}",
    "weather of all outcomes": f"action: {{latency: {SLOW}, outcomes: {HARM}, permanent_failure: 0.1, weather:"
    " [{outage: {from: 100ms, to: 20s, outcomes: {fail: [{kind: a, share: 0.2, latency: {constant: 5ms}},"
    " {kind: b, share: 0.1}], ack_lost: 0.2, hang: 0.1}, latency: {exponential: {mean: 3s}}}},"
    " {on_off: {up: {exponential: {mean: 9s}}, down: {constant: 4s}, outcomes: {crash_after_effect: 0.4}}},"
    " {outage: {from: 8s, to: 30s, fail: {share: 0.7, latency: {constant: 1s}}}}]}",
    "kinds of failures": "action: {latency: {constant: 1s}, outcomes: {fail: [{kind: a, share: 0.3},"
    " {kind: b, share: 0.3, latency: {constant: 2s}}]}, permanent_failure: 0.2}",
    "weather over epochs": "action: {latency: {constant: 1s}, outcomes: {fail: 0.5}, weather:"
    " [{on_off: {up: {constant: 5ms}, down: {exponential: {mean: 5ms}}}}]}",
    "permanent failures, healed": "heals_at: 20s\n"
    f"action: {{latency: {SLOW}, outcomes: {HARM}, permanent_failure: 0.3}}",
    "idempotency": f"action: {{latency: {{constant: 1s}}, outcomes: {HARM}, idempotency: {{window: 8s}}}}",
    "script": "action: {script: [{outcome: ack_lost, latency: 1s}, {outcome: lost_contact, latency: 30s},"
    " {outcome: crash_after_effect, latency: 3s}, {outcome: success, latency: 12s}]}",
    "heavy tails": "action: {latency: {pareto: {shape: 0.05, scale: 1ms}}, outcomes: {fail: 0.3}}",
    "normal": "action: {latency: {normal: {mean: 2s, sd: 2s}}, outcomes: {fail: 0.6}}",
    "empirical": "action: {latency: {weibull: {shape: 0.4, scale: 3s}}, outcomes: {fail: 0.6}}",
}
DEPLOYED = {
    "short limit, late detection": f"action: {{latency: {SLOW}, outcomes: {HARM}, effect_at: 0.9}}\n"
    "platform: {action_time_limit: 4s, crash_detection: 3s}",
    "no time limit": "action: {latency: {constant: 1s}, outcomes: {fail: 0.3, hang: 0.1}}\n"
    "platform: {action_time_limit: none}\nlimits: {polls_per_request: 60}",
    **{
        f"no time limit, canceled {target}": "action: {latency: {constant: 1s}, outcomes: {fail: 0.3, hang: 0.4}}\n"
        "platform: {action_time_limit: none}\nlimits: {polls_per_request: 60}\n"
        f"cancel: {{share: 0.7, after: {{uniform: {{low: 0s, high: 20s}}}}, target: {target}}}"
        for target in ("request", "action", "poll")
    },
    "few polls": f"action: {{latency: {SLOW}, outcomes: {HARM}}}\nlimits: {{polls_per_request: 3}}",
    "rows collected early": f"action: {{latency: {SLOW}, outcomes: {HARM}}}\nplatform: {{retention: 2s}}",
}


def assert_equal(got: Requests, expected: Requests, origin: str) -> None:
    for field in fields(Requests):
        ours, theirs = getattr(got, field.name), getattr(expected, field.name)
        assert ours.dtype == theirs.dtype, field.name
        assert ours.tolist() == theirs.tolist(), f"{field.name}\n{origin}"


def assert_same(scenario: Scenario, requests: range = range(6)) -> None:
    got = vector.simulate(scenario, requests)
    assert_equal(got, event.simulate(scenario, numbers=requests), as_yaml(scenario))
