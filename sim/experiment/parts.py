"""A part of a cell's results: some of its requests, or a tally of them if the scenario keeps histograms.

Parts are put together here as they come. So a cell of histograms never has more than one block of requests in memory,
in whatever process it is simulated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sim.history import packed
from sim.history.lasting_waits import merged
from sim.history.packed import PackedRequests
from sim.history.records import Requests
from sim.history.traffic import Traffic
from sim.measure.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.experiment.checked_part import CheckedPart
    from sim.history.lasting_waits import LastingWait
    from sim.history.repeats import Unrepeated
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

Part = Requests | Tally

HISTOGRAM: Final = "histogram"
BLOCKS_A_TALLY: Final = 16
"""So many blocks of an engine are tallied together: the tally of many requests is hardly larger than that of a few."""


class SimulatedPart(NamedTuple):
    """What a chunk came to."""

    part: Part
    unrepeated: tuple[Unrepeated, ...] = ()
    """Requests of it that did something else when they were simulated again; see `sim.experiment.repeats`."""
    traffic: Traffic | None = None
    """What the calls of a shared world met; None of an isolated one."""
    checked: CheckedPart | None = None
    """What the check of its histories has found; None if they are not checked."""
    waits: tuple[LastingWait, ...] = ()
    """Where its guests wait for ever."""


class RequestsNotKept(LookupError):
    """Requests were asked for of a cell of which only histograms are kept."""


def keeps_histogram(cell: Scenario) -> bool:
    """Tell whether a cell keeps histograms and no requests."""
    return cell.keeps == HISTOGRAM


def part_to_keep(cell: Scenario, part: Part) -> Part:
    """Return some requests of a cell in the form that its scenario keeps: tallied, or as they are."""
    return Tally.of(part, cell.named.prices) if keeps_histogram(cell) and isinstance(part, Requests) else part


def join(parts: Iterable[Part]) -> Part:
    """Put the parts of a cell together, in order; at least one is needed.

    Requests are packed and tallies are merged as they come.
    """
    requests: list[Requests] = []
    tally: Tally | None = None
    for part in parts:
        if isinstance(part, Requests):
            requests.append(PackedRequests.of(part))
        else:
            tally = part if tally is None else tally.merge(part)
    return packed.join(requests) if tally is None else tally


def join_traffic(parts: Iterable[Traffic]) -> Traffic | None:
    """Put the traffic of a cell's parts together, in order; None if there is none."""
    found = list(parts)
    return Traffic.concatenate(found) if found else None


class CellParts:
    """The parts of one cell that have come so far, in any order."""

    def __init__(self) -> None:
        self.count = 0
        """How many parts have come."""
        self.unrepeated: list[Unrepeated] = []
        """Requests that did something else when they were simulated again, in any order."""
        self.waits: tuple[LastingWait, ...] = ()
        """Where guests wait for ever."""
        self._checked: dict[int, CheckedPart] = {}
        self._traffic: dict[int, Traffic] = {}
        self._requests: dict[int, PackedRequests] = {}
        self._tally: Tally | None = None

    def add(self, number: int, simulated: SimulatedPart) -> None:
        """Add the part of this number, from 0; each comes once."""
        part = simulated.part
        self.count += 1
        self.unrepeated += simulated.unrepeated
        self.waits = merged((*self.waits, *simulated.waits))
        if simulated.checked is not None:
            self._checked[number] = simulated.checked
        if simulated.traffic is not None:
            self._traffic[number] = simulated.traffic
        if isinstance(part, Requests):
            self._requests[number] = PackedRequests.of(part)
        else:
            self._tally = part if self._tally is None else self._tally.merge(part)

    def join(self) -> Part:
        """Put all parts together; no part may be missing."""
        if self._tally is not None:
            return self._tally
        return packed.join(self._requests[number] for number in range(self.count))

    def traffic(self) -> Traffic | None:
        """Put the traffic of all parts together; None if the world is not shared."""
        return join_traffic(self._traffic[number] for number in sorted(self._traffic))

    def checked(self) -> list[CheckedPart]:
        """Return what the check of each part has found, in order; empty if nothing is checked."""
        return [self._checked[number] for number in sorted(self._checked)]

    def free(self) -> None:
        """Free the memory of the parts; `count` stays."""
        self._checked.clear()
        self._traffic.clear()
        self._requests.clear()
        self._tally = None


def requests_in(cell: Cell, part: Part) -> Requests:
    """Return the requests in a part of a cell; raises RequestsNotKept if it is a tally."""
    if isinstance(part, Requests):
        return part
    raise RequestsNotKept(
        f"cell '{cell.id}' keeps only histograms of its requests (`keep: histogram`); to read the requests themselves, "
        "run it with `keep: requests`"
    )
