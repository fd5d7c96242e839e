"""Text tables: a row a line, cells apart by a separator; with a header, or names given for them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from sim.tabular.blocks import BLOCK_ROWS, Block, missing_column
from sim.tabular.dialect import NAMES, SAMPLE_ROWS, bracketed, has_header, reading, rows_of, separator_of
from sim.tabular.errors import TableError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.tabular.opened import Opened

_W3C: Final = "#Fields:"
_BREAK: Final = re.compile(r"\r\n|\r|\n")


class Delimited:
    """A text table. What is not told is seen in the first rows, and can then be said in `told`."""

    def __init__(
        self,
        opened: Opened,
        *,
        separator: str | None = None,
        header: bool | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        self._lines = opened.lines()
        first = list(islice(self._lines, SAMPLE_ROWS))
        if not any(line.strip() for line in first):
            raise TableError("the file is empty")
        self._before = 0
        w3c = next((line for line in first[:20] if line.startswith(_W3C)), None)
        self._comments = w3c is not None and first[0].startswith("#")
        known = [line for line in first if not (self._comments and line.startswith("#"))]
        self.separator = separator or separator_of(known)
        self.separator_guessed = separator is None
        self._sample = rows_of(known, self.separator)
        names = list(columns) if columns is not None else None
        if self._comments and w3c is not None:
            names = names or w3c.removeprefix(_W3C).split()
            header = False
        if header is None:
            header = names is None and bool(self._sample) and has_header(self._sample)
        self.header = header
        if header and self._sample:
            there = [cell.strip().removeprefix("# ") for cell in self._sample.pop(0)]
            names = names or there
        width = len(self._sample[0]) if self._sample else len(names or ())
        self.names = names if names is not None else [str(number) for number in range(1, width + 1)]
        self._first = first

    @property
    def format(self) -> str:
        """What the file is, in words."""
        apart = NAMES.get(self.separator, f"'{self.separator}'")
        if len(self.names) == 1:
            return "a text table of one column" + ("" if self.header else " without a header")
        return f"a text table, cells apart by {apart}" + ("" if self.header else ", without a header")

    def sample(self) -> dict[str, list[str]]:
        """Return the cells of the first rows, by column; of names that several columns have, those of the first."""
        rows = [row for row in self._sample if len(row) == len(self.names)]
        found: dict[str, list[str]] = {}
        for position, name in enumerate(self.names):
            found.setdefault(name, [row[position].strip() for row in rows])
        return found

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield all rows with the wanted columns. Raises TableError if one is missing or a row has another length."""
        positions = {name: self._position(name) for name in wanted}
        width = len(self.names)
        lines: Iterator[str] = chain(self._first, self._lines)
        if self._comments:
            lines = ("\n" if line.startswith("#") else line for line in lines)
        reader = csv.reader(lines, **reading(self.separator))  # type: ignore[arg-type]  # settings by name
        header_to_skip = bool(self.header)
        done = 0
        while True:
            rows, failure = self._some(reader, done)
            numbers = _line_numbers(rows, done, reader.line_num if failure is None else None)
            done = reader.line_num
            if self.separator == " ":
                rows = [bracketed(row) for row in rows]
            pairs = None
            if not all(rows) or header_to_skip:
                pairs = [(number, row) for number, row in zip(numbers, rows, strict=True) if row]
                if header_to_skip and pairs:
                    pairs, header_to_skip = pairs[1:], False
                numbers, rows = [number for number, _ in pairs], [row for _, row in pairs]
            if {*map(len, rows)} - {width}:
                self._raise_other_length(rows, numbers)
            if rows:
                yield Block(numbers, {name: [row[at] for row in rows] for name, at in positions.items()})
            if failure is not None:
                raise failure
            if not rows and pairs is None:
                return

    def _some(self, reader: Iterator[list[str]], done: int) -> tuple[list[list[str]], TableError | None]:
        """Return the next rows, and the mistake that ends them."""
        rows: list[list[str]] = []
        try:
            rows.extend(islice(reader, BLOCK_ROWS))
        except csv.Error as error:
            # `extend` keeps the rows before the mistake.
            line = done + sum(_lines_of(row) for row in rows) + 1
            return rows, TableError(f"this is not a row of such a table: {error}", line)
        return rows, None

    def _position(self, name: str) -> int:
        count = self.names.count(name)
        if count == 0:
            raise TableError(missing_column(name, self.names))
        if count > 1:
            raise TableError(f"the file has several columns of the name '{name}'")
        return self.names.index(name)

    def _raise_other_length(self, rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> None:
        width = len(self.names)
        bad = next(at for at, row in enumerate(rows) if len(row) != width)
        what = "the header has" if self.header else "there are names for" if len(rows[bad]) else "rows before it have"
        (usual, _), *_ = Counter(map(len, rows)).most_common(1)
        hint = ""
        if usual != width and bad == 0:
            hint = f" (most rows have {usual})"
        start = shown(self.separator.join(rows[bad])[:61])
        cells = f"{len(rows[bad])} cell{'' if len(rows[bad]) == 1 else 's'}"
        raise TableError(f"this row has {cells}, but {what} {width}{hint}: {start}", numbers[bad])


def _lines_of(row: Sequence[str]) -> int:
    return 1 + sum(len(_BREAK.findall(cell)) for cell in row if "\n" in cell or "\r" in cell)


def _line_numbers(rows: Sequence[Sequence[str]], before: int, after: int | None) -> Sequence[int]:
    """Return the first line of each row, of rows that follow line `before` and end with line `after`."""
    if after is not None and after - before == len(rows):
        return range(before + 1, after + 1)
    numbers, line = [], before + 1
    for row in rows:
        numbers.append(line)
        line += _lines_of(row)
    return numbers
