"""The event engine: one event after the other. It runs every scenario, in full.

Isolated requests run one world at a time on a clock that is used again: a heap of a few timers is faster than one heap
for all requests, and gives the same numbers, since numbers come by address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.engine.collector import OF_PORTS, OF_USERS, keep_as_old, rare_collections
from sim.engine.world import World
from sim.history.request import table
from sim.history.traffic import CallLog
from sim.retriers.registry import is_built_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.history.recorder import Recorder
    from sim.history.records import Requests
    from sim.history.traffic import Traffic
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario


def simulate(
    cell: Scenario,
    replication: int = 0,
    numbers: Sequence[int] | None = None,
    *,
    retrier: Callable[[], Retrier] | Retrier | None = None,
    recorder: Recorder | None = None,
    progress: Callable[[int], None] | None = None,
) -> Requests:
    """Simulate requests of one cell and return their records, in order of number.

    In an isolated world `numbers` chooses the requests (all by default). A shared world is always simulated whole, as
    replication number `replication`. `retrier` replaces the scenario's own; see `World`.
    """
    if cell.world == "shared":
        return simulate_replication(cell, replication, retrier=retrier, recorder=recorder, progress=progress)[0]
    world = World(cell, replication=replication, retrier=retrier, recorder=recorder)
    with rare_collections(_between_looks(world)):
        requests = world.isolated(range(cell.requests.count) if numbers is None else numbers, progress)
        finished = table(requests)
        world.clear()
        del requests
        keep_as_old()
    return finished


def simulate_replication(
    cell: Scenario,
    replication: int = 0,
    *,
    retrier: Callable[[], Retrier] | Retrier | None = None,
    recorder: Recorder | None = None,
    at_most: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Requests, Traffic]:
    """Simulate one replication of a shared world; return the records of its requests, and what their calls met.

    `at_most`: only the first few requests. The other arguments are those of `simulate`.
    """
    world = World(cell, replication=replication, retrier=retrier, recorder=recorder, calls=CallLog())
    with rare_collections(_between_looks(world)):
        requests = world.shared(progress, at_most=at_most)
        finished, traffic = table(requests, replication), world.traffic()
        world.clear()
        del requests
        keep_as_old()
    return finished, traffic


def _between_looks(world: World) -> int:
    """Return how many objects may come between two looks of the garbage collector."""
    own = all(is_built_in(type(retrier)) for retrier in world.retriers.all())
    return OF_PORTS if own else OF_USERS
