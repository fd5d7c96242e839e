"""Writes the requests of saved results for other programs: as CSV, or as Parquet with checksums of its pages.

A row a request, in the order of the results, with these columns:

    cell                                        id of the cell
    replication, request                        the request's number in its replication; in isolated worlds in the cell
    submitted_ns first_effect_ns settled_ns     instants of simulated time
    known_attempt_end_ns last_attempt_end_ns    end of the last attempt that had ended on settling, and of the last one
    attempts effects suppressed polls conflicts mutations actions     counts
    action_ns                                   time during which its action ran, so far if it had not ended
    outcome                                     open success gave_up canceled stuck runaway
    duplicates_CAUSE                            effects after the first, by cause

An event that did not happen has no instant: null in Parquet, nothing between the commas in CSV. The rows come chunk by
chunk from the results file, so that results of any size take little memory.
"""

from __future__ import annotations

import csv
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.experiment.parts import requests_in
from sim.history.records import COLUMNS, FLAT_COLUMNS, Requests
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.results.frames import NoParquet
from sim.results.reading import read_parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

    from numpy.typing import NDArray

INSTANTS: Final = tuple(name for name in FLAT_COLUMNS if COLUMNS[name].unit == "instant")
DUPLICATES: Final = tuple(f"duplicates_{cause.name}" for cause in Cause)
HEADINGS: Final = ("cell", *("request" if name == "number" else name for name in FLAT_COLUMNS), *DUPLICATES)
ROWS_A_GROUP: Final = 2**17
"""Of a Parquet file, at most: some megabytes."""

OUTCOMES: Final = tuple(outcome.name for outcome in Outcome)


def write_csv(results: Path, file: TextIO) -> int:
    """Write the requests of saved results as CSV with a line of names; return the number of rows.

    Raises `CorruptResults`, and `RequestsNotKept` if a cell keeps only histograms, before anything of that cell is
    written.
    """
    parts = _parts(results)
    first = list(islice(parts, 1))  # errors of reading show here, before anything is written
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADINGS)
    rows = 0
    for cell, requests in chain(first, parts):
        columns = [_listed(requests, name) for name in HEADINGS[1:]]
        writer.writerows(zip(repeat(cell, len(requests)), *columns, strict=False))
        rows += len(requests)
    return rows


def write_parquet(results: Path, path: Path) -> int:
    """Write the requests of saved results as a Parquet file; return the number of rows.

    Raises NoParquet if pyarrow is not installed, and the errors of `write_csv`.
    """
    try:
        import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]  # optional
        from pyarrow import parquet
    except ImportError:
        raise NoParquet(
            "Parquet needs pyarrow, which comes with the extra `data`: pip install 'retrysim[data]'"
        ) from None
    types = {name: pa.from_numpy_dtype(COLUMNS[name].dtype) for name in FLAT_COLUMNS}
    types |= {"request": types["number"], **dict.fromkeys(DUPLICATES, pa.int32())}
    words = pa.dictionary(pa.int8(), pa.string())
    types |= {"cell": pa.dictionary(pa.int32(), pa.string()), "outcome": words}
    schema = pa.schema([pa.field(name, types[name], nullable=name in INSTANTS) for name in HEADINGS])
    rows = 0
    with parquet.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for cell, requests in _groups(results):
            count = len(requests)
            columns: dict[str, Any] = {
                "cell": pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([cell])),
                "outcome": pa.DictionaryArray.from_arrays(
                    pa.array(requests.outcome.astype(np.int8)), pa.array(OUTCOMES, pa.string())
                ),
            }
            for name in HEADINGS:
                if name not in columns:
                    values = _column(requests, name)
                    columns[name] = pa.array(values, types[name], mask=values == NEVER if name in INSTANTS else None)
            table = pa.table([columns[name] for name in HEADINGS], schema=schema)
            writer.write_table(table, row_group_size=ROWS_A_GROUP)
            rows += count
    return rows


def _parts(results: Path) -> Iterator[tuple[str, Requests]]:
    for cell, part in read_parts(results):
        yield cell.id, requests_in(cell, part)


def _groups(results: Path) -> Iterator[tuple[str, Requests]]:
    """Yield requests of one cell at a time, as many as make a group of rows."""
    held: list[Requests] = []
    of = ""
    for cell, requests in _parts(results):
        if held and (cell != of or sum(map(len, held)) + len(requests) > ROWS_A_GROUP):
            yield of, Requests.concatenate(held)
            held = []
        of = cell
        held.append(requests)
    if held:
        yield of, Requests.concatenate(held)


def _listed(requests: Requests, name: str) -> list[Any]:
    """Return a column as CSV takes it: outcomes as words, None for an instant that never came."""
    values = _column(requests, name)
    if name == "outcome":
        return [OUTCOMES[code] for code in values.tolist()]
    if name in INSTANTS and (values == NEVER).any():
        return [None if value == NEVER else value for value in values.tolist()]
    listed: list[Any] = values.tolist()
    return listed


def _column(requests: Requests, name: str) -> NDArray[Any]:
    if name in DUPLICATES:
        return np.ascontiguousarray(requests.duplicates[:, DUPLICATES.index(name)])
    column: NDArray[Any] = requests.number if name == "request" else getattr(requests, name)
    return column
