"""Columns of numbers in tables of any width, with their intervals below them as far as there is room.

What there is no room for is said below the table: which intervals are left out, which columns, and how wide a terminal
shows them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from sim.text.numerals import column_texts, rare_count
from sim.text.wording import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.measure.estimates import Estimate
    from sim.measure.quantities import AnyUnit

TABLE_WIDTH = 100
"""The columns of a table if nothing says how many there are: of a terminal it takes what that has."""
MOST_NAMED = 4
"""So many columns are named in a note."""


@dataclass(slots=True)
class Column:
    """One column of values, a row each."""

    header: str
    rank: int
    """The column of the lowest rank is the first to show intervals, and the last to go if there is no room."""
    values: list[str]
    intervals: list[str]
    counts: list[str] = field(default_factory=list)
    """For shares that are rare, how many of how many: `2 of 6,000,000`; else empty."""
    is_extra: bool = False
    """Whether it is there only if all others have their intervals, and it has its own."""
    shows_intervals: bool = False
    shows_counts: bool = False

    @classmethod
    def of(
        cls,
        header: str,
        rank: int,
        estimates: Sequence[Estimate | None],
        unit: AnyUnit,
        *,
        of: Sequence[int] = (),
        is_extra: bool = False,
    ) -> Column:
        """Make a column of estimates, None where a row has none; `of` says of how many requests shares are."""
        texts = column_texts(estimates, unit)
        counts = [_count(one, number) for one, number in zip(estimates, of, strict=True)] if of else []
        return cls(header, rank, [text for text, _ in texts], [between for _, between in texts], counts, is_extra)

    @property
    def words(self) -> str:
        """Its header on one line."""
        return self.header.replace("-\n", "").replace("\n", " ")

    @property
    def width(self) -> int:
        """How many characters its widest line has."""
        lines = [*self.header.split("\n"), *self.values]
        lines += self.intervals if self.shows_intervals else []
        lines += self.counts if self.shows_counts else []
        return max(map(len, lines))

    def text(self, row: int) -> str:
        """Write one value, and below it its interval and its count if they are shown."""
        interval = self.intervals[row] if self.shows_intervals else ""
        count = self.counts[row] if self.shows_counts and self.counts else ""
        return "\n".join(filter(None, (self.values[row], interval, count)))


def _count(estimate: Estimate | None, number: int) -> str:
    return "" if estimate is None else rare_count(estimate.value, number)


def width_of(columns: Sequence[Column], gap: int = 2) -> int:
    """Return how wide columns are together."""
    return sum(column.width + gap for column in columns)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that a table of some width has, and what it says of those that it has not."""

    columns: list[Column]
    gap: int
    notes: list[str]


def lay_out(columns: Sequence[Column], width: int, least: int, *, most: int, gap: int = 2) -> Layout:
    """Choose what a table of this width shows, if the names of its rows take from `least` to `most` characters.

    Columns go by rank: those of the highest leave first if there is no room. Then come counts, then intervals, those of
    the lowest rank first, then the extra columns.
    """
    shown = [column for column in columns if not column.is_extra]
    dropped: list[Column] = []
    while len(shown) > 1 and width_of(shown, gap) + least > width:
        if gap > 1:
            gap = 1
            continue
        last = max(shown, key=lambda column: column.rank)
        shown.remove(last)
        dropped.append(last)
    by_rank = sorted(shown, key=lambda column: column.rank)
    for column in by_rank:
        column.shows_counts = any(column.counts)
        column.shows_counts &= width_of(shown, gap) + least <= width
    for column in by_rank:
        column.shows_intervals = any(column.intervals)
        column.shows_intervals &= width_of(shown, gap) + least <= width
    bare = [column for column in shown if any(column.intervals) and not column.shows_intervals]
    if not bare and not dropped:
        for column in sorted((one for one in columns if one.is_extra), key=lambda one: one.rank):
            column.shows_intervals, column.shows_counts = any(column.intervals), any(column.counts)
            if width_of([*shown, column], gap) + most > width:
                column.shows_intervals = column.shows_counts = False
                continue
            shown.append(column)
    chosen = [column for column in columns if any(column is one for one in shown)]
    return Layout(chosen, gap, _left_out(columns, chosen, bare, dropped, least))


def _left_out(
    columns: Sequence[Column], shown: Sequence[Column], bare: Sequence[Column], dropped: Sequence[Column], least: int
) -> list[str]:
    """Say what a wider table would show of the columns that are no extras."""
    found = []
    if bare:
        found.append(f"intervals of {_few(bare)}")
    if dropped:
        gone = [one for one in columns if any(one is other for other in dropped)]
        found.append(f"{'column' if len(gone) == 1 else 'columns'} {_few(gone)}")
    rare = [column for column in shown if any(column.counts) and not column.shows_counts]
    few = [f"{column.words} {count}" for column in rare for count in dict.fromkeys(filter(None, column.counts))]
    told = [f"rare: {_listed(few)}"] if few else []
    if not found:
        return told
    saved = [(column, column.shows_intervals, column.shows_counts) for column in columns]
    for column in columns:
        column.shows_intervals, column.shows_counts = any(column.intervals), any(column.counts)
    needed = width_of([one for one in columns if not one.is_extra]) + least
    for column, intervals, counts in saved:
        column.shows_intervals, column.shows_counts = intervals, counts
    return [*told, f"left out: {'; '.join(found)}; a terminal of {needed} columns shows all"]


def _few(columns: Sequence[Column]) -> str:
    return _listed([column.words for column in columns])


def _listed(named: Sequence[str]) -> str:
    more = len(named) - MOST_NAMED
    return listed([*named[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])])


def table_of(heading: str, names: Sequence[str], layout: Layout, width: int, caption: str) -> Table:
    """Return the table of some columns, with a name before each row, and a caption below."""
    gap = layout.gap
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)
    made.add_column(heading, max_width=max(1, width - width_of(layout.columns, gap)), overflow="fold")
    for column in layout.columns:
        made.add_column(column.header, justify="right", no_wrap=True, width=column.width)
    for row, name in enumerate(names):
        made.add_row(Text(name), *(column.text(row) for column in layout.columns))
    if caption:
        made.caption = Text(caption)
        made.caption_justify = "left"
    return made
