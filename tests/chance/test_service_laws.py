"""The work of services, over a whole run, has the outcomes and the latencies that each service states."""

from typing import Any

import pytest

from sim.api.check import check
from sim.chance import attempts
from sim.scenario.load import from_dict
from sim.world.fates import Fates

LAWS = (attempts.outcomes_as_stated, attempts.latencies_as_stated, attempts.streams_apart)
FRONT: dict[str, Any] = {
    "servers": 4,
    "latency": {"exponential": {"mean": "20ms"}},
    "outcomes": {"fail": 0.2, "ack_lost": 0.1},
    "slowdown": {"per_call": "5ms"},
    "calls": [{"service": "ledger"}],
}
LEDGER: dict[str, Any] = {"latency": {"uniform": {"low": "1ms", "high": "9ms"}}, "outcomes": {"fail": 0.3}}


def broken() -> dict[str, str]:
    """Check a run; return what breaks each law."""
    scenario = from_dict(
        {
            "name": "laws",
            "seed": 7,
            "world": "shared",
            "requests": {"count": 600, "arrivals": {"poisson": {"rate": "60/s"}}},
            "action": {"service": "front"},
            "services": {"front": FRONT, "ledger": LEDGER},
            "retrier": "none",
        }
    )
    checked = check(scenario, invariants=LAWS)
    return {name: one.violation.text for cell in checked.cells for name, one in cell.firsts.items()}


def test_services_follow_their_laws() -> None:
    assert broken() == {}


@pytest.mark.parametrize("service", ["front", "ledger"])
def test_a_service_that_fails_more_often_than_it_states_is_found(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Fates.__init__

    def fails_more(self: Fates, choices: Any, options: Any, **more: Any) -> None:
        made(self, choices, options, **more)
        if more.get("owner") == service:
            cumulative, ways = self._mixes[0]
            self._mixes[0] = [0.6 + 0.4 * share for share in cumulative], ways

    monkeypatch.setattr(Fates, "__init__", fails_more)
    assert f" at {service} occur too often" in broken()["outcomes-as-stated"]


def test_a_service_that_takes_longer_than_its_law_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Fates.draw

    def slow(self: Fates, *given: Any) -> Any:
        fate = drawn(self, *given)
        return fate._replace(latency_ns=2 * fate.latency_ns)

    monkeypatch.setattr(Fates, "draw", slow)
    assert "latencies-as-stated" in broken()
