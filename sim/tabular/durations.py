"""Cells as durations: numbers in the unit of their column, or with a unit of their own, in whole nanoseconds."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.kernel.durations import LONGEST_NS, UNITS_NS
from sim.tabular.errors import TableError, shown
from sim.tabular.layouts import MOST_DIGITS, WIDEST, by_layout, matrix_of, number_at, with_fraction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLANK: Final = frozenset({"", "-", "--", "null", "NULL", "None", "none", "NA", "N/A", "n/a", "\\N", "<null>"})
"""Cells that say nothing."""
NOT_KNOWN: Final = -1
UNIT_WORDS: Final = {
    **dict.fromkeys(("ns", "nsec", "nsecs", "nano", "nanos", "nanosecond", "nanoseconds"), "ns"),
    **dict.fromkeys(("us", "µs", "μs", "usec", "usecs", "micro", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
}
"""Words for units, to the units that durations of scenarios have."""
_POWERS: Final = {"ns": 0, "us": 3, "ms": 6, "s": 9}
_LAYOUT: Final = re.compile(r"(0*)(?:[.,](0*))? ?([A-Za-z]*)")
_NUMBER: Final = re.compile(r"([+-]?)([0-9]*)(?:[.,]([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?\s*([A-Za-zµμ]*)")
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s|us|µs|μs|ns)")
_CLOCK: Final = re.compile(r"([0-9]+):([0-5][0-9]):([0-5][0-9](?:\.[0-9]+)?)")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{3})+(?:[.,][0-9]+)?")


class DurationCells:
    """Turns cells of one column into ns, block after block; `unit` is that of bare numbers, None if cells name theirs.

    `decimal` is the decimal separator, "." or ",". What it raises are TableErrors with line and column.
    """

    def __init__(self, column: str, unit: str | None, decimal: str = ".") -> None:
        self.column = column
        self.unit = unit
        self.decimal = decimal
        self.blank = 0
        self.units_seen: set[str] = set()
        """Units that cells named themselves."""

    def read(self, cells: Sequence[str], lines: Sequence[int]) -> NDArray[np.int64]:
        """Return ns, `NOT_KNOWN` for blank cells; `lines` are those of the cells in the file."""
        stripped = [cell.strip() for cell in cells]
        matrix = matrix_of(stripped)
        found_ns = np.empty(len(stripped), np.int64)
        for layout, rows in by_layout(matrix):
            plain = self._plain(layout)
            if plain is not None:
                found_ns[rows] = self._at_once(plain, matrix[rows], layout, rows, lines)
            else:
                for row in rows.tolist():
                    found_ns[row] = self._alone(stripped[row], lines[row])
        return found_ns

    def _plain(self, layout: str) -> tuple[int, int, str] | None:
        """Return digits before and behind the point, and the unit, if all cells of a layout are plain numbers."""
        match = _LAYOUT.fullmatch(layout)
        if match is None or ("." in layout and self.decimal == ",") or ("," in layout and self.decimal == "."):
            return None
        whole, fraction, word = len(match[1]), len(match[2] or ""), match[3]
        unit = UNIT_WORDS.get(word) if word else self.unit
        if not whole or max(whole, fraction) > MOST_DIGITS or unit not in _POWERS:
            return None
        if word and self.unit not in {None, unit}:
            return None
        if word:
            self.units_seen.add(unit)
        return whole, fraction, unit

    def _at_once(
        self,
        plain: tuple[int, int, str],
        matrix: NDArray[np.uint8],
        layout: str,
        rows: NDArray[np.intp],
        lines: Sequence[int],
    ) -> NDArray[np.int64]:
        digits, digits_behind, unit = plain
        power = _POWERS[unit]
        whole = number_at(matrix, 0, digits)
        most = LONGEST_NS // 10**power
        if (whole >= most).any():
            row = int(np.argmax(whole >= most))
            cell = bytes(matrix[row][: len(layout)]).decode("ascii")
            raise TableError(f"{cell} is more than 100 years", lines[int(rows[row])], self.column)
        if not digits_behind:
            return whole * np.int64(10**power)
        fraction = number_at(matrix, digits + 1, digits + 1 + digits_behind)
        return with_fraction(whole * np.int64(10**power), fraction, digits_behind, power)

    def _alone(self, cell: str, line: int) -> int:
        if cell in BLANK:
            self.blank += 1
            return NOT_KNOWN
        try:
            found_ns, unit = duration_of(cell, self.unit, self.decimal)
        except ValueError as error:
            raise TableError(str(error), line, self.column) from None
        if unit is not None:
            self.units_seen.add(unit)
        return found_ns


def duration_of(cell: str, unit: str | None, decimal: str = ".") -> tuple[int, str | None]:  # noqa: C901  # one way of writing after the other
    """Return the ns of one cell, and the unit that it names itself. Raises ValueError, with the reason alone."""
    if len(cell) > WIDEST:
        raise ValueError(f"{shown(cell)} is no duration")
    if match := _CLOCK.fullmatch(cell):
        return _whole_ns(cell, Fraction(match[1]) * 3600 + Fraction(match[2]) * 60 + Fraction(match[3]), "s"), "s"
    parts = _PART.findall(cell)
    if len(parts) > 1 and "".join(f"{number}{word}" for number, word in parts) == cell:
        total_ns = sum((Fraction(number) * UNITS_NS[UNIT_WORDS[word]] for number, word in parts), Fraction(0))
        return _whole_ns(cell, total_ns, "ns"), UNIT_WORDS[parts[-1][1]]
    match = _NUMBER.fullmatch(cell)
    if match is None or not (match[2] or match[3]):
        reason = "is no duration" if cell.lower().lstrip("+-") not in {"nan", "inf", "infinity"} else "is no number"
        hint = "; leave the cell blank if it is not known" if reason == "is no number" else ""
        if _GROUPED.fullmatch(cell):
            hint = "; write numbers without separators of thousands"
        raise ValueError(f"{shown(cell)} {reason}{hint}")
    sign, whole, fraction, exponent, word = match.groups()
    point = next((mark for mark in ".," if mark in cell), decimal)
    if point != decimal:
        raise ValueError(
            f"{shown(cell)} has a decimal {_name(point)}, but numbers of this column have a {_name(decimal)}"
        )
    own = UNIT_WORDS.get(word)
    if word and own is None:
        raise ValueError(f"{shown(cell)} has a unit that is not known; the units are ns, us, ms, s, min and h")
    if word and unit is not None and own != unit:
        raise ValueError(f"{shown(cell)} says {own}, but the column is in {unit}")
    if not word and unit is None:
        raise ValueError(f"{shown(cell)} has no unit, but other cells of this column have one")
    number = Fraction(f"{whole or 0}.{fraction or 0}") * Fraction(10) ** int(exponent or 0)
    if sign == "-" and number:
        raise ValueError(f"{shown(cell)} is negative")
    return _whole_ns(cell, number, own or unit or "ns"), own


def _whole_ns(cell: str, number: Fraction, unit: str) -> int:
    found_ns = round(number * UNITS_NS[unit])
    if found_ns > LONGEST_NS:
        raise ValueError(f"{shown(cell)} is more than 100 years")
    return found_ns


def _name(point: str) -> str:
    return "comma" if point == "," else "point"
