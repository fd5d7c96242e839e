"""Receivers that remember keys in other ways than by default: nothing of the platform breaks in random worlds."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sim.contracts.catalogue import PLATFORM, check_view
from sim.history.vocabulary import FIRST, IN_USE
from sim.scenario.load import from_dict
from sim.testing import features
from sim.testing.histories import simulated
from sim.testing.strategies import as_yaml, scenario_values

RULES = st.fixed_dictionaries(
    {
        "window": st.sampled_from(["24h", "1s", "200ms"]),
        "from": st.sampled_from(["applied", "last_seen"]),
        "answers": st.sampled_from(["fresh", "first"]),
        "in_use": st.sampled_from(["runs", "rejected"]),
    }
)
WORLDS = (
    *features.OUTCOMES,
    *features.ERRORS,
    *("script", "latency", "own_latencies", "effect_at", "kinds", "restart"),
)


@pytest.mark.parametrize(("kind", "world"), [("article", "isolated"), ("helpers", "shared")])
def test_repeated_keys_break_nothing_of_the_platform(kind: str, world: str) -> None:
    decided: set[str] = set()

    @settings(max_examples=20, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(scenario_values(kind, world, WORLDS, always=("latency",)), RULES)
    def look(values: dict[str, Any], rules: dict[str, str]) -> None:
        scenario = from_dict({**values, "action": {**values.get("action", {}), "idempotency": rules}})
        for view in (one.view for one in simulated(scenario)):
            assert check_view(view, PLATFORM) == [], as_yaml(scenario)
            decided.update(attempt.by_key for attempt in view.attempts())

    look()
    assert {FIRST, IN_USE} & decided
