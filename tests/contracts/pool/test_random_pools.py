"""Random worlds of a pool keep what every invariant claims, whatever strikes them."""

import pytest
from hypothesis import HealthCheck, given, settings

from sim.contracts.catalogue import check_view
from sim.scenario.load import from_dict
from sim.scenario.schema import Scenario
from sim.testing.features import ALL
from sim.testing.histories import simulated
from sim.testing.strategies import scenarios

HARMLESS = tuple(name for name in ALL if name != "cancel_poll")
"""All but an operator's cancel of the loop, which leaves a pool stuck if its monitor is lost too."""
QUICK = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=600)

SEVERAL = {
    "world": "shared",
    "requests": {"count": 12, "arrivals": {"constant": {"rate": "20/s"}}},
    "action": {"outcomes": {"fail": 0.3}},
}


def holds(scenario: Scenario) -> None:
    for world in simulated(scenario):
        assert check_view(world.view) == []


@pytest.mark.parametrize(
    "more",
    [
        {"retrier": {"kind": "workpool", "function": "mutation"}},
        {"retrier": {"kind": "workpool", "function": "query"}},
        {"retrier": {"kind": "workpool", "max_parallelism": 3}, "faults": [{"cancel_all": {"at": ["400ms"]}}]},
        {"retrier": {"kind": "workpool", "max_parallelism": 1}, "until": "700ms"},
        {
            "retrier": {"kind": "workpool", "max_parallelism": 1},
            "classes": {"a": {"share": 0.5}, "b": {"share": 0.5, "retrier": {"pool": "other"}}},
            "until": "700ms",
        },
    ],
    ids=["mutations", "queries", "an operator cancels all", "cut off", "two pools, cut off"],
)
@pytest.mark.parametrize("profile", ["ideal", "convex"])
def test_a_pool_keeps_all_that_is_owed(profile: str, more: dict[str, object]) -> None:
    holds(from_dict({**SEVERAL, "platform": {"profile": profile}, **more}))


@QUICK
@given(scenarios("workpool", "isolated", HARMLESS))
def test_isolated_works_keep_all_that_is_owed(scenario: Scenario) -> None:
    holds(scenario)


@QUICK
@given(scenarios("workpool", "shared", HARMLESS, requests=8))
def test_works_that_share_a_pool_keep_all_that_is_owed(scenario: Scenario) -> None:
    holds(scenario)


@pytest.mark.slow
@LONG
@given(scenarios("workpool", None, HARMLESS, requests=20))
def test_many_random_pools_keep_all_that_is_owed(scenario: Scenario) -> None:
    holds(scenario)
