"""Draws how the delays of a policy spread: all of them pale, the middle half darker, the median marked."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from sim.pictures.data.delays import delays_data
from sim.pictures.data.ticks import duration_ticks
from sim.pictures.drawing import (
    GRAY,
    MARKERS,
    PALETTE,
    label,
    new_axes,
    new_figure,
    note,
    with_legend,
    with_legend_above,
)
from sim.pictures.own_axes import settle
from sim.pictures.saving import save
from sim.text.numerals import duration_text

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.pictures.data.delays import DelayBands
    from sim.retriers.presets.preset import Preset

HALF_WIDTH: Final = 0.32
"""Of a bar, in retries; several bands stand beside each other."""
_ZEROS: Final = re.compile(r"\.0+(?= )|(?<=\.[1-9])0+(?= )")
FLOOR: Final = 8
"""The lowest place of a logarithmic axis is so many times shorter than the shortest median; 0 stands there."""


def save_delays(preset: Preset, caption: str, folder: Path, name: str, *, svg: bool = False) -> list[Path]:
    """Write the picture as `name`.png into `folder`, as `sim.pictures.saving.save` does; return the files."""
    return save({name: partial(delays_figure, delays_data(preset, caption))}, caption, folder, svg=svg)


def delays_figure(data: DelayBands) -> Figure:
    """Draw the bands on a figure of their own."""
    figure = new_figure(8, 4.6)
    ax = figure.add_subplot()
    _draw(data, ax)
    return with_legend_above(figure, ax)


def draw_delays(data: DelayBands, ax: Axes | None = None) -> Axes:
    """Draw a bar for each retry and law: its spread, its middle half, its median."""
    if ax is not None:
        _draw(data, ax)
        return settle(ax)
    ax = new_axes()
    _draw(data, ax)
    return with_legend(ax, "upper left")


def _draw(data: DelayBands, ax: Axes) -> None:
    ax.set_title(data.title)
    if data.note:
        note(ax, data.note)
        ax.set_axis_off()
        return
    floor_ns = _floor_ns(data) if data.is_log else 0.0
    for index in range(len(data.bands)):
        _draw_band(ax, data, index, floor_ns)
    if data.last_retry is not None:
        ax.axvline(data.last_retry + 0.5, color=GRAY, linewidth=1, linestyle=(0, (4, 3)))
        ax.text(data.last_retry + 0.56, 0.98, "not reached", transform=ax.get_xaxis_transform(), va="top", color=GRAY)
    ax.set_xlabel(data.x_label)
    ax.set_ylabel(data.y_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(0.4, max(len(band.median) for band in data.bands) + 0.6)
    _dress_time(ax, data, floor_ns)


def _draw_band(ax: Axes, data: DelayBands, index: int, floor_ns: float) -> None:
    band, width = data.bands[index], 2 * HALF_WIDTH / len(data.bands)
    color = PALETTE[index % len(PALETTE)]
    lefts = [n - HALF_WIDTH + index * width for n in range(1, len(band.median) + 1)]
    prefix = f"{label(band.name, 60, 1)}: " if band.name else ""
    for lower, upper, alpha, text in (
        (band.least, band.most, 0.25, "all delays"),
        (band.low, band.high, 0.6, "the middle half"),
    ):
        if band.has_jitter:
            bottoms = [max(delay, floor_ns) for delay in lower]
            heights = [max(delay, floor_ns) - bottom for delay, bottom in zip(upper, bottoms, strict=True)]
            ax.bar(lefts, heights, width, bottoms, align="edge", color=color, alpha=alpha, lw=0, label=prefix + text)
    ax.plot(
        [left + width / 2 for left in lefts],
        [max(delay, floor_ns) for delay in band.median],
        label=prefix + ("median" if band.has_jitter else "delay, without jitter"),
        color=color,
        linestyle=(0, (1, 2)),
        linewidth=1,
        marker=MARKERS[index % len(MARKERS)],
        markersize=5.5,
        markeredgecolor="white",
        zorder=3,
    )


def _floor_ns(data: DelayBands) -> float:
    return min(delay for band in data.bands for delay in band.median if delay) / FLOOR


def _dress_time(ax: Axes, data: DelayBands, floor_ns: float) -> None:
    """Write times as people do; a logarithmic axis begins with a place for 0, if a delay can be so short."""
    highest_ns = max(delay for band in data.bands for delay in band.most)
    if not data.is_log:
        ax.set_ylim(0, 1.14 * highest_ns)
        step_ns, ticks = _step_ns(highest_ns), [0.0]
        while ticks[-1] + step_ns <= 1.05 * highest_ns:
            ticks.append(ticks[-1] + step_ns)
        ax.set_yticks(ticks, [_ZEROS.sub("", duration_text(tick)) if tick else "0" for tick in ticks])
        return
    ax.set_yscale("log")
    reaches_floor = any(delay <= floor_ns for band in data.bands for delay in band.least)
    positions, texts = duration_ticks(1.5 * floor_ns if reaches_floor else floor_ns, 1.3 * highest_ns)
    if reaches_floor:
        positions, texts = [floor_ns, *positions], ["0", *texts]
    ax.yaxis.set_major_locator(FixedLocator(positions))
    ax.set_yticklabels(texts)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(floor_ns, 2.2 * highest_ns)


def _step_ns(highest_ns: float) -> float:
    """Return a round step that divides the axis into three to eight parts."""
    positions, _ = duration_ticks(highest_ns / 8, highest_ns / 2)
    return positions[0] if positions else highest_ns / 4
