"""The cells of a scenario as tables, sentences and pictures take them: each with its metrics and verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass

from sim.expect.expectations import Verdict
from sim.measure.metrics import CellMetrics


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a scenario, ready to be reported."""

    name: str
    metrics: CellMetrics
    verdicts: Sequence[Verdict] = ()
    over_time: bool = False
    """Whether its scenario asks for results over time: it has services, classes, a timeline or a recovery."""
    variant: str = ""
    """The name of its variant; empty without variants."""
    swept: bool = False
    """Whether it is one of a sweep, so that its variant has other cells too."""


def lack_replications(cells: Sequence[Cell]) -> bool:
    """Say whether some cell is a single replication of a shared world, which gives no intervals."""
    return any(cell.metrics.shared and cell.metrics.replications == 1 for cell in cells)
