"""Draws a metric over one swept key as lines with intervals."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import FixedLocator, NullLocator

from sim.measure.quantities import Unit
from sim.pictures.data.sweeps import metric_data
from sim.pictures.data.ticks import duration_ticks
from sim.pictures.drawing import label, line_style, new_axes, new_figure, note
from sim.pictures.metric_axes import dress, linear_ticks
from sim.pictures.own_axes import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.measure.estimates import Estimate
    from sim.pictures.data.levels import SweptCell
    from sim.pictures.data.scales import Scale
    from sim.pictures.data.sweeps import LevelAxis, SweepLines

LEAST_STEP = 0.07
"""Values that are all so far apart, as a share of an axis, can all be written along it."""


def plot_metric(cells: Sequence[SweptCell], path: str, over: str, ax: Axes | None = None) -> Axes:
    """Draw a metric over one swept key, a line for each variant and each combination of the other keys' values.

    Raises KeyError if the key is not swept or there is no such metric.
    """
    return draw_sweep_lines(metric_data(cells, path, over), ax)


def draw_sweep_lines(data: SweepLines, ax: Axes | None = None) -> Axes:
    """Draw the lines, with a legend beside the axes if there are several."""
    if ax is not None:
        _draw_lines(data, ax)
        return settle(ax)
    ax = new_axes()
    _draw_lines(data, ax)
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=8, handlelength=4)
    return ax


def sweep_figure(data: SweepLines) -> Figure:
    """Draw the same with a legend above the axes."""
    figure = new_figure(8, 4.8 + 0.12 * len(data.lines))
    ax = figure.add_subplot()
    _draw_lines(data, ax)
    handles, texts = ax.get_legend_handles_labels()
    if len(handles) > 1:
        figure.legend(handles, texts, loc="outside upper center", ncols=min(4, len(handles)), handlelength=5)
    return figure


def _draw_lines(data: SweepLines, ax: Axes) -> None:
    if data.note:
        note(ax, data.note)
        ax.set_axis_off()
        return
    for index, line in enumerate(data.lines):
        style = line_style(index, len(data.lines))
        # Side by side, as far as that goes, so that intervals at the same value do not hide one another.
        shift = _shift(index, len(data.lines), data.x)
        points = [(shift(point.place), point.estimate) for point in line.points]
        _draw_line(ax, points, data.y, style, label(line.name) or None)
    dress(ax, "y", data.y, data.y_label)
    _dress_levels(ax, data.x)
    ax.set_title(data.title)


def _draw_line(
    ax: Axes, points: Sequence[tuple[float, Estimate]], scale: Scale, style: Mapping[str, Any], name: str | None
) -> None:
    """Draw one line with its intervals, broken at infinite values."""
    finite = [math.nan if one.value is None or math.isinf(one.value) else one.value for _, one in points]
    dots: dict[str, Any] = {"marker": "o", "markersize": 4}
    ax.plot([x for x, _ in points], finite, label=name, **{**style, **dots, "markevery": None})
    never = [x for x, one in points if one.value is not None and math.isinf(one.value)]
    if scale.never is not None:
        hollow: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "white", "zorder": 3}
        ax.plot(never, [scale.never] * len(never), color=style["color"], **dots, **hollow)
    for x, one in points:
        if one.low is not None and one.high is not None:
            ends = [scale.at(one.low), scale.at(one.high)]
            ax.plot([x, x], ends, color=style["color"], linewidth=1, alpha=0.8)


def _shift(index: int, count: int, axis: LevelAxis) -> Callable[[float], float]:
    """Return a function that moves a place aside a little: all lines together fill a tenth of the narrowest step."""
    ordered = sorted(axis.places)
    if axis.log:
        ratio = min((after / before for before, after in pairwise(ordered)), default=1.0)
        return lambda at: float(at * ratio ** (0.12 * (index - (count - 1) / 2) / count))
    step = min((after - before for before, after in pairwise(ordered)), default=1.0)
    return lambda at: at + 0.12 * step * (index - (count - 1) / 2) / count


def _dress_levels(ax: Axes, axis: LevelAxis) -> None:
    """Give x the ends, ticks and label of a swept key."""
    ax.set_xlabel(axis.label)
    low, high = min(axis.places), max(axis.places)
    if axis.unit is None:
        ax.set_xticks(axis.places, [label(text, 14) for text in axis.texts])
        ax.set_xlim(low - 0.4, high + 0.4)
        return
    positions: Sequence[float]
    texts: Sequence[str]
    if axis.log:
        ax.set_xscale("log")
        low, high = low / (high / low) ** 0.06, high * (high / low) ** 0.06
        positions, texts = duration_ticks(low, high) if axis.unit == Unit.duration.value else ([], [])
    else:
        room = 0.05 * (high - low) or 0.5
        low, high = low - room, high + room
        positions, texts = linear_ticks(low, high, axis.unit)
    if not positions or _have_room(axis, low, high):
        positions, texts = axis.places, axis.texts
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(FixedLocator(positions))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels(texts)


def _have_room(axis: LevelAxis, low: float, high: float) -> bool:
    """Say whether the values themselves can be written along an axis from `low` to `high`."""
    along = sorted(
        math.log(place / low) / math.log(high / low) if axis.log else (place - low) / (high - low)
        for place in axis.places
    )
    return all(after - before >= LEAST_STEP for before, after in pairwise(along))
