"""Two cells compared: for every metric the difference B - A, its interval, and what that says.

`Differences(a, b, ...)` computes each when it is first asked for. How the intervals are made is in
`sim.measure.contrasts` and `quantile_contrasts`; the meaning of each metric in `sim.measure.quantities`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from sim.history.records import Requests
from sim.measure import contrasts
from sim.measure.contrasts import Column
from sim.measure.estimates import NOTHING, AnySample, Estimate
from sim.measure.metrics import CellMetrics, unit_of
from sim.measure.pair_ranks import PairRanks
from sim.measure.paths import Named, metric_of, rows_of
from sim.measure.quantile_contrasts import quantiles
from sim.measure.quantities import AnyUnit, Metric, Statistic, Unit, columns_of
from sim.measure.replications import correlation_below
from sim.measure.summary import json_numbers


class Change(Enum):
    """What a difference says about B, seen from A."""

    better = "better"
    worse = "worse"
    differs = "differs"
    """Certainly, but neither direction is better."""
    same = "same"
    """Every request has the same value in both."""
    inconclusive = "inconclusive"


LEAST_BEYOND = 2
"""With fewer values beyond it the quantile of a replication is another number than that of all requests."""
HIGHER_IS_BETTER = frozenset({"success.rate", "goodput.rate", "recovered.rate"})
NEITHER_IS_BETTER = frozenset({"canceled.rate", "offered.rate", "utilization.mean"})
"""The scenario decides how many requests are canceled; a retrier only has more or less time before that. It decides
what is offered too, and a busy server is no harm if calls do not wait for it."""


def higher_is_better(metric: Metric) -> bool:
    """Tell whether more of a metric is better."""
    return metric.base in HIGHER_IS_BETTER


def neither_is_better(metric: Metric) -> bool:
    """Tell whether neither more nor less of a metric is better; at a service, what arrives is load."""
    return metric.base in NEITHER_IS_BETTER


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of A and of B, and B - A."""

    metric: Metric
    a: Estimate
    b: Estimate
    estimate: Estimate
    """B - A in the unit of the metric (ns for durations); its value is None if nothing counts in A or in B, and
    between two infinities."""
    identical: bool
    """Whether every request has the same value in both."""
    currency: str = ""
    """Of money."""

    @property
    def unit(self) -> AnyUnit:
        """The unit of the metric; money has its currency."""
        return unit_of(self.metric, self.currency)

    @property
    def change(self) -> Change:
        """What the interval says, by the direction that is better for the metric."""
        if self.identical:
            return Change.same
        low, high = self.estimate.low, self.estimate.high
        if low is None or high is None or (low <= 0 <= high):
            return Change.inconclusive
        if neither_is_better(self.metric):
            return Change.differs
        return Change.better if (low > 0) == higher_is_better(self.metric) else Change.worse

    @property
    def relative(self) -> float | None:
        """The difference as a share of A's value; None if A's is 0, missing or infinite."""
        if self.estimate.value is None or not self.a.value or math.isinf(self.a.value):
            return None
        return self.estimate.value / self.a.value

    def summary(self) -> dict[str, object]:
        """Return the difference for JSON: `a`, `b`, `difference`, `low`, `high`, `relative`, `verdict`.

        Units and infinite numbers are those of `sim.measure.summary`, `minus_infinite` named besides.
        """
        estimate = self.estimate
        numbers = {
            "a": self.a.value,
            "b": self.b.value,
            "difference": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
        }
        return {
            **json_numbers(numbers, self.unit),
            "relative": self.relative if self.relative is None or math.isfinite(self.relative) else None,
            "verdict": self.change.value,
        }


class Differences:
    """All differences between two cells.

    `requests` are those of A and of B if requests of equal number met the same chance; without them the cells are
    compared as independent ones, from their metrics alone. In shared worlds `paired` says that replications of equal
    number met the same chance. `determined` says that both are the very same simulation, so that
    equal values are no matter of chance.
    """

    def __init__(
        self,
        a: CellMetrics,
        b: CellMetrics,
        requests: tuple[Requests, Requests] | None = None,
        *,
        paired: bool = False,
        determined: bool = False,
    ) -> None:
        self.a = a
        self.b = b
        self.shared = a.shared
        self.paired = paired or requests is not None
        self.determined = determined
        self._requests = requests
        self._metrics = (a, b)
        self._columns: dict[str, tuple[Column, Column]] = {}
        self._ranks: dict[str, PairRanks] = {}

    def __getitem__(self, path: str) -> Difference:
        """Return the difference of a metric; raises KeyError for a path that is none."""
        metric = metric_of(path)
        a, b = (metrics.value(path) for metrics in self._metrics)
        return Difference(metric, a, b, self.contrast(path), self._identical(metric), self.currency)

    def __iter__(self) -> Iterator[Difference]:
        """Yield the differences of all metrics that tell something of both cells, in the order of reports."""
        known = set(self.b.paths)
        return map(self.__getitem__, (path for path in self.a.paths if path in known and self.is_comparable(path)))

    @property
    def currency(self) -> str:
        """The currency of the prices of both; empty if they have none in common."""
        return self.a.currency if self.a.currency == self.b.currency else ""

    def is_comparable(self, path: str) -> bool:
        """Tell whether a metric of both is in one unit: money in two currencies is not."""
        return metric_of(path).unit is not Unit.money or bool(self.currency)

    def contrast(self, path: str, factor: float = 1.0) -> Estimate:
        """Estimate B - factor * A of a metric; raises KeyError for a path that is none."""
        metric = metric_of(path)
        for metrics in self._metrics:
            if (found := metrics.value(path)).value is None:
                return Estimate(None, reason=found.reason)
        if not self.is_comparable(path):
            return Estimate(None, reason=f"A has prices in {self.a.currency}, but B in {self.b.currency}")
        if self._is_determined(metric) and factor == 1:
            return Estimate(0.0, 0.0, 0.0)
        if metric.statistic is Statistic.max:
            a, b = (metrics.value(path).value for metrics in self._metrics)
            return Estimate(_pooled(a, b, factor))
        return self._of_replications(metric, factor) if self.shared else self._of_requests(metric, factor)

    def _of_requests(self, metric: Metric, factor: float) -> Estimate:
        a, b = (metrics.sample(metric.path) for metrics in self._metrics)
        match metric.statistic:
            case Statistic.mean:
                return self._means(metric, a, b, factor)
            case Statistic.rate:
                correlation = self._correlation_of_rate(metric)
                return contrasts.rates(_hits(a), _hits(b), factor=factor, correlation=correlation)
            case _:
                return quantiles(
                    a,
                    b,
                    metric.share,
                    factor=factor,
                    correlation=self._correlation_of_quantile(metric),
                    within=max(self.a.within, self.b.within) if metric.unit in {Unit.duration, Unit.money} else 0.0,
                )

    def _means(self, metric: Metric, a: AnySample, b: AnySample, factor: float) -> Estimate:
        if not len(a) or not len(b):
            return NOTHING
        if a.infinite or b.infinite:
            correlation = self._correlation_of_never(metric)
            never = contrasts.rates((a.infinite, len(a)), (b.infinite, len(b)), correlation=correlation)
            return contrasts.of_infinite_means(never, a=bool(a.infinite), b=bool(b.infinite))
        if self._requests is not None and not (self.a.is_certain and self.b.is_certain):
            least_step = 1.0 if metric.unit is Unit.count else 0.0
            columns = self._columns_of(metric)
            return contrasts.paired_means(*columns, factor=factor, least_step=least_step)
        return contrasts.independent(*(metrics.value(metric.path) for metrics in self._metrics), factor=factor)

    def _of_replications(self, metric: Metric, factor: float) -> Estimate:
        a, b = (metrics.value(metric.path) for metrics in self._metrics)
        pooled = _pooled(a.value, b.value, factor)
        values_a, values_b = (metrics.replication_values(metric.path) for metrics in self._metrics)
        if not self.paired or len(values_a) != len(values_b):
            return contrasts.independent_replications(pooled, a, b, factor=factor)
        if metric.statistic is Statistic.quantile:
            samples = self.a.replication_samples(metric.path), self.b.replication_samples(metric.path)
            fewest = min((len(one) for of in samples for one in of), default=0)
            is_far = fewest * (1 - metric.share) < LEAST_BEYOND
            if is_far and a.value is not None and b.value is not None:
                correlation = correlation_below((a.value, b.value), samples)
                return contrasts.independent_replications(pooled, a, b, factor=factor, correlation=correlation)
        return contrasts.paired_replications(
            pooled,
            values_a,
            values_b,
            factor=factor,
            is_share=metric.unit is Unit.share,
            few_turns=self.a.few_turns or self.b.few_turns,
        )

    def _correlation_of_rate(self, metric: Metric) -> float:
        if self._requests is None:
            return 0.0
        a, b = self._columns_of(metric)
        return contrasts.correlation_of(a.values == 1, a.counted, b.values == 1, b.counted)

    def _correlation_of_never(self, metric: Metric) -> float:
        if self._requests is None:
            return 0.0
        a, b = self._columns_of(metric)
        return contrasts.correlation_of(a.never, a.counted, b.never, b.counted)

    def _correlation_of_quantile(self, metric: Metric) -> float:
        if self._requests is None:
            return 0.0
        key = f"{metric.scope.prefix}{metric.quantity}"
        if key not in self._ranks:
            # One at a time, as columns.
            self._ranks = {key: PairRanks.of(*self._columns_of(metric))}
        return self._ranks[key].correlation(metric.share)

    def _identical(self, metric: Metric) -> bool:
        if self._is_determined(metric):
            return self.a.value(metric.path).value is not None
        if self._requests is None or metric.is_of_traffic or not self.is_comparable(metric.path):
            return False
        a, b = self._columns_of(metric)
        return bool(a.counted.any()) and a.equals(b)

    def _is_determined(self, metric: Metric) -> bool:
        """Tell whether equal values of a metric are no matter of chance; the same simulation may have other prices."""
        return self.determined and (metric.unit is not Unit.money or self.a.named.prices == self.b.named.prices)

    def _columns_of(self, metric: Metric) -> tuple[Column, Column]:
        key = f"{metric.scope.prefix}{metric.quantity}"
        if key not in self._columns:
            assert self._requests is not None  # noqa: S101  # only pairs have columns
            a, b = self._requests
            # One at a time: metrics of a quantity stand together, and columns of 10^7 requests take some room.
            self._columns = {key: (_column(metric, a, self.a.named), _column(metric, b, self.b.named))}
        return self._columns[key]


def _column(metric: Metric, requests: Requests, named: Named) -> Column:
    values, counted = columns_of(metric.quantity, requests, named.deadlines_ns, named.prices)
    counts = np.ones(len(values), np.bool_)
    for rows in (counted, rows_of(requests, metric.scope, named)):
        if rows is not None:
            counts = counts & rows
    return Column(values, counts)


def _hits(sample: AnySample) -> contrasts.Counts:
    return sample.sums()[0], len(sample)


def _pooled(a: float | None, b: float | None, factor: float) -> float | None:
    if a is None or b is None or (math.isinf(a) and math.isinf(b)):
        return None
    return b - factor * a
