"""Writes frames as CSV or Parquet."""

from __future__ import annotations

import csv
import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.history.frames import Gaps, Words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import TextIO

    from numpy.typing import NDArray

    from sim.history.frames import Frame


class NoParquet(ImportError):
    """Parquet was asked for but pyarrow is not installed."""


def write_frames_csv(frames: Iterable[Frame], file: TextIO) -> int:
    """Write frames of equal columns one below the other, with a line of names; return the number of rows."""
    writer = csv.writer(file, lineterminator="\n")
    rows = 0
    for position, frame in enumerate(frames):
        if position == 0:
            writer.writerow(frame)
        columns = [_listed(column) for column in frame.values()]
        writer.writerows(zip(*columns, strict=True))
        rows += len(columns[0])
    return rows


def _listed(column: NDArray[Any] | Words | Gaps) -> list[Any]:
    if isinstance(column, Words):
        words = [*column.words, None]  # -1 is the last one
        return [words[code] for code in column.codes.tolist()]
    if isinstance(column, Gaps):
        if not column.missing.any():
            whole: list[Any] = column.numbers.tolist()
            return whole
        pairs = zip(column.numbers.tolist(), column.missing.tolist(), strict=True)
        return [None if missing else value for value, missing in pairs]
    listed: list[Any] = column.tolist()
    return ["true" if value else "false" for value in listed] if column.dtype == np.bool_ else listed


def write_frames_parquet(frames: Iterable[Frame], path: Path, rows_a_group: int | None = None) -> int:
    """Write frames of equal columns as one Parquet file with checksums of its pages; return the number of rows.

    pandas reads the same types from it as `sim.history.frames.data_frame` makes. Raises NoParquet if pyarrow is not
    installed.
    """
    try:
        import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]  # optional
        from pyarrow import parquet
    except ImportError:
        raise NoParquet(
            "Parquet needs pyarrow, which comes with the extra `data`: pip install 'retrysim[data]'"
        ) from None
    given = iter(frames)
    first = next(given)
    schema = pa.schema(
        [
            pa.field(name, _type_of(pa, column), nullable=not isinstance(column, np.ndarray))
            for name, column in first.items()
        ],
        {"pandas": json.dumps(_for_pandas(first))},
    )
    rows = 0
    with parquet.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for frame in chain((first,), given):
            arrays = [_array(pa, column) for column in frame.values()]
            writer.write_table(pa.table(arrays, schema=schema), row_group_size=rows_a_group)
            rows += len(arrays[0])
    return rows


def _type_of(pa: Any, column: NDArray[Any] | Words | Gaps) -> Any:
    if isinstance(column, Words):
        return pa.dictionary(pa.int32(), pa.string())
    return pa.from_numpy_dtype((column.numbers if isinstance(column, Gaps) else column).dtype)


def _array(pa: Any, column: NDArray[Any] | Words | Gaps) -> Any:
    if isinstance(column, Words):
        codes = pa.array(column.codes.astype(np.int32), mask=column.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(list(column.words), pa.string()))
    if isinstance(column, Gaps):
        return pa.array(column.numbers, mask=column.missing)
    return pa.array(column)


def _for_pandas(frame: Frame) -> dict[str, Any]:
    """Return what pandas looks for in a schema: without it, whole numbers with gaps would become floats.

    Its form is that of "Storing pandas DataFrame objects in Apache Parquet format" (pandas' developer documentation).
    """
    columns = []
    for name, column in frame.items():
        if isinstance(column, Words):
            kind, numpy_type, more = "categorical", "int32", {"num_categories": len(column.words), "ordered": False}
        else:
            dtype = (column.numbers if isinstance(column, Gaps) else column).dtype
            kind, more = dtype.name, None
            numpy_type = "Int64" if isinstance(column, Gaps) and dtype.kind == "i" else dtype.name
        columns.append(
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy_type, "metadata": more}
        )
    return {"index_columns": [], "column_indexes": [], "columns": columns, "pandas_version": "2.2.0"}
