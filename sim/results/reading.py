"""Opens the results of a finished run, as if it had just ended; no other file is needed, and no code is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.experiment.cell_result import evaluate, in_window
from sim.experiment.parts import join, join_traffic
from sim.results.checksum import open_verified
from sim.results.errors import damaged
from sim.results.result import Result
from sim.results.tables import RESULTS, Tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping, Sequence

    from sim.experiment.cell_result import CellResult
    from sim.experiment.parts import Part, SimulatedPart
    from sim.experiment.rulings import CellCheck
    from sim.history.lasting_waits import LastingWait
    from sim.history.repeats import Unrepeated
    from sim.history.traffic import Traffic
    from sim.results.description import Description
    from sim.scenario.cells import Cell


def open_results(path: str | Path) -> Result:
    """Return the results of a finished run, given its folder or its file `results.sqlite`.

    Every byte is checked first. Raises `sim.results.errors.CorruptResults` if the file is damaged, missing or not a
    results file, and its subclass `UnfinishedResults` if the run has not finished.
    """
    with open_verified(_file(path)) as tables:
        description = tables.description()
        plan = tables.plan(description)
        return Result(plan, read_cells(tables, description, plan.cells), checked=description.findings)


def read_parts(path: str | Path) -> Iterator[tuple[tuple[Cell, ...], Cell, Part]]:
    """Yield the requests or tallies that count of a finished run, chunk by chunk: only one is in memory at a time.

    All cells and that of the chunk come with each. Cells and chunks come in order. Raises the errors of `open_results`.
    """
    with open_verified(_file(path)) as tables:
        description = tables.description()
        cells = tables.plan(description).cells
        for position, cell in enumerate(cells):
            for part in tables.parts(description.identity, position, description.chunks[position]):
                yield cells, cell, in_window(cell.scenario, part.part)


def read_traffic(path: str | Path) -> Iterator[tuple[tuple[Cell, ...], Cell, Traffic]]:
    """Yield what the calls of shared worlds met, of a finished run, chunk by chunk; nothing of isolated worlds.

    All cells and that of the chunk come with each. Cells and chunks come in order. Raises the errors of `open_results`.
    """
    with open_verified(_file(path)) as tables:
        description = tables.description()
        cells = tables.plan(description).cells
        for position, cell in enumerate(cells):
            for part in tables.parts(description.identity, position, description.chunks[position]):
                if part.traffic is not None:
                    yield cells, cell, part.traffic


def read_cells(
    tables: Tables,
    description: Description,
    cells: Sequence[Cell],
    known: MutableMapping[tuple[int, int], SimulatedPart] | None = None,
    checks: Sequence[CellCheck] = (),
) -> list[CellResult]:
    """Read all parts of the cells, and evaluate the cells. Raises CorruptResults.

    `known` has parts, by cell and number of the chunk, that need not be read; they are taken out of it. `checks`, one a
    cell if there are any, take what the check of each part has found.
    """
    chunks = description.chunks
    if tables.count() != sum(chunks) or len(chunks) != len(cells):
        raise damaged(tables.path, f"{tables.count()} chunks are there, not {sum(chunks)}")
    return [
        _evaluated(
            cell,
            tables.parts(description.identity, position, chunks[position], known),
            checks[position] if checks else None,
        )
        for position, cell in enumerate(cells)
    ]


def _evaluated(cell: Cell, parts: Iterable[SimulatedPart], check: CellCheck | None) -> CellResult:
    """Evaluate a cell; its parts are taken one by one."""
    unrepeated: list[Unrepeated] = []
    traffic: list[Traffic] = []
    waits: list[LastingWait] = []

    def noted() -> Iterator[Part]:
        for part in parts:
            unrepeated.extend(part.unrepeated)
            waits.extend(part.waits)
            traffic.extend(() if part.traffic is None else (part.traffic,))
            if check is not None and part.checked is not None:
                check.add(part.checked)
            yield part.part

    joined = join(noted())
    return evaluate(cell, joined, unrepeated, traffic=join_traffic(traffic), waits=waits)


def _file(path: str | Path) -> Path:
    path = Path(path)
    return path / RESULTS if path.is_dir() else path
