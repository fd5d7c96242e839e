"""A comparison in plain sentences, one for every difference.

A metric is better or worse only if its 95 % interval says so. Of many such intervals some miss by chance, which the
sentences say.
"""

import math
from collections.abc import Iterator
from types import MappingProxyType

from sim.expect.conditions import Condition, Judged
from sim.expect.expectations import Ruling
from sim.measure.differences import Change, Difference, Differences
from sim.measure.estimates import Estimate
from sim.measure.percentiles import percentile_name
from sim.measure.quantities import QUANTILES, AnyUnit, Metric, Statistic, Unit
from sim.text.comparison import Pair
from sim.text.comparison_table import difference_interval
from sim.text.numerals import (
    amount_text,
    difference_text,
    digits_apart,
    growth_text,
    value_text,
    value_texts,
)
from sim.text.traffic_words import NUMBERS, TIMES, of_scope
from sim.text.wording import listed


def sentences(pair: Pair, *, complete: bool = False) -> list[str]:
    """Say what the comparison rests on, what may spoil it, and what it found: a sentence for each difference.

    One sentence lists all metrics that are the same in both.
    """
    found = [one for one in (pair.differences if complete else pair.shown) if one.a.value is not None or one.b.value]
    by_change = {change: [one for one in found if one.change is change] for change in Change}
    lines = [pair.basis, *pair.warnings, _tally(by_change)]
    for change in (Change.better, Change.worse, Change.differs, Change.inconclusive):
        lines += [sentence(one) for one in by_change[change]]
    if by_change[Change.same]:
        same = [f"{words(one.metric)} ({value_text(one.a.value, one.unit)})" for one in by_change[Change.same]]
        lines.append(f"Same in every request: {listed(same)}.")
    return lines


def _tally(by_change: dict[Change, list[Difference]]) -> str:
    counts = [f"{len(found)} {change.value}" for change, found in by_change.items() if found]
    total = sum(map(len, by_change.values()))
    text = f"Of {total} numbers: {listed(counts)}"
    judged = total - len(by_change[Change.same])
    return f"{text}; about 1 in 20 such intervals misses by chance." if judged >= 10 else f"{text}."


def sentence(found: Difference) -> str:
    """Say one difference in a plain sentence with its numbers."""
    unit, estimate = found.unit, found.estimate
    name = words(found.metric)
    a, b = value_texts((found.a.value, found.b.value), unit)
    match found.change:
        case Change.same:
            return f"Same: {name} is {a} in both, request by request."
        case Change.inconclusive:
            return f"Inconclusive: {name} is {_two(found)}; {_doubt(found)}."
    start = found.change.value.capitalize()
    rises = estimate.low is not None and estimate.low > 0
    moves = f"{name} {'rises' if rises else 'falls'} from {a} to {b}"
    if estimate.value is None or math.isinf(estimate.value):
        return f"{start}: {moves}."
    share = ""
    if unit is not Unit.share and found.relative is not None:
        share = f", which is {growth_text(found.relative).lstrip('+-')}"
    return f"{start}: {moves}, by {amount_text(estimate.value, unit)}{_between(estimate, unit)}{share}."


def _two(found: Difference) -> str:
    unit = found.unit
    written = value_texts((found.a.value, found.b.value), unit)
    texts = {
        name: text
        for name, estimate, text in zip("AB", (found.a, found.b), written, strict=True)
        if estimate.value is not None
    }
    if len(texts) == 2 and texts["A"] == texts["B"]:
        return f"{texts['A']} in both"
    return " and ".join(f"{text} in {name}" for name, text in texts.items()) or "not known"


def _between(estimate: Estimate, unit: AnyUnit) -> str:
    """Write the interval of a difference whose sign is certain, as amounts, the smaller first."""
    if estimate.low is None or estimate.high is None or estimate.low == estimate.high:
        return ""
    ends = sorted((abs(estimate.low), abs(estimate.high)))
    if math.isinf(ends[1]):
        return f" (at least {amount_text(ends[0], unit)})"
    more = digits_apart([(ends[0], ends[1])], lambda value, more: amount_text(value, unit, more))
    return f" ({amount_text(ends[0], unit, more)} to {amount_text(ends[1], unit, more)})"


def _doubt(found: Difference) -> str:
    """Say why the difference is not certain."""
    estimate = found.estimate
    if found.a.value is None or found.b.value is None:
        cell = "either" if found.a.value is found.b.value else "A" if found.a.value is None else "B"
        return f"no request in {cell} counts for it"
    if found.metric.statistic is Statistic.max:
        return "a maximum has no interval"
    if estimate.value is None:
        return "no difference can be told"
    if estimate.low is None or estimate.high is None:
        if estimate.reason:
            return estimate.reason
        return "a single replication or request gives no interval"
    return _chance(estimate.low, estimate.high, found.unit)


def _chance(low: float, high: float, unit: AnyUnit) -> str:
    if low == high == 0:
        return "no difference is seen"
    if math.isinf(low) and math.isinf(high):
        return "the sample is too small to bound the difference"
    more = digits_apart([(low, high)], lambda value, more: difference_text(value, unit, more))
    first = "without a lower limit" if math.isinf(low) else difference_text(low, unit, more)
    second = "without an upper limit" if math.isinf(high) else difference_text(high, unit, more)
    joined = f"{first} to {second}" if math.isfinite(low) and math.isfinite(high) else f"{first}, {second}"
    return f"the difference may be chance ({joined})"


_RATES = MappingProxyType(
    {
        "success.rate": "the success rate",
        "gave_up.rate": "the share of requests given up",
        "stuck.rate": "the share of requests stuck for ever",
        "open.rate": "the share of requests still open at the end",
        "canceled.rate": "the share of requests canceled",
        "runaway.rate": "the share of requests that ran into a limit",
        "attempts.mean": "the mean number of attempts",
        "attempts.max": "the largest number of attempts",
        "amplification": "the amplification",
        "duplicates.rate": "the share of requests with a repeated effect",
        "duplicates.effects": "the mean number of repeated effects",
        "polls.mean": "the mean number of polls",
        "cost.mutations": "the mean number of mutations",
        "cost.actions": "the mean number of actions",
        "cost.action_ms": "the mean action time",
        "cost.money": "the mean cost of a request",
        "suppressed.rate": "the share of requests with a suppressed effect",
        "suppressed.effects": "the mean number of suppressed effects",
    }
)
_TIMES = MappingProxyType(
    {
        "time_to_effect": "time to effect",
        "time_to_known": "time to known",
        "detection_lag": "detection lag",
        "time_to_known.success": "time to known of successes",
        "time_to_known.gave_up": "time to known of requests given up",
        "time_to_known.canceled": "time to known of requests canceled",
        "attempts": "number of attempts",
        "polls": "number of polls",
        "mutations": "number of mutations",
        "actions": "number of actions",
        "action_time": "action time",
        "money": "cost of a request",
    }
)


def words(metric: Metric) -> str:
    """Name a metric within a sentence."""
    whose = of_scope(metric.scope)
    if metric.base in _RATES:
        return f"{_RATES[metric.base]}{whose}"
    if metric.base in NUMBERS:
        return f"the {NUMBERS[metric.base]}{whose}"
    time = _TIMES.get(metric.quantity) or TIMES[metric.quantity]
    match metric.statistic:
        case Statistic.mean:
            return f"the mean {time}{whose}"
        case Statistic.max:
            return f"the longest {time}{whose}"
        case _:
            return f"the {percentile_name(metric.share)} of the {time}{whose}"


def judged_text(judged: Judged, differences: Differences) -> str:
    """Write a judged condition as one line: `holds: time_to_effect.p99 > +10%; it goes from 4.7 s to 5.9 s, +1.2 s`."""
    found = differences[judged.condition.metric.path]
    unit = found.unit
    said = {Ruling.met: "holds", Ruling.missed: "does not hold", Ruling.inconclusive: "inconclusive"}[judged.ruling]
    a, b = value_texts((found.a.value, found.b.value), unit)
    numbers = ", ".join(_numbers(found, judged.condition))
    moves = f"it is {a} in both" if a == b else f"it goes from {a} to {b}"
    reason = f"; {judged.reason}" if judged.reason else ""
    return f"{said}: {judged.condition.text}; {moves}{f', {numbers}' if numbers else ''}{reason}"


def _numbers(found: Difference, condition: Condition) -> Iterator[str]:
    """Yield the difference with its interval, then the difference as a share of A's value; told from the bound."""
    unit, estimate = found.unit, found.estimate
    if estimate.value is None or math.isinf(estimate.value):
        return
    bound = condition.amount if condition.factor == 1 else None
    interval = difference_interval(estimate, unit, bound)
    more = digits_apart([(estimate.value, bound)], lambda value, more: difference_text(value, unit, more))
    yield f"{difference_text(estimate.value, unit, more)}{f' ({interval})' if interval else ''}"
    if found.relative and unit is not Unit.share:
        share = condition.factor - 1 if condition.factor != 1 else None
        yield growth_text(found.relative, digits_apart([(found.relative, share)], growth_text))


def finding(pair: Pair) -> str:
    """Say in one line the most telling difference that is certain: in the time to effect, in success, or in both."""
    a, b = (f"'{name}'" for name in (pair.a, pair.b))
    success = pair.differences["success.rate"]
    more = {Change.better: "more", Change.worse: "less"}.get(success.change)
    rates = " instead of ".join(value_texts((success.b.value, success.a.value), Unit.share))
    for point in ("p99", "p90", "p50", "p99.9"):
        found = pair.differences[f"time_to_effect.{point}"]
        if found.change in (Change.better, Change.worse):
            text = _finding_of_time(found, f"{float(100 * QUANTILES[point]):g} %", a, b)
            return (
                f"{text}, but succeeds {more} often, {rates}" if more and found.change is not success.change else text
            )
    if more:
        return f"{b} succeeds {more} often than {a}: {rates}"
    if pair.differences["time_to_effect.p99"].change is Change.same:
        return f"{b} and {a} have their effects at the same times"
    return f"No difference in the time to effect can be told between {b} and {a}"


def _finding_of_time(found: Difference, share: str, a: str, b: str) -> str:
    times = value_texts((found.b.value, found.a.value), Unit.duration)
    is_better = found.change is Change.better
    if found.estimate.value is None or not math.isinf(found.estimate.value):
        sooner = "sooner" if is_better else "later"
        return f"{b} has {share} of its effects {sooner} than {a}, within {times[0]} instead of {times[1]}"
    if is_better:
        return f"{b} has {share} of its effects within {times[0]}, which {a} never has"
    return f"{b} never has {share} of its effects, which {a} has within {times[1]}"
