"""Durations from a column of a CSV file: measured latencies, recorded arrival times.

An option model names the file and the column; the loader of scenarios reads the file and hands over the values. The
unit stands in the column's name. A model with values shows their digest and number instead of the values, and a file
that states a digest gets these very values or an error.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer

from sim.kernel.durations import LONGEST_NS, MAX_LITERAL, UNITS_NS
from sim.options.model import Options

COLUMN_UNITS = ("ns", "us", "ms", "s")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")


def unit_ns_of(column: str) -> int:
    """Return how many ns one unit of a column is, by its name's ending; raises ValueError if that names none."""
    _, separator, unit = column.rpartition("_")
    if not separator or unit not in COLUMN_UNITS:
        raise ValueError("the name of the column must end in its unit: _ns, _us, _ms or _s")
    return UNITS_NS[unit]


def read_column(text: str, column: str) -> tuple[int, ...]:
    """Return the durations of one column of a CSV text with a header, in ns and in the file's order.

    Raises ValueError for a column that is missing or has no unit, for the first bad row (counted from 1 behind the
    header; its line in the file is given too), and if no row is left. Empty lines are skipped.
    """
    unit_ns = unit_ns_of(column)
    lines = _cells(text.removeprefix("\ufeff"))
    header = [name.strip() for name in next(lines, (0, []))[1]]
    if header.count(column) != 1:
        problem = "has several columns of that name" if column in header else "has no such column"
        raise ValueError(f"the file {problem}; its columns are: {', '.join(header) or 'none'}")
    position = header.index(column)
    values = []
    for row, (line, cells) in enumerate(lines, start=1):
        if len(cells) != len(header):
            raise ValueError(f"row {row} (line {line}) has {len(cells)} cells, but the header has {len(header)}")
        try:
            values.append(_duration_ns(cells[position].strip(), unit_ns))
        except ValueError as error:
            raise ValueError(f"row {row} (line {line}): {error}") from None
    if not values:
        raise ValueError("the file has no rows")
    return tuple(values)


def _cells(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
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


def _with_unit(column: str) -> str:
    unit_ns_of(column)
    return column


class Column(Options):
    """A column of a file; `with_values` gives it its values."""

    file: str = Field(min_length=1, max_length=1024, description="A CSV file; its path is relative to the scenario.")
    """Relative to the scenario's folder."""
    column: Annotated[str, Field(max_length=256), AfterValidator(_with_unit)] = Field(
        description="The name of a column."
    )
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="Digest of the file; with it other contents are refused."
    )
    """Digest of the file's contents; if a scenario states it, other contents are refused."""
    rows: int | None = Field(default=None, ge=1, description="Number of rows; with it another number is refused.")
    _values_ns: tuple[int, ...] = PrivateAttr(default=())

    @property
    def values_ns(self) -> tuple[int, ...]:
        """The values in ns, in ascending order; empty before `with_values`."""
        return self._values_ns

    def with_values(self, values_ns: Sequence[int], sha256: str) -> Self:
        """Return the same options with the values of the file; `sha256` is the hexadecimal digest of its contents.

        Raises ValueError if there is no value or the options state another digest or number of rows.
        """
        if not values_ns:
            raise ValueError("the file has no rows")
        if self.sha256 not in (None, sha256):
            raise ValueError(f"the file has changed: its sha256 is {sha256}, not {self.sha256}")
        if self.rows not in (None, len(values_ns)):
            raise ValueError(f"the file has {len(values_ns)} rows, not {self.rows}")
        loaded = type(self)(file=self.file, column=self.column, sha256=sha256, rows=len(values_ns))
        loaded._values_ns = tuple(sorted(values_ns))  # noqa: SLF001  # an instance of its own class
        return loaded

    @model_serializer(mode="wrap")
    def _without_gaps(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}
