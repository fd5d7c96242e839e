"""Draws a metric over two swept keys as a field of colors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullLocator

from sim.pictures.data.heat_map import heat_data
from sim.pictures.data.ticks import duration_ticks
from sim.pictures.drawing import label, new_axes, new_figure
from sim.pictures.metric_axes import linear_ticks
from sim.pictures.own_axes import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from sim.pictures.data.heat_map import ColorScale, HeatMap, HeatMaps
    from sim.pictures.data.levels import SweptCell

MOST_WRITTEN = 12
"""The fields of a heat map of more columns have no room for their values."""
COLUMN_LETTERS = 14
ROW_LETTERS = 18
"""Labels of columns and rows are wrapped to so many letters."""
COLORS = "cividis"
"""Even in lightness, and the same to every color vision (J. R. Nunez and others, PLoS ONE 13(7), 2018)."""
_NEVER = "#D9D9D9"
_BOUNDARY = "#D55E00"


def plot_heat(cells: Sequence[SweptCell], path: str, x: str, y: str, ax: Axes | None = None) -> Axes:
    """Draw a metric over two swept keys, a field for each pair of values; a field that says `never` is gray.

    Raises KeyError if a key is not swept or there is no such metric, ValueError if several cells share a field.
    """
    return draw_heat(heat_data(cells, path, x, y), ax)


def draw_heat(data: HeatMap, ax: Axes | None = None) -> Axes:
    """Draw one heat map, with its scale of colors beside it."""
    is_own = ax is not None
    ax = new_axes() if ax is None else ax
    _draw_fields(data, ax)
    ax.set_title(data.title)
    if is_own:
        settle(ax)
    figure = ax.get_figure()
    if isinstance(figure, Figure):
        _draw_color_bar(figure, [ax], data.colors)
    return ax


def heat_figure(data: HeatMaps) -> Figure:
    """Draw a heat map for each variant, with one scale of colors beside them all."""
    width = 1.8 + _column_in(data) * max(5, *(len(panel.columns) for panel in data.panels))
    height = 1.5 + _row_in(data) * max(4, *(len(panel.rows) for panel in data.panels))
    across = min(3, len(data.panels))
    down = math.ceil(len(data.panels) / across)
    figure = new_figure(width * across + 0.8, height * down)
    axes = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for ax, panel in zip(axes, data.panels, strict=False):
        _draw_fields(panel, ax)
        if panel.variant:
            ax.set_title(label(panel.variant), fontsize=9)
    for ax in axes[len(data.panels) :]:
        ax.set_axis_off()
    figure.suptitle(data.title, fontsize=11)
    _draw_color_bar(figure, axes, data.colors)
    return figure


def _column_in(data: HeatMaps) -> float:
    """Return how wide a column is in inches: its label and its values have room."""
    texts = [
        line for panel in data.panels for text in panel.columns for line in label(text, COLUMN_LETTERS).split("\n")
    ]
    texts += [field.text for panel in data.panels for field in panel.fields]
    return max(0.62, 0.14 + 0.078 * max(map(len, texts), default=0))


def _row_in(data: HeatMaps) -> float:
    """Return how high a row is in inches: the lines of its label have room."""
    lines = max((label(text, ROW_LETTERS).count("\n") + 1 for panel in data.panels for text in panel.rows), default=1)
    return max(0.42, 0.12 + 0.15 * lines)


def key_label(key: str, room_in: float) -> str:
    """Write a dotted key in two lines, broken behind a dot, if one would be longer than the room."""
    dots = [at + 1 for at, letter in enumerate(key) if letter == "."]
    if len(key) * 0.08 <= room_in or not dots:
        return key
    middle = min(dots, key=lambda at: abs(at - len(key) / 2))
    return f"{key[:middle]}\n{key[middle:]}"


class _Palette:
    """The color of each value."""

    def __init__(self, scale: ColorScale) -> None:
        self.map = colormaps[COLORS]
        high = scale.high if scale.high > scale.low else scale.low + 1
        self.norm: Normalize = LogNorm(scale.low, scale.high) if scale.log else Normalize(scale.low, high)

    def of(self, value: float) -> tuple[float, float, float]:
        """Return the color of a finite value: red, green and blue from 0 to 1."""
        return to_rgb(self.map(float(self.norm(value))))


def _draw_fields(data: HeatMap, ax: Axes) -> None:
    palette = _Palette(data.colors)
    for field in data.fields:
        value = math.inf if field.value is None else field.value
        infinite = math.isinf(value)
        color = to_rgb(_NEVER) if infinite else palette.of(value)
        ax.add_patch(
            Rectangle(
                (field.column - 0.5, field.row - 0.5),
                1,
                1,
                facecolor=color,
                edgecolor="white",
                hatch="///" if infinite else None,
                linewidth=0.8,
            )
        )
        if len(data.columns) <= MOST_WRITTEN:
            dark = 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2] < 0.5
            ax.text(
                field.column,
                field.row,
                field.text,
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else "black",
                bbox={"facecolor": _NEVER, "edgecolor": "none", "pad": 1.0} if infinite else None,
            )
    for edge in data.boundary:
        # Light around dark, so that it is seen between fields of any color.
        ax.plot(edge.x, edge.y, color="white", linewidth=5, solid_capstyle="round", zorder=2.5)
    for edge in data.boundary:
        ax.plot(edge.x, edge.y, color=_BOUNDARY, linewidth=2.5, solid_capstyle="round", zorder=2.6)
    ax.set_xlim(-0.5, len(data.columns) - 0.5)
    ax.set_ylim(-0.5, len(data.rows) - 0.5)
    ax.set_xticks(range(len(data.columns)), [label(text, COLUMN_LETTERS) for text in data.columns])
    ax.set_yticks(range(len(data.rows)), [label(text, ROW_LETTERS) for text in data.rows])
    ax.tick_params(length=0)
    ax.set_xlabel(key_label(data.x_label, 0.62 * max(5, len(data.columns))))
    ax.set_ylabel(key_label(data.y_label, 0.42 * max(4, len(data.rows))))
    for side in ax.spines.values():
        side.set_visible(False)


def _draw_color_bar(figure: Figure, axes: Sequence[Axes], scale: ColorScale) -> None:
    if scale.low == scale.high:
        return
    palette = _Palette(scale)
    bar = figure.colorbar(ScalarMappable(palette.norm, palette.map), ax=list(axes), pad=0.02, aspect=25)
    ticks = duration_ticks(scale.low, scale.high) if scale.log else linear_ticks(scale.low, scale.high, scale.unit)
    positions, texts = ticks
    bar.ax.yaxis.set_major_locator(FixedLocator(positions))
    bar.ax.set_yticklabels(texts)
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.set_label(scale.label)
    bar.outline.set_visible(False)
