"""What is known of a cell before any request of it is simulated, as far as intervals rest on it.

A sample says nothing of values rarer than one in so many requests. What is possible bounds them: a request has at most
as many attempts as its retrier promises. And what cannot be told from a sample, but is known, is said instead of an
interval: that a law has no variance, or that a run is too short to see the weather change.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from sim.measure.quantities import MONEY, Metric, Statistic, Unit


class Bounds(NamedTuple):
    """Between which numbers every value of a quantity lies; infinite where nothing is known."""

    least: float
    most: float


ANY: Final = Bounds(0.0, math.inf)
SHARE: Final = Bounds(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Possible:
    """What is known of a cell beforehand."""

    bounds_of: Mapping[str, Bounds] = field(default_factory=lambda: MappingProxyType({}))
    """By quantity of `sim.measure.quantities`, those of a service behind `service.NAME.`; others have no bounds."""
    certain: bool = False
    """Whether nothing is left to chance, so that equal values are no matter of luck."""
    no_variance: str = ""
    """For users: which law has a tail so heavy that it has no variance; empty if none has."""
    money_is_of_time: bool = False
    """Whether what a request costs grows with its times: whether a second of its action has a price."""
    turn_ns: float = math.inf
    """The mean time between two turns of the weather, or two restarts, that all requests of a replication share."""

    def bounds(self, metric: Metric) -> Bounds:
        """Return between which numbers the values behind a metric lie, in its unit."""
        if metric.unit is Unit.share:
            return SHARE
        # What is known of the requests of a world says nothing of the calls at a service.
        prefix = f"service.{metric.scope.service}." if metric.scope.service else ""
        return self.bounds_of.get(f"{prefix}{metric.quantity}", ANY)

    def no_interval(self, metric: Metric) -> str:
        """Say why a metric of an isolated world has no interval, whatever its sample; empty if it may have one."""
        is_of_times = metric.unit is Unit.duration or (metric.quantity == MONEY and self.money_is_of_time)
        return self.no_variance if is_of_times and metric.statistic is Statistic.mean else ""


NOTHING_KNOWN: Final = Possible()
