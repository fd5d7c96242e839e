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
- duplicates.rate = share of requests with at least one duplicate; duplicates.effects = duplicates per request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sim.history.records import Requests
from sim.history.vocabulary import NEVER, Outcome


class Unit(Enum):
    """The unit of a metric."""

    duration = "duration"
    """Nanoseconds; in `summary.json` milliseconds."""
    share = "share"
    """A part of 1."""
    count = "count"


class Statistic(Enum):
    """How the values of requests become one number."""

    mean = "mean"
    quantile = "quantile"
    max = "max"
    rate = "rate"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a cell: a statistic of a quantity that every request has."""

    path: str
    unit: Unit
    quantity: str
    """Key of `QUANTITIES`."""
    statistic: Statistic
    share: Fraction = Fraction(1)
    """Of a quantile: the share of requests below it."""


Columns = tuple[NDArray[np.int64], NDArray[np.bool_] | None]
"""The values of a quantity, shape (requests,), -1 for infinite, and which rows count (None: all)."""
Quantity = Callable[[Requests], Columns]


def _since_submitted(requests: Requests, moment_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    since_ns: NDArray[np.int64] = moment_ns - requests.submitted_ns
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
    for column in requests.duplicates.T:  # ten times as fast as a sum along the short axis
        totals += column
    return totals, None


def _is_duplicated(requests: Requests) -> Columns:
    return (_duplicates(requests)[0] > 0).astype(np.int64), None


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
_COUNTS = ("attempts", "polls", "mutations", "actions")

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        **_TIMES,
        **{outcome.name: _ended_as(outcome) for outcome in RATED_OUTCOMES},
        **{name: _column(name) for name in _COUNTS},
        "duplicates": _duplicates,
        "is_duplicated": _is_duplicated,
        "action_time": _column("action_ns"),
    }
)

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
        Metric("polls.mean", Unit.count, "polls", Statistic.mean),
        Metric("cost.mutations", Unit.count, "mutations", Statistic.mean),
        Metric("cost.actions", Unit.count, "actions", Statistic.mean),
        Metric("cost.action_ms", Unit.duration, "action_time", Statistic.mean),
    ]
    return {metric.path: metric for metric in metrics}


METRICS: Mapping[str, Metric] = MappingProxyType(_all_metrics())
"""Every metric by its path, in the order of the summary."""
