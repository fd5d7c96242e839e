"""One cell of a run: its scenario, the requests that count, their metrics, and the verdicts on what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

from sim.experiment.known import known_of
from sim.experiment.parts import part_to_keep, requests_in
from sim.experiment.triggers import triggers_of
from sim.history import packed
from sim.history.lasting_waits import merged
from sim.history.records import Requests
from sim.measure.metrics import CellMetrics, measure
from sim.measure.paths import NOTHING_NAMED
from sim.measure.summary import cell_summary
from sim.measure.tally import Examples, Tally
from sim.measure.timeline import timeline_of
from sim.measure.traffic import EVERYTHING, TrafficMetrics, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sim.expect.expectations import Verdict
    from sim.experiment.parts import Part
    from sim.experiment.triggers import Trigger
    from sim.history.lasting_waits import LastingWait
    from sim.history.repeats import Unrepeated
    from sim.history.traffic import Traffic
    from sim.measure.timeline import Timeline
    from sim.retriers.base import Retrier
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario


@dataclass(frozen=True, repr=False)
class CellResult:
    """One cell: its scenario, the requests that count, their metrics and verdicts."""

    cell: Cell
    part: Part
    """The requests that count, or a tally of them."""
    metrics: CellMetrics
    verdicts: tuple[Verdict, ...]
    unrepeated: tuple[Unrepeated, ...] = ()
    """Requests that did something else when they were simulated again, the first few of each chunk, by number."""
    traffic: Traffic | None = None
    """What the calls of a shared world met, also before and after the measuring window; None of an isolated world."""
    waits: tuple[LastingWait, ...] = ()
    """Where its guests wait for ever, also in requests outside of the measuring window."""

    def __repr__(self) -> str:
        """Return which cell it is, how many requests count, and how they ended."""
        ended = ", ".join(f"{name} {count:,}" for name, count in self.metrics.outcomes.items() if count)
        return f"<cell '{self.id}': {len(self.metrics):,} requests{f' ({ended})' if ended else ''}>"

    @property
    def id(self) -> str:
        """The cell's id."""
        return self.cell.id

    @property
    def requests(self) -> Requests:
        """The requests submitted in the measuring window; all of them if there is no window.

        Raises `sim.experiment.parts.RequestsNotKept` if only histograms are kept.
        """
        return requests_in(self.cell, self.part)

    @property
    def examples(self) -> dict[str, int]:
        """Requests worth a replay, as `--request` numbers: one stuck, the most duplicated, the slowest to be known.

        A kind of which there is no request is left out; of several the first is taken.
        """
        return self._examples.named()

    @property
    def slowest_ns(self) -> int:
        """The longest time in ns until a request was known to have ended, whatever its outcome; -1 if none is known."""
        return self._examples.slowest_ns

    @property
    def is_told_over_time(self) -> bool:
        """Whether its scenario asks for results over time: it has services, classes, a timeline or a recovery."""
        scenario = self.cell.scenario
        asks = scenario.named != NOTHING_NAMED or scenario.timeline is not None or scenario.recovery is not None
        return asks and self.metrics.traffic is not None

    @cached_property
    def timeline(self) -> Timeline | None:
        """The quantities over time, in the bins that the scenario's `timeline` names; None if it names none."""
        options, traffic = self.cell.scenario.timeline, self.metrics.traffic
        if options is None or traffic is None:
            return None
        return timeline_of(traffic, options.every, self.cell.scenario.until)

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What the scenario plans to happen at known times, in order of time."""
        return triggers_of(self.cell.scenario)

    @cached_property
    def _examples(self) -> Examples:
        if isinstance(self.part, Tally):
            return self.part.examples
        count = self.cell.scenario.requests.count
        return reduce(Examples.merge, (Examples.of(piece, count) for piece in self.part.pieces()))

    def summary(self) -> dict[str, Any]:
        """Return the cell's part of `summary.json`."""
        return {
            "id": self.cell.id,
            "name": self.cell.name,
            "params": self.cell.params,
            **cell_summary(self.metrics),
            "expect": [verdict.summary() for verdict in self.verdicts],
            "examples": self.examples,
            **({"unrepeated": unrepeated_summary(self.unrepeated)} if self.unrepeated else {}),
        }


def unrepeated_summary(unrepeated: Iterable[Unrepeated]) -> list[dict[str, Any]]:
    """Return requests that did something else when they were simulated again, for JSON: each with both values."""
    return [
        {"request": one.request, "differs": {name: [first, again] for name, first, again in one.columns}}
        for one in unrepeated
    ]


def in_window(cell: Scenario, part: Part) -> Part:
    """Return the requests that count: those submitted in the measuring window. A tally has no others."""
    if cell.measure is None or not isinstance(part, Requests):
        return part
    window = cell.measure

    def inside(piece: Requests) -> Requests:
        rows = piece.submitted_ns >= window.from_ns
        if window.to_ns is not None:
            rows &= piece.submitted_ns < window.to_ns
        return piece.select(rows)

    return packed.join(map(inside, part.pieces()))


def evaluate(
    cell: Cell,
    part: Part,
    unrepeated: Iterable[Unrepeated] = (),
    *,
    traffic: Traffic | None = None,
    waits: Iterable[LastingWait] = (),
    retrier: Callable[[], Retrier] | None = None,
) -> CellResult:
    """Measure all requests of a cell, or the tally of them, and judge what its scenario expects.

    `traffic` is what the calls of a shared world met. `unrepeated` are requests that did something else when they were
    simulated again; `waits` says where guests wait for ever. `retrier` makes the one that took the place of the
    scenario's own.
    """
    scenario = cell.scenario
    counted = part_to_keep(scenario, in_window(scenario, part))
    metrics = measure(
        counted,
        shared=scenario.world == "shared",
        possible=known_of(scenario, retrier),
        named=scenario.named,
        traffic=_measured(scenario, part, traffic),
    )
    verdicts = tuple(expected.judge(metrics) for expected in scenario.expect)
    return CellResult(cell, counted, metrics, verdicts, tuple(sorted(unrepeated)), traffic, merged(waits))


def _measured(cell: Scenario, part: Part, traffic: Traffic | None) -> TrafficMetrics | None:
    """Return what measures the traffic of a cell; all requests are needed, also those that do not count."""
    if traffic is None or not isinstance(part, Requests):
        return None
    window = EVERYTHING if cell.measure is None else Window(cell.measure.from_ns, cell.measure.to_ns)
    recovery = None if cell.recovery is None else cell.recovery.terms
    return TrafficMetrics(part, traffic, cell.named, window=window, recovery=recovery)
