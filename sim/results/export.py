"""Writes a table of saved results for other programs: as CSV, or as Parquet with checksums of its pages.

`sim.results.columns` has the columns, which are those of `Result.to_pandas`. What did not happen and what is not known
is nothing between the commas of CSV, and null in Parquet. Requests and calls come chunk by chunk from the results file,
so that results of any size take little memory.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from sim.experiment.parts import requests_in
from sim.history.records import Requests
from sim.results.columns import NO_CALLS, NO_TIMELINE, NotKept
from sim.results.frame_files import write_frames_csv, write_frames_parquet
from sim.results.reading import open_results, read_parts, read_traffic
from sim.results.tabulated import Cells, calls_frame, cells_frames, requests_frame, timeline_frames

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

    from sim.history.frames import Frame
    from sim.results.columns import TableName
    from sim.scenario.cells import Cell

ROWS_A_GROUP: Final = 2**17
"""Of a Parquet file, at most: some megabytes."""


def write_csv(results: Path, file: TextIO, table: TableName = "requests") -> int:
    """Write a table of saved results as CSV with a line of names; return the number of rows.

    Raises CorruptResults, NotKept if there is no such table, and RequestsNotKept if a cell keeps only histograms,
    before anything of that cell is written.
    """
    return write_frames_csv(_frames(results, table), file)


def write_parquet(results: Path, path: Path, table: TableName = "requests") -> int:
    """Write a table of saved results as a Parquet file; return the number of rows.

    Raises NoParquet if pyarrow is not installed, and the errors of `write_csv`.
    """
    return write_frames_parquet(_frames(results, table), path, ROWS_A_GROUP)


def _frames(results: Path, table: TableName) -> Iterator[Frame]:
    """Return the frames of a table; errors of reading show here, before anything is written."""
    match table:
        case "requests":
            found, otherwise = _requests(results), ""
        case "calls":
            found, otherwise = _calls(results), NO_CALLS
        case "timeline":
            found, otherwise = _timelines(results), NO_TIMELINE
        case "cells":
            found, otherwise = cells_frames(open_results(results).cells), ""
    first = list(islice(found, 1))
    if not first:
        raise NotKept(otherwise)
    return chain(first, found)


def _requests(results: Path) -> Iterator[Frame]:
    cells: Cells | None = None
    for every, cell, requests in _groups(results):
        cells = Cells(every) if cells is None else cells
        yield requests_frame(cells, cell, requests)


def _groups(results: Path) -> Iterator[tuple[tuple[Cell, ...], Cell, Requests]]:
    """Yield requests of one cell at a time, as many as make a group of rows; besides all cells."""
    held: list[Requests] = []
    of: tuple[tuple[Cell, ...], Cell] | None = None
    for every, cell, part in read_parts(results):
        requests = requests_in(cell, part)
        if of is not None and held and (cell is not of[1] or sum(map(len, held)) + len(requests) > ROWS_A_GROUP):
            yield *of, Requests.concatenate(held)
            held = []
        of = every, cell
        held.append(requests)
    if of is not None:
        yield *of, Requests.concatenate(held)


def _calls(results: Path) -> Iterator[Frame]:
    cells: Cells | None = None
    for every, cell, traffic in read_traffic(results):
        cells = Cells(every) if cells is None else cells
        yield calls_frame(cells, cell, traffic.calls)


def _timelines(results: Path) -> Iterator[Frame]:
    found = open_results(results).cells
    timelines = [(one.cell, one.timeline) for one in found if one.timeline is not None]
    yield from timeline_frames(Cells([one.cell for one in found]), timelines)
