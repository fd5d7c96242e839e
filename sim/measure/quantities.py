"""The quantities that every request has, and the metrics made of them, which expressions can name.

Definitions (times of one request in ns; `sim.history.records.Requests` has the columns):

- time_to_effect = first effect - submitted: what the outside sees. time_to_known = settled - submitted: when the
  retrier knows. Both over all requests that were not canceled; an event that never comes counts as infinite. With
  an outcome behind it (`time_to_known.success`) over the requests of that outcome only.
- detection_lag = settled - real end of the last attempt that had ended by then, over requests that have both.
- rates of outcomes, attempts, polls, costs: over all requests, canceled ones too. amplification = attempts per
  request: attempts.mean, under the name that operators of a loaded service use.
- cost.action_ms = mean time that the executions of the action took a request; those that have not ended count up to
  `until`, and hangs for as long as anyone waits for them (`Requests.action_ns`).
- cost.money = what a request costs by the prices of the scenario's `cost` (`sim.measure.prices`).
- duplicates.rate = share of requests with at least one duplicate; duplicates.effects = duplicates per request.
- suppressed.rate, suppressed.effects = the same of effects that the receiver recognized by their idempotency key.
- Percentiles go by any number: time_to_effect.p95, attempts.p99.99 (`sim.measure.paths`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sim.history.records import Requests
from sim.history.vocabulary import NEVER, Outcome
from sim.measure.prices import Prices


class Unit(Enum):
    """The unit of a metric."""

    duration = "duration"
    """Nanoseconds; in `summary.json` milliseconds."""
    share = "share"
    """A part of 1."""
    count = "count"
    per_second = "per_second"
    """So many a second of simulated time."""
    money = "money"
    """Parts of the scenario's currency (`sim.measure.prices.PICO`); in `summary.json` the currency itself."""


@dataclass(frozen=True, slots=True)
class Currency:
    """The unit of money in a scenario whose prices are in this currency."""

    name: str


AnyUnit = Unit | Currency
"""The unit of a metric of a certain scenario: money has a name there."""


class Statistic(Enum):
    """How the values of requests become one number."""

    mean = "mean"
    quantile = "quantile"
    max = "max"
    rate = "rate"


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a world that a metric is of; the whole of it if nothing is named."""

    service: str = ""
    of_class: str = ""
    client: int = NEVER
    pool: str = ""

    @property
    def prefix(self) -> str:
        """What stands before the metric in a path, such as `service.payments.class.web.`."""
        return "".join(
            (
                f"service.{self.service}." if self.service else "",
                f"class.{self.of_class}." if self.of_class else "",
                f"client.{self.client}." if self.client != NEVER else "",
                f"pool.{self.pool}." if self.pool else "",
            )
        )


WHOLE = Scope()


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a cell: a statistic of a quantity that every request has."""

    path: str
    unit: Unit
    quantity: str
    """Key of `QUANTITIES`; of a metric of the traffic, one of `sim.measure.traffic_quantities`."""
    statistic: Statistic
    share: Fraction = Fraction(1)
    """Of a quantile: the share of requests below it."""
    scope: Scope = WHOLE
    """Whose requests or calls count."""
    is_of_traffic: bool = False
    """Whether it is made of the calls of a shared world, and of what happens when, instead of its requests alone."""

    @property
    def base(self) -> str:
        """The path without the service, class or client that stands before it."""
        return self.path.removeprefix(self.scope.prefix)


Columns = tuple[NDArray[np.int64], NDArray[np.bool_] | None]
"""The values of a quantity, shape (requests,), -1 for infinite, and which rows count (None: all)."""
Quantity = Callable[[Requests], Columns]
Deadlines = Sequence[int | None]
"""Of each class how long its callers are patient, in ns; None if that is not stated."""


def _since_submitted(requests: Requests, moment_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    submitted_ns = requests.submitted_ns
    if not submitted_ns.strides[0] and not submitted_ns[:1].any():  # all at 0, which is kept once
        return moment_ns
    since_ns: NDArray[np.int64] = moment_ns - submitted_ns
    since_ns[moment_ns == NEVER] = NEVER
    return since_ns


def _time_to_effect(requests: Requests) -> Columns:
    return _since_submitted(requests, requests.first_effect_ns), requests.outcome != Outcome.canceled


def _time_to_known(requests: Requests) -> Columns:
    return _since_submitted(requests, requests.settled_ns), requests.outcome != Outcome.canceled


def _time_to_known_of(outcome: Outcome) -> Quantity:
    def quantity(requests: Requests) -> Columns:
        return _since_submitted(requests, requests.settled_ns), requests.outcome == outcome

    return quantity


def _detection_lag(requests: Requests) -> Columns:
    settled_ns, end_ns = requests.settled_ns, requests.known_attempt_end_ns
    return settled_ns - end_ns, (settled_ns != NEVER) & (end_ns != NEVER)


def _ended_as(outcome: Outcome) -> Quantity:
    def quantity(requests: Requests) -> Columns:
        return (requests.outcome == outcome).astype(np.int64), None

    return quantity


def _column(name: str) -> Quantity:
    def quantity(requests: Requests) -> Columns:
        return np.asarray(getattr(requests, name), dtype=np.int64), None

    return quantity


def _duplicates(requests: Requests) -> Columns:
    totals = np.zeros(len(requests), dtype=np.int64)
    if not any(requests.duplicates.strides) and not requests.duplicates[:1].any():  # one value, kept once
        return totals, None
    for column in requests.duplicates.T:  # ten times as fast as a sum along the short axis
        totals += column
    return totals, None


def _is_duplicated(requests: Requests) -> Columns:
    return (_duplicates(requests)[0] > 0).astype(np.int64), None


def _is_suppressed(requests: Requests) -> Columns:
    return (np.asarray(requests.suppressed) > 0).astype(np.int64), None


SETTLED_OUTCOMES = (Outcome.success, Outcome.gave_up, Outcome.canceled)
RATED_OUTCOMES = (
    Outcome.success,
    Outcome.gave_up,
    Outcome.stuck,
    Outcome.open,
    Outcome.canceled,
    Outcome.runaway,
)
"""In the order in which reports show them."""

_TIMES: Mapping[str, Quantity] = {
    "time_to_effect": _time_to_effect,
    "time_to_known": _time_to_known,
    "detection_lag": _detection_lag,
    **{f"time_to_known.{outcome.name}": _time_to_known_of(outcome) for outcome in SETTLED_OUTCOMES},
}
COUNTED = ("attempts", "polls", "mutations", "actions")
"""Quantities that are columns of counts."""

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        **_TIMES,
        **{outcome.name: _ended_as(outcome) for outcome in RATED_OUTCOMES},
        **{name: _column(name) for name in COUNTED},
        "duplicates": _duplicates,
        "is_duplicated": _is_duplicated,
        "action_time": _column("action_ns"),
        "suppressed": _column("suppressed"),
        "is_suppressed": _is_suppressed,
    }
)
MONEY = "money"
"""The quantity that depends on prices besides: what a request costs."""


def _false_failures(requests: Requests, _: Deadlines) -> Columns:
    return ((requests.outcome == Outcome.gave_up) & (requests.effects > 0)).astype(np.int64), None


def _deadline_missed(requests: Requests, deadlines_ns: Deadlines) -> Columns:
    patience_ns = np.array([NEVER if one is None else one for one in (*deadlines_ns, None)], np.int64)
    deadline_ns = patience_ns[np.minimum(requests.caller_class, len(deadlines_ns))]
    in_time = (requests.outcome == Outcome.success) & (requests.settled_ns - requests.submitted_ns <= deadline_ns)
    return (~in_time).astype(np.int64), deadline_ns != NEVER


UNTALLIED: Mapping[str, Callable[[Requests, Deadlines], Columns]] = MappingProxyType(
    {"false_failures": _false_failures, "deadline_missed": _deadline_missed}
)
"""Further quantities of requests, of which tallies keep nothing; `sim.measure.traffic_quantities` has their meaning."""


def columns_of(
    quantity: str, requests: Requests, deadlines_ns: Deadlines = (), prices: Prices | None = None
) -> Columns:
    """Return the values of any quantity of requests, and which of them count; money needs prices."""
    if quantity == MONEY and prices is not None:
        return prices.of(requests), None
    if quantity in UNTALLIED:
        return UNTALLIED[quantity](requests, deadlines_ns)
    return QUANTITIES[quantity](requests)


QUANTILES = MappingProxyType(
    {"p50": Fraction(1, 2), "p90": Fraction(9, 10), "p99": Fraction(99, 100), "p99.9": Fraction(999, 1000)}
)


def _all_metrics() -> dict[str, Metric]:
    metrics = [Metric(f"{outcome.name}.rate", Unit.share, outcome.name, Statistic.rate) for outcome in RATED_OUTCOMES]
    for name in _TIMES:
        metrics.append(Metric(f"{name}.mean", Unit.duration, name, Statistic.mean))
        metrics.extend(
            Metric(f"{name}.{point}", Unit.duration, name, Statistic.quantile, share)
            for point, share in QUANTILES.items()
        )
        metrics.append(Metric(f"{name}.max", Unit.duration, name, Statistic.max))
    metrics += [
        Metric("attempts.mean", Unit.count, "attempts", Statistic.mean),
        Metric("attempts.max", Unit.count, "attempts", Statistic.max),
        Metric("amplification", Unit.count, "attempts", Statistic.mean),
        Metric("duplicates.rate", Unit.share, "is_duplicated", Statistic.rate),
        Metric("duplicates.effects", Unit.count, "duplicates", Statistic.mean),
        Metric("suppressed.rate", Unit.share, "is_suppressed", Statistic.rate),
        Metric("suppressed.effects", Unit.count, "suppressed", Statistic.mean),
        Metric("polls.mean", Unit.count, "polls", Statistic.mean),
        Metric("cost.mutations", Unit.count, "mutations", Statistic.mean),
        Metric("cost.actions", Unit.count, "actions", Statistic.mean),
        Metric("cost.action_ms", Unit.duration, "action_time", Statistic.mean),
        Metric("cost.money", Unit.money, MONEY, Statistic.mean),
    ]
    return {metric.path: metric for metric in metrics}


METRICS: Mapping[str, Metric] = MappingProxyType(_all_metrics())
"""Every metric by its path, in the order of the summary; further percentiles go by any number."""

PERCENTILED: Mapping[str, str] = MappingProxyType(
    {
        "attempts": "attempts.mean",
        "polls": "polls.mean",
        "cost.mutations": "cost.mutations",
        "cost.actions": "cost.actions",
        "cost.action_ms": "cost.action_ms",
        "cost.money": "cost.money",
    }
)
"""What has percentiles besides times, by what stands before `.p95`: the path of its mean."""
