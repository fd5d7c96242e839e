"""The histories of a scenario, one by one, indexed for invariants and for a test's own questions.

For a single generated example; `sim.api.check` checks a whole scenario with its cells and replications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.engine.world import World
from sim.experiment.terms import terms_of
from sim.history.recorder import Recorder
from sim.history.request import table
from sim.promises.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.history.request import Request
    from sim.kernel.choices import Choices
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario


class Simulated(NamedTuple):
    """One world that has been simulated: a request of an isolated world, or a whole shared one."""

    view: View
    """Its history with its terms, indexed."""
    requests: list[Request]
    """Its requests, as they ended."""


def simulated(
    scenario: Scenario, retrier: Callable[[], Retrier] | None = None, choices: Choices | None = None
) -> Iterator[Simulated]:
    """Simulate a scenario (its first replication) and yield every history.

    `retrier` makes the retriers that replace the scenario's own: one for each isolated request, or for a shared world.
    `choices` replaces the numbers that the scenario's seed gives.
    """
    recorder = Recorder()
    world = World(scenario, retrier=retrier, recorder=recorder, choices=choices)
    if scenario.world == "shared":
        requests = world.shared()
        yield Simulated(View(recorder.history(), terms_of(world, records=table(requests))), requests)
        return
    for number in range(scenario.requests.count):
        recorder.raw.clear()
        requests = world.isolated([number])
        yield Simulated(View(recorder.history(), terms_of(world, records=table(requests))), requests)
