"""One cell of a run: its scenario, the requests that count, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.experiment.parts import kept_of, requests_kept
from sim.history.records import Requests
from sim.measure.metrics import CellMetrics, measure
from sim.measure.tally import Examples, Tally

if TYPE_CHECKING:
    from sim.expect.expectations import Verdict
    from sim.experiment.parts import Kept
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario


@dataclass(frozen=True)
class CellResult:
    """One cell: its scenario, the requests that count, and what they come to."""

    cell: Cell
    kept: Kept
    """The requests that count, or a tally of them."""
    metrics: CellMetrics
    verdicts: tuple[Verdict, ...]

    @property
    def id(self) -> str:
        """The cell's id."""
        return self.cell.id

    @property
    def requests(self) -> Requests:
        """The requests submitted in the measuring window; all of them where there is none.

        Raises `sim.experiment.parts.RequestsNotKept` where only histograms are kept.
        """
        return requests_kept(self.cell, self.kept)

    @property
    def examples(self) -> dict[str, int]:
        """Requests worth a replay, as `--request` numbers: one stuck, the most duplicated, the slowest to be known.

        Those that there are; the first where several qualify.
        """
        return self._examples.named()

    @property
    def slowest_ns(self) -> int:
        """The longest time until a request was known to have ended, however it did; -1 where none is."""
        return self._examples.slowest_ns

    @cached_property
    def _examples(self) -> Examples:
        if isinstance(self.kept, Tally):
            return self.kept.examples
        requests = self.kept
        return Examples.of(
            requests, requests.replication * np.int64(self.cell.scenario.requests.count) + requests.number
        )

    def summary(self) -> dict[str, Any]:
        """Return the cell's part of `summary.json`."""
        return {
            "id": self.cell.id,
            "name": self.cell.name,
            "params": self.cell.params,
            **self.metrics.summary(),
            "expect": [verdict.summary() for verdict in self.verdicts],
            "examples": self.examples,
        }


def counted(cell: Scenario, kept: Kept) -> Kept:
    """Return those of some requests of a cell that count: that were submitted in the measuring window."""
    if cell.measure is None or not isinstance(kept, Requests):
        return kept
    inside = kept.submitted_ns >= cell.measure.from_ns
    if cell.measure.to_ns is not None:
        inside &= kept.submitted_ns < cell.measure.to_ns
    return kept.select(inside)


def judged(cell: Cell, kept: Kept) -> CellResult:
    """Measure a cell's requests, or what is kept of them, and judge what its scenario expects."""
    scenario = cell.scenario
    kept = kept_of(scenario, counted(scenario, kept))
    metrics = measure(kept, shared=scenario.world == "shared")
    return CellResult(cell, kept, metrics, tuple(expected.judge(metrics) for expected in scenario.expect))
