"""Numbers as people read them: durations, percentages and counts, with or without their interval."""

import math

from sim.kernel.durations import UNITS_NS
from sim.measure.estimates import Estimate
from sim.measure.quantities import Unit


def duration_text(duration_ns: float) -> str:
    """Write a duration with three significant digits (`450 ms`, `1.23 s`) or its two largest units (`2m05s`)."""
    if math.isinf(duration_ns):
        return "never"
    whole_ns = round(duration_ns)
    if whole_ns < UNITS_NS["us"]:
        return f"{whole_ns} ns" if whole_ns else "0 s"
    for unit, most in (("us", 1000), ("ms", 1000), ("s", 60)):
        text = _three_digits(whole_ns / UNITS_NS[unit])
        if float(text) < most:
            return f"{text} {unit}"
    for unit, part, parts_per_unit, most in (("m", "s", 60, 60), ("h", "m", 60, 24), ("d", "h", 24, 365)):
        units, parts = divmod(round(whole_ns / UNITS_NS[part]), parts_per_unit)
        if units < most:
            return f"{units}{unit}{parts:02d}{part}"
    return f"{_three_digits(whole_ns / UNITS_NS['d'] / 365)} y"


def percent_text(share: float) -> str:
    """Write a share as a percentage with two decimals, or as many as tell it from 0 % and from 100 %."""
    texts = (f"{share * 100:.{decimals}f}" for decimals in range(2, 12))
    return "0 %" if share <= 0 else "100 %" if share >= 1 else f"{next(filter(_is_inside, texts), '0.00')} %"


def number_text(number: float) -> str:
    """Write a count with three significant digits; whole ones, and all from 1000 to a million, without decimals."""
    if math.isinf(number):
        return "never"
    return f"{number:.0f}" if number == round(number) and number < 1e6 else _three_digits(number)


def value_text(value: float | None, unit: Unit) -> str:
    """Write a value of a metric; `-` if there is none."""
    if value is None:
        return "-"
    match unit:
        case Unit.duration:
            return duration_text(value)
        case Unit.share:
            return percent_text(value)
        case Unit.count:
            return number_text(value)


def estimate_text(estimate: Estimate, unit: Unit) -> str:
    """Write an estimate with its interval in parentheses: `99.95 % (99.91 % to 99.97 %)`."""
    text = value_text(estimate.value, unit)
    if not estimate.has_interval or estimate.low == estimate.high:
        return text
    return f"{text} ({value_text(estimate.low, unit)} to {value_text(estimate.high, unit)})"


def range_text(estimate: Estimate, unit: Unit) -> str:
    """Write an interval for a narrow column: `93.47-96.19 %`; empty if there is none or both ends agree."""
    if not estimate.has_interval or estimate.low == estimate.high:
        return ""
    low, high = value_text(estimate.low, unit), value_text(estimate.high, unit)
    number, _, name = low.partition(" ")
    return f"{number}-{high}" if name and high.endswith(f" {name}") else f"{low}-{high}"


def difference_text(value: float | None, unit: Unit) -> str:
    """Write a difference with its sign, that of rates in percentage points: `+1.20 s`, `-0.35 pp`, `+0.500`, `0 s`."""
    if value is None:
        return "-"
    if math.isinf(value):
        return "no limit"
    text = amount_text(value, unit)
    return text if value == 0 else f"{'-' if value < 0 else '+'}{text}"


def amount_text(value: float, unit: Unit) -> str:
    """Write the size of a finite difference, that of rates in percentage points."""
    text = value_text(abs(value), unit)
    return f"{text.removesuffix('%')}pp" if unit is Unit.share else text


def _three_digits(number: float) -> str:
    if number >= 1e6:
        return f"{number:.2g}"
    return f"{number:.0f}" if number >= 999.5 else f"{number:#.3g}".rstrip(".")


def _is_inside(percents: str) -> bool:
    return 0 < float(percents) < 100
