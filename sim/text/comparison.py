"""Two cells set against each other, as tables, sentences and pictures take them."""

from dataclasses import dataclass

from sim.measure.differences import Difference, Differences
from sim.measure.paths import NOTHING_NAMED, metric_of
from sim.measure.quantities import QUANTILES, Statistic
from sim.measure.traffic_quantities import OF_SERVICES

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
    "cost.money",
)
"""The metrics that are shown unless the reader asks for all."""

OF_SHARED_WORLDS = (
    "goodput.rate",
    "attempts.rate",
    "in_flight.mean",
    "queue.mean",
    "queue_wait.p99",
    "utilization.mean",
    "rejected.rate",
    "dropped.rate",
    "refused.rate",
    "wasted.share",
    "false_failures.rate",
    "deadline_missed.rate",
    "recovered.rate",
)
"""The metrics of the traffic that are shown besides, of the whole world and of each service."""
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
        a, b = self.differences.a, self.differences.b
        prices = a.currency and b.currency and self.differences.is_comparable("cost.money")
        main = [path for path in MAIN if path != "cost.money" or prices]
        paths = [*main, *self._of_traffic()]
        return [self.differences[path] for path in paths if path in ALWAYS or not self._is_idle(path)]

    def _of_traffic(self) -> list[str]:
        """Return the metrics of the traffic that are shown, if either cell says more of it than any shared world."""
        a, b = self.differences.a, self.differences.b
        if not any(of.traffic is not None and (of.named != NOTHING_NAMED or of.traffic.recovery) for of in (a, b)):
            return []
        known = set(b.paths)
        ours = [metric_of(path) for path in a.paths if path in known]
        return [
            one.path
            for one in ours
            if one.base in OF_SHARED_WORLDS
            and not one.scope.of_class
            # What only services have is shown of each of them, everything else of the whole world.
            and bool(one.scope.service) == (one.quantity in OF_SERVICES)
        ]

    def _is_idle(self, path: str) -> bool:
        if metric_of(path).statistic is not Statistic.rate:
            return False
        return not self.differences.a.value(path).value and not self.differences.b.value(path).value
