"""What happens in a scenario, history by history, indexed for invariants and for questions of one's own.

For one example of many; `sim.api.check` checks a whole scenario with its cells and replications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.contracts.catalogue import INVARIANTS, View, check_view
from sim.engine.world import World
from sim.experiment.terms import terms_of
from sim.history.events import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sim.contracts.invariant import Invariant, Violation
    from sim.history.request import Request
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario


class Simulated(NamedTuple):
    """One world that has been simulated: a request of an isolated world, or a whole shared one."""

    view: View
    """Its history and the terms of that, indexed."""
    requests: list[Request]
    """What became of its requests."""


def simulated(scenario: Scenario, retrier: Callable[[], Retrier] | None = None) -> Iterator[Simulated]:
    """Simulate a scenario (its first replication) and yield every history.

    `retrier` makes one that takes the place of the scenario's own, the same for all of the requests.
    """
    recorder = Recorder()
    world = World(scenario, retrier=None if retrier is None else retrier(), recorder=recorder)
    if scenario.world == "shared":
        requests = world.shared()
        yield Simulated(View(recorder.history(), terms_of(world)), requests)
        return
    for number in range(scenario.requests.count):
        recorder.raw.clear()
        requests = world.isolated([number])
        yield Simulated(View(recorder.history(), terms_of(world)), requests)


def check_world(
    scenario: Scenario,
    retrier: Callable[[], Retrier] | None = None,
    invariants: Iterable[Invariant] = INVARIANTS,
) -> list[Violation]:
    """Simulate a scenario and return all that breaks invariants; `retrier` as in `simulated`."""
    held = tuple(invariants)
    return [violation for one in simulated(scenario, retrier) for violation in check_view(one.view, held)]
