"""Which engine simulates a run, and the one door through which a part of a cell is simulated.

`event` runs anything, one event after the other. Two others are faster, and give the same records bit for bit:
`vector` runs many requests of an isolated world at once, for the retriers it has ports of; `tables` runs shared worlds
of which retriers and services are data. Each refuses a cell that it cannot simulate, with the reason; `auto` takes one
of them if it can simulate every cell, and says why or why not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sim.engine import event, tables, vector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.history.records import Requests
    from sim.history.traffic import Traffic
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

EVENT: Final = "event"
VECTOR: Final = "vector"
TABLES: Final = "tables"
AUTO: Final = "auto"
Engine = Literal["event", "vector", "tables"]
Asked = Literal["auto", "event", "vector", "tables"]
VERSIONS: Final = {EVENT: 4, VECTOR: 4, TABLES: 1}
"""Grows whenever an engine gives other numbers than before, so that results of different versions are not mixed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine of a run."""

    engine: Engine
    why: str
    """One line for people."""

    @property
    def version(self) -> int:
        """The version of the engine."""
        return VERSIONS[self.engine]


class EngineRefused(ValueError):
    """The engine that was asked for cannot simulate one of the cells."""


def choose(cells: Sequence[Cell], asked: Asked = AUTO) -> Choice:
    """Choose the engine of a run of these cells; raises EngineRefused if the one that is asked for cannot do them."""
    if asked == EVENT:
        return Choice(EVENT, "as asked")
    fast: Engine = (TABLES if cells[0].scenario.world == "shared" else VECTOR) if asked == AUTO else asked
    for cell in cells:
        reason = (tables if fast == TABLES else vector).refusal(cell.scenario)
        if reason is not None:
            place = f"in cell '{cell.name}' " if len(cells) > 1 else ""
            if asked == fast:
                raise EngineRefused(f"the {fast} engine cannot simulate this: {place}{reason}")
            return Choice(EVENT, f"not {fast}: {place}{reason}")
    why = "as asked" if asked == fast else "it can do every cell, and gives the same records as the event engine"
    return Choice(fast, why)


def simulate(
    cell: Scenario,
    engine: Engine,
    *,
    requests: range | None = None,
    replication: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Requests:
    """Simulate some requests of an isolated cell (all by default), or a replication of a shared one.

    `progress` is called now and then with how many requests are done. The numbers do not depend on how a cell is cut.
    """
    if engine == VECTOR:
        return vector.simulate(cell, requests, progress=progress)
    return event.simulate(cell, replication, requests, progress=progress)


def simulate_replication(
    cell: Scenario,
    engine: Engine,
    replication: int,
    *,
    at_most: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Requests, Traffic]:
    """Simulate one replication of a shared cell, or its first `at_most` requests, with what its calls met."""
    if engine == TABLES:
        return tables.simulate_replication(cell, replication, at_most=at_most, progress=progress)
    return event.simulate_replication(cell, replication, at_most=at_most, progress=progress)
