"""What is kept of a cell: its requests, or a tally of them where the scenario keeps histograms.

Parts of either are put together here as they come, so that of a cell of histograms never more than one block of
requests is in memory, whoever simulates it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.history.records import Requests
from sim.measure.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

Kept = Requests | Tally

HISTOGRAM: Final = "histogram"
BLOCKS_A_TALLY: Final = 16
"""So many blocks of an engine are tallied together: the tally of many requests is hardly larger than that of a few."""


class RequestsNotKept(LookupError):
    """Requests were asked for of a cell of which only histograms are kept."""


def keeps_histogram(cell: Scenario) -> bool:
    """Tell whether histograms are kept of a cell, and no requests."""
    return cell.keeps == HISTOGRAM


def kept_of(cell: Scenario, part: Kept) -> Kept:
    """Return what is kept of some requests of a cell."""
    return Tally.of(part) if keeps_histogram(cell) and isinstance(part, Requests) else part


def joined(parts: Iterable[Kept]) -> Kept:
    """Put the parts of a cell together, in order; at least one is needed. Tallies are merged as they come."""
    requests: list[Requests] = []
    tally: Tally | None = None
    for part in parts:
        if isinstance(part, Requests):
            requests.append(part)
        else:
            tally = part if tally is None else tally.merge(part)
    return Requests.concatenate(requests) if tally is None else tally


class Gathered:
    """The parts of a cell of which some are there, in whatever order they came."""

    def __init__(self) -> None:
        self.count = 0
        self._requests: dict[int, Requests] = {}
        self._tally: Tally | None = None

    def add(self, number: int, part: Kept) -> None:
        """Take the part of a number, from 0; each comes once."""
        self.count += 1
        if isinstance(part, Requests):
            self._requests[number] = part
        else:
            self._tally = part if self._tally is None else self._tally.merge(part)

    def all(self) -> Kept:
        """Return what all parts are together; they are there."""
        if self._tally is not None:
            return self._tally
        return Requests.concatenate([self._requests[number] for number in range(self.count)])


def requests_kept(cell: Cell, kept: Kept) -> Requests:
    """Return the requests of a cell; raises RequestsNotKept where there are none."""
    if isinstance(kept, Requests):
        return kept
    raise RequestsNotKept(
        f"of cell '{cell.id}' only histograms of its requests are kept (`keep: histogram`); to read the "
        "requests themselves run it with `keep: requests`"
    )
