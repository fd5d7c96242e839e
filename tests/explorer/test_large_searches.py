"""Searches of more states than the small worlds have; `retrysim explore` takes on larger ones (see README)."""

from typing import Any

import pytest

from sim.contracts.catalogue import PLATFORM
from sim.explorer.explore import explore
from sim.scenario.load import from_dict
from sim.scenario.parts.course import Bounds

COUNTS = {"component": (47_456, 34_421), "helpers": (47_184, 34_945)}
"""States and executions: to be changed only with a reason."""
WORLDS: dict[str, tuple[dict[str, Any], Bounds]] = {
    "component": ({"max_failures": 2}, Bounds(requests=2, attempts=3, crashes=1)),
    "helpers": ({"max_failures": 1}, Bounds(requests=2, attempts=2, crashes=1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORLDS)
def test_the_platform_keeps_what_it_owes_in_every_state_of_two_requests(kind: str) -> None:
    options, bounds = WORLDS[kind]
    action = {"latency": {"constant": "1s"}, "outcomes": {"fail": 0.1, "ack_lost": 0.1}}
    scenario = from_dict({"retrier": {"kind": kind, **options}, "action": action})
    found = explore(scenario, bounds, invariants=PLATFORM)
    assert (found.states, found.executions) == COUNTS[kind]
    assert found.broken == {}
    assert found.complete


def test_together_these_are_many_states() -> None:
    assert sum(states for states, _ in COUNTS.values()) >= 80_000
