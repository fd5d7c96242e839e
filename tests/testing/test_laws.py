"""Laws over many scenarios; bugs that break them are hunted in the zoo."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from loops import Full

from sim.contracts.catalogue import PLATFORM
from sim.scenario.load import from_dict
from sim.testing.laws import Laws
from sim.testing.strategies import scenarios


class Squared(Full):
    """Full jitter by u squared."""

    def wait_ms(self, at: Any) -> float:
        return super().wait_ms(at._replace(uniform=at.uniform**2))


def few(seed: int = 0) -> Any:
    return from_dict({"retrier": "none", "seed": seed, "requests": {"count": 5}, "action": {"outcomes": {"fail": 0.7}}})


def test_before_anything_is_looked_at_nothing_is_broken() -> None:
    assert (Laws().broken, Laws().draws) == ({}, 0)


@pytest.mark.parametrize(("retrier", "expected"), [(Full, set()), (Squared, {"waits-follow-law"})])
def test_the_draws_of_many_small_scenarios_are_tested_together(retrier: Any, expected: set[str]) -> None:
    laws = Laws()
    for _ in range(60):
        laws.look(few(), retrier)
    assert set(laws.broken) == expected


def test_an_invariant_of_single_histories_is_no_law() -> None:
    with pytest.raises(ValueError, match="'clock-monotone' is not of kind overall"):
        Laws(PLATFORM)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["article", "helpers", "component", "component-repaired", "none"])
@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_the_originals_break_no_law_in_generated_scenarios(kind: str, world: Any) -> None:
    laws = Laws()

    @settings(max_examples=60, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(scenarios(kind, world=world))
    def look(scenario: Any) -> None:
        laws.look(scenario)

    look()
    assert laws.broken == {}
    assert laws.draws > 0
