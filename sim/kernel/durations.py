"""Durations and rates as people write and read them: `250ms`, `1m30s`, `2 min`, `50/s`, `200000/day`.

Inside, a duration is a whole number of nanoseconds (DurationNs in `sim.options.model`).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
}
LONGEST_NS = 100 * 365 * UNITS_NS["d"]
"""No duration of a scenario is longer than 100 years."""

RUNAWAY_NS = 2**62
"""Past this instant (about 146 years) a request ends as `runaway`."""

RATE_LEAST = 1e-9
RATE_MOST = 1e9
"""Bounds of a rate, in events per second: once in 32 years, once in a nanosecond."""

MAX_LITERAL = 64
RATE_SHORT = 8
UNIT_WORDS = {
    "µs": "us",
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
}
"""Longer words for the units of durations."""
RATE_UNITS = ("s", "m", "h", "d")
_UNIT = "|".join(sorted((*UNITS_NS, *UNIT_WORDS), key=len, reverse=True))
_PER = "|".join(
    sorted((*RATE_UNITS, *(word for word, unit in UNIT_WORDS.items() if unit in RATE_UNITS)), key=len)[::-1]
)
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_PART = re.compile(rf"({_DIGITS}(?:\.[0-9]+)?) ?({_UNIT}) ?")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_RATE = re.compile(rf"({_DIGITS}(?:\.[0-9]+)?(?:[eE]\+?[0-9]{{1,2}})?) ?/ ?({_PER})")
DURATION_PATTERN = rf"^({_DIGITS}(\.[0-9]+)? ?({_UNIT}) ?)+$".replace("(?:", "(")
RATE_PATTERN = f"^{_RATE.pattern}$".replace("(?:", "(")
"""What the two look like, for the JSON Schema."""


def ns_of_ms(delay_ms: float) -> int:
    """Round a delay in ms to whole nanoseconds.

    Every instant is now plus one rounded delay: summing in ms and rounding last would drift from it. Raises
    OverflowError for an infinity and ValueError for a NaN, as `round` does.
    """
    return round(delay_ms * 1e6)


def ms_of_ns(duration_ns: int) -> float:
    """Return a duration or an instant in ms, as JavaScript's `Date.now()` and its libraries count."""
    return duration_ns / 1e6


def parse_duration(value: object) -> int:
    """Turn a literal such as `250ms` or `1m30s` into nanoseconds; an `int` is taken as nanoseconds already.

    Raises ValueError for anything else: no unit, a sign, units out of order, more than 100 years.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        total_ns = value
        if total_ns < 0:
            raise ValueError("a duration cannot be negative")
    elif isinstance(value, str):
        text = value.strip()
        if text.startswith("-"):
            raise ValueError("a duration cannot be negative")
        if len(text) > MAX_LITERAL or not _WHOLE.fullmatch(text):
            raise ValueError("not a duration; write a number with a unit, such as 250ms, 1.5s or 1m30s")
        parts = _PART.findall(text)
        sizes = [UNITS_NS[UNIT_WORDS.get(unit, unit)] for _, unit in parts]
        if any(later >= earlier for earlier, later in pairwise(sizes)):
            raise ValueError("the units of a combined duration go from large to small, each once, as in 1m30s")
        total_ns = round(sum(Fraction(number) * size for (number, _), size in zip(parts, sizes, strict=True)))
    elif isinstance(value, Mapping):
        raise ValueError("expected one duration, such as 250ms, 1.5s or 1m30s, got a mapping")  # noqa: TRY004  # as below
    else:
        raise ValueError("a duration needs a unit, such as 250ms, 1.5s or 1m30s")  # noqa: TRY004  # pydantic gathers ValueErrors
    if total_ns > LONGEST_NS:
        raise ValueError("a duration is at most 100 years")
    return total_ns


def format_duration(duration_ns: int) -> str:
    """Write nanoseconds the shortest way that `parse_duration` reads back to the same number."""
    if duration_ns < 0:
        return "-" + format_duration(-duration_ns)
    if duration_ns == 0:
        return "0s"
    if duration_ns >= UNITS_NS["m"]:
        text = ""
        rest_ns = duration_ns
        for unit in ("d", "h", "m"):
            count, rest_ns = divmod(rest_ns, UNITS_NS[unit])
            text += f"{count}{unit}" if count else ""
        return text + (_decimal(rest_ns, "s") if rest_ns else "")
    for unit in ("s", "ms", "us"):
        if duration_ns >= UNITS_NS[unit]:
            return _decimal(duration_ns, unit)
    return f"{duration_ns}ns"


def _decimal(duration_ns: int, unit: str) -> str:
    whole, part = divmod(duration_ns, UNITS_NS[unit])
    digits = len(str(UNITS_NS[unit])) - 1
    fraction = f"{part:0{digits}d}".rstrip("0")
    return f"{whole}.{fraction}{unit}" if fraction else f"{whole}{unit}"


def parse_rate(value: object) -> float:
    """Turn `50/s`, `3/min` or `2e5/day` into events per second; a positive float is taken as such a number already.

    Raises ValueError for anything else, and for a rate below `RATE_LEAST` or above `RATE_MOST`.
    """
    if isinstance(value, float):
        per_second = value
    elif isinstance(value, str) and len(value) <= MAX_LITERAL and (match := _RATE.fullmatch(value.strip())):
        per_second = float(Fraction(match[1]) * NS_PER_S / UNITS_NS[UNIT_WORDS.get(match[2], match[2])])
    elif isinstance(value, str) and value.strip().startswith("-"):
        raise ValueError("a rate cannot be negative")
    else:
        raise ValueError("not a rate; write NUMBER/s, NUMBER/min, NUMBER/h or NUMBER/day, such as 50/s")
    if not RATE_LEAST <= per_second <= RATE_MOST:
        raise ValueError(f"a rate lies above 0: at least {RATE_LEAST:.9f}/s and at most {RATE_MOST:.0f}/s")
    return per_second


def format_rate(per_second: float) -> str:
    """Write events per second such that `parse_rate` reads back the same number, per second unless that is long."""
    texts = [f"{_positional(per_second)}/s"]
    for unit in RATE_UNITS[1:]:
        rounded = float(f"{per_second * UNITS_NS[unit] / NS_PER_S:.12g}")
        texts.append(f"{_positional(rounded)}/{unit}")
    exact = [text for text in texts if float(Fraction(text[:-2]) * NS_PER_S / UNITS_NS[text[-1]]) == per_second]
    return min(exact, key=lambda text: max(len(text), RATE_SHORT))


def _positional(number: float) -> str:
    return f"{Decimal(repr(number)):f}".removesuffix(".0")
