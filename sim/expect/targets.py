"""Targets for the width of intervals, such as `time_to_effect.p99 +- 5%`, in the grammar of `sim.expect.expectations`.

    target = metric "+-" width
    width  = of a duration:  a duration with its unit (20ms), or % of the value (5%)
             of a rate:      percentage points (0.1% or 0.1pp), or a plain number (0.001)
             of a count:     a plain number (0.05), or % of the value (5%)
             of a number a second: 0.5/s, or % of the value (5%)
             of money:       an amount (0.0001 USD), or % of the value (5%)

A target is reached when neither end of the 95 % interval is further than the width from the value.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from sim.expect.expectations import ExpressionError, amount_of, currency_in, number_of, per_second_of, take_apart
from sim.kernel.durations import parse_duration
from sim.measure.estimates import Estimate
from sim.measure.paths import short
from sim.measure.quantities import Metric, Statistic, Unit

EXAMPLE = "METRIC +- WIDTH, such as time_to_effect.p99 +- 5%"
_SIGN = re.compile(r"(?:\+-|\u00b1)\s*")
_WIDTHS = {
    Unit.duration: "20ms or 5% (of the value)",
    Unit.share: "0.1% (percentage points)",
    Unit.count: "0.05 or 5% (of the value)",
    Unit.per_second: "0.5/s or 5% (of the value)",
    Unit.money: "0.0001 USD or 5% (of the value)",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A metric, and how far the ends of its interval may lie from its value."""

    text: str
    metric: Metric
    width: float
    """In the unit of the metric (ns for durations), or if `relative` as a share of the value."""
    relative: bool
    currency: str = ""
    """Of a width in money, as it was written."""

    def is_reached(self, estimate: Estimate) -> bool:
        """Whether an estimate of the metric is narrow enough; without an interval it is not."""
        found = half_width(estimate)
        if estimate.value is None or math.isinf(found):
            return False
        return found <= (self.width * estimate.value if self.relative else self.width)


def half_width(estimate: Estimate) -> float:
    """Return how far the further end of an interval lies from the value; infinity if there is none."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None:
        return math.inf
    if value == low == high:
        return 0.0
    return math.inf if math.isinf(value) else max(high - value, value - low)


def parse_target(text: str) -> Target:
    """Read a target; raises `ExpressionError` with the column of what is wrong."""
    parts = take_apart(text, "a target", EXAMPLE)
    metric = parts.metric
    if metric.statistic is Statistic.max:
        raise ExpressionError(text, text.index(metric.path) + 1, "a maximum has no interval")
    sign = _SIGN.match(parts.bound)
    if parts.operator or sign is None:
        column = parts.operator_column if parts.operator else parts.bound_column
        raise ExpressionError(text, column, f"after the metric comes +- and a width: {_WIDTHS[metric.unit]}")
    try:
        width, relative = _width(metric, parts.bound[sign.end() :])
    except ValueError as wrong:
        raise ExpressionError(text, parts.bound_column + sign.end(), str(wrong)) from None
    currency = currency_in(metric, parts.bound[sign.end() :])
    return Target(text.strip(), metric, float(width), relative, currency)


def _width(metric: Metric, written: str) -> tuple[Fraction, bool]:
    percent = written.endswith("%")
    relative = percent and metric.unit is not Unit.share
    if metric.unit is Unit.duration and not percent:
        width = Fraction(parse_duration(written))
    else:
        points = metric.unit is Unit.share and written.endswith("pp")
        of_time = metric.unit is Unit.per_second and not percent
        plain = written.removesuffix("pp" if points else "%").rstrip()
        of_money = metric.unit is Unit.money and not percent
        digits = per_second_of(plain) if of_time else amount_of(plain) if of_money else number_of(plain)
        if digits is None:
            raise ValueError(f"'{short(written)}' is not a width of {metric.path}: write {_WIDTHS[metric.unit]}")
        width = digits / (100 if percent or points else 1)
    if width <= 0:
        raise ValueError(f"no interval is that narrow: write {_WIDTHS[metric.unit]}")
    return width, relative
