"""The event engine: one event after the other. It runs every scenario, in full.

Isolated requests run one world at a time on a clock that is used again: a heap of a few timers is faster than one heap
for all requests, and gives the same numbers, since numbers come by address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.engine.collector import OF_PORTS, OF_USERS, keep_as_old, rare_collections
from sim.engine.world import World
from sim.history.request import table
from sim.retriers.ports import is_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.history.recorder import Recorder
    from sim.history.records import Requests
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
    world = World(cell, replication=replication, retrier=retrier, recorder=recorder)
    with rare_collections(OF_PORTS if is_port(type(world.retrier)) else OF_USERS):
        if cell.world == "shared":
            requests = world.shared(progress)
        else:
            requests = world.isolated(range(cell.requests.count) if numbers is None else numbers, progress)
        finished = table(requests, replication if cell.world == "shared" else 0)
        world.clear()
        del requests
        keep_as_old()
    return finished
