"""Curves of waiting: the share of requests that still waits after a time t, CCDF(t), on logarithmic axes.

What never comes is the plateau that a curve does not fall below, named beside it; what comes at once stands at a place
of its own to the left of the axis, marked 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from sim.measure.metrics import Tail
from sim.measure.quantities import QUANTILES
from sim.pictures.drawing import (
    FAINT,
    label,
    line_style,
    new_axes,
    note,
    set_share_axis,
    set_time_axis,
    spread,
    with_legend,
)
from sim.text.numerals import percent_text
from sim.text.reported import Cell

FLOORS = (2e-5, 5e-4)
"""Where the logarithmic axes of shares end at the lowest and at the highest."""


MOST_NAMED, NAMED_OF_MANY = 14, 7
"""So many curves are told apart; of more, so few are named."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the picture of a time says in words."""

    quantity: str
    title: str
    waiting: str
    since: str
    nobody: str
    """Why no request counts although there are requests."""
    never: str
    """That all are infinite."""


TIME_TO_EFFECT = Waiting(
    "time_to_effect",
    "Time to effect",
    "share of requests still without effect",
    "time since submission",
    "Every request was canceled.",
    "No request ever had its effect.",
)
TIME_TO_KNOWN = Waiting(
    "time_to_known",
    "Time to known",
    "share of requests not settled yet",
    "time since submission",
    "Every request was canceled.",
    "No request was ever settled.",
)
DETECTION_LAG = Waiting(
    "detection_lag",
    "Detection lag",
    "share of settled requests, end not noticed yet",
    "time since the real end of the last attempt",
    "No request was settled after the end of an attempt.",
    "",
)


def plot_time_to_effect(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests that is still without its effect after t, over all that were not canceled."""
    return with_legend(draw_tails(cells, TIME_TO_EFFECT, ax))


def plot_time_to_known(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests that is not settled after t, over all that were not canceled."""
    return with_legend(draw_tails(cells, TIME_TO_KNOWN, ax))


def plot_detection_lag(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of settled requests whose end was noticed later than t."""
    return with_legend(draw_tails(cells, DETECTION_LAG, ax))


def named_among(cells: Sequence[Cell]) -> list[int]:
    """Choose the cells whose curves are named: all, or of many a few spread from the quickest to the slowest.

    The order is that of the p99 of the time to effect, then of the share that never has any.
    """
    if len(cells) <= MOST_NAMED:
        return list(range(len(cells)))

    def slowness(position: int) -> tuple[float, float]:
        p99 = cells[position].metrics.value("time_to_effect.p99").value
        return (math.inf if p99 is None else p99, cells[position].metrics.tail("time_to_effect").never)

    order = sorted(range(len(cells)), key=slowness)
    return sorted(order[round(step * (len(order) - 1) / (NAMED_OF_MANY - 1))] for step in range(NAMED_OF_MANY))


def draw_tails(cells: Sequence[Cell], time: Waiting, ax: Axes | None = None) -> Axes:
    """Draw one curve a cell, without a legend; of many cells most are grey and have no name, see `named_among`."""
    ax = new_axes() if ax is None else ax
    ax.set_title(time.title)
    tails = [cell.metrics.tail(time.quantity) for cell in cells]
    if not any(tail.count for tail in tails):
        note(ax, time.nobody if any(len(cell.metrics) for cell in cells) else "No request counts.")
        ax.set_axis_off()
        return ax
    low_ns, high_ns, zero_ns = _time_range(tails)
    floor = _floor(tails)
    set_share_axis(ax, floor)
    set_time_axis(ax, low_ns, high_ns, zero_ns)
    for name, share in QUANTILES.items():
        height = float(1 - share)
        ax.axhline(height, color=FAINT, linewidth=0.7, zorder=0)
        ax.annotate(
            name,
            (0.01, height),
            (0, 1),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=7,
            color="#666666",
        )
    named = named_among(cells)
    for position, (cell, tail) in enumerate(zip(cells, tails, strict=True)):
        times_ns, shares = _corners(tail, (low_ns, high_ns), zero_ns, floor)
        if position not in named:
            ax.plot(times_ns, shares, drawstyle="steps-post", color=FAINT, linewidth=0.7, zorder=2)
            continue
        index = named.index(position)
        name = label(cell.name)
        if not tail.count:
            name += "\n(no request)"
        elif tail.zero:
            name += f"\n({percent_text(tail.zero)} at 0)"
        ax.plot(times_ns, shares, drawstyle="steps-post", label=name, zorder=2.5, **line_style(index, len(named)))
    if len(named) < len(cells):
        ax.plot([], [], color=FAINT, linewidth=0.7, label=f"{len(cells) - len(named)} cells between them")
    _name_plateaus(ax, [tails[position] for position in named], floor)
    if all(tail.never == 1 for tail in tails if tail.count):
        note(ax, time.never)
        ax.set_xticks([])
    elif not any((tail.times_ns > 0).any() for tail in tails):
        note(ax, "Whatever came, came at once.")
    ax.set_xlabel(time.since)
    ax.set_ylabel(time.waiting)
    return ax


def _floor(tails: Sequence[Tail]) -> float:
    """Choose where the axis of shares ends: below the least share that any curve reaches, and below p99.9."""
    reached = [share for tail in tails for share in (*tail.shares.tolist(), tail.never) if share > 0]
    return min(max(0.6 * min(reached, default=1.0), FLOORS[0]), FLOORS[1])


def _time_range(tails: Sequence[Tail]) -> tuple[float, float, float | None]:
    """Choose the ends of the axis of time, at least a decade apart, and the place of zero if any time is 0."""
    firsts, lasts = [], []
    for tail in tails:
        positive = tail.times_ns > 0
        if positive.any():
            # To the left of this nothing happens but that fewer than 1 in 200 requests are through.
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


def _corners(
    tail: Tail, ends_ns: tuple[float, float], zero_ns: float | None, floor: float
) -> tuple[list[float], list[float]]:
    """Return the corners of one curve; where nothing is infinite it leaves the picture downwards."""
    if not tail.count:
        return [], []
    times_ns = [zero_ns if zero_ns and time_ns == 0 else time_ns for time_ns in tail.times_ns.tolist()]
    times_ns = [min([ends_ns[0], *times_ns[:1]]), *times_ns]
    shares = [1.0, *(share if share > 0 else floor / 10 for share in tail.shares.tolist())]
    if tail.never:
        times_ns.append(ends_ns[1])
        shares.append(tail.never)
    return times_ns, shares


def _name_plateaus(ax: Axes, tails: Sequence[Tail], floor: float) -> None:
    """Write beside the axes which share of each cell's requests never comes."""
    ends = [(index, tail.never) for index, tail in enumerate(tails) if tail.never]
    heights = [max(0.0, math.log(never / floor) / math.log(1.15 / floor)) for _, never in ends]
    for (index, never), height, placed in zip(ends, heights, spread(heights, 0.042), strict=True):
        color = line_style(index, len(tails))["color"]
        ax.plot((1.0, 1.025), (height, placed), transform=ax.transAxes, color=color, linewidth=1, clip_on=False)
        ax.text(
            1.03, placed, f"never {percent_text(never)}", transform=ax.transAxes, color=color, va="center", fontsize=7.5
        )
