"""Conditions on a difference, such as `time_to_effect.p99 > +10%`, in the grammar of `sim.expect.expectations`.

    condition  = metric operator difference
    difference = ("+" | "-") amount     B less A: an amount in the unit of the metric, or a share of A's value
               | "x" number             B as a multiple of A
    amount     = of a duration:  a duration with its unit (+500ms, -1m30s), or % of A's value (+10%)
                 of a rate:      percentage points (+0.1% or +0.1pp), or a plain number (+0.001)
                 of a count:     a plain number (+0.5), or % of A's value (+10%)
                 of a number a second: +5/s, or % of A's value (+10%)
                 of money:       an amount (+0.001 USD), or % of A's value (+10%)

The unit of a rate is per cent, so `+0.1%` of a rate means from 1 % to 1.1 %; twice the rate is `x2`. Shares and
multiples are judged as B - factor * A, which needs no division by a value that may be 0. Like expectations,
conditions are judged by the 95 % interval: `met` or `missed` for certain, else `inconclusive`.
"""

from dataclasses import dataclass
from fractions import Fraction

from sim.expect.expectations import (
    ExpressionError,
    Parts,
    Ruling,
    amount_of,
    checked_operator,
    currency_in,
    number_of,
    per_second_of,
    ruling_of,
    take_apart,
    wrong_currency,
)
from sim.kernel.durations import parse_duration
from sim.measure.differences import Differences
from sim.measure.estimates import Estimate
from sim.measure.paths import UnknownMetric, short
from sim.measure.quantities import Metric, Statistic, Unit

EXAMPLE = "METRIC OPERATOR DIFFERENCE, such as time_to_effect.p99 > +10%"
_AMOUNTS = {
    Unit.duration: "+500ms, +10% (of A's value) or x1.1",
    Unit.share: "+0.1% (percentage points) or x1.5 (times A's value)",
    Unit.count: "+0.5, +10% (of A's value) or x1.1",
    Unit.per_second: "+5/s, +10% (of A's value) or x1.1",
    Unit.money: "+0.001 USD, +10% (of A's value) or x1.1",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A condition judged by the differences of two cells."""

    condition: "Condition"
    ruling: Ruling
    """Whether it holds."""
    reason: str = ""
    """For users, what the interval alone does not tell."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that may hold of the difference between two cells: B - factor * A, an operator and an amount."""

    text: str
    metric: Metric
    operator: str
    factor: float
    amount: float
    """In the unit of the metric (ns for durations)."""
    currency: str = ""
    """Of an amount of money, as it was written."""

    def judge(self, differences: Differences) -> Judged:
        """Judge by the interval of B - factor * A; maxima, which have none, by the values seen."""
        try:
            found = differences.contrast(self.metric.path, self.factor)
        except UnknownMetric as error:  # neither cell need have services, classes or prices
            return Judged(self, Ruling.inconclusive, str(error))
        if wrong := wrong_currency(self.currency, differences.currency):
            return Judged(self, Ruling.inconclusive, wrong)
        if self.metric.statistic is Statistic.max and found.value is not None:
            seen = ruling_of(self.operator, found.value, found.value, self.amount)
            return Judged(self, seen, "judged by the largest values seen: a maximum has no interval")
        if found.low is None or found.high is None:
            return Judged(self, Ruling.inconclusive, _why_not(found, differences))
        return Judged(self, ruling_of(self.operator, found.low, found.high, self.amount))


def _why_not(found: Estimate, differences: Differences) -> str:
    if found.reason:
        return found.reason
    if found.value is not None and differences.shared:
        return "one replication of a shared world gives no interval: at least 2 replications are needed"
    if found.value is not None:
        return "one request gives no interval: at least 2 are needed"
    return "there is no difference to judge"


def parse_condition(text: str) -> Condition:
    """Read a condition; raises `ExpressionError` with the column of what is wrong."""
    parts = take_apart(text, "a condition", EXAMPLE)
    operator = checked_operator(parts)
    try:
        factor, amount = _difference(parts)
    except ValueError as wrong:
        raise ExpressionError(text, parts.bound_column, str(wrong)) from None
    currency = currency_in(parts.metric, parts.bound.lstrip("+-"))
    return Condition(text.strip(), parts.metric, operator, float(factor), float(amount), currency)


def _difference(parts: Parts) -> tuple[Fraction, Fraction]:
    """Return the factor of A and the amount."""
    metric, text = parts.metric, parts.bound
    forms = _AMOUNTS[metric.unit]
    if not text:
        raise ValueError(f"a difference of {metric.path} is missing: write {forms}")
    if text[0] in "x\u00d7":
        multiple = number_of(text[1:].strip())
        if multiple is None:
            raise ValueError(f"'{short(text)}' is not a multiple: write it as in x1.1")
        return multiple, Fraction(0)
    if text[0] not in "+-":
        raise ValueError(f"'{short(text)}' has no sign, so it is not a difference between A and B: write {forms}")
    sign = -1 if text[0] == "-" else 1
    written = text[1:].strip()
    if written.endswith("%") and metric.unit is not Unit.share:
        share = sign * _number(metric, text, written.removesuffix("%"))
        if share < -100:
            raise ValueError("a value cannot fall by more than 100%")
        return 1 + share / 100, Fraction(0)
    return Fraction(1), sign * _amount(metric, text, written)


def _amount(metric: Metric, text: str, written: str) -> Fraction:
    if metric.unit is Unit.duration:
        return Fraction(parse_duration(written))
    if metric.unit is Unit.count:
        return _number(metric, text, written)
    if metric.unit in {Unit.per_second, Unit.money}:
        amount = per_second_of(written) if metric.unit is Unit.per_second else amount_of(written)
        if amount is None:
            raise ValueError(f"'{short(text)}' is not a difference of {metric.path}: write {_AMOUNTS[metric.unit]}")
        return amount
    percent = written.endswith(("%", "pp"))
    points = _number(metric, text, written.removesuffix("%").removesuffix("pp")) / (100 if percent else 1)
    if points > 1:
        raise ValueError("two rates differ by at most 100%")
    return points


def _number(metric: Metric, text: str, digits: str) -> Fraction:
    number = number_of(digits.rstrip())
    if number is None:
        raise ValueError(f"'{short(text)}' is not a difference of {metric.path}: write {_AMOUNTS[metric.unit]}")
    return number
