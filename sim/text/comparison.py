"""Two cells set against each other, as tables, sentences and pictures take them."""

from dataclasses import dataclass

from sim.measure.differences import Difference, Differences
from sim.measure.paths import metric_of
from sim.measure.quantities import QUANTILES, Statistic

MAIN = (
    "success.rate",
    "gave_up.rate",
    "stuck.rate",
    "open.rate",
    "canceled.rate",
    "runaway.rate",
    *(f"time_to_effect.{point}" for point in QUANTILES),
    "time_to_known.p50",
    "time_to_known.p99",
    "detection_lag.p50",
    "attempts.mean",
    "duplicates.rate",
    "polls.mean",
    "cost.mutations",
    "cost.actions",
    "cost.action_ms",
)
"""The metrics that are shown unless the reader asks for all."""

ALWAYS = ("success.rate", "duplicates.rate")
"""Rates that are shown even if they are 0 in both cells."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells set against each other."""

    a: str
    b: str
    """The names of A and of B."""
    differences: Differences
    basis: str
    """What the comparison rests on, in one sentence."""
    warnings: tuple[str, ...] = ()
    """Why the policies may not be the only difference, a sentence each."""

    @property
    def shown(self) -> list[Difference]:
        """The differences that people read first."""
        return [self.differences[path] for path in MAIN if path in ALWAYS or not self._is_idle(path)]

    def _is_idle(self, path: str) -> bool:
        if metric_of(path).statistic is not Statistic.rate:
            return False
        return not self.differences.a.value(path).value and not self.differences.b.value(path).value
