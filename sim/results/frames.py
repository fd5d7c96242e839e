"""Tables of named columns, written as CSV or Parquet: numbers with gaps, and words.

`sim.results.export` writes requests on its own, since these may be too many to pass through Python twice.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import TextIO

    from numpy.typing import NDArray


class NoParquet(ImportError):
    """Parquet was asked for but pyarrow is not installed."""


@dataclass(frozen=True, slots=True)
class Words:
    """A column of a few words; a negative code stands for none."""

    codes: NDArray[Any]
    """Shape (rows,)."""
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Gaps:
    """A column of numbers, some of which are missing."""

    values: NDArray[Any]
    """Shape (rows,)."""
    missing: NDArray[np.bool_]
    """Shape (rows,)."""


Frame = dict[str, "NDArray[Any] | Words | Gaps"]
"""Columns by name, all of one length."""


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
        return [column.words[code] if code >= 0 else None for code in column.codes.tolist()]
    if isinstance(column, Gaps):
        pairs = zip(column.values.tolist(), column.missing.tolist(), strict=True)
        return [None if missing else value for value, missing in pairs]
    listed: list[Any] = column.tolist()
    return listed


def write_frames_parquet(frames: Iterable[Frame], path: Path) -> int:
    """Write frames of equal columns as one Parquet file with checksums of its pages; return the number of rows.

    Raises NoParquet if pyarrow is not installed.
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
        [pa.field(name, _type_of(pa, column), nullable=_has_gaps(column)) for name, column in first.items()]
    )
    rows = 0
    with parquet.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for frame in chain((first,), given):
            arrays = [_array(pa, column) for column in frame.values()]
            writer.write_table(pa.table(arrays, schema=schema))
            rows += len(arrays[0])
    return rows


def _has_gaps(column: NDArray[Any] | Words | Gaps) -> bool:
    return not isinstance(column, np.ndarray)


def _type_of(pa: Any, column: NDArray[Any] | Words | Gaps) -> Any:
    if isinstance(column, Words):
        return pa.dictionary(pa.int32(), pa.string())
    return pa.from_numpy_dtype((column.values if isinstance(column, Gaps) else column).dtype)


def _array(pa: Any, column: NDArray[Any] | Words | Gaps) -> Any:
    if isinstance(column, Words):
        codes = pa.array(column.codes.astype(np.int32), mask=column.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(list(column.words), pa.string()))
    if isinstance(column, Gaps):
        return pa.array(column.values, mask=column.missing)
    return pa.array(column)
