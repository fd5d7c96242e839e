"""Histories of scenarios for questions of one's own."""

from collections.abc import Iterator

import pytest

from sim.analysis.contracts import Invariant, Violation, breach, invariant
from sim.analysis.invariants import View
from sim.experiment.check import check
from sim.kernel.records import Outcome
from sim.retriers.component import Component
from sim.scenario.schema import Scenario
from sim.testing.histories import check_world, simulated


def scenario(world: str, retrier: str = "helpers", **more: object) -> Scenario:
    action = {"outcomes": {"crash_before_effect": 0.5}}
    return Scenario.from_dict({"retrier": retrier, "requests": {"count": 3}, "world": world, "action": action, **more})


def test_an_isolated_world_has_a_history_for_each_request() -> None:
    assert [list(one.view.requests) for one in simulated(scenario("isolated"))] == [[0], [1], [2]]


def test_a_shared_world_has_one_history() -> None:
    assert [list(one.view.requests) for one in simulated(scenario("shared"))] == [[0, 1, 2]]


def test_what_became_of_the_requests_comes_along() -> None:
    assert [request.outcome for one in simulated(scenario("isolated")) for request in one.requests] == (
        [Outcome.success] * 3
    )


@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_terms_are_those_of_the_world(world: str) -> None:
    limits = {"action_time_limit": "7s", "retention": "3s"}
    (one, *_) = simulated(scenario(world, platform=limits, action={"idempotency": {"window": "1s"}}))
    terms = one.view.terms
    assert (terms.action_time_limit_ns, terms.retention_ns, terms.idempotency_ns, terms.drained) == (
        7 * 10**9,
        3 * 10**9,
        10**9,
        True,
    )


def test_another_retrier_takes_the_place_of_the_scenarios_own() -> None:
    (one, *_) = simulated(scenario("isolated"), Component)
    assert (one.view.events[0].name, one.view.terms.promises.callback) == ("component", True)


@invariant()
def first_of_all(view: View) -> Iterator[Violation]:
    """Nothing is submitted."""
    for request in view.requests.values():
        yield breach(request.number, "is submitted", request.submit)


@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_all_that_breaks_is_returned(world: str) -> None:
    held: list[Invariant] = [first_of_all]
    found = check_world(scenario(world), invariants=held)
    assert [(violation.invariant, violation.request) for violation in found] == [
        ("first-of-all", number) for number in range(3)
    ]


@pytest.mark.parametrize("world", ["isolated", "shared"])
def test_a_check_of_the_whole_scenario_finds_the_same(world: str) -> None:
    stuck = scenario(world, "component", requests={"count": 20})
    (cell,) = check(stuck).cells
    assert {violation.invariant for violation in check_world(stuck)} == set(cell.broken)
    assert cell.broken != {}
