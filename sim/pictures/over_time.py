"""Draws what happens over time: lines with bands above one another, and stacks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sim.pictures.data.over_time import OverTime, load_data, pools_data, rejections_data, utilization_data
from sim.pictures.drawing import (
    BLACK,
    HATCHES,
    PALETTE,
    label,
    line_style,
    new_axes,
    new_figure,
)
from sim.pictures.own_axes import settle
from sim.pictures.saving import save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.pictures.data.over_time import (
        BandLine,
        CellOverTime,
        Shade,
        StackPanel,
        StacksOverTime,
        TimePanel,
    )

    Floats = np.typing.NDArray[np.float64]

SHADE: Final = "#EDEDED"
MOST_COLUMNS: Final = 4
"""Of a legend."""
WIDER: Final = 1.03
"""Letters are rounded up to whole points, and so wider before a figure is saved, with more points, than after."""


def save_over_time(cells: Sequence[CellOverTime], caption: str, folder: Path, *, svg: bool = False) -> list[Path]:
    """Write the pictures over time into `folder`, as `sim.pictures.saving.save` does; none without a timeline."""
    if not cells:
        return []
    figures: dict[str, Any] = {"over_time": partial(over_time_figure, load_data(cells, caption))}
    if (rejections := rejections_data(cells, caption)) is not None:
        figures["rejections"] = partial(stacks_over_time_figure, rejections)
    if (utilization := utilization_data(cells, caption)) is not None:
        figures["utilization"] = partial(over_time_figure, utilization)
    if (pools := pools_data(cells, caption)) is not None:
        figures["pools"] = partial(over_time_figure, pools)
    return save(figures, caption, folder, svg=svg)


def draw_panel(data: OverTime, panel: int = 0, ax: Axes | None = None) -> Axes:
    """Draw one panel on axes of its own, with the names of cells that only the first of several panels has."""
    is_own = ax is not None
    ax = new_axes() if ax is None else ax
    drawn = data.panels[panel]
    cells = {line.cell: line.name.partition(": ")[2] for line in data.panels[0].lines}
    lines = tuple(line if line.name else replace(line, name=cells.get(line.cell, "")) for line in drawn.lines)
    _draw_lines(data, replace(drawn, lines=lines), ax)
    _dress(data, ax)
    ax.set_title(drawn.title or data.title, pad=16)
    if is_own:
        return settle(ax)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="best", handlelength=4, fontsize=8)
    return ax


def over_time_figure(data: OverTime) -> Figure:
    """Draw all panels above one another, with one legend above them."""
    figure = new_figure(8, 1.1 + 1.75 * len(data.panels))
    axes = figure.subplots(len(data.panels), 1, sharex=True, squeeze=False)[:, 0].tolist()
    for ax, panel in zip(axes, data.panels, strict=True):
        _draw_lines(data, panel, ax)
    return _finished(figure, axes, data)


def stacks_over_time_figure(data: StacksOverTime) -> Figure:
    """Draw all stacks above one another, on one scale, with one legend above them."""
    figure = new_figure(8, 1.3 + 1.6 * len(data.panels))
    axes = figure.subplots(len(data.panels), 1, sharex=True, sharey=True, squeeze=False)[:, 0].tolist()
    for ax, panel in zip(axes, data.panels, strict=True):
        draw_stack(data, panel, ax)
    top = max(float(np.sum([values for _, values in panel.layers], axis=0).max()) for panel in data.panels)
    axes[0].set_ylim(0, 1.05 * top)
    return _finished(figure, axes, data)


def draw_stack(data: StacksOverTime, panel: StackPanel, ax: Axes) -> Axes:
    """Draw one stack."""
    below = np.zeros(len(data.edges_s) - 1)
    for index, (name, values) in enumerate(panel.layers):
        padded = np.zeros(len(below))
        padded[: len(values)] = values
        ax.stairs(
            below + padded,
            data.edges_s,
            baseline=below,
            fill=True,
            facecolor=PALETTE[index % len(PALETTE)],
            edgecolor="white",
            linewidth=0,
            hatch=HATCHES[index % len(HATCHES)],
            label=name,
        )
        below = below + padded
    ax.set_ylabel(panel.y_label)
    if panel.name:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1.5}
        ax.text(0.01, 0.95, label(panel.name, 80, 1), transform=ax.transAxes, ha="left", va="top", bbox=box)
    return ax


def _draw_lines(data: OverTime, panel: TimePanel, ax: Axes) -> None:
    count = 1 + max(line.cell for line in panel.lines)
    references = sum(line.is_reference for line in panel.lines)
    for line in panel.lines:
        style = _reference(line, alone=references == 1) if line.is_reference else line_style(line.cell, count)
        style |= {"markevery": None} if "marker" in style else {}
        _draw_line(ax, np.array(data.edges_s), line, style)
    ax.set_ylabel(panel.y_label)
    if panel.is_share:
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        ax.set_ylim(0, 1.04)
    else:
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _reference(line: BandLine, *, alone: bool) -> dict[str, Any]:
    """Return how to draw what others are held against: thin and dotted, black if all cells share it."""
    color = BLACK if alone else PALETTE[line.cell % len(PALETTE)]
    return {"color": color, "linestyle": (0, (1, 1.5)), "linewidth": 1.3, "zorder": 3}


def _draw_line(ax: Axes, edges_s: Floats, line: BandLine, style: dict[str, Any]) -> None:
    """Draw a line through the middles of its bins, and its band."""
    middles = ((edges_s[:-1] + edges_s[1:]) / 2)[: len(line.mean)]
    ax.plot(middles, line.mean, label=label(line.name) if line.name else None, **style)
    if line.low is not None and line.high is not None and not line.is_reference:
        ax.fill_between(middles, line.low, line.high, color=style["color"], alpha=0.18, linewidth=0)


def _finished(figure: Figure, axes: Sequence[Axes], data: OverTime | StacksOverTime) -> Figure:
    for ax in axes:
        _shade(ax, data.shades)
        ax.set_xlim(float(data.edges_s[0]), float(data.edges_s[-1]))
        ax.margins(x=0)
    _label_time(axes[-1], data)
    axes[0].set_title(f"{data.title}{f' ({data.note})' if data.note else ''}", pad=16)
    _name_shades(axes[0], data)
    handles, texts = axes[0].get_legend_handles_labels()
    if handles:
        _add_legend(figure, handles, texts)
    return figure


def _add_legend(figure: Figure, handles: Sequence[Any], texts: Sequence[str]) -> None:
    """Add a legend above the axes, in as many columns as fit."""
    for columns in range(min(MOST_COLUMNS, len(texts)), 0, -1):
        legend = figure.legend(handles, texts, loc="outside upper center", ncols=columns, handlelength=4)
        if columns == 1 or legend.get_window_extent().width <= WIDER * figure.bbox.width:
            return
        legend.remove()


def _dress(data: OverTime, ax: Axes) -> None:
    _shade(ax, data.shades)
    ax.set_xlim(float(data.edges_s[0]), float(data.edges_s[-1]))
    _label_time(ax, data)
    _name_shades(ax, data)


def _label_time(ax: Axes, data: OverTime | StacksOverTime) -> None:
    has_bands = isinstance(data, OverTime) and any(
        line.low is not None for panel in data.panels for line in panel.lines
    )
    bands = "; bands: 95 % intervals of the means" if has_bands else ""
    ax.set_xlabel(f"simulated time in seconds (bins of {data.edges_s[1] - data.edges_s[0]:g} s{bands})")
    ax.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))


def _shade(ax: Axes, shades: Sequence[Shade]) -> None:
    for shade in shades:
        ax.axvspan(shade.from_s, shade.to_s, facecolor=SHADE, edgecolor="#BDBDBD", linewidth=0.6, zorder=0)


def _name_shades(ax: Axes, data: OverTime | StacksOverTime) -> None:
    """Write what is planned into the top of its interval, each text once, where it has room."""
    end = float(data.edges_s[-1])
    for shade in {one.text: one for one in reversed(data.shades)}.values():
        middle = (shade.from_s + min(shade.to_s, end)) / 2
        if shade.from_s < end:
            ax.annotate(
                label(shade.text, 40, 1),
                (middle, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7,
                color="#555555",
            )
