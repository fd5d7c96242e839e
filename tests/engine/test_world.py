"""How many retriers a world has: one a deployment, so one an isolated request and one a replication."""

from collections.abc import Callable
from typing import Any

import pytest
from keeping import TRIES, Budget, DeployedBudget

from sim.engine.event import simulate
from sim.engine.world import World
from sim.retriers.base import LoopRetrier, Retrier
from sim.retriers.ports.article import Article
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

KINDS = pytest.mark.parametrize("kind", [Budget, DeployedBudget])


def world(requests: int = 200, **more: str) -> Scenario:
    settings = "".join(f", {key}: {value}" for key, value in more.items())
    return parse(f"{{retrier: none, requests: {{count: {requests}}}, action: {{outcomes: {{fail: 0.5}}}}{settings}}}")


def counted(kind: Callable[[], Retrier]) -> tuple[list[Retrier], Callable[[], Retrier]]:
    made: list[Retrier] = []

    def make() -> Retrier:
        made.append(kind())
        return made[-1]

    return made, make


@KINDS
def test_what_a_retrier_keeps_in_itself_serves_one_isolated_request(kind: type[Retrier]) -> None:
    attempts = simulate(world(), retrier=kind).attempts
    # With a budget for all, requests after the first few would have one attempt.
    assert attempts[100:].max() == TRIES
    assert attempts.max() == TRIES


@KINDS
def test_an_isolated_request_is_the_same_alone_whatever_its_retrier_keeps(kind: type[Retrier]) -> None:
    whole = simulate(world(), retrier=kind)
    for number in (0, 57, 199):
        alone = simulate(world(), numbers=[number], retrier=kind)
        assert (alone.attempts[0], alone.settled_ns[0]) == (whole.attempts[number], whole.settled_ns[number])


@KINDS
def test_each_isolated_request_has_a_retrier_of_its_own(kind: type[Retrier]) -> None:
    made, make = counted(kind)
    simulate(world(20), retrier=make)
    assert len(made) == 20


@KINDS
def test_a_replication_of_a_shared_world_has_one_retrier(kind: type[Retrier]) -> None:
    made, make = counted(kind)
    shared = parse(
        "{world: shared, retrier: none, requests: {count: 20, arrivals: {constant: {rate: 1/s}}}, "
        "action: {outcomes: {fail: 0.9}}}"
    )
    requests = simulate(shared, retrier=make)
    assert len(made) == 1
    assert requests.attempts.sum() == 20 + TRIES - 1


def test_one_retrier_that_says_it_keeps_nothing_serves_all_isolated_requests() -> None:
    made, make = counted(Article)
    simulate(world(20), retrier=make)
    assert len(made) == 1


def test_a_retrier_given_as_such_serves_all_requests() -> None:
    one = Budget()
    assert simulate(world(), retrier=one).attempts.sum() == 200 + TRIES - 1


def test_clients_of_an_isolated_scenario_that_share_a_deployment_have_a_retrier_each() -> None:
    made, make = counted(Budget)
    opened = World(world(3), retrier=make)
    requests = opened.open()
    while not opened.clock.drained:
        opened.clock.fire(opened.clock.next_timers()[0])
    assert (len(requests), len(made)) == (3, 3)


def test_promises_are_asked_for_once() -> None:
    asked = []

    class Promising(Budget):
        def promises(self) -> Any:
            asked.append(self)
            return LoopRetrier.promises(self)

    simulate(world(20), retrier=Promising)
    assert len(asked) == 1
