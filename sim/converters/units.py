"""Units in which configurations write durations, each read into whole nanoseconds and written from them.

| unit | who writes so | looks like |
| --- | --- | --- |
| `PROTO` | JSON of Protocol Buffers: gRPC, Envoy, Temporal, Cloud Tasks, Pub/Sub | `"1.5s"` |
| `GO` | Go's `time.ParseDuration`: Istio, Gateway API | `1m30s`, `25ms` |
| `TIME_SPAN` | .NET's `TimeSpan` | `"00:00:02"`, `"1.00:00:00"` |
| `SPRING` | Spring Boot's simple and ISO-8601 forms, a plain number is ms | `500ms`, `PT0.5S`, `500` |
| `SECONDS`, `WHOLE_SECONDS`, `MILLISECONDS` | a number | `2`, `0.5`, `500` |
| `AGE` | queue.yaml | `2d`, `15m` |
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from sim.kernel.durations import LONGEST_NS, NS_PER_MS, NS_PER_S, UNITS_NS

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LITERAL: Final = 64


@dataclass(frozen=True, slots=True)
class Unit:
    """One way to write durations."""

    example: str
    parse: Callable[[Any], Fraction]
    """From a plain value to seconds, negative ones too. Raises ValueError, without words."""
    write: Callable[[int], Any]
    """From nanoseconds. Raises ValueError if the form cannot hold them."""

    def read_ns(self, value: Any) -> int:
        """Return whole nanoseconds; a negative duration is read, so that the field can say whether it may be one.

        Raises ValueError with a sentence.
        """
        is_plain = isinstance(value, int | float | str) and not isinstance(value, bool)
        if not is_plain or (isinstance(value, str) and len(value) > MAX_LITERAL):
            raise ValueError(f"not a duration; write it as {self.example}")
        try:
            seconds = self.parse(value.strip() if isinstance(value, str) else value)
        except (ValueError, ArithmeticError):
            raise ValueError(f"not a duration; write it as {self.example}") from None
        if abs(seconds) * NS_PER_S > LONGEST_NS:
            raise ValueError("a duration is at most 100 years")
        return round(seconds * NS_PER_S)


def number(value: Any) -> Fraction:
    """Return a number, or a text that is one, as a fraction: floats as they are written in decimals."""
    if isinstance(value, str):
        if not re.fullmatch(r"[-+]?[0-9]+(?:\.[0-9]+)?", value):
            raise ValueError(value)
        return Fraction(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(value)
    return Fraction(Decimal(repr(value)))


def plain(value: Fraction) -> int | float:
    """Return a fraction as a number: an int if it is whole."""
    return value.numerator if value.denominator == 1 else float(value)


def _decimal(value: Fraction) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator):f}"


def _proto(value: Any) -> Fraction:
    match = re.fullmatch(r"(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)s", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(value)
    return Fraction(match[1])


def _write_proto(duration_ns: int) -> str:
    return f"{_decimal(Fraction(duration_ns, NS_PER_S))}s"


_GO_UNITS: Final = {**UNITS_NS, "µs": 1_000, "μs": 1_000}
_GO_PART: Final = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"


def _go(value: Any) -> Fraction:
    match = re.fullmatch(rf"([-+]?)((?:{_GO_PART})+|0)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(value)
    total = sum(
        (
            Fraction(part if part[-1] != "." else part[:-1]) * _GO_UNITS[unit]
            for part, unit in re.findall(_GO_PART, match[2])
        ),
        Fraction(0),
    )
    return total / NS_PER_S * (-1 if match[1] == "-" else 1)


def _write_go(duration_ns: int) -> str:
    for unit in ("h", "m", "s", "ms", "us"):
        if duration_ns % UNITS_NS[unit] == 0:
            return f"{duration_ns // UNITS_NS[unit]}{unit}"
    return f"{duration_ns}ns"


_SPAN: Final = re.compile(
    r"(-?)(?:(?:([0-9]{1,8})\.)?([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(\.[0-9]{1,7})?)?|([0-9]{1,8}))"
)


def _time_span(value: Any) -> Fraction:
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(value)
    sign, days, hours, minutes, seconds, part, only_days = match.groups()
    if int(hours or 0) > 23 or int(minutes or 0) > 59 or int(seconds or 0) > 59:
        raise ValueError(value)
    total = Fraction(int(only_days or days or 0) * 86_400 + int(hours or 0) * 3600 + int(minutes or 0) * 60)
    total += int(seconds or 0) + Fraction(f"0{part}" if part else 0)
    return -total if sign else total


def _write_time_span(duration_ns: int) -> str:
    if duration_ns % 100:
        raise ValueError("a TimeSpan counts in 100 ns")
    minutes, rest_ns = divmod(duration_ns, UNITS_NS["m"])
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    seconds, part_ns = divmod(rest_ns, NS_PER_S)
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}" + (f".{part_ns // 100:07d}" if part_ns else "")
    return f"{days}.{text}" if days else text


_ISO: Final = re.compile(
    r"([-+]?)P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]{1,9})?)S)?)?", re.IGNORECASE
)


def _spring(value: Any) -> Fraction:
    if isinstance(value, int):
        return Fraction(value, 1000)
    if isinstance(value, str) and (match := re.fullmatch(r"([-+]?[0-9]+)(ns|us|ms|s|m|h|d)?", value, re.IGNORECASE)):
        return Fraction(int(match[1]) * UNITS_NS[(match[2] or "ms").lower()], NS_PER_S)
    match = _ISO.fullmatch(value) if isinstance(value, str) else None
    if match is None or value[-1] in "PTpt":
        raise ValueError(value)
    sign, days, hours, minutes, seconds = match.groups()
    total = Fraction(int(days or 0) * 86_400 + int(hours or 0) * 3600 + int(minutes or 0) * 60) + Fraction(seconds or 0)
    return -total if sign == "-" else total


def _whole(value: Any) -> Fraction:
    read = number(value)
    if read.denominator != 1:
        raise ValueError(value)
    return read


def _write_whole(duration_ns: int) -> int:
    if duration_ns % NS_PER_S:
        raise ValueError("only whole seconds can be written")
    return duration_ns // NS_PER_S


def _age(value: Any) -> Fraction:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(value)
    return Fraction(match[1]) * UNITS_NS[match[2]] / NS_PER_S


def _write_age(duration_ns: int) -> str:
    for unit in ("d", "h", "m"):
        if duration_ns % UNITS_NS[unit] == 0:
            return f"{duration_ns // UNITS_NS[unit]}{unit}"
    return _write_proto(duration_ns)


PROTO: Final = Unit('"1.5s", in seconds', _proto, _write_proto)
GO: Final = Unit("25ms, 2s or 1m30s", _go, _write_go)
TIME_SPAN: Final = Unit('"00:00:02"', _time_span, _write_time_span)
SPRING: Final = Unit("500ms, 2s or PT0.5S", _spring, _write_go)
SECONDS: Final = Unit("a number of seconds, such as 0.5", number, lambda ns: plain(Fraction(ns, NS_PER_S)))
WHOLE_SECONDS: Final = Unit("a whole number of seconds", _whole, _write_whole)
MILLISECONDS: Final = Unit(
    "a number of milliseconds", lambda value: number(value) / 1000, lambda ns: plain(Fraction(ns, NS_PER_MS))
)
AGE: Final = Unit("2d, 3h, 15m or 30s", _age, _write_age)
