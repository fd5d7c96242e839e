"""Scenarios in which everything that can go otherwise does: chance, faults, weather, cancels, several cells."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from sim.history.records import Requests

ISOLATED = """
name: isolated-mix
seed: 20
requests: {count: 150}
action:
  latency: {lognormal: {median: 120ms, p99: 2s}}
  outcomes:
    {fail: 0.2, ack_lost: 0.1, crash_before_effect: 0.03, crash_after_effect: 0.05, lost_contact: 0.04, hang: 0.01}
  effect_at: 0.7
  permanent_failure: 0.02
  weather:
    - on_off: {up: {exponential: {mean: 20s}}, down: {exponential: {mean: 2s}}, fail: 0.9}
cancel: {share: 0.1, after: {exponential: {mean: 1s}}}
variants:
  the article: {retrier: article}
  helpers: {retrier: helpers}
  component: {retrier: {kind: component, max_failures: 6}}
  none: {retrier: none}
expect:
  - success.rate >= 50%
"""

SHARED = """
name: shared-mix
seed: 21
world: shared
requests: {count: 50, arrivals: {poisson: {rate: 20/s}}}
replications: 3
measure: {from: 500ms}
action:
  latency: {gamma: {shape: 2, mean: 200ms}}
  outcomes: {fail: 0.2, ack_lost: 0.1, crash_after_effect: 0.05, lost_contact: 0.04}
  weather:
    - outage: {from: 2s, to: 3s}
    - on_off: {up: {exponential: {mean: 5s}}, down: {exponential: {mean: 1s}}}
faults:
  - restart: {rate: 1000/h, down: 300ms}
  - system_error: {share: 0.01}
sweep:
  retrier: [article, component]
  platform.parallelism: [2, 8]
"""


@pytest.fixture
def isolated() -> str:
    return ISOLATED


@pytest.fixture
def shared() -> str:
    return SHARED


@pytest.fixture(params=[ISOLATED, SHARED], ids=["isolated", "shared"])
def mixed(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


@pytest.fixture
def columns() -> Callable[[Requests], dict[str, list[Any]]]:
    """Takes records apart into lists, which `==` compares as a whole."""
    return lambda requests: {field.name: getattr(requests, field.name).tolist() for field in fields(Requests)}
