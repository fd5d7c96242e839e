"""Two cells set against each other: for every metric the difference B - A, its interval, and what that says.

`Differences(a, b, ...)` computes each when it is first asked for. How the intervals are made is in
`sim.analysis.contrasts`; what a metric means in `sim.analysis.quantities`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np

from sim.analysis import contrasts
from sim.analysis.contrasts import Column, Moments
from sim.analysis.estimates import NOTHING, Estimate, hull
from sim.analysis.metrics import CellMetrics
from sim.analysis.quantities import METRICS, QUANTITIES, Metric, Statistic, Unit
from sim.kernel.durations import NS_PER_MS
from sim.kernel.records import Requests


class Change(Enum):
    """What a difference says about B, seen from A."""

    better = "better"
    worse = "worse"
    differs = "differs"
    """For certain, but neither way is better."""
    same = "same"
    """Every request has the same value in both."""
    inconclusive = "inconclusive"


HIGHER_IS_BETTER = frozenset({"success.rate"})
NEITHER_IS_BETTER = frozenset({"canceled.rate"})
"""Whoever cancels decides how many are; a retrier only has more or less time before."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of A and of B, and B - A."""

    metric: Metric
    a: Estimate
    b: Estimate
    estimate: Estimate
    """B - A in the unit of the metric (ns for durations); value None where there is none, also between two infinities."""
    identical: bool
    """Whether every request has the same value in both."""

    @property
    def change(self) -> Change:
        """What the interval says, by the direction that is better for the metric."""
        if self.identical:
            return Change.same
        low, high = self.estimate.low, self.estimate.high
        if low is None or high is None or (low <= 0 <= high):
            return Change.inconclusive
        if self.metric.path in NEITHER_IS_BETTER:
            return Change.differs
        return Change.better if (low > 0) == (self.metric.path in HIGHER_IS_BETTER) else Change.worse

    @property
    def relative(self) -> float | None:
        """The difference as a share of A's value; None where A's is 0, missing or infinite."""
        if self.estimate.value is None or not self.a.value or math.isinf(self.a.value):
            return None
        return self.estimate.value / self.a.value

    def summary(self) -> dict[str, object]:
        """Return the difference for JSON: `a`, `b`, `difference`, `low`, `high`, `relative`, `verdict`.

        Durations are in ms, infinite numbers are `"inf"` and `"-inf"`.
        """
        unit, estimate = self.metric.unit, self.estimate
        numbers = {
            "a": self.a.value,
            "b": self.b.value,
            "difference": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
        }
        return {
            **{name: _number(value, unit) for name, value in numbers.items()},
            "relative": self.relative if self.relative is None or math.isfinite(self.relative) else "inf",
            "verdict": self.change.value,
        }


class Differences:
    """All differences between two cells.

    `shared` says that the requests of a replication met one another; `paired` that requests (isolated worlds) or
    replications (shared ones) of equal number met the same chance; `determined` that both are the very same simulation,
    so that what they have in common is no matter of chance.
    """

    def __init__(self, a: Requests, b: Requests, *, shared: bool, paired: bool, determined: bool = False) -> None:
        self.shared = shared
        self.paired = paired
        self.determined = determined
        self._requests = (a, b)
        self._metrics = (CellMetrics(a, shared=shared), CellMetrics(b, shared=shared))
        self._columns: dict[str, tuple[Column, Column]] = {}
        self._correlations: dict[str, float] = {}

    def __getitem__(self, path: str) -> Difference:
        """Return the difference of a metric of `METRICS`; raises KeyError for another path."""
        metric = METRICS[path]
        a, b = (metrics.value(path) for metrics in self._metrics)
        return Difference(metric, a, b, self.contrast(path), self._identical(metric))

    def __iter__(self) -> Iterator[Difference]:
        """Yield all differences, in the order of `METRICS`."""
        return map(self.__getitem__, METRICS)

    @property
    def a(self) -> CellMetrics:
        """The metrics of A."""
        return self._metrics[0]

    @property
    def b(self) -> CellMetrics:
        """The metrics of B."""
        return self._metrics[1]

    def contrast(self, path: str, factor: float = 1.0) -> Estimate:
        """Estimate B - factor * A of a metric; raises KeyError for a path that is none."""
        metric = METRICS[path]
        if self.determined and factor == 1:
            value = self._metrics[0].value(path).value
            return NOTHING if value is None else Estimate(0.0, 0.0, 0.0)
        if metric.statistic is Statistic.max:
            a, b = (metrics.value(path).value for metrics in self._metrics)
            return Estimate(_pooled(a, b, factor))
        independent = self._of_requests(metric, factor)
        if not self.shared:
            return independent
        between = self._of_replications(metric, independent.value, factor)
        # As for the metrics themselves: replications never leave less doubt than as many independent requests would.
        return between if metric.statistic is Statistic.mean else hull(between, independent)

    def _of_requests(self, metric: Metric, factor: float) -> Estimate:
        match metric.statistic:
            case Statistic.mean:
                return self._means(metric, factor)
            case Statistic.rate:
                return self._rates(metric, factor)
            case _:
                a, b = (metrics.sample(metric.path) for metrics in self._metrics)
                correlation = self._correlation_of_quantile(metric) if self._requests_are_paired else 0.0
                return contrasts.quantiles(a, b, metric.share, factor=factor, correlation=correlation)

    def _means(self, metric: Metric, factor: float) -> Estimate:
        a, b = self._columns_of(metric.quantity)
        never = (a.never, b.never)
        infinite = tuple(bool(one.any()) for one in never)
        if any(infinite):
            if not a.counted.any() or not b.counted.any():
                return NOTHING
            correlation = 0.0
            if self._requests_are_paired:
                correlation = contrasts.correlation_of(never[0], a.counted, never[1], b.counted)
            hits_and_trials = (int(never[0].sum()), int(a.counted.sum()), int(never[1].sum()), int(b.counted.sum()))
            share = contrasts.rates(*hits_and_trials, factor=1.0, correlation=correlation)
            return contrasts.of_infinite_means(share, a=infinite[0], b=infinite[1])
        if self._requests_are_paired:
            return contrasts.paired_means(a, b, factor=factor)
        values = [column.values[column.counted] for column in (a, b)]
        if not all(map(len, values)):
            return NOTHING
        return contrasts.independent_means(Moments.of(values[0]), Moments.of(values[1]), factor=factor)

    def _rates(self, metric: Metric, factor: float) -> Estimate:
        a, b = self._columns_of(metric.quantity)
        hits = [(column.values == 1) & column.counted for column in (a, b)]
        correlation = 0.0
        if self._requests_are_paired:
            correlation = contrasts.correlation_of(hits[0], a.counted, hits[1], b.counted)
        hits_and_trials = (int(hits[0].sum()), int(a.counted.sum()), int(hits[1].sum()), int(b.counted.sum()))
        return contrasts.rates(*hits_and_trials, factor=factor, correlation=correlation)

    def _of_replications(self, metric: Metric, pooled: float | None, factor: float) -> Estimate:
        values_a, values_b = (metrics.replication_values(metric.path) for metrics in self._metrics)
        if self.paired and len(values_a) == len(values_b):
            return contrasts.paired_replications(pooled, values_a, values_b, factor=factor)
        return contrasts.independent_replications(pooled, values_a, values_b, factor=factor)

    @cached_property
    def _requests_are_paired(self) -> bool:
        """Whether row n of A and row n of B are the same request."""
        a, b = self._requests
        return self.paired and np.array_equal(a.number, b.number) and np.array_equal(a.replication, b.replication)

    def _correlation_of_quantile(self, metric: Metric) -> float:
        if metric.path not in self._correlations:
            columns = self._columns_of(metric.quantity)
            below = [
                contrasts.below_quantile(column, metrics.sample(metric.path), metric.share)
                if len(metrics.sample(metric.path))
                else column.counted
                for column, metrics in zip(columns, self._metrics, strict=True)
            ]
            self._correlations[metric.path] = contrasts.correlation_of(
                below[0], columns[0].counted, below[1], columns[1].counted
            )
        return self._correlations[metric.path]

    def _identical(self, metric: Metric) -> bool:
        if not self._requests_are_paired:
            return False
        a, b = self._columns_of(metric.quantity)
        return bool(a.counted.any()) and a.equals(b)

    def _columns_of(self, quantity: str) -> tuple[Column, Column]:
        if quantity not in self._columns:
            a, b = (_column(quantity, requests) for requests in self._requests)
            self._columns[quantity] = (a, b)
        return self._columns[quantity]


def _column(quantity: str, requests: Requests) -> Column:
    values, counted = QUANTITIES[quantity](requests)
    return Column(values, np.ones(len(values), np.bool_) if counted is None else counted)


def _pooled(a: float | None, b: float | None, factor: float) -> float | None:
    if a is None or b is None or (math.isinf(a) and math.isinf(b)):
        return None
    return b - factor * a


def _number(value: float | None, unit: Unit) -> float | str | None:
    if value is None:
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return round(value / NS_PER_MS, 6) if unit is Unit.duration else value
