"""The tables engine's records of requests and calls are those of the event engine, bit for bit."""

from __future__ import annotations

import pytest
from data_worlds import data_worlds, judged_policies, plain_policies
from equal_tables import assert_same
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import event as note
from hypothesis import strategies as st

from sim.engine.tables.timeline import OutOfBounds
from sim.scenario.load import from_dict
from sim.scenario.mistakes.problems import ScenarioError

POLICIES = {"plain": plain_policies(), "judged": judged_policies()}
ANYHOW = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


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
@settings(ANYHOW, max_examples=80)
@given(data=st.data())
def test_records_are_equal_in_random_worlds(kind: str, data: st.DataObject) -> None:
    assert_same_in_a_random_world(kind, data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", POLICIES)
@settings(ANYHOW, max_examples=4000)
@given(data=st.data())
def test_records_are_equal_in_many_random_worlds(kind: str, data: st.DataObject) -> None:
    assert_same_in_a_random_world(kind, data)
