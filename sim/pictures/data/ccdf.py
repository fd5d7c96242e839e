"""Curves of waiting: the share of requests that still waits after a time t, CCDF(t), for logarithmic axes.

A request that waits for ever keeps its curve above a plateau; a request that waited for no time at all stands at a
place of its own, left of the axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.measure.quantities import QUANTILES
from sim.pictures.data.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.measure.metrics import Tail
    from sim.text.reported import Cell

LOWEST_FLOOR, HIGHEST_FLOOR = 2e-5, 5e-4
"""Between these shares the logarithmic axis of shares ends."""

MOST_NAMED, NAMED_OF_MANY = 14, 7
"""Up to so many curves all have names; of more curves only so few."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The curve of one cell."""

    name: str
    """The cell's name."""
    named: bool
    """Whether the picture tells this curve apart from the others; of many cells it names a few."""
    times_ns: tuple[float, ...]
    """Shape (points,), ascending, finite."""
    shares: tuple[float, ...]
    """Shape (points,): the share of requests that wait longer than `times_ns`."""
    zero: float
    """The share of requests that did not wait at all."""
    never: float
    """The share of requests that wait for ever."""
    requests: int
    """How many requests the curve counts; without any, its other numbers say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ccdf(Picture):
    """The curves of all cells, and the axes they stand on."""

    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    """One a cell, in the order of the cells."""
    quantiles: tuple[tuple[str, float], ...]
    """What is marked: a quantile's name and the share that waits longer, such as (`p99`, 0.01)."""
    low_ns: float
    high_ns: float
    """The ends of the axis of time."""
    zero_ns: float | None
    """The place on that axis that stands for 0; None if no request waited for 0."""
    floor: float
    """The lower end of the axis of shares; the upper end is 1."""

    @property
    def is_empty(self) -> bool:
        """Whether no cell has a request that counts, so that there is no curve."""
        return not any(curve.requests for curve in self.curves)

    @property
    def is_endless(self) -> bool:
        """Whether every request waits for ever, so that there is no time to show."""
        return all(curve.never == 1 for curve in self.curves if curve.requests)


@dataclass(frozen=True, slots=True)
class _Words:
    """What the picture of a time says."""

    quantity: str
    title: str
    y_label: str
    x_label: str
    uncounted: str
    """Why no request counts, although there are requests."""
    endless: str
    """That every request waits for ever."""


TIME_TO_EFFECT = _Words(
    "time_to_effect",
    "Time to effect",
    "share of requests still without effect",
    "time since submission",
    "Every request was canceled.",
    "No request ever had its effect.",
)
TIME_TO_KNOWN = _Words(
    "time_to_known",
    "Time to known",
    "share of requests not settled yet",
    "time since submission",
    "Every request was canceled.",
    "No request was ever settled.",
)
DETECTION_LAG = _Words(
    "detection_lag",
    "Detection lag",
    "share of settled requests, end not noticed yet",
    "time since the real end of the last attempt",
    "No request was settled after the end of an attempt.",
    "",
)


def time_to_effect_data(cells: Sequence[Cell], caption: str = "") -> Ccdf:
    """Return the shares of requests still without effect after t, over all requests that were not canceled."""
    return _ccdf(cells, TIME_TO_EFFECT, caption)


def time_to_known_data(cells: Sequence[Cell], caption: str = "") -> Ccdf:
    """Return the shares of requests not settled after t, over all requests that were not canceled."""
    return _ccdf(cells, TIME_TO_KNOWN, caption)


def detection_lag_data(cells: Sequence[Cell], caption: str = "") -> Ccdf:
    """Return the shares of settled requests whose end the retrier noticed later than t after it."""
    return _ccdf(cells, DETECTION_LAG, caption)


def named_among(cells: Sequence[Cell]) -> list[int]:
    """Choose the cells whose curves have names: all, or of many a few spread from the quickest to the slowest.

    The order is that of the p99 of the time to effect, then of the share of requests that never have it.
    """
    if len(cells) <= MOST_NAMED:
        return list(range(len(cells)))

    def slowness(position: int) -> tuple[float, float]:
        p99 = cells[position].metrics.value("time_to_effect.p99").value
        return (math.inf if p99 is None else p99, cells[position].metrics.tail("time_to_effect").never)

    order = sorted(range(len(cells)), key=slowness)
    return sorted(order[round(step * (len(order) - 1) / (NAMED_OF_MANY - 1))] for step in range(NAMED_OF_MANY))


def _ccdf(cells: Sequence[Cell], words: _Words, caption: str) -> Ccdf:
    tails = [cell.metrics.tail(words.quantity) for cell in cells]
    named = named_among(cells)
    low_ns, high_ns, zero_ns = _time_range(tails)
    return Ccdf(
        title=words.title,
        x_label=words.x_label,
        y_label=words.y_label,
        curves=tuple(
            Curve(
                name=cell.name,
                named=position in named,
                times_ns=tuple(tail.times_ns.tolist()),
                shares=tuple(tail.shares.tolist()),
                zero=tail.zero,
                never=tail.never,
                requests=tail.count,
            )
            for position, (cell, tail) in enumerate(zip(cells, tails, strict=True))
        ),
        quantiles=tuple((name, float(1 - share)) for name, share in QUANTILES.items()),
        low_ns=low_ns,
        high_ns=high_ns,
        zero_ns=zero_ns,
        floor=_floor(tails),
        note=_note(cells, tails, words),
        caption=caption,
    )


def _note(cells: Sequence[Cell], tails: Sequence[Tail], words: _Words) -> str:
    if not any(tail.count for tail in tails):
        return words.uncounted if any(len(cell.metrics) for cell in cells) else "No request counts."
    if all(tail.never == 1 for tail in tails if tail.count):
        return words.endless
    return "" if any((tail.times_ns > 0).any() for tail in tails) else "Whatever came, came at once."


def _floor(tails: Sequence[Tail]) -> float:
    """Choose where the axis of shares ends: below the least share that any curve reaches, and below p99.9."""
    reached = [share for tail in tails for share in (*tail.shares.tolist(), tail.never) if share > 0]
    return min(max(0.6 * min(reached, default=1.0), LOWEST_FLOOR), HIGHEST_FLOOR)


def _time_range(tails: Sequence[Tail]) -> tuple[float, float, float | None]:
    """Choose the ends of the axis of time, at least a decade apart, and the place of zero if any time is 0."""
    firsts, lasts = [], []
    for tail in tails:
        positive = tail.times_ns > 0
        if positive.any():
            # Before this time fewer than 1 in 200 requests are through: the axis can begin here.
            under = positive & (tail.shares <= 1 - 0.005)
            firsts.append(float(tail.times_ns[under if under.any() else positive][0]))
            lasts.append(float(tail.times_ns[-1]))
    low_ns, high_ns = (min(firsts) / 1.3, max(lasts) * 1.3) if firsts else (1e6, 1e9)
    if high_ns < 10 * low_ns:
        middle_ns = math.sqrt(low_ns * high_ns)
        low_ns, high_ns = middle_ns / math.sqrt(10), middle_ns * math.sqrt(10)
    if not any(tail.zero for tail in tails):
        return low_ns, high_ns, None
    step = (high_ns / low_ns) ** 0.06
    return low_ns / step**2, high_ns, low_ns / step
