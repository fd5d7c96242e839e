"""The tables engine's records of requests and calls are those of the event engine, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from data_worlds import data_worlds, judged_policies, plain_policies
from hypothesis import HealthCheck, event as note, given, reject, settings
from hypothesis import strategies as st

from sim.engine import event, tables
from sim.engine.tables import engine
from sim.engine.tables.timeline import OutOfBounds
from sim.history.records import COLUMNS
from sim.history.traffic import CALL_COLUMNS, CAPACITY_COLUMNS
from sim.scenario.load import from_dict, parse
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from sim.history.records import Requests
    from sim.history.traffic import Traffic
    from sim.scenario.schema import Scenario

POLICIES = {"plain": plain_policies(), "judged": judged_policies()}
ANYHOW = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


def assert_equal(got: Any, expected: Any, names: Any, origin: object) -> None:
    for name in names:
        ours, theirs = getattr(got, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype, name
        assert ours.tolist() == theirs.tolist(), f"{name}\n{origin}"


def assert_same(scenario: Scenario, replication: int = 0) -> tuple[Requests, Traffic]:
    """Simulate with both engines, and return what both leave behind."""
    assert tables.refusal(scenario) is None, scenario.written
    requests, traffic = engine._simulate(scenario, replication, None)  # a limit must not pass for equality
    theirs, their_traffic = event.simulate_replication(scenario, replication)
    assert_equal(requests, theirs, COLUMNS, scenario.written)
    assert_equal(traffic.calls, their_traffic.calls, CALL_COLUMNS, scenario.written)
    assert_equal(traffic.capacities, their_traffic.capacities, CAPACITY_COLUMNS, scenario.written)
    assert_equal(traffic, their_traffic, ("replications", "observed_ns"), scenario.written)
    return requests, traffic


def assert_same_in_a_random_world(kind: str, data: st.DataObject) -> None:
    try:
        scenario = from_dict(data.draw(data_worlds(POLICIES[kind])))
    except ScenarioError as error:
        note(str(error)[:100])
        reject()
    try:
        requests, traffic = assert_same(scenario, data.draw(st.integers(0, 1)))
    except OutOfBounds:
        reject()
    for outcome in set(requests.outcome.tolist()):
        note(f"outcome {outcome}")
    for end in set(traffic.calls.end.tolist()):
        note(f"call {end}")


@pytest.mark.parametrize("kind", POLICIES)
@settings(ANYHOW, max_examples=150)
@given(data=st.data())
def test_records_are_equal_in_random_worlds(kind: str, data: st.DataObject) -> None:
    assert_same_in_a_random_world(kind, data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", POLICIES)
@settings(ANYHOW, max_examples=10_000)
@given(data=st.data())
def test_records_are_equal_in_many_random_worlds(kind: str, data: st.DataObject) -> None:
    assert_same_in_a_random_world(kind, data)
