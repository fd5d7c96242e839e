"""Progress of a run: counts the requests that are done, in whatever process and order, and reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sim.experiment.chunks import Chunk
    from sim.experiment.plan import Plan


class Progress(Protocol):
    """A function that a run calls now and then to report its progress."""

    def __call__(self, done: int, total: int, cell: str) -> None:
        """Take how many requests of how many are done, and the name of the cell that is being simulated."""
        ...


class ProgressCounter:
    """Counts the requests of a run that are done, and reports them."""

    def __init__(self, plan: Plan, report: Progress | None = None) -> None:
        self.cells = plan.cells
        self.total = plan.requests
        self.done = 0
        self._report = report

    def start(self, done: int, total: int) -> None:
        """Set how many requests are done already, and how many there are as far as is known."""
        self.done = done
        self.total = total
        self._send(done, 0)

    def working(self, chunk: Chunk, done: int) -> None:
        """Report how many requests of a chunk are done."""
        self._send(self.done + done, chunk.cell)

    def finished(self, chunk: Chunk) -> None:
        """Count the requests of a finished chunk."""
        self.done += chunk.count
        self._send(self.done, chunk.cell)

    def _send(self, done: int, cell: int) -> None:
        if self._report is not None:
            self._report(done, self.total, self.cells[cell].name)
