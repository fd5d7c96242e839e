"""What happens over time: load, goodput, retries and queues of the cells of a run, in bins with bands.

Four pictures: `load_data` (offered load and goodput, retries, calls that wait or are in flight), `rejections_data` (the
reasons why calls were turned away, stacked, a panel a cell), `utilization_data` (the share of servers at work).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.measure.timeline import REASONS
from sim.pictures.data.picture import Picture
from sim.text.traffic_words import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.measure.timeline import Band, Timeline

    Floats = NDArray[np.float64]

Numbers = tuple[float, ...]

OVER_TIME_PICTURES: Final = ("over_time", "rejections", "utilization", "pools")
"""The names of the files of the pictures, without their endings."""
MOST_LINES: Final = 7
"""So many cells can be told apart; the first ones are drawn."""
MOST_PANELS: Final = 6
S: Final = 1e9
REASON_WORDS: Final = {
    "rejected.queue": "queue full",
    "rejected.max_wait": "waited too long",
    "rejected.rate_limit": "rate limit",
    "rejected.shed": "load shed",
    "rejected.in_use": "key in use",
    "dropped": "caller had given up",
}


@dataclass(frozen=True, slots=True)
class Shade:
    """An interval that the scenario plans: an outage, a change of capacity, more load."""

    from_s: float
    to_s: float
    text: str


@dataclass(frozen=True, slots=True)
class CellOverTime:
    """One cell, as these pictures take it."""

    name: str
    timeline: Timeline
    shades: tuple[Shade, ...]


@dataclass(frozen=True, slots=True)
class BandLine:
    """A quantity over time."""

    name: str
    """The cell, in pictures of utilization with the service; empty if there is only one."""
    cell: int
    """The position of the cell, which decides color and dashes."""
    mean: Numbers
    low: Numbers | None
    high: Numbers | None
    """Shape (bins,): values, and the ends of their bands; None with one replication."""
    is_reference: bool = False
    """Whether it is what others are held against: the offered load."""


@dataclass(frozen=True, slots=True)
class TimePanel:
    """Quantities of one unit over time."""

    y_label: str
    lines: tuple[BandLine, ...]
    is_share: bool = False
    title: str = ""
    """What it shows, for one that is drawn alone; empty if the title of all of them does."""


@dataclass(frozen=True, slots=True)
class StackPanel:
    """Quantities over time on top of one another."""

    name: str
    """The cell; empty if there is only one."""
    y_label: str
    layers: tuple[tuple[str, Numbers], ...]
    """The name of each layer, the lowest first, and its values, shape (bins,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTime(Picture):
    """Panels above one another, over one axis of time."""

    edges_s: Numbers
    """Shape (bins + 1,): where bins begin and end, in seconds of simulated time."""
    panels: tuple[TimePanel, ...]
    shades: tuple[Shade, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StacksOverTime(Picture):
    """Stacked quantities, a panel a cell."""

    edges_s: Numbers
    panels: tuple[StackPanel, ...]
    shades: tuple[Shade, ...]


def load_data(cells: Sequence[CellOverTime], caption: str = "") -> OverTime:
    """Return offered load and goodput, retries, and the queue (without services: calls in flight)."""
    shown = cells[:MOST_LINES]
    alike = all(_equal(one.timeline["offered"], shown[0].timeline["offered"]) for one in shown)
    offered = [
        _line(shown, at, "offered", "offered load" if alike else _named(shown, at, "offered"), is_reference=True)
        for at in range(1 if alike else len(shown))
    ]
    goodput = [_line(shown, at, "goodput", _named(shown, at, "goodput")) for at in range(len(shown))]
    waiting = "queue" if all("queue" in one.timeline.series[""] for one in shown) else "in_flight"
    words = "calls waiting" if waiting == "queue" else "calls in flight"
    panels = (
        TimePanel("requests a second", (*offered, *goodput), title="Offered load and goodput over time"),
        TimePanel(
            "retries a second",
            tuple(_line(shown, at, "retries", "") for at in range(len(shown))),
            title="Retries over time",
        ),
        TimePanel(
            words,
            tuple(_line(shown, at, waiting, "") for at in range(len(shown))),
            title=f"{words.capitalize()} over time",
        ),
    )
    return OverTime(
        title="Offered load, goodput, retries and queue over time"
        if waiting == "queue"
        else "Offered load, goodput, retries and calls in flight over time",
        note=_left_out(cells),
        caption=caption,
        edges_s=_edges(shown),
        panels=panels,
        shades=_shades(shown),
    )


def utilization_data(cells: Sequence[CellOverTime], caption: str = "") -> OverTime | None:
    """Return the share of each service's servers that is at work, a panel a service; None if none has a limit."""
    shown = cells[:MOST_LINES]
    services = dict.fromkeys(part for one in shown for part in one.timeline.series if part.startswith("service."))
    panels = []
    for part in services:
        lines = tuple(
            _line(shown, at, f"{part}.utilization", _named(shown, at, ""))
            for at, one in enumerate(shown)
            if part in one.timeline.series and not np.isnan(one.timeline[f"{part}.utilization"].mean).all()
        )
        if lines:
            panels.append(TimePanel(f"{part.removeprefix('service.')}: {NUMBERS['utilization.mean']}", lines, True))  # noqa: FBT003  # the last field
    if not panels:
        return None
    return OverTime(
        title="Share of the servers at work over time",
        note=_left_out(cells),
        caption=caption,
        edges_s=_edges(shown),
        panels=tuple(panels),
        shades=_shades(shown),
    )


def pools_data(cells: Sequence[CellOverTime], caption: str = "") -> OverTime | None:
    """Return the backlog, the slots and the running works of each pool over time; None without pools."""
    shown = cells[:MOST_LINES]
    panels = []
    pools = dict.fromkeys(part for one in shown for part in one.timeline.series if part.startswith("pool."))
    is_alone = len(pools) == 1
    for part in pools:
        having = [at for at, one in enumerate(shown) if part in one.timeline.series]
        backlog = tuple(_line(shown, at, f"{part}.backlog", _named(shown, at, "")) for at in having)
        held = tuple(_line(shown, at, f"{part}.slots", _named(shown, at, "slots held")) for at in having)
        running = tuple(_line(shown, at, f"{part}.running", "") for at in having)
        allowed = [shown[at].timeline[f"{part}.parallelism"] for at in having]
        alike = all(_equal(one, allowed[0]) for one in allowed)
        limits = tuple(
            _line(shown, at, f"{part}.parallelism", "max parallelism" if alike else "", is_reference=True)
            for at in (having[:1] if alike else having)
        )
        name = "" if is_alone else f"{part.removeprefix('pool.')}: "
        panels += [
            TimePanel(f"{name}slots", (*limits, *held)),
            TimePanel(f"{name}running works", running),
            TimePanel(f"{name}due works waiting", backlog),
        ]
    if not panels:
        return None
    return OverTime(
        title="Backlog and slots of the pool over time" if is_alone else "Backlog and slots of the pools over time",
        note=_left_out(cells),
        caption=caption,
        edges_s=_edges(shown),
        panels=tuple(panels),
        shades=_shades(shown),
    )


def rejections_data(cells: Sequence[CellOverTime], caption: str = "") -> StacksOverTime | None:
    """Return the calls that services turned away a second, stacked by reason, a panel a cell; None if there are none.

    The calls of all services count together.
    """
    shown = cells[:MOST_PANELS]
    sums = [{name: _at_services(one.timeline, name) for name in REASONS} for one in shown]
    seen = [name for name in REASONS if any(found[name].any() for found in sums)]
    if not seen:
        return None
    panels = tuple(
        StackPanel(
            one.name if len(shown) > 1 else "",
            "calls a second",
            tuple((REASON_WORDS[name], _plain(found[name])) for name in seen),
        )
        for one, found in zip(shown, sums, strict=True)
    )
    return StacksOverTime(
        title="Calls turned away over time, by reason",
        note=_left_out(cells, MOST_PANELS),
        caption=caption,
        edges_s=_edges(shown),
        panels=panels,
        shades=_shades(shown),
    )


def _at_services(timeline: Timeline, name: str) -> Floats:
    found = [series[name].mean for part, series in timeline.series.items() if part.startswith("service.")]
    return np.sum(found, axis=0) if found else np.zeros(len(timeline.edges_ns) - 1)


def _line(cells: Sequence[CellOverTime], at: int, quantity: str, name: str, *, is_reference: bool = False) -> BandLine:
    band = cells[at].timeline[quantity]
    low = None if band.low is None else _plain(band.low)
    high = None if band.high is None else _plain(band.high)
    return BandLine(name, at, _plain(band.mean), low, high, is_reference)


def _plain(values: Floats) -> Numbers:
    return tuple(values.tolist())


def _named(cells: Sequence[CellOverTime], at: int, what: str) -> str:
    if len(cells) == 1:
        return what
    return f"{what}: {cells[at].name}" if what else cells[at].name


def _equal(one: Band, other: Band) -> bool:
    return np.array_equal(one.mean, other.mean, equal_nan=True)


def _edges(cells: Sequence[CellOverTime]) -> Numbers:
    """Return the edges of the cell whose timeline is the longest; all have bins of one width unless a sweep says so."""
    longest = max(cells, key=lambda one: len(one.timeline.edges_ns))
    return _plain(longest.timeline.edges_ns / S)


def _shades(cells: Sequence[CellOverTime]) -> tuple[Shade, ...]:
    """Return the intervals that any cell plans, each once."""
    return tuple(dict.fromkeys(shade for one in cells for shade in one.shades))


def _left_out(cells: Sequence[CellOverTime], most: int = MOST_LINES) -> str:
    notes = []
    if len(cells) > most:
        notes.append(f"the first {most} of {len(cells)} cells")
    if any(one.timeline.is_cut for one in cells):
        notes.append("the simulation goes on behind the last bin")
    return "; ".join(notes)
