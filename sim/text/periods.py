"""What comes of a rate of requests over a period: about 3,400 duplicates a month at 200,000 requests a day.

A count over a period is a mean or a share of a request times the number of requests in the period, and so are the ends
of its interval: the rate is taken as given. A month is a twelfth of a year of 365 days.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from sim.measure.estimates import Estimate
from sim.text.columns import TABLE_WIDTH, Column, lay_out, table_of
from sim.text.numerals import all_apart, digits_apart, money_text, number_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from sim.text.reported import Cell

_DAY_S: Final = 86_400
PERIODS: Final = {
    "hour": Fraction(3_600),
    "day": Fraction(_DAY_S),
    "week": Fraction(7 * _DAY_S),
    "month": Fraction(365 * _DAY_S, 12),
    "year": Fraction(365 * _DAY_S),
}
"""The periods, and how many seconds they have."""
_LENGTHS: Final = {"month": "365/12 days", "year": "365 days"}
_UNITS: Final = {
    **PERIODS,
    **{name: Fraction(1) for name in ("s", "sec", "second")},
    **{name: Fraction(60) for name in ("m", "min", "minute")},
    **{short: PERIODS[name] for short, name in (("h", "hour"), ("d", "day"), ("w", "week"), ("y", "year"))},
}
_RATE: Final = re.compile(r"\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?\s*/\s*([a-z]+)\s*")
_FULL: Final = {"s": "second", "sec": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day"} | {
    "w": "week",
    "y": "year",
}
MOST: Final = 10**12
"""Requests a second."""
LONGEST: Final = 40


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in a unit of time."""

    per_second: Fraction
    text: str
    """In words: `200,000 requests a day`."""


def parse_rate(text: str) -> Rate:
    """Read a rate such as `200000/day`, `50/s` or `1e6/month`; raises ValueError."""
    match = _RATE.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise ValueError("not a rate; write NUMBER/UNIT, such as 200000/day or 50/s")
    whole, part, exponent, unit = match.groups()
    if unit not in _UNITS:
        raise ValueError(f"'{unit}' is no unit of time; write one of second, minute, {', '.join(PERIODS)}")
    number = Fraction(f"{whole.replace(',', '')}{part or ''}{exponent or ''}")
    per_second = number / _UNITS[unit]
    if not 0 < per_second <= MOST:
        raise ValueError(f"a rate lies above 0, and is at most {MOST:,} a second")
    return Rate(per_second, f"{_plain(number)} requests {_article(_FULL.get(unit, unit))}")


def _plain(number: Fraction) -> str:
    return f"{int(number):,}" if number.denominator == 1 else f"{float(number):,g}"


def _article(period: str) -> str:
    return f"an {period}" if period == "hour" else f"a {period}"


@dataclass(frozen=True, slots=True)
class Per:
    """The period over which counts are told, and the rate of requests; without a rate that which a world is offered."""

    period: str
    rate: Rate | None = None

    @property
    def seconds(self) -> Fraction:
        """How long the period is."""
        return PERIODS[self.period]

    def requests(self, cell: Cell) -> float | None:
        """Return how many requests a cell gets in the period; None if nothing says so."""
        if self.rate is not None:
            return float(self.rate.per_second * self.seconds)
        traffic = cell.metrics.traffic
        offered = None if traffic is None else cell.metrics.value("offered.rate").value
        return None if offered is None else offered * float(self.seconds)

    def heading(self, cells: Sequence[Cell]) -> str:
        """Say at which rate, and how long the period is."""
        length = f" of {_LENGTHS[self.period]}" if self.period in _LENGTHS else ""
        counts = {count for cell in cells if (count := self.requests(cell)) is not None}
        number = f": {_about(counts.pop(), 2)} requests" if len(counts) == 1 else ""
        rate = self.rate.text if self.rate is not None else "the rate that each cell is offered"
        return f"{_article(self.period)}{length}, at {rate}{number}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Something that is counted."""

    one: str
    many: str
    path: str
    header: str
    is_needed: bool
    """Whether it is told even if no cell has any."""


_KINDS: Final = (
    _Kind("duplicate", "duplicates", "duplicates.effects", "duplicates", is_needed=True),
    _Kind("request given up", "requests given up", "gave_up.rate", "given up", is_needed=True),
    _Kind("request stuck for ever", "requests stuck for ever", "stuck.rate", "stuck", is_needed=True),
    _Kind("request still open at the end", "requests still open at the end", "open.rate", "open", is_needed=False),
    _Kind("runaway request", "runaway requests", "runaway.rate", "runaway", is_needed=False),
    _Kind("attempt", "attempts", "attempts.mean", "attempts", is_needed=True),
)
_MONEY: Final = "cost.money"


def lines_per(cell: Cell, per: Per) -> list[str]:
    """Tell of one cell, a line each, how often things happen in the period and what they cost."""
    requests = per.requests(cell)
    if requests is None:
        return []
    lines = []
    for kind in _told([cell]):
        found = _scaled(cell.metrics.value(kind.path), requests)
        lines.append(f"{_count_text(found, kind)} {_article(per.period)}{_between(found, _about)}")
    if cell.metrics.currency:
        money = _scaled(cell.metrics.value(_MONEY), requests)
        write = _money_writer(cell.metrics.currency)
        amount = "an unknown cost" if money.value is None else f"about {write(money.value, _digits(money, write))}"
        lines.append(f"{amount} {_article(per.period)}{_between(money, write)}")
    return lines


def table_per(cells: Sequence[Cell], per: Per, width: int = TABLE_WIDTH) -> Table:
    """Return a table of at most `width` columns: a row a cell, and the counts and the money of the period."""
    told = [(cell, requests) for cell in cells if (requests := per.requests(cell)) is not None]
    columns = []
    for rank, kind in enumerate(_told(cells)):
        found = [_scaled(cell.metrics.value(kind.path), requests) for cell, requests in told]
        columns.append(_column(kind.header, rank, found, _about))
    if per.rate is None:
        columns.insert(0, _column("requests", 9, [Estimate(requests) for _, requests in told], _about))
    if currency := next((cell.metrics.currency for cell in cells if cell.metrics.currency), ""):
        money = [_scaled(cell.metrics.value(_MONEY), requests) for cell, requests in told]
        columns.append(_column(currency, 1, money, _money_writer("")))
    names = [cell.name for cell, _ in told]
    longest = max(map(len, [*names, f"per {per.period}"]))
    layout = lay_out(columns, width, min(longest, 24), most=longest)
    notes = ["below a value: its 95 % interval"] if any(one.shows_intervals for one in layout.columns) else []
    return table_of(f"per {per.period}", names, layout, width, "\n".join([*notes, *layout.notes]))


def _told(cells: Sequence[Cell]) -> list[_Kind]:
    return [kind for kind in _KINDS if kind.is_needed or any(cell.metrics.value(kind.path).value for cell in cells)]


def _scaled(estimate: Estimate, requests: float) -> Estimate:
    value, low, high = (
        None if one is None else one * requests for one in (estimate.value, estimate.low, estimate.high)
    )
    return Estimate(value, low, high, estimate.reason)


def _column(header: str, rank: int, found: Sequence[Estimate], write: Callable[[float, int], str]) -> Column:
    values, intervals = [], []
    digits = all_apart([one.value for one in found], [_digits(one, write) for one in found], write)
    for one, more in zip(found, digits, strict=True):
        values.append("-" if one.value is None else write(one.value, more))
        ends = _ends(one)
        intervals.append("-".join(write(end, more) for end in ends))
    return Column(header, rank, values, intervals)


def _ends(found: Estimate) -> tuple[float, ...]:
    if found.low is None or found.high is None or found.low == found.high:
        return ()
    return found.low, found.high


def _digits(found: Estimate, write: Callable[[float, int], str]) -> int:
    ends = _ends(found)
    return digits_apart([*((found.value, end) for end in ends), *([ends] if ends else [])], write)  # type: ignore[list-item]


def _count_text(found: Estimate, kind: _Kind) -> str:
    if found.value is None:
        return f"an unknown number of {kind.many}"
    if found.value == 0:
        return f"no {kind.one}"
    text = _about(found.value, _digits(found, _about))
    return f"about {text} {kind.one if text == '1' else kind.many}"


def _between(found: Estimate, write: Callable[[float, int], str]) -> str:
    """Write an interval in parentheses: ` (2,900 to 4,000)`; of nothing seen, ` (up to 22)`; empty if there is none."""
    ends = _ends(found)
    if not ends:
        return ""
    more = _digits(found, write)
    if ends[0] == 0 == found.value:
        return f" (up to {write(ends[1], more)})"
    return f" ({write(ends[0], more)} to {write(ends[1], more)})"


def _money_writer(currency: str) -> Callable[[float, int], str]:
    return lambda value, more: money_text(value, currency, more)


def _about(value: float, more: int) -> str:
    """Write a count with two significant digits, or more: `3,400`, `0.42`, `12,000,000`."""
    if math.isinf(value) or value == 0:
        return number_text(value) if value else "0"
    digits = 2 + more
    exponent = int(f"{value:.{digits - 1}e}".rpartition("e")[2])
    rounded = float(f"{value:.{digits - 1}e}")
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}"
