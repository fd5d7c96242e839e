"""Random policies in random worlds: each does what it states, counted again from its history."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from sim.contracts.catalogue import INVARIANTS, check_view
from sim.scenario.load import from_dict
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario
from sim.testing.histories import simulated
from sim.testing.policies import policy_worlds

WITHOUT_SHRINKING = (Phase.explicit, Phase.generate)
"""A world that breaks something is small, and making it smaller would take minutes."""


def broken_in(tree: dict[str, Any]) -> list[str]:
    """Return what a world breaks; nothing if its policy is refused, as keys may not fit together."""
    scenario = scenario_of(tree)
    if scenario is None:
        return []
    return [
        f"{one.invariant}: {one.text}" for world in simulated(scenario) for one in check_view(world.view, INVARIANTS)
    ]


def scenario_of(tree: dict[str, Any]) -> Scenario | None:
    """Return the scenario of a world, None if it is refused."""
    try:
        return from_dict({"name": "random", **tree})
    except ScenarioError:
        return None


@settings(max_examples=40, phases=WITHOUT_SHRINKING, suppress_health_check=list(HealthCheck))
@given(policy_worlds())
def test_a_policy_does_what_it_states(tree: dict[str, Any]) -> None:
    assert broken_in(tree) == []


@pytest.mark.slow
@settings(max_examples=3000, phases=WITHOUT_SHRINKING, suppress_health_check=list(HealthCheck))
@given(policy_worlds())
def test_thousands_of_policies_do_what_they_state(tree: dict[str, Any]) -> None:
    assert broken_in(tree) == []


def test_most_policies_that_are_drawn_may_be_written() -> None:
    found: list[bool] = []

    @settings(max_examples=100, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(policy_worlds())
    def draw(tree: dict[str, Any]) -> None:
        found.append(scenario_of(tree) is not None)

    draw()
    assert sum(found) > len(found) / 2
