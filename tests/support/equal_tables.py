"""Compares what the tables engine and the event engine leave behind of one world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.engine import event, tables
from sim.engine.tables.engine import simulate_within_limits
from sim.history.records import COLUMNS
from sim.history.traffic import CALL_COLUMNS, CAPACITY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.history.records import Requests
    from sim.history.traffic import Traffic
    from sim.scenario.schema import Scenario


def assert_equal(got: Any, expected: Any, names: Iterable[str], origin: object) -> None:
    for name in names:
        ours, theirs = getattr(got, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype, name
        assert ours.tolist() == theirs.tolist(), f"{name}\n{origin}"


def assert_same(scenario: Scenario, replication: int = 0) -> tuple[Requests, Traffic]:
    """Simulate with both engines, and return what both leave behind."""
    assert tables.refusal(scenario) is None, scenario.written
    requests, traffic = simulate_within_limits(scenario, replication)  # a limit must not pass for equality
    theirs, their_traffic = event.simulate_replication(scenario, replication)
    assert_equal(requests, theirs, COLUMNS, scenario.written)
    assert_equal(traffic.calls, their_traffic.calls, CALL_COLUMNS, scenario.written)
    assert_equal(traffic.capacities, their_traffic.capacities, CAPACITY_COLUMNS, scenario.written)
    assert_equal(traffic, their_traffic, ("replications", "observed_ns"), scenario.written)
    return requests, traffic
