"""Tells somebody how far a run is, whoever simulates its chunks and in whatever order they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sim.experiment.plan import requests_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.experiment.chunks import Chunk
    from sim.scenario.cells import Cell


class Progress(Protocol):
    """Somebody who watches a run."""

    def __call__(self, done: int, total: int, cell: str) -> None:
        """Take how many requests of how many are done, and the name of the cell at work."""
        ...


class Watch:
    """Counts the requests that are done."""

    def __init__(self, cells: Sequence[Cell], progress: Progress | None = None) -> None:
        self.cells = cells
        self.total = sum(requests_of(cell.scenario) for cell in cells)
        self.done = 0
        self.progress = progress

    def begin(self, done: int, total: int) -> None:
        """Take how many requests were done before, and how many there are so far as is known."""
        self.done = done
        self.total = total
        self._tell(done, 0)

    def at_work(self, chunk: Chunk, done: int) -> None:
        """Take how many requests of a chunk are done."""
        self._tell(self.done + done, chunk.cell)

    def finished(self, chunk: Chunk) -> None:
        """Take that a chunk is done."""
        self.done += chunk.count
        self._tell(self.done, chunk.cell)

    def _tell(self, done: int, cell: int) -> None:
        if self.progress is not None:
            self.progress(done, self.total, self.cells[cell].name)
