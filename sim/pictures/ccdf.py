"""Draws curves of waiting: the share of requests that still waits after a time t, CCDF(t), on logarithmic axes.

A curve stays above a plateau if some requests wait for ever; their share is written beside it. Requests that did not
wait at all stand left of the axis, at a place marked 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sim.pictures.data.ccdf import detection_lag_data, time_to_effect_data, time_to_known_data
from sim.pictures.drawing import (
    FAINT,
    label,
    line_style,
    named_figure,
    new_axes,
    note,
    set_share_axis,
    set_time_axis,
    spread,
    with_legend,
    with_legend_above,
)
from sim.pictures.own_axes import settle
from sim.text.numerals import percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.pictures.data.ccdf import Ccdf, Curve
    from sim.text.reported import Cell


LABELS: Final = 0.06
"""The share of the width, from the left, in which the percentiles have their names."""


def plot_time_to_effect(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests that is still without its effect after t, over all that were not canceled."""
    return draw_ccdf(time_to_effect_data(cells), ax)


def plot_time_to_known(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of requests that is not settled after t, over all that were not canceled."""
    return draw_ccdf(time_to_known_data(cells), ax)


def plot_detection_lag(cells: Sequence[Cell], ax: Axes | None = None) -> Axes:
    """Draw the share of settled requests whose end was noticed later than t."""
    return draw_ccdf(detection_lag_data(cells), ax)


def draw_ccdf(data: Ccdf, ax: Axes | None = None) -> Axes:
    """Draw one curve a cell, with a legend; curves that have no name are gray."""
    return with_legend(draw_curves(data), from_left=LABELS) if ax is None else settle(draw_curves(data, ax))


def times_figure(effect: Ccdf, known: Ccdf) -> Figure:
    """Draw the times to effect and to known of the same cells beside one another, with one legend."""
    figure = named_figure(11, 4.8, _names(effect))
    left, right = figure.subplots(1, 2)
    draw_curves(effect, left)
    draw_curves(known, right)
    return with_legend_above(figure, left)


def ccdf_figure(data: Ccdf) -> Figure:
    """Draw one curve a cell, with a legend above the axes."""
    figure = named_figure(8, 4.6, _names(data))
    return with_legend_above(figure, draw_curves(data, figure.add_subplot()))


def _names(data: Ccdf) -> list[str]:
    return [curve.name for curve in data.curves if curve.named]


def draw_curves(data: Ccdf, ax: Axes | None = None) -> Axes:
    """Draw one curve a cell, without a legend."""
    ax = new_axes() if ax is None else ax
    ax.set_title(data.title)
    if data.is_empty:
        note(ax, data.note)
        ax.set_axis_off()
        return ax
    set_share_axis(ax, data.floor)
    set_time_axis(ax, data.low_ns, data.high_ns, data.zero_ns)
    _mark_quantiles(ax, data)
    named = [curve for curve in data.curves if curve.named]
    position = 0
    for curve in data.curves:
        times_ns, shares = _corners(data, curve)
        if curve.named:
            style = line_style(position, len(named))
            ax.plot(times_ns, shares, drawstyle="steps-post", label=_label_of(curve), zorder=2.5, **style)
            position += 1
        else:
            ax.plot(times_ns, shares, drawstyle="steps-post", color=FAINT, linewidth=0.7, zorder=2)
    if len(named) < len(data.curves):
        ax.plot([], [], color=FAINT, linewidth=0.7, label=f"{len(data.curves) - len(named)} cells between them")
    _name_plateaus(ax, named, data.floor)
    if data.note:
        note(ax, data.note)
    if data.is_endless:
        ax.set_xticks([])
    ax.set_xlabel(data.x_label)
    ax.set_ylabel(data.y_label)
    return ax


def _mark_quantiles(ax: Axes, data: Ccdf) -> None:
    for name, share in data.quantiles:
        ax.axhline(share, color=FAINT, linewidth=0.7, zorder=0)
        ax.annotate(
            name,
            (0.01, share),
            (0, 1),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=7,
            color="#666666",
        )


def _label_of(curve: Curve) -> str:
    name = label(curve.name)
    if not curve.requests:
        return f"{name}\n(no request)"
    return f"{name}\n({percent_text(curve.zero)} at 0)" if curve.zero else name


def _corners(data: Ccdf, curve: Curve) -> tuple[list[float], list[float]]:
    """Return the corners of one curve; if it has no plateau, it leaves the picture downwards."""
    if not curve.requests:
        return [], []
    times_ns = [data.zero_ns if data.zero_ns and time_ns == 0 else time_ns for time_ns in curve.times_ns]
    times_ns = [min([data.low_ns, *times_ns[:1]]), *times_ns]
    shares = [1.0, *(share if share > 0 else data.floor / 10 for share in curve.shares)]
    if curve.never:
        times_ns.append(data.high_ns)
        shares.append(curve.never)
    return times_ns, shares


def _name_plateaus(ax: Axes, curves: Sequence[Curve], floor: float) -> None:
    """Write beside the axes which share of each cell's requests waits for ever."""
    plateaus = [(index, curve.never) for index, curve in enumerate(curves) if curve.never]
    heights = [max(0.0, math.log(never / floor) / math.log(1.15 / floor)) for _, never in plateaus]
    for (index, never), height, placed in zip(plateaus, heights, spread(heights, 0.042), strict=True):
        color = line_style(index, len(curves))["color"]
        ax.plot((1.0, 1.025), (height, placed), transform=ax.transAxes, color=color, linewidth=1, clip_on=False)
        ax.text(
            1.03, placed, f"never {percent_text(never)}", transform=ax.transAxes, color=color, va="center", fontsize=7.5
        )
