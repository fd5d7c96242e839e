"""Which engine simulates a run, and the one door through which a part of a cell is simulated.

`event` runs anything. What an engine cannot do it refuses with the reason; `auto` takes the fastest that can do every
cell, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sim.engine import event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.kernel.records import Requests
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

EVENT: Final = "event"
AUTO: Final = "auto"
Engine = Literal["event"]
Asked = Literal["auto", "event"]
VERSIONS: Final = {EVENT: 1}
"""Grows whenever an engine gives other numbers than before: results of different versions are not mixed."""


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


def choose(cells: Sequence[Cell], asked: Asked = AUTO) -> Choice:
    """Choose the engine of a run of these cells."""
    del cells
    return Choice(EVENT, "asked for" if asked == EVENT else "runs everything")


def simulate(
    cell: Scenario,
    engine: Engine,
    *,
    requests: range | None = None,
    replication: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Requests:
    """Simulate some requests of an isolated cell (all by default), or a replication of a shared one.

    `progress` is told now and then how many requests are done. The numbers do not depend on how a cell is cut up.
    """
    del engine
    return event.simulate(cell, replication, requests, progress=progress)
