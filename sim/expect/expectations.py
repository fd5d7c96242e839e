"""Expectations such as `time_to_effect.p99 <= 30s`: one grammar, one evaluator, three verdicts.

    expectation = metric operator bound
    metric      = a path of `sim.measure.paths`
    operator    = "<=" | "<" | ">=" | ">" | "=="
    bound       = a duration with its unit (250ms, 1m30s) | a rate as a number or in % (0.999, 99.9%) | a plain number
                | a number a second, minute or hour (40/s) | an amount of money (0.002 USD)

The unit of the metric decides which of the five bounds is needed. A verdict rests on the 95 % interval, not on the
value: `met` or `missed` if the whole interval is on one side of the bound, else `inconclusive`.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from types import MappingProxyType

from sim.kernel.durations import NS_PER_S, UNITS_NS, parse_duration
from sim.measure.estimates import TAIL, Estimate, Z, t_quantile
from sim.measure.metrics import CellMetrics, unit_of
from sim.measure.money import money_of
from sim.measure.paths import UnknownMetric, metric_of, short
from sim.measure.possible import SHARE, Bounds
from sim.measure.prices import PICO
from sim.measure.quantities import AnyUnit, Metric, Statistic, Unit
from sim.measure.summary import summary_of

POWER_Z = 0.8416212335729143
"""The normal quantile at 0.8: `requests_needed` settles an expectation four times in five if the value seen is true."""

MOST_NEEDED = 10**9
"""Up to so many replications are searched for the number that an expectation needs."""
LONGEST_TEXT = 200
_ABOVE_0, _BELOW_1 = math.nextafter(0, 1), math.nextafter(1, 0)
_TEXT = re.compile(r"\s*(?P<metric>[^\s<>=!+\u00b1]*)\s*(?P<operator>[<>=!]*)\s*(?P<bound>.*?)\s*", re.DOTALL)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
_SLIPS = MappingProxyType({"=": "==", "=<": "<=", "=>": ">="})
_UNITS_READ = MappingProxyType(
    {
        Unit.duration: "a duration such as 250ms or 1m30s",
        Unit.share: "a rate such as 99.9% or 0.999",
        Unit.count: "a plain number such as 1.5",
        Unit.per_second: "a number a second such as 40/s",
        Unit.money: "an amount such as 0.002 USD",
    }
)


class ExpressionError(ValueError):
    """A text that is no expectation: `column` (from 1) says where in `text`, `reason` what is wrong there."""

    def __init__(self, text: str, column: int, reason: str) -> None:
        super().__init__(f"{reason} (at column {column} of '{short(text)}')")
        self.text = text
        self.column = column
        self.reason = reason


class Ruling(Enum):
    """The verdict of the interval on an expectation."""

    met = "met"
    missed = "missed"
    inconclusive = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An expectation judged by the metrics of one cell."""

    expectation: "Expectation"
    ruling: Ruling
    estimate: Estimate
    """In the unit of the metric (ns for durations)."""
    requests_needed: int | None = None
    """When inconclusive: about how many requests, all replications together, would settle it; None if none would."""
    replications_needed: int | None = None
    """When inconclusive in a shared world: how many replications these are."""
    reason: str = ""
    """For users, what the interval alone does not tell; empty if it tells everything."""
    currency: str = ""
    """Of the cell's prices."""

    @property
    def unit(self) -> AnyUnit:
        """The unit of the estimate; money has its currency."""
        return unit_of(self.expectation.metric, self.currency)

    def summary(self) -> dict[str, object]:
        """Return the verdict's part of `summary.json`, with units as `sim.measure.summary` has them."""
        return {
            "expect": self.expectation.text,
            "verdict": self.ruling.value,
            **summary_of(self.estimate, self.unit),
            "requests_needed": self.requests_needed,
            "replications_needed": self.replications_needed,
            "reason": self.reason or self.estimate.reason,
        }


@dataclass(frozen=True, slots=True)
class Expectation:
    """A metric, an operator and a bound, and the text they were read from."""

    text: str
    metric: Metric
    operator: str
    bound: float
    """In the unit of the metric (ns for durations, `PICO` parts of the currency for money)."""
    currency: str = ""
    """Of a bound in money, as it was written."""

    def judge(self, metrics: CellMetrics) -> Verdict:
        """Judge one cell by the interval of the metric; a maximum, which has none, by the largest value seen."""
        return replace(self._judge(metrics), currency=metrics.currency)

    def _judge(self, metrics: CellMetrics) -> Verdict:
        estimate = metrics.value(self.metric.path)
        if estimate.value is None:
            return Verdict(self, Ruling.inconclusive, estimate, reason=estimate.reason or "no request counts for it")
        if self.metric.statistic is Statistic.max:
            ruling = ruling_of(self.operator, estimate.value, estimate.value, self.bound)
            reason = "judged by the largest value seen: a maximum has no interval"
            return Verdict(self, ruling, estimate, reason=reason)
        if estimate.low is None or estimate.high is None:
            return self._without_interval(estimate, metrics)
        low, high = estimate.low, estimate.high
        if self.metric.statistic is not Statistic.quantile:
            # One stuck request proves that the share is not 0, even if the interval is clipped at 0.
            low = max(low, _ABOVE_0) if estimate.value > 0 else low
            high = min(high, _BELOW_1) if self.metric.unit is Unit.share and estimate.value < 1 else high
        ruling = ruling_of(self.operator, low, high, self.bound)
        if ruling is not Ruling.inconclusive:
            return Verdict(self, ruling, estimate)
        return self._inconclusive(estimate, metrics)

    def _without_interval(self, estimate: Estimate, metrics: CellMetrics) -> Verdict:
        if estimate.reason:
            needed = _for_turns(metrics) if estimate.reason == metrics.few_turns else (None, None)
            return Verdict(self, Ruling.inconclusive, estimate, *needed, estimate.reason)
        if metrics.shared:
            reason = "one replication of a shared world gives no interval: at least 2 replications are needed"
            return Verdict(self, Ruling.inconclusive, estimate, 2 * len(metrics), 2, reason)
        reason = "one request gives no interval: at least 2 are needed"
        return Verdict(self, Ruling.inconclusive, estimate, 2 * len(metrics), None, reason)

    def _inconclusive(self, estimate: Estimate, metrics: CellMetrics) -> Verdict:
        if metrics.few_turns:
            return Verdict(self, Ruling.inconclusive, estimate, *_for_turns(metrics), metrics.few_turns)
        needed, replications = _needed(self, estimate, metrics)
        if needed is not None:
            return Verdict(self, Ruling.inconclusive, estimate, needed, replications)
        if self.metric.unit is Unit.share and self.bound in (0, 1):
            reason = f"no number of requests tells a rate of {self.bound:.0%} from one near it: allow a small share"
        elif metrics.shared and math.inf in metrics.replication_values(self.metric.path):
            reason = "in some replications it never comes, but in others it does"
        else:
            reason = "the value seen lies on the bound: no number of requests is known to settle it"
        return Verdict(self, Ruling.inconclusive, estimate, reason=reason)


@dataclass(frozen=True, slots=True)
class Parts:
    """An expression taken apart: a metric, what stands behind it, and where (columns from 1)."""

    text: str
    metric: Metric
    operator: str
    """Empty if none is written."""
    bound: str
    operator_column: int
    bound_column: int


def take_apart(text: str, what: str, example: str) -> Parts:
    """Read the metric of an expression and find its other parts; `what` and `example` appear in messages.

    Raises `ExpressionError`.
    """
    if len(text) > LONGEST_TEXT:
        raise ExpressionError(text, LONGEST_TEXT + 1, f"{what} has at most {LONGEST_TEXT} characters")
    match = _TEXT.fullmatch(text)
    if match is None or not match["metric"]:
        raise ExpressionError(text, 1, f"write {example}")
    try:
        metric = metric_of(match["metric"])
    except UnknownMetric as error:
        raise ExpressionError(text, match.start("metric") + 1, str(error)) from None
    columns = (match.start("operator") + 1, match.start("bound") + 1)
    return Parts(text, metric, match["operator"], match["bound"], *columns)


def checked_operator(parts: Parts) -> str:
    """Return the operator of an expression that must have one; raises `ExpressionError`."""
    if parts.operator not in _SIDES:
        raise ExpressionError(parts.text, parts.operator_column, _unknown_operator(parts.operator))
    return parts.operator


def parse(text: str) -> Expectation:
    """Read an expectation; raises `ExpressionError` with the column of what is wrong."""
    parts = take_apart(text, "an expectation", "METRIC OPERATOR BOUND, such as success.rate >= 99.9%")
    operator = checked_operator(parts)
    try:
        bound = _bound(parts.metric, parts.bound)
    except ValueError as wrong:
        raise ExpressionError(text, parts.bound_column, str(wrong)) from None
    return Expectation(text.strip(), parts.metric, operator, bound, currency_in(parts.metric, parts.bound))


def _bound(metric: Metric, text: str) -> float:
    if not text:
        raise ValueError(f"{metric.path} is compared with {_UNITS_READ[metric.unit]}")
    if metric.unit is Unit.duration:
        return float(parse_duration(text))
    percent = text.endswith("%")
    digits = text.removesuffix("%").rstrip()
    if metric.unit is Unit.per_second:
        bound = per_second_of(text)
    elif metric.unit is Unit.money:
        bound, percent = amount_of(text), False
    else:
        bound = None if percent and metric.unit is Unit.count else number_of(digits)
    if bound is None:
        raise ValueError(f"'{short(text)}' is not a bound of {metric.path}: write {_UNITS_READ[metric.unit]}")
    bound /= 100 if percent else 1
    if metric.unit is Unit.share and bound > 1:
        hint = "" if percent or bound > 100 else f"; did you mean {digits}%?"
        raise ValueError(f"a rate lies from 0 to 1, or from 0% to 100%{hint}")
    return float(bound)


def number_of(digits: str) -> Fraction | None:
    """Read a plain number without a sign; None if the text is none."""
    return Fraction(digits) if _NUMBER.fullmatch(digits) else None


def per_second_of(text: str) -> Fraction | None:
    """Read a number a second, minute or hour as one a second; None if the text is none."""
    digits, _, unit = text.partition("/")
    number = number_of(digits.strip())
    return None if number is None or unit.strip() not in {"s", "m", "h"} else number * NS_PER_S / UNITS_NS[unit.strip()]


def amount_of(text: str) -> Fraction | None:
    """Read an amount of money in `PICO` parts of its currency; None if the text is none."""
    money = money_of(text)
    return None if money is None else Fraction(money.amount) * PICO


def currency_in(metric: Metric, text: str) -> str:
    """Return the currency that an amount was written with; empty if it has none, or if the metric is not money."""
    money = money_of(text) if metric.unit is Unit.money else None
    return "" if money is None else money.currency


def wrong_currency(written: str, known: str) -> str:
    """Say for users that an amount is in another currency than the prices; empty if it is not."""
    return f"the prices are in {known}, not in {written}" if written and known and written != known else ""


def _unknown_operator(operator: str) -> str:
    if operator in _SLIPS:
        return f"'{operator}' is not an operator; did you mean '{_SLIPS[operator]}'?"
    found = f"'{operator}' is not an operator; " if operator else ""
    return f"{found}after the metric comes one of {' '.join(_SIDES)}"


_SIDES: Mapping[str, tuple[Callable[[float, float, float], bool], Callable[[float, float, float], bool]]] = (
    MappingProxyType(
        {
            "<=": (lambda _, high, bound: high <= bound, lambda low, _, bound: low > bound),
            "<": (lambda _, high, bound: high < bound, lambda low, _, bound: low >= bound),
            ">=": (lambda low, _, bound: low >= bound, lambda _, high, bound: high < bound),
            ">": (lambda low, _, bound: low > bound, lambda _, high, bound: high <= bound),
            "==": (lambda low, high, bound: low == bound == high, lambda low, high, bound: not low <= bound <= high),
        }
    )
)
"""By operator, two functions of (low, high, bound): whether it is met, whether it is missed."""


def ruling_of(operator: str, low: float, high: float, bound: float) -> Ruling:
    """Rule whether the relation to `bound` holds for all values from `low` to `high`, for none, or for some."""
    is_met, is_missed = _SIDES[operator]
    if is_met(low, high, bound):
        return Ruling.met
    return Ruling.missed if is_missed(low, high, bound) else Ruling.inconclusive


def _needed(expectation: Expectation, estimate: Estimate, metrics: CellMetrics) -> tuple[int | None, int | None]:
    """Estimate how many requests and, in shared worlds, replications move the interval off the bound.

    This supposes that the value stays as it was seen and the interval shrinks.
    """
    if metrics.shared:
        replications = _replications_needed(expectation, estimate, metrics)
        if replications is None:
            return None, None
        seen = len(metrics.replication_values(expectation.metric.path))
        return math.ceil(len(metrics) * replications / seen), replications
    seen = len(metrics.sample(expectation.metric.path))
    return _of_the_cell(_independent_needed(expectation, estimate, metrics, seen), seen, len(metrics)), None


def _for_turns(metrics: CellMetrics) -> tuple[int | None, int | None]:
    """Return about how many requests, and replications, would see the weather turn often enough to judge at all."""
    replications = metrics.replications_needed
    if replications is None:
        return None, None
    return math.ceil(len(metrics) * replications / metrics.replications), replications


def _of_the_cell(needed: int | None, seen: int, requests: int) -> int | None:
    """Scale a number of requests that count for a metric to one of all requests, more than there are now."""
    return None if needed is None else max(requests + 1, math.ceil(needed * requests / seen))


def _independent_needed(expectation: Expectation, estimate: Estimate, metrics: CellMetrics, seen: int) -> int | None:
    metric, bound = expectation.metric, expectation.bound
    if estimate.value is None or estimate.high is None or estimate.low is None:
        return None
    if metric.statistic is Statistic.rate:
        return _trials_needed(estimate.value, bound)
    sample = metrics.sample(metric.path)
    if metric.statistic is Statistic.quantile:
        # A quantile lies below the bound if enough of the values do: that is a rate again.
        sides = [
            _trials_needed(sample.share_up_to(bound, inclusive=side), float(metric.share))
            for side in _sides_that_matter(expectation.operator, estimate.value, bound)
        ]
        return None if None in sides else max(side for side in sides if side is not None)
    distance = abs(estimate.value - bound)
    if distance == 0 or not math.isfinite(distance):
        return None
    reach = estimate.high - estimate.value if bound > estimate.value else estimate.value - estimate.low
    if sample.ordered(1) == sample.ordered(len(sample)):
        return math.ceil(seen * reach / distance)  # of what is not seen the limit shrinks as 1/n
    return math.ceil(seen * (reach * (1 + POWER_Z / Z) / distance) ** 2)


def _sides_that_matter(operator: str, value: float, bound: float) -> tuple[bool, ...]:
    """Return which shares decide about a quantile: of the values <= bound (True), < bound (False), or both."""
    if operator == "==" and value == bound:
        return (False, True)
    return (operator in ("<=", ">") or (operator == "==" and value > bound),)


def _trials_needed(seen_share: float, bound: float) -> int | None:
    """Return the size of a sample that tells two shares apart: the usual formula for one proportion."""
    distance = abs(seen_share - bound)
    if distance == 0:
        return None
    spread = Z * math.sqrt(bound * (1 - bound)) + POWER_Z * math.sqrt(seen_share * (1 - seen_share))
    needed = math.ceil((spread / distance) ** 2)
    # If none or all were seen, the exact limit is 1 - 0.025^(1/n).
    return max(needed, _agreeing_needed(distance)) if seen_share in (0, 1) else needed


def _agreeing_needed(distance: float) -> int:
    """Return how many values that all agree leave less than a share of `distance` to those that differ."""
    return math.ceil(math.log(TAIL) / math.log1p(-distance)) if distance < 1 else 1


def _replications_needed(expectation: Expectation, estimate: Estimate, metrics: CellMetrics) -> int | None:
    metric, bound = expectation.metric, expectation.bound
    if estimate.value is None:
        return None
    if metric.statistic is not Statistic.quantile:
        values, bounds = metrics.replication_values(metric.path), metrics.possible.bounds(metric)
        return _replications_apart(estimate.value, bound, values, bounds)
    # As for requests: a quantile lies below the bound if enough of the values of each replication do.
    samples, needed = metrics.replication_samples(metric.path), []
    for side in _sides_that_matter(expectation.operator, estimate.value, bound):
        shares = [one.share_up_to(bound, inclusive=side) for one in samples]
        of_all = metrics.sample(metric.path).share_up_to(bound, inclusive=side)
        needed.append(_replications_apart(of_all, float(metric.share), shares, SHARE))
    return None if None in needed else max(one for one in needed if one is not None)


def _replications_apart(value: float, bound: float, values: Sequence[float], bounds: Bounds) -> int | None:
    """Return how many replications tell a value from a bound if their own `values` go on to spread as they do."""
    if not all(map(math.isfinite, (value, bound, *values))):
        return None
    distance = abs(value - bound)
    if distance == 0:
        return None
    # One replication, as the share of those that recover may have, agrees with itself.
    spread = math.sqrt(sum((one - value) ** 2 for one in values) / max(len(values) - 1, 1))
    if spread == 0:
        room = bounds.most - value if bound > value else value - bounds.least
        return max(len(values) + 1, _agreeing_needed(distance / room)) if 0 < room < math.inf else None

    def is_enough(replications: int) -> bool:
        return bool((t_quantile(replications - 1) + POWER_Z) * spread / math.sqrt(replications) < distance)

    found = bisect_left(range(MOST_NEEDED), 1, lo=len(values) + 1, key=lambda number: int(is_enough(number)))
    return found if found < MOST_NEEDED else None
