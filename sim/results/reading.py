"""Opens the results that a run has left, as if it had just ended; no other file is needed, and no code is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.experiment.cell_result import counted, judged
from sim.experiment.parts import joined
from sim.results.result import Result
from sim.results.seal import opened
from sim.results.tables import RESULTS, Stored, damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping, Sequence

    from sim.experiment.cell_result import CellResult
    from sim.experiment.parts import Kept
    from sim.results.description import Description
    from sim.scenario.cells import Cell


def open_results(path: str | Path) -> Result:
    """Return the results of a finished run: of its folder, or of its file `results.sqlite`.

    Every byte is checked first. Raises `sim.results.journal.CorruptResults` where the file is damaged, none of ours
    or not there, and its subclass `UnfinishedResults` where the run has not finished.
    """
    path = Path(path)
    with opened(path / RESULTS if path.is_dir() else path) as stored:
        description = stored.description()
        found = stored.rebuilt(description)
        cells = read_cells(stored, description, found.cells)
    return Result(found.scenario, cells, found.choice, digest=found.digest, versions=found.versions)


def stored_parts(path: str | Path) -> Iterator[tuple[Cell, Kept]]:
    """Yield what is kept of each cell of a finished run, chunk by chunk, so that no more than one is in memory.

    Cells and chunks come in order. Raises what `open_results` raises.
    """
    path = Path(path)
    with opened(path / RESULTS if path.is_dir() else path) as stored:
        description = stored.description()
        for position, cell in enumerate(stored.rebuilt(description).cells):
            for part in stored.parts(description.identity, position, description.chunks[position]):
                yield cell, counted(cell.scenario, part)


def read_cells(
    stored: Stored,
    description: Description,
    cells: Sequence[Cell],
    known: MutableMapping[tuple[int, int], Kept] | None = None,
) -> list[CellResult]:
    """Read what is kept of cells, and measure and judge them. Raises CorruptResults.

    `known` has chunks, by cell and number, that need not be read; they are taken out of it.
    """
    chunks = description.chunks
    if stored.count() != sum(chunks) or len(chunks) != len(cells):
        raise damaged(stored.path, f"{stored.count()} chunks are there, not {sum(chunks)}")
    return [
        judged(cell, joined(stored.parts(description.identity, position, chunks[position], known)))
        for position, cell in enumerate(cells)
    ]
