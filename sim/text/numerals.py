"""Numbers as people read them: durations, percentages and counts, with or without their interval."""

from __future__ import annotations

import math
import re
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from sim.kernel.durations import UNITS_NS
from sim.measure.prices import PICO
from sim.measure.quantities import AnyUnit, Currency, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sim.measure.estimates import Estimate


MOST_DIGITS = 13
"""More than those with which numbers are written that read alike otherwise: not more than a float has."""
_ZEROS = re.compile(r"\.?0+(?![0-9])")
"""Zeros at the end of decimals: `1` and `1.00` read alike."""


def duration_text(duration_ns: float, more: int = 0) -> str:
    """Write a duration with three significant digits (`450 ms`, `1.23 s`) or its two largest units (`2m05s`).

    `more` asks for so many more digits; in `2m05s` for decimals, in `3h07m` and `2d03h` for all units, then decimals.
    """
    if math.isinf(duration_ns):
        return "never"
    whole_ns = round(duration_ns)
    if whole_ns < UNITS_NS["us"]:
        text = _digits(duration_ns, more) if more and duration_ns != whole_ns else f"{whole_ns}"
        return f"{text} ns" if text != "0" else "0 s"
    for unit, most in (("us", 1000), ("ms", 1000), ("s", 60)):
        text = _digits((duration_ns if more else whole_ns) / UNITS_NS[unit], more)
        if float(text) < most:
            return f"{text} {unit}"
    if more and whole_ns < 365 * UNITS_NS["d"]:
        return _in_all_units(duration_ns, more)
    for unit, part, parts_per_unit, most in (("m", "s", 60, 60), ("h", "m", 60, 24), ("d", "h", 24, 365)):
        units, parts = divmod(round(whole_ns / UNITS_NS[part]), parts_per_unit)
        if units < most:
            return f"{units}{unit}{parts:02d}{part}"
    return f"{_digits(duration_ns / UNITS_NS['d'] / 365, more)} y"


def _in_all_units(duration_ns: float, decimals: int) -> str:
    """Write a minute or more to the second, or with decimals if it is below an hour: `2m05.3s`, `3h07m12s`."""
    hours = duration_ns >= UNITS_NS["h"]
    decimals = max(0, decimals - 1) if hours else decimals
    scale = 10**decimals
    ticks = round(duration_ns * scale / UNITS_NS["s"])
    minutes, rest = divmod(ticks, 60 * scale)
    seconds = f"{rest / scale:0{3 + decimals if decimals else 2}.{decimals}f}s"
    whole_hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(whole_hours, 24)
    if days:
        return f"{days}d{hours_left:02d}h{minutes_left:02d}m{seconds}"
    return f"{whole_hours}h{minutes_left:02d}m{seconds}" if whole_hours else f"{minutes}m{seconds}"


def percent_text(share: float, more: int = 0) -> str:
    """Write a share as a percentage with two decimals, or as many as tell it from 0 % and from 100 %; `more` on top."""
    if share <= 0 or share >= 1:
        return "0 %" if share <= 0 else "100 %"
    texts = (f"{share * 100:.{decimals + more}f}" for decimals in range(2, 14))
    text = next(filter(_is_inside, texts), "")
    return f"{text} %" if text else "<1e-11 %" if share < 0.5 else ">99.99999999999 %"


def growth_text(growth: float, more: int = 0) -> str:
    """Write a difference as a share of what it differs from, with its sign, however large: `-12.50 %`, `+5,500 %`."""
    size, sign = abs(growth), "-" if growth < 0 else "+"
    if size <= 1:
        return f"{sign}{percent_text(size, more)}"
    return f"{sign}{100 * size:,.{more}f} %" if math.isfinite(size) else "no limit"


def number_text(number: float, more: int = 0) -> str:
    """Write a count with three significant digits; whole ones, and all from 1000 to a million, without decimals.

    `more` asks for so many more digits.
    """
    if math.isinf(number):
        return "never"
    return f"{number:.0f}" if number == round(number) and number < 1e6 else _digits(number, more)


def value_text(value: float | None, unit: AnyUnit, more: int = 0) -> str:
    """Write a value of a metric; `-` if there is none. `more` asks for so many more digits."""
    match unit:
        case _ if value is None:
            text = "-"
        case Unit.duration:
            text = duration_text(value, more)
        case Unit.share:
            text = percent_text(value, more)
        case Unit.count:
            text = number_text(value, more)
        case Unit.per_second:
            text = f"{number_text(value, more)}/s"
        case _:
            text = money_text(value, unit.name if isinstance(unit, Currency) else "", more)
    return text


def money_text(value: float, currency: str, more: int = 0) -> str:
    """Write money, given in `PICO` parts of its currency, with three significant digits: `0.0000123 USD`, `12,300 USD`.

    `more` asks for so many more digits. Below a billionth of the currency there is an exponent.
    """
    amount = value / PICO
    if math.isinf(value):
        text = "no limit"
    elif amount == 0:
        text = "0"
    elif abs(amount) < 1e-9:
        text = f"{amount:.{2 + more}e}"
    else:
        # Of rounded numbers: 0.0009999 is 0.00100.
        exponent = int(f"{abs(amount):.{2 + more}e}".rpartition("e")[2])
        decimals = max(0, 2 + more - exponent)
        text = f"{amount:,.{decimals}f}"
    return f"{text} {currency}" if currency and not math.isinf(value) else text


def digits_apart(pairs: Iterable[tuple[float | None, float | None]], write: Callable[[float, int], str]) -> int:
    """Return with how many more digits the two numbers of each pair read differently, if they differ."""
    differing = [(one, other) for one, other in pairs if one is not None and other is not None and one != other]
    for more in range(MOST_DIGITS):
        if all(_said(write(one, more)) != _said(write(other, more)) for one, other in differing):
            return more
    return 0  # they differ by rounding alone


def _said(text: str) -> str:
    """Leave out the zeros that say nothing."""
    return re.sub(r"\.[0-9]+", lambda decimals: _ZEROS.sub("", decimals[0]), text)


def value_texts(values: Sequence[float | None], unit: AnyUnit) -> list[str]:
    """Write values that stand side by side, so that different ones read differently."""
    more = digits_apart(combinations(values, 2), partial(_written, unit))
    return [value_text(value, unit, more) for value in values]


def _written(unit: AnyUnit, value: float, more: int) -> str:
    return value_text(value, unit, more)


def estimate_text(estimate: Estimate, unit: AnyUnit, bound: float | None = None) -> str:
    """Write an estimate with its interval in parentheses: `99.95 % (99.91 % to 99.97 %)`.

    It has as many digits as tell the ends apart, and all of it from a `bound` that it is held against.
    """
    ends = (estimate.low, estimate.high) if estimate.has_interval and estimate.low != estimate.high else ()
    pairs = [ends] if ends else []
    pairs += [(value, bound) for value in (estimate.value, *ends)]
    more = digits_apart(pairs, partial(_written, unit))
    text = value_text(estimate.value, unit, more)
    return f"{text} ({' to '.join(value_text(end, unit, more) for end in ends)})" if ends else text


def range_text(estimate: Estimate, unit: AnyUnit) -> str:
    """Write an interval for a narrow column: `93.47-96.19 %`; empty if there is none or both ends agree."""
    if not estimate.has_interval or estimate.low == estimate.high:
        return ""
    low, high = value_texts((estimate.low, estimate.high), unit)
    if unit is Unit.per_second:
        return f"{low.removesuffix('/s')}-{high}"
    number, _, name = low.partition(" ")
    return f"{number}-{high}" if name and high.endswith(f" {name}") else f"{low}-{high}"


def difference_text(value: float | None, unit: AnyUnit, more: int = 0) -> str:
    """Write a difference with its sign, that of rates in percentage points: `+1.20 s`, `-0.35 pp`, `+0.500`, `0 s`."""
    if value is None:
        return "-"
    if math.isinf(value):
        return "no limit"
    text = amount_text(value, unit, more)
    return text if value == 0 else f"{'-' if value < 0 else '+'}{text}"


def amount_text(value: float, unit: AnyUnit, more: int = 0) -> str:
    """Write the size of a finite difference, that of rates in percentage points."""
    text = value_text(abs(value), unit, more)
    return f"{text.removesuffix('%')}pp" if unit is Unit.share else text


def _digits(number: float, more: int = 0) -> str:
    """Write three significant digits, or more."""
    if number >= 1e6:
        return f"{number:.{2 + more}g}"
    if number >= 999.5:
        return f"{number:.{more}f}"
    return f"{number:#.{3 + more}g}".rstrip(".")


def _is_inside(percents: str) -> bool:
    return 0 < float(percents) < 100
