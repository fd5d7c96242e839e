"""What a search for parameters reports on: candidates, each with its parameters, metrics and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sim.expect.expectations import Ruling, Verdict
from sim.measure.estimates import Estimate
from sim.measure.metrics import CellMetrics


class Role(Enum):
    """What became of a candidate."""

    point = "point"
    """It keeps every constraint beyond doubt, and nobody dominates it."""
    dominated = "dominated"
    """It keeps every constraint, and another dominates it."""
    unsure = "unsure"
    """It may keep every constraint."""
    misses = "misses"
    """It misses a constraint."""
    tried = "tried"
    """It was left out on the way to the last round; its metrics are those of the sample that was searched on."""
    as_written = "as written"
    """It is what the scenario says without the search."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate."""

    role: Role
    params: Mapping[str, str]
    """By the last part of the key, or all of it where that is not unique: the value as written."""
    metrics: CellMetrics
    verdicts: Sequence[Verdict] = ()
    number: int = 0
    """Of a point: its number, counted from 1."""

    @property
    def name(self) -> str:
        """What it is called in tables and pictures."""
        return str(self.number) if self.role is Role.point else self.role.value

    @property
    def ruling(self) -> Ruling:
        """The worst verdict of its constraints; met where there are none."""
        return worst(self.verdicts)

    def value(self, path: str) -> Estimate:
        """Estimate one metric."""
        return self.metrics.value(path)


def worst(verdicts: Sequence[Verdict]) -> Ruling:
    """Return the worst of several verdicts: missed before inconclusive before met."""
    rulings = {verdict.ruling for verdict in verdicts}
    return next((one for one in (Ruling.missed, Ruling.inconclusive) if one in rulings), Ruling.met)
