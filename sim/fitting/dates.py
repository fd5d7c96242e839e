"""Tables with the date in one column and the time of day in another, as spreadsheets and IIS have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sim.fitting.roles import plain_name
from sim.tabular.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.tabular.blocks import Table

JOINED: Final = "date time"
"""The column that a table gets of the two."""
_DATE: Final = re.compile(r"[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}|[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}")
_CLOCK: Final = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?(Z|[+-][0-9]{2}:?[0-9]{2}))?")


def with_date_and_time(table: Table) -> Table:
    """Return a table with a column more if it has dates and times of day apart, else the table itself."""
    sample = table.sample()
    date = next((name for name, cells in sample.items() if plain_name(name)[0] == "date" and _all(_DATE, cells)), None)
    clock = next(
        (name for name, cells in sample.items() if plain_name(name)[0] == "time" and _all(_CLOCK, cells)), None
    )
    if date is None or clock is None or JOINED in sample:
        return table
    return _Joined(table, date, clock)


def _all(form: re.Pattern[str], cells: Sequence[str]) -> bool:
    return bool(cells) and all(form.fullmatch(cell.strip()) for cell in cells)


class _Joined:
    """A table with dates and times of day in one column more."""

    def __init__(self, table: Table, date: str, clock: str) -> None:
        self.table = table
        self.names = [JOINED, *table.names]
        self.format = table.format
        self._date, self._clock = date, clock

    def sample(self) -> dict[str, Sequence[str]]:
        """Return the cells of the first rows, by column."""
        sample = self.table.sample()
        return {JOINED: self._joined(sample[self._date], sample[self._clock]), **sample}

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield all rows with the wanted columns."""
        below = dict.fromkeys([*(name for name in wanted if name != JOINED), self._date, self._clock])
        for block in self.table.blocks(list(below)):
            joined = self._joined(block.cells[self._date], block.cells[self._clock])
            yield Block(block.lines, {**block.cells, JOINED: joined})

    def _joined(self, dates: Sequence[str], clocks: Sequence[str]) -> list[str]:
        between = ":" if dates and "/" in dates[0] and not dates[0][:4].isdecimal() else " "
        return [f"{date.strip()}{between}{clock.strip()}" for date, clock in zip(dates, clocks, strict=True)]
