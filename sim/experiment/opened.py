"""Opens the results that a run has left, as if it had just ended; no other file is needed, and no code is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.experiment.result import Result, judged
from sim.experiment.sealed import opened
from sim.experiment.stored import RESULTS, Stored, damaged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.experiment.described import Description
    from sim.experiment.result import CellResult
    from sim.scenario.cells import Cell


def open_results(path: str | Path) -> Result:
    """Return the results of a finished run: of its folder, or of its file `results.sqlite`.

    Every byte is checked first. Raises `sim.experiment.journal.CorruptResults` where the file is damaged, none of ours
    or not there, and its subclass `UnfinishedResults` where the run has not finished.
    """
    path = Path(path)
    with opened(path / RESULTS if path.is_dir() else path) as stored:
        description = stored.description()
        found = stored.rebuilt(description)
        cells = read_cells(stored, description, found.cells)
    return Result(found.scenario, cells, found.choice, digest=found.digest, versions=found.versions)


def read_cells(stored: Stored, description: Description, cells: Sequence[Cell]) -> list[CellResult]:
    """Read the requests of cells, and measure and judge them. Raises CorruptResults."""
    chunks = description.chunks
    if stored.count() != sum(chunks) or len(chunks) != len(cells):
        raise damaged(stored.path, f"{stored.count()} chunks are there, not {sum(chunks)}")
    return [
        judged(cell, stored.requests(description.identity, position, chunks[position]))
        for position, cell in enumerate(cells)
    ]
