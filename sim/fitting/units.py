"""Numbers of a fit in words: durations, shares and rates, with their intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sim.kernel.durations import NS_PER_S, UNITS_NS

if TYPE_CHECKING:
    from sim.fitting.intervals import Found

LONGEST_STATUS: Final = 60
"""Characters of a status in sentences."""


def duration(value_ns: float) -> str:
    """Write a duration in ns with three digits and one unit: 1.23 s, 45 min."""
    if not math.isfinite(value_ns):
        return "no bound"
    for unit, size_ns in (("d", UNITS_NS["d"]), ("h", UNITS_NS["h"]), ("min", UNITS_NS["m"])):
        if value_ns >= 2 * size_ns:
            return f"{_digits(value_ns / size_ns)} {unit}"
    for unit, size_ns in (("s", NS_PER_S), ("ms", UNITS_NS["ms"]), ("us", UNITS_NS["us"])):
        if value_ns >= size_ns:
            return f"{_digits(value_ns / size_ns)} {unit}"
    return f"{value_ns:.0f} ns"


def _digits(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """Write a share in percent, with as many digits as a small one needs."""
    value = 100 * share
    if value == 0 or value >= 99.995 or value >= 10:
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return f"{text} %"
    return f"{value:.2g} %" if value < 1 else f"{value:.2f}".rstrip("0").rstrip(".") + " %"


def interval_text(found: Found) -> str:
    """Write a duration in ns with its interval, or that there are too few values for one."""
    if found.low == 0 and math.isinf(found.high):
        return f"{duration(found.value)} (too few for an interval)"
    high = f"to {duration(found.high)}" if math.isfinite(found.high) else "with no upper bound"
    return f"{duration(found.value)} ({duration(found.low)} {high})"


def share_text(found: Found) -> str:
    """Write a share with its interval."""
    return f"{percent(found.value)} ({percent(found.low)} to {percent(found.high)})"


def rate_text(found: Found) -> str:
    """Write a rate a second with its interval, or a minute or hour if it is small."""
    for unit, size in (("/s", 1), ("/min", 60), ("/h", 3600)):
        if found.value * size >= 0.5 or unit == "/h":
            return f"{_digits(found.value * size)}{unit} ({_digits(found.low * size)} to {_digits(found.high * size)})"
    raise AssertionError


def status_text(status: str) -> str:
    """Write a status, of a long one its beginning: some logs have whole messages there."""
    if not status:
        return "no status"
    return status if len(status) <= LONGEST_STATUS else f"{status[:LONGEST_STATUS]}..."


def p_text(p_value: float) -> str:
    """Write a probability: p = 0.03, p < 1e-6."""
    if p_value < 1e-6:
        return "p < 1e-6"
    return f"p = {p_value:.2g}"


def count_text(count: float) -> str:
    """Write a number of things."""
    return f"{count:,.0f}"
