"""The candidates of a search as tables, sentences and pictures take them: parameters, metrics and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sim.expect.expectations import Ruling, Verdict
from sim.measure.estimates import Estimate
from sim.measure.metrics import CellMetrics


class Role(Enum):
    """What became of a candidate."""

    point = "point"
    """It keeps every constraint beyond doubt, and no other candidate dominates it."""
    dominated = "dominated"
    """It keeps every constraint beyond doubt, but another candidate dominates it."""
    unsure = "unsure"
    """It may keep every constraint."""
    misses = "misses"
    """It misses a constraint."""
    tried = "tried"
    """The search left it out before the last round; its metrics are those of the sample that the search used."""
    as_written = "as written"
    """The scenario as written, without the search."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate."""

    role: Role
    params: Mapping[str, str]
    """The value as written, by the last part of the key, or by all of the key if its last part is not unique."""
    metrics: CellMetrics
    verdicts: Sequence[Verdict] = ()
    number: int = 0
    """The number of a point, from 1; else 0."""

    @property
    def name(self) -> str:
        """Its name in tables and pictures."""
        return str(self.number) if self.role is Role.point else self.role.value

    @property
    def ruling(self) -> Ruling:
        """The worst verdict of its constraints; met if there are none."""
        return worst(self.verdicts)

    def value(self, path: str) -> Estimate:
        """Estimate one metric."""
        return self.metrics.value(path)


def worst(verdicts: Sequence[Verdict]) -> Ruling:
    """Return the worst of several verdicts: missed before inconclusive before met."""
    rulings = {verdict.ruling for verdict in verdicts}
    return next((one for one in (Ruling.missed, Ruling.inconclusive) if one in rulings), Ruling.met)
