"""Bars: requests by number of attempts, by outcome, and repeated effects by cause."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from sim.measure.quantities import Unit
from sim.pictures.data.picture import Picture
from sim.text.numerals import number_text, percent_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.text.reported import Cell

WIDE_ENOUGH = 0.09
"""The least share whose part of a bar holds its own text."""
MOST_BARS = 7
"""So many cells have bars of attempts at most."""
LOW = 0.02
"""A bar lower than this part of the highest is also written in words."""

OUTCOMES = ("success", "gave_up", "stuck", "open", "canceled", "runaway")
"""The parts of a bar of outcomes, from left to right."""
CAUSES = ("ack_lost", "crash_after_effect", "timeout", "report_lost", "resubmit", "repeated")
"""The parts of a bar of repeated effects, from left to right."""


@dataclass(frozen=True, slots=True)
class CellBars:
    """The bars of one cell, one a group of numbers of attempts."""

    name: str
    """The cell's name."""
    shares: tuple[float, ...]
    """Shape (groups,): the share of the cell's requests in each group; empty if no request of the cell counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptBars(Picture):
    """The share of requests by number of attempts."""

    x_label: str
    y_label: str
    groups: tuple[str, ...]
    """Shape (groups,): which numbers of attempts each group holds, such as `3` or `9 to 16`."""
    cells: tuple[CellBars, ...]
    """All cells, in their order."""
    remarks: tuple[str, ...]
    """Shape (groups,): the share of a group whose bars are too low to see, in words; else empty."""

    @property
    def shown(self) -> tuple[int, ...]:
        """The places of the cells that have bars: all with requests, or `MOST_BARS` from the fewest attempts up.

        Bars of more cells would be too thin to be told apart.
        """
        counted = [at for at, cell in enumerate(self.cells) if cell.shares]
        if len(counted) <= MOST_BARS:
            return tuple(counted)
        ranked = sorted(counted, key=lambda at: sum(group * share for group, share in enumerate(self.cells[at].shares)))
        chosen = {ranked[round(at * (len(ranked) - 1) / (MOST_BARS - 1))] for at in range(MOST_BARS)}
        return tuple(at for at in ranked if at in chosen)

    @property
    def floor(self) -> float:
        """Where a logarithmic axis begins: below the lowest bar, so that it has a length to be seen by."""
        least = min((share for cell in self.cells for share in cell.shares if share), default=0.1)
        return float(10.0 ** min(-1, math.floor(math.log10(least / 2))))

    @property
    def tops(self) -> tuple[float, ...]:
        """Shape (groups,): the highest share of each group."""
        return tuple(max(shares) for shares in zip(*(cell.shares for cell in self.cells if cell.shares), strict=True))


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the bars of all cells."""

    key: str
    """The outcome or cause as results write it, such as `gave_up`: its color."""
    name: str
    """The same for people, such as `gave up`."""
    sizes: tuple[float, ...]
    """Shape (cells,), in the unit of the bars."""
    texts: tuple[str, ...]
    """Shape (cells,): the text within the part; empty if the part is too small for text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedBars(Picture):
    """A bar a cell, each split into parts."""

    x_label: str
    unit: str
    """`share` (parts of 1) or `count` (repeated effects per 1000 requests): a value of `Unit`."""
    cells: tuple[str, ...]
    """The cells' names, from the top down."""
    parts: tuple[Part, ...]
    """Only parts that occur, from left to right."""
    lengths: tuple[float, ...]
    """Shape (cells,): the length of each bar."""
    remarks: tuple[str, ...]
    """Shape (cells,): the text behind each bar."""


def attempts_data(cells: Sequence[Cell], caption: str = "") -> AttemptBars:
    """Return the share of requests by number of attempts; many numbers share a group."""
    counted = [cell for cell in cells if len(cell.metrics)]
    numbers = sorted(set[int]().union(*(cell.metrics.attempts for cell in counted)))
    groups = _attempt_groups(numbers[0], numbers[-1]) if counted else []
    bars = [CellBars(cell.name, _shares(cell, groups)) for cell in cells]
    tops = [max(shares) for shares in zip(*(one.shares for one in bars if one.shares), strict=True)]
    most = "at most\n" if len(counted) > 1 else ""
    return AttemptBars(
        title="Attempts per request",
        x_label="attempts",
        y_label="share of requests",
        groups=tuple(str(first) if first == last else f"{first} to {last}" for first, last in groups),
        cells=tuple(bars),
        remarks=tuple(f"{most}{percent_text(top)}" if 0 < top < LOW * max(tops) else "" for top in tops),
        note="" if counted else "No request counts.",
        caption=caption,
    )


def outcomes_data(cells: Sequence[Cell], caption: str = "") -> StackedBars:
    """Return the share of requests by outcome; shares too small to hold text are told behind the bar."""
    rows = [{name: cell.metrics.outcomes[name] / max(1, len(cell.metrics)) for name in OUTCOMES} for cell in cells]
    return StackedBars(
        title="Outcomes",
        x_label="share of requests",
        unit=Unit.share.value,
        cells=tuple(cell.name for cell in cells),
        parts=_parts(rows, OUTCOMES, written=True),
        lengths=tuple(sum(row.values()) for row in rows),
        remarks=tuple(_small_shares(cell, row) for cell, row in zip(cells, rows, strict=True)),
        caption=caption,
    )


def duplicates_data(cells: Sequence[Cell], caption: str = "") -> StackedBars:
    """Return repeated effects per 1000 requests by cause."""
    rows = [
        {name: 1000 * count / max(1, len(cell.metrics)) for name, count in cell.metrics.duplicates.items()}
        for cell in cells
    ]
    totals = [sum(row.values()) for row in rows]
    requests = sum(len(cell.metrics) for cell in cells)
    return StackedBars(
        title="Repeated effects by cause",
        x_label="repeated effects per 1000 requests",
        unit=Unit.count.value,
        cells=tuple(cell.name for cell in cells),
        parts=_parts(rows, CAUSES, written=False),
        lengths=tuple(totals),
        remarks=tuple(number_text(total) for total in totals),
        note="" if any(totals) else f"No effect was repeated in any of {requests:,} requests.",
        caption=caption,
    )


def _parts(rows: Sequence[Mapping[str, float]], keys: Sequence[str], *, written: bool) -> tuple[Part, ...]:
    """Return the parts that occur; `written` says whether wide ones hold their share as text."""
    parts = []
    for key in keys:
        sizes = tuple(row[key] for row in rows)
        if any(sizes):
            texts = tuple(_text_within(key, size) if written else "" for size in sizes)
            parts.append(Part(key, key.replace("_", " "), sizes, texts))
    return tuple(parts)


def _text_within(key: str, share: float) -> str:
    if share < WIDE_ENOUGH:
        return ""
    return percent_text(share) if share < 2 * WIDE_ENOUGH else _named_share(key, share)


def _named_share(key: str, share: float) -> str:
    return f"{key.replace('_', ' ')} {percent_text(share)}"


def _small_shares(cell: Cell, row: Mapping[str, float]) -> str:
    """Tell the shares that are too small to hold text, two a line."""
    small = [_named_share(key, share) for key, share in row.items() if 0 < share < WIDE_ENOUGH]
    if not len(cell.metrics):
        small.append("no request counts")
    return "\n".join(", ".join(small[start : start + 2]) for start in range(0, len(small), 2))


def _attempt_groups(least: int, most: int) -> list[tuple[int, int]]:
    """Split the numbers of attempts into at most twelve groups: eight alone, then groups that double in width."""
    if most - least < 12:
        return [(number, number) for number in range(least, most + 1)]
    starts = [*range(least, least + 8), least + 8, least + 16, least + 32, most + 1]
    return [(first, min(following - 1, most)) for first, following in pairwise(starts) if first <= most]


def _shares(cell: Cell, groups: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    """Return the share of the cell's requests in each group; nothing if no request counts."""
    if not len(cell.metrics):
        return ()
    counts = [
        sum(count for number, count in cell.metrics.attempts.items() if first <= number <= last)
        for first, last in groups
    ]
    return tuple(count / len(cell.metrics) for count in counts)
