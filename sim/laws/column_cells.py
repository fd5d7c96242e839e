"""Columns of files read: from the contents of a text table or of Parquet to durations, instants or counts of words."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from sim.kernel.durations import LONGEST_NS, MAX_LITERAL, UNITS_NS
from sim.tabular.blocks import missing_column
from sim.tabular.dialect import decimal_of, reading, separator_of
from sim.tabular.errors import TableError
from sim.tabular.instants import EPOCH_S, InstantCells, is_instant
from sim.tabular.opened import PARQUET, Opened
from sim.tabular.parquet import Parquet
from sim.tabular.words import Words, word_of

COLUMN_UNITS = ("ns", "us", "ms", "s")
MOST_BYTES = 256 << 20
"""Of a file when it is unpacked."""
SAMPLE_ROWS = 200
MOST_WORDS = 1000
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")

Word = str | int | float | bool
Where = Mapping[str, Sequence[Word]]
"""Rows to take: those whose cell in each of these columns is one of the words."""


def unit_ns_of(column: str, unit: str | None = None) -> int:
    """Return how many ns one unit of a column is, by its name's ending; raises ValueError if that names none."""
    of_name = column.rpartition("_")[2] if "_" in column else ""
    if unit is None and of_name not in COLUMN_UNITS:
        raise ValueError("the name of the column must end in its unit: _ns, _us, _ms or _s; or say it: `unit: ms`")
    if unit is not None and of_name in COLUMN_UNITS and of_name != unit:
        raise ValueError(f"the name of the column ends in _{of_name}, but `unit` says {unit}")
    return UNITS_NS[of_name if unit is None else unit]


def read_column(
    data: str | bytes,
    column: str,
    unit: str | None = None,
    where: Where | None = None,
    *,
    of_instants: bool = False,
) -> tuple[int, ...]:
    """Return the durations of one column of a text table with a header, or of Parquet, in ns and in the file's order.

    With `of_instants` the cells may also be dates, or numbers since 1970: then they count from the first instant.
    Raises ValueError for a column that is missing or has no unit, for the first bad row (counted from 1 behind the
    header; its line in the file is given too), and if no row is left. Empty lines are skipped.
    """
    wanted = list(where or {})
    values: list[int] = []
    unit_ns = 0 if of_instants else unit_ns_of(column, unit)
    instants: list[str] = []
    lines: list[int] = []
    words = [Words(map(word_of, where[name])) for name in wanted] if where else []
    any_row = False
    for row, line, cells in _rows(data, [column, *wanted]):
        any_row = True
        if not all(cell in one for cell, one in zip(cells[1:], words, strict=True)):
            continue
        if of_instants:
            instants.append(cells[0])
            lines.append(line)
            continue
        try:
            values.append(_duration_ns(cells[0], unit_ns))
        except ValueError as error:
            raise ValueError(f"row {row} (line {line}): {error}") from None
    if any_row and not values and not instants:
        raise ValueError(f"no row has {_told(where or {})}")
    if not values and not instants:
        raise ValueError("the file has no rows")
    return _offsets_ns(instants, lines, column, unit) if of_instants else tuple(values)


def count_words(data: str | bytes, column: str, where: Where | None = None) -> dict[str, int]:
    """Return how often each word is in a column, "200.0" counted as "200"; in order of their first rows.

    Raises ValueError for a column that is missing, if no row is left, and if there are more than `MOST_WORDS` words.
    """
    wanted = list(where or {})
    words = [Words(map(word_of, where[name])) for name in wanted] if where else []
    found: dict[str, int] = {}
    for row, line, cells in _rows(data, [column, *wanted]):
        if all(cell in one for cell, one in zip(cells[1:], words, strict=True)):
            word = cells[0][:-2] if cells[0].endswith(".0") and cells[0][:-2].isdecimal() else cells[0]
            found[word] = found.get(word, 0) + 1
            if len(found) > MOST_WORDS:
                reason = f"'{word[:MAX_LITERAL]}' is the {MOST_WORDS + 1}st different value"
                raise ValueError(f"row {row} (line {line}): {reason}")
    if not found:
        raise ValueError(f"no row has {_told(where)}" if where else "the file has no rows")
    return found


def _told(where: Where) -> str:
    return " and ".join(f"{name} {' or '.join(word_of(one) for one in words)}" for name, words in where.items())


def _offsets_ns(cells: Sequence[str], lines: Sequence[int], column: str, unit: str | None) -> tuple[int, ...]:
    """Return instants as durations from the first; numbers too small to be since 1970 count from 0."""
    dates = is_instant(cells[0])
    unit_ns = 0 if dates else unit_ns_of(column, unit)
    if not dates:
        plain_ns = []
        for at, cell in enumerate(cells):
            try:
                plain_ns.append(_duration_ns(cell, unit_ns))
            except ValueError as error:
                raise ValueError(f"line {lines[at]}: {error}") from None
        since_1970 = min(plain_ns) >= EPOCH_S[0] * UNITS_NS["s"]
        first_ns = min(plain_ns) if since_1970 else 0
        return tuple(one - first_ns for one in plain_ns)
    reader = InstantCells(column)
    try:
        found_ns = reader.read(cells, lines)
    except TableError as error:
        raise ValueError(f"line {error.line}: {error.reason}") from None
    if reader.blank:
        raise ValueError(f"line {lines[int(found_ns.argmin())]}: a time is missing")
    return tuple((found_ns - found_ns.min()).tolist())


def _rows(data: str | bytes, columns: Sequence[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the number of each row, its line, and its cells in some columns. Raises ValueError."""
    if isinstance(data, bytes):
        try:
            if data.startswith(PARQUET):
                yield from _rows_of_parquet(data, columns)
                return
            data = "" if not data else Opened(data).text(MOST_BYTES)
        except TableError as error:
            where = "" if error.line is None else f" (line {error.line})"
            raise ValueError(f"{error.reason}{where}") from None
    text = data.removeprefix("\ufeff")
    lines = list(_first_lines(text))
    separator = separator_of(lines)
    rows = _cells(text, separator)
    header = [name.strip() for name in next(rows, (0, []))[1]]
    for column in columns:
        if header.count(column) > 1:
            raise ValueError(f"the file has several columns of that name; its columns are: {', '.join(header)}")
        if column not in header:
            which = "such column" if column == columns[0] else f"column '{column}'"
            raise ValueError(f"the file has no {which}; its columns are: {', '.join(header) or 'none'}")
    positions = [header.index(column) for column in columns]
    commas = separator != "," and _has_decimal_commas(lines[1:], separator, positions[0])
    for row, (line, cells) in enumerate(rows, start=1):
        if len(cells) != len(header):
            raise ValueError(f"row {row} (line {line}) has {len(cells)} cells, but the header has {len(header)}")
        found = [cells[position].strip() for position in positions]
        if commas:
            found[0] = found[0].replace(",", ".")
        yield row, line, found


def _rows_of_parquet(data: bytes, columns: Sequence[str]) -> Iterator[tuple[int, int, list[str]]]:
    table = Parquet(data)
    for column in columns:
        if column not in table.names:
            raise ValueError(missing_column(column, table.names))
    for block in table.blocks(columns):
        for at, line in enumerate(block.lines):
            yield line, line, [block.cells[column][at].strip() for column in columns]


def _first_lines(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline="")):
        if number == SAMPLE_ROWS:
            return
        yield line


def _has_decimal_commas(lines: Sequence[str], separator: str, position: int) -> bool:
    cells = [row[position] for row in csv.reader(lines, delimiter=separator) if len(row) > position]
    return decimal_of(cells) == ","


def _cells(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), **reading(separator))  # type: ignore[arg-type]  # settings by name
    try:
        yield from ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is not CSV: {error}") from None


def _duration_ns(cell: str, unit_ns: int) -> int:
    if len(cell) > MAX_LITERAL or not _NUMBER.fullmatch(cell):
        shown = cell if len(cell) <= MAX_LITERAL else cell[:MAX_LITERAL] + "..."
        raise ValueError(f"'{shown}' is not a number of 0 or more")
    duration_ns = Decimal(cell) * unit_ns
    if duration_ns > LONGEST_NS:
        raise ValueError(f"{cell} is more than 100 years")
    return round(duration_ns)
