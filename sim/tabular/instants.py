"""Cells as instants: ISO 8601, the clocks of access logs, HTTP dates, and numbers since 1970 or since a start.

Instants are whole nanoseconds since 1970 in UTC, or since a start of their own if the numbers are too small for that.
Dates become days by the arithmetic of the proleptic Gregorian calendar, for whole columns at once.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.kernel.durations import RUNAWAY_NS, UNITS_NS
from sim.tabular.durations import BLANK
from sim.tabular.errors import TableError, shown
from sim.tabular.layouts import by_layout, matrix_of, number_at, with_fraction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NO_INSTANT: Final = -(2**63)
"""For a blank cell."""
EPOCH_S: Final = (600_000_000, 6_000_000_000)
"""Seconds since 1970 that can be meant as such: from 1989 to 2160; thousandths of them are out of it."""
FORMS: Final = "2026-11-27T10:00:00.250Z, 27/Nov/2026:10:00:00 +0000, or a number since 1970"
_CLOCK: Final = r"(?P<hour>00):(?P<minute>00)(?::(?P<second>00)(?:[.,](?P<fraction>0+))?)?"
_ZONE: Final = r"(?: ?(?P<zone>Z|z|UTC|GMT|[+-]00:?00|[+-]00)(?: [A-Z]{3,4})?)?"
_FORMS: Final = tuple(
    re.compile(rf"{form}{_ZONE}\]?")
    for form in (
        rf"\[?(?P<year>0000)[-/](?P<month>00)[-/](?P<day>00)(?:T|t| +|:){_CLOCK}",
        rf"(?P<year>0000)(?P<month>00)(?P<day>00)T{_CLOCK.replace(':(?P<', '(?P<')}",
        rf"\[?(?P<day>00)/(?P<name>[A-Z][a-z]{{2}})/(?P<year>0000):{_CLOCK}",
        rf"(?:[A-Z][a-z]{{2}}, )?(?P<day>00?)[ -](?P<name>[A-Z][a-z]{{2}})[ -](?P<year>0000) {_CLOCK}",
    )
)
_EPOCH: Final = re.compile(r"(?P<whole>0+)(?:[.](?P<part>0*))?")
_POWERS: Final = {"ns": 0, "us": 3, "ms": 6, "s": 9}
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?")
_DAYS: Final = np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def is_instant(cell: str) -> bool:
    """Whether a cell is a date with a time of day, in one of the forms that can be read."""
    layout = re.sub("[0-9]", "0", cell.strip())
    return any(form.fullmatch(layout) for form in _FORMS)


def epoch_unit(number: float) -> str | None:
    """Return the unit in which a number can be a time since 1970; None if it is none in any unit."""
    low, high = EPOCH_S
    return next((unit for unit, power in _POWERS.items() if low <= number / 10 ** (9 - power) < high), None)


class InstantCells:
    """Turns cells of one column into ns, block after block; `unit` is that of numbers, None to see it in the first one.

    Numbers may be since 1970 or since any start; `since_1970` says which the first was, True for dates. What it raises
    are TableErrors with line and column.
    """

    def __init__(self, column: str, unit: str | None = None) -> None:
        self.column = column
        self.unit = unit
        self.guessed_unit: str | None = None
        self.since_1970: bool | None = None
        self.zoned: bool | None = None
        """Whether dates have a zone; None for numbers."""
        self.blank = 0
        self._kind: str | None = None

    def read(self, cells: Sequence[str], lines: Sequence[int]) -> NDArray[np.int64]:
        """Return the instants of cells, whose lines in the file are `lines`; `NO_INSTANT` for blank cells."""
        stripped = [cell.strip() for cell in cells]
        matrix = matrix_of(stripped)
        found_ns = np.empty(len(stripped), np.int64)
        for layout, rows in by_layout(matrix):
            epoch = _EPOCH.fullmatch(layout)
            match = None if epoch else next(filter(None, (form.fullmatch(layout) for form in _FORMS)), None)
            first = int(rows[0])
            here = _Here(self.column, [lines[row] for row in rows.tolist()], [stripped[row] for row in rows.tolist()])
            if match is not None:
                self._same_kind("dates", here, zoned=match["zone"] is not None)
                found_ns[rows] = _dates_ns(match, matrix[rows], here)
            elif epoch is not None or _NUMBER.fullmatch(stripped[first]):
                self._same_kind("numbers", here)
                found_ns[rows] = self._numbers_ns(epoch, matrix[rows], here)
            elif all(cell in BLANK for cell in here.cells):
                self.blank += len(rows)
                found_ns[rows] = NO_INSTANT
            else:
                reason = f"{shown(stripped[first])} is no time that can be read; write {FORMS}"
                raise TableError(reason, lines[first], self.column)
        return found_ns

    def _same_kind(self, kind: str, here: _Here, *, zoned: bool | None = None) -> None:
        if self._kind is None:
            self._kind, self.zoned = kind, zoned
            self.since_1970 = True if kind == "dates" else None
        elif self._kind != kind:
            raise here.error(0, f"{shown(here.cells[0])} is one of {kind}, but cells before it are {self._kind}")
        elif zoned != self.zoned:
            has, others = ("a zone", "none") if zoned else ("no zone", "one")
            raise here.error(0, f"{shown(here.cells[0])} has {has}, but cells before it have {others}")

    def _numbers_ns(self, epoch: re.Match[str] | None, matrix: NDArray[np.uint8], here: _Here) -> NDArray[np.int64]:
        if self.since_1970 is None:
            first = float(here.cells[0])
            meant = epoch_unit(first)
            self.since_1970 = meant is not None if self.unit is None else meant == self.unit
            if self.unit is None:
                self.unit = self.guessed_unit = meant
        if self.unit is None:
            raise here.error(
                0, f"{here.cells[0]} is no time since 1970 in s, ms, us or ns; say what unit these times have"
            )
        power = _POWERS[self.unit]
        if epoch is not None and epoch.end("whole") <= 18 - power and len(epoch["part"] or "") <= 18:
            found_ns = number_at(matrix, *epoch.span("whole")) * np.int64(10**power)
            if epoch["part"]:
                part = number_at(matrix, *epoch.span("part"))
                return with_fraction(found_ns, part, len(epoch["part"]), power)
            return found_ns
        exact = [round(Fraction(cell) * UNITS_NS[self.unit]) for cell in here.cells]
        for row, one in enumerate(exact):
            if not 0 <= one <= RUNAWAY_NS:
                raise here.error(row, f"{here.cells[row]} {self.unit} is no time from 1970 to 2116")
        return np.array(exact, np.int64)


class _Here:
    """Cells of one layout, and where they stand."""

    def __init__(self, column: str, lines: list[int], cells: list[str]) -> None:
        self.column = column
        self.lines = lines
        self.cells = cells

    def error(self, row: int, reason: str) -> TableError:
        return TableError(reason, self.lines[row], self.column)


def _dates_ns(match: re.Match[str], matrix: NDArray[np.uint8], here: _Here) -> NDArray[np.int64]:
    def number(name: str) -> NDArray[np.int64]:
        return number_at(matrix, *match.span(name))

    parts = match.groupdict()
    year, day, hour, minute = (number(name) for name in ("year", "day", "hour", "minute"))
    second = number("second") if parts["second"] else np.zeros(len(matrix), np.int64)
    if parts.get("name"):
        if parts["name"] not in MONTHS:
            raise here.error(0, f"{shown(here.cells[0])} has no month of that name; write {FORMS}")
        month = np.full(len(matrix), MONTHS.index(parts["name"]) + 1, np.int64)
    else:
        month = number("month")
    wrong = (year < 1900) | (year > 2115) | (month < 1) | (month > 12) | (day < 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    wrong |= day > np.where((month == 2) & ~leap, 28, _DAYS[np.clip(month, 1, 12) - 1])
    wrong |= (hour > 23) | (minute > 59) | (second > 60)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise here.error(row, f"{shown(here.cells[row])} is no date and time of the calendar")
    seconds = _days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    zone = parts["zone"]
    if zone and zone[0] in "+-":
        start = match.start("zone")
        offset = number_at(matrix, start + 1, start + 3) * 3600
        if len(zone) > 3:
            offset += number_at(matrix, match.end("zone") - 2, match.end("zone")) * 60
        seconds -= np.where(matrix[:, start] == ord("-"), -offset, offset)
    found_ns = seconds * UNITS_NS["s"]
    if parts["fraction"]:
        span = match.span("fraction")
        digits = min(span[1] - span[0], 18)
        return with_fraction(found_ns, number_at(matrix, span[0], span[0] + digits), digits, 9)
    return found_ns


def _days_since_1970(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count days; years begin in March, so that the leap day comes last."""
    of_march = year - (month <= 2)
    months_since_march = (month + 9) % 12
    day_of_year = (153 * months_since_march + 2) // 5 + day - 1
    return of_march * 365 + of_march // 4 - of_march // 100 + of_march // 400 + day_of_year - 719_468
