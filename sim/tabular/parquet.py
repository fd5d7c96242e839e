"""Parquet files, with pyarrow: typed columns as the cells that a text table would have, so that one way reads both.

Instants become ISO 8601, durations numbers with their unit, numbers their shortest decimals; fields of structures are
named by dots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.tabular.blocks import BLOCK_ROWS, Block, missing_column
from sim.tabular.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Parquet:
    """A Parquet file. Raises TableError if it cannot be read as one, or if pyarrow is not there."""

    header = True
    format = "a Parquet file"

    def __init__(self, source: Path | bytes) -> None:
        try:
            import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]  # optional
            import pyarrow.parquet as pq  # type: ignore[import-untyped,import-not-found,unused-ignore]  # optional
        except ImportError:
            raise TableError("to read Parquet, install pyarrow: pip install 'retrysim[data]'") from None
        try:
            self._file: Any = pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"it is a damaged Parquet file ({str(error).splitlines()[0]})") from None
        schema = self._file.schema_arrow
        while any(pa.types.is_struct(one.type) for one in schema):
            schema = _flat_schema(pa, schema)
        self.names: list[str] = list(schema.names)
        self._pa: Any = pa

    def sample(self) -> dict[str, list[str]]:
        """Return the cells of the first rows, by column."""
        block = next(self._blocks(None, 1000), None)
        return {} if block is None else {name: list(cells) for name, cells in block.cells.items()}

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield all rows with the wanted columns. Raises TableError if one is missing."""
        for name in wanted:
            if name not in self.names:
                raise TableError(missing_column(name, self.names))
        return self._blocks(wanted, BLOCK_ROWS)

    def _blocks(self, wanted: Sequence[str] | None, rows: int) -> Iterator[Block]:
        pa = self._pa
        roots = (
            None if wanted is None else sorted({name for name in self._file.schema_arrow.names if _below(name, wanted)})
        )
        done = 0
        try:
            for batch in self._file.iter_batches(batch_size=rows, columns=roots):
                table = pa.Table.from_batches([batch])
                while any(pa.types.is_struct(one.type) for one in table.schema):
                    table = table.flatten()
                names = table.column_names if wanted is None else wanted
                cells = {name: _cells(pa, table.column(name)) for name in names}
                yield Block(range(done + 1, done + 1 + table.num_rows), cells)
                done += table.num_rows
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"it is a damaged Parquet file ({str(error).splitlines()[0]})", done + 1) from None


def _below(root: str, wanted: Sequence[str]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for name in wanted)


def _flat_schema(pa: Any, schema: Any) -> Any:
    return pa.schema(
        [one for field in schema for one in (field.flatten() if pa.types.is_struct(field.type) else [field])]
    )


def _cells(pa: Any, column: Any) -> list[str]:
    kind = column.type
    suffix = ""
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    elif pa.types.is_duration(kind):
        suffix = kind.unit
        column = column.cast(pa.int64())
    elif pa.types.is_timestamp(kind) and kind.tz is not None:
        suffix = "Z"
        column = column.cast(pa.timestamp(kind.unit))  # the instants in UTC
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind) or pa.types.is_binary(kind):
        return ["" if value is None else str(value) for value in column.to_pylist()]
    elif pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    texts = column.cast(pa.string()).to_pylist()
    return ["" if text is None else f"{text}{suffix}" for text in texts]
