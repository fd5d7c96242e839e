"""Durations from a column of a file: measured latencies, recorded arrival times.

An option model names the file and the column; the loader of scenarios reads the file and hands over the values. The
unit stands in the column's name or beside it; `where` takes the rows whose other columns have some value. A model with
values shows their digest and number instead of the values, and a file that states a digest gets these very values or an
error.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from sim.laws.column_cells import read_column, unit_ns_of
from sim.options.model import Options

Unit = Literal["ns", "us", "ms", "s"]
_Text = Annotated[str, Field(max_length=256)]
_Whole = Annotated[int, Field(ge=-(10**18), le=10**18)]
_Number = Annotated[float, Field(ge=-1e18, le=1e18)]
Word = _Text | _Whole | _Number | bool
"""What a cell may be."""
OneOrMore = Word | Annotated[tuple[Word, ...], Field(strict=False, min_length=1, max_length=100)]
"""A word that a cell may be, or a list of them; `5xx` is any of 500 to 599."""
ColumnName = Annotated[str, Field(max_length=256)]

Where = Annotated[dict[ColumnName, OneOrMore], Field(max_length=20)]
"""Words by column: only rows whose cell in each of these columns is one of its words."""


def as_list(words: Any) -> tuple[Word, ...]:
    """Return the words of `OneOrMore`."""
    return tuple(words) if isinstance(words, tuple | list) else (words,)


class FileColumn(Options):
    """A column of a file, of all rows or of some."""

    file: str = Field(min_length=1, max_length=1024, description="A CSV file; its path is relative to the scenario.")
    """Relative to the scenario's folder."""
    unit: Unit | None = Field(default=None, description="Unit of its numbers, if the name of the column has none.")
    column: ColumnName = Field(description="The name of a column.")
    where: Where | None = Field(
        default=None,
        description="Only rows whose other columns have these values: `{status: [200, 204], route: /pay}`.",
    )
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="Digest of the file; with it other contents are refused."
    )
    """Digest of the file's contents; if a scenario states it, other contents are refused."""
    rows: int | None = Field(default=None, ge=1, description="Number of rows; with it another number is refused.")
    """Rows that are taken."""

    def __hash__(self) -> int:  # a mapping such as `where` has no hash of its own
        return hash((self.file, self.column, self.unit, self.sha256, self.rows))

    @property
    def rows_where(self) -> dict[str, tuple[Word, ...]]:
        """The words of `where`, as lists."""
        return {name: as_list(words) for name, words in (self.where or {}).items()}

    def checked(self, rows: int, sha256: str) -> None:
        """Raise ValueError if the options state another digest or number of rows."""
        if self.sha256 not in {None, sha256}:
            raise ValueError(f"the file has changed: its sha256 is {sha256}, not {self.sha256}")
        if self.rows not in {None, rows}:
            raise ValueError(f"the file has {rows} rows, not {self.rows}")

    @model_serializer(mode="wrap")
    def _without_gaps(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = handler(self)
        order = ("file", "column", "unit", "where")
        names = [*(name for name in order if name in written), *(name for name in written if name not in order)]
        return {name: written[name] for name in names if written[name] is not None}


class Column(FileColumn):
    """A column of durations; `with_values` gives it its values."""

    OF_INSTANTS: ClassVar[bool] = False
    """Whether its cells may also be dates, or numbers since 1970."""
    _values_ns: tuple[int, ...] = PrivateAttr(default=())

    @field_validator("column")
    @classmethod
    def _with_unit(cls, column: str, info: ValidationInfo) -> str:
        if not cls.OF_INSTANTS or info.data.get("unit") is not None:
            unit_ns_of(column, info.data.get("unit"))
        return column

    @property
    def values_ns(self) -> tuple[int, ...]:
        """The values in ns, in ascending order; empty before `with_values`."""
        return self._values_ns

    def read(self, data: bytes | str) -> tuple[int, ...]:
        """Return the values that the contents of a file have for this column. Raises ValueError."""
        return read_column(data, self.column, self.unit, self.rows_where, of_instants=self.OF_INSTANTS)

    def with_values(self, values_ns: Sequence[int], sha256: str) -> Self:
        """Return the same options with the values of the file; `sha256` is the hexadecimal digest of its contents.

        Raises ValueError if there is no value or the options state another digest or number of rows.
        """
        if not values_ns:
            raise ValueError("the file has no rows")
        self.checked(len(values_ns), sha256)
        loaded = type(self)(
            file=self.file,
            column=self.column,
            unit=self.unit,
            where=self.where,
            sha256=sha256,
            rows=len(values_ns),
        )
        loaded._values_ns = tuple(sorted(values_ns))  # noqa: SLF001  # an instance of its own class
        return loaded
