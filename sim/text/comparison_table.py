"""The table of a comparison, for a terminal of any width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from sim.measure.quantities import METRICS, AnyUnit, Statistic, Unit
from sim.text.columns import TABLE_WIDTH
from sim.text.numerals import difference_text, digits_apart, range_text, rare_count, value_text, value_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.measure.differences import Difference
    from sim.measure.estimates import Estimate
    from sim.text.comparison import Pair

HEADERS = ("metric", "A", "B", "B - A", "95 % interval", "verdict")


class _Layout(NamedTuple):
    own: bool
    """Whether A and B have their own intervals."""
    below: bool
    """Whether the interval of the difference stands below it."""
    gap: int = 2
    """Between columns."""
    is_broken: bool = False
    """Whether long intervals below a difference take two lines, and amounts of money have their currency below them."""


_LAYOUTS: Final = (
    _Layout(own=True, below=False),
    _Layout(own=False, below=False),
    _Layout(own=False, below=False, gap=1),
    _Layout(own=False, below=True),
    _Layout(own=False, below=True, gap=1),
    _Layout(own=False, below=True, gap=1, is_broken=True),
)
"""From the widest on."""
LEAST_PATH: Final = 20
"""The room that the name of a metric has at least before it is folded."""
LONGEST_UNBROKEN: Final = 20
"""Intervals of so many characters stay on one line."""


def table(pair: Pair, *, complete: bool = False, width: int = TABLE_WIDTH) -> Table:
    """Return a table of at most `width` columns, a row a metric; `complete` shows every metric that has a value.

    If there is room, the intervals of A and of B stand below their values; if it is short, the interval of the
    difference stands below that.
    """
    found = [one for one in (pair.differences if complete else pair.shown) if _is_there(one)]
    sizes = (len(pair.differences.a), len(pair.differences.b))
    for layout in _LAYOUTS:
        gap, columns = layout.gap, _columns(found, sizes, layout)
        path, *others = (column.width + gap for column in columns)
        # Names are folded before an interval is broken.
        least = min(path, LEAST_PATH + gap) if layout is _LAYOUTS[-2] else path
        if least + sum(others) <= width:
            break
    needed = sum(column.width + 2 for column in _columns(found, sizes, _LAYOUTS[0]))
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)
    left = width - sum(column.width + gap for column in columns[1:])
    for position, column in enumerate(columns):
        is_number = position not in (0, len(columns) - 1)
        made.add_column(
            column.header,
            justify="right" if is_number else "left",
            no_wrap=position > 0,
            max_width=None if position else max(LEAST_PATH, left),
            overflow="fold",
        )
    for row in range(len(found)):
        made.add_row(*(Text(column.cells[row], no_wrap=bool(position)) for position, column in enumerate(columns)))
    made.caption = Text("; ".join(_notes(pair, layout, needed)), no_wrap=False)
    made.caption_justify = "left"
    return made


@dataclass(frozen=True, slots=True)
class _Column:
    header: str
    cells: list[str]

    @property
    def width(self) -> int:
        return max(len(line) for text in (self.header, *self.cells) for line in text.split("\n"))


def _is_there(one: Difference) -> bool:
    return one.a.value is not None or one.b.value is not None


def _columns(found: Sequence[Difference], sizes: tuple[int, int], layout: _Layout) -> list[_Column]:
    rows = [_row(one, sizes, layout) for one in found]
    headers = [header for header in HEADERS if not (layout.below and header == HEADERS[4])]
    return [_Column(header, [row[at] for row in rows]) for at, header in enumerate(headers)]


def _row(found: Difference, sizes: tuple[int, int], layout: _Layout) -> list[str]:
    unit = found.unit
    values = _values(found) if layout.own else value_texts((found.a.value, found.b.value), unit)
    if found.metric.path in METRICS and found.metric.statistic is Statistic.rate:
        counts = [rare_count(one.value, size) for one, size in zip((found.a, found.b), sizes, strict=True)]
        values = [f"{value}\n{count}" if count else value for value, count in zip(values, counts, strict=True)]
    interval = difference_interval(found.estimate, unit)
    if layout.is_broken and len(interval) > LONGEST_UNBROKEN:
        interval = interval.replace(" to ", " to\n")
    difference = _difference_of(found)
    if layout.is_broken and found.metric.unit is Unit.money:
        difference, *values = (text.replace(" ", "\n") for text in (difference, *values))
    rest = [f"{difference}\n{interval}" if interval else difference] if layout.below else [difference, interval]
    return [found.metric.path, *values, *rest, found.change.value]


def _values(found: Difference) -> list[str]:
    """Write A's and B's values with their own intervals below them, with digits that tell all of these apart."""
    unit, sides = found.unit, (found.a, found.b)
    pairs = [(found.a.value, found.b.value)]
    pairs += [(one.value, end) for one in sides for end in (one.low, one.high)]
    more = digits_apart(pairs, lambda value, more: value_text(value, unit, more))
    texts = []
    for one in sides:
        value, between = value_text(one.value, unit, more), range_text(one, unit, more)
        texts.append(f"{value}\n{between}" if between else value)
    return texts


def _difference_of(found: Difference) -> str:
    estimate, unit = found.estimate, found.unit
    value = estimate.value
    if value is not None and math.isinf(value):
        return "to never" if value > 0 else "from never"
    pairs = [(value, end) for end in (estimate.low, estimate.high)]
    return difference_text(value, unit, digits_apart(pairs, lambda value, more: difference_text(value, unit, more)))


def difference_interval(estimate: Estimate, unit: AnyUnit, bound: float | None = None) -> str:
    """Write the interval of a difference, its unit once: `+2.41 to +6.70 pp`; empty if there is none.

    It has as many digits as tell its ends from each other, from the value and from a `bound`.
    """
    low, high = estimate.low, estimate.high
    if low is None or high is None or low == high:
        return ""
    if math.isinf(low) and math.isinf(high):
        return "no limits"
    more = digits_apart(
        [(low, high), *((end, other) for end in (low, high) for other in (bound, estimate.value))],
        lambda value, more: difference_text(value, unit, more),
    )
    first, second = difference_text(low, unit, more), difference_text(high, unit, more)
    number, _, name = first.partition(" ")
    return f"{number} to {second}" if name and second.endswith(f" {name}") else f"{first} to {second}"


def _notes(pair: Pair, layout: _Layout, needed: int) -> list[str]:
    notes = ["pp: percentage points"] if any(found.unit is Unit.share for found in pair.shown) else []
    if layout.own:
        notes.append("below a value: its 95 % interval")
    elif layout.below:
        notes.append("below a difference: its 95 % interval")
    if not layout.own:
        notes.append(f"left out: the intervals of A and of B themselves, shown by a terminal of {needed} columns")
    return notes
