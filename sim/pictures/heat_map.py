"""A metric over two swept keys, as a field of colors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.colors import LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullLocator

from sim.measure.quantities import METRICS, Unit
from sim.pictures.drawing import (
    duration_ticks,
    label,
    new_axes,
)
from sim.pictures.metric_axes import linear_ticks, metric_words
from sim.pictures.sweep_levels import SPAN_OF_LOG, SweptCell, _levels, _title
from sim.text.numerals import value_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes


MOST_WRITTEN = 12
"""Columns of a heat map whose cells have room for their values."""


COLOURS = "cividis"
"""Even in lightness, and the same to every colour vision (J. R. Nunez and others, PLoS ONE 13(7), 2018)."""


_NEVER = "#D9D9D9"


def plot_heat(cells: Sequence[SweptCell], path: str, x: str, y: str, ax: Axes | None = None) -> Axes:
    """Draw a metric over two swept keys, a field for each pair of values; what is infinite is grey and says `never`.

    Raises KeyError where a key is not swept or there is no such metric, ValueError where several cells share a field.
    """
    ax = new_axes() if ax is None else ax
    _draw_heat(cells, path, x, y, ax, _Colours(cells, path))
    return ax


def _heat_figure(cells: Sequence[SweptCell], keys: Sequence[str], path: str, variants: Sequence[str]) -> Figure:
    # The last key of a sweep changes fastest: it goes along.
    y, x = keys
    width = 1.8 + 0.62 * max(5, len(_levels(cells, x)))
    height = 1.5 + 0.42 * max(4, len(_levels(cells, y)))
    across = min(3, len(variants))
    down = math.ceil(len(variants) / across)
    figure = Figure(figsize=(width * across + 0.8, height * down), layout="constrained")
    colours = _Colours(cells, path)
    axes = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for ax, variant in zip(axes, variants, strict=False):
        _draw_heat([cell for cell in cells if cell.variant == variant], path, x, y, ax, colours, bar=False)
        if variant:
            ax.set_title(label(variant), fontsize=9)
    for ax in axes[len(variants) :]:
        ax.set_axis_off()
    figure.suptitle(_title(path), fontsize=11)
    _colour_bar(figure, axes, colours)
    return figure


class _Colours:
    """The colours of the values of all panels of a heat map."""

    def __init__(self, cells: Sequence[SweptCell], path: str) -> None:
        values = [cell.metrics.value(path).value for cell in cells]
        self.finite = sorted(value for value in values if value is not None and math.isfinite(value))
        self.path = path
        self.unit = METRICS[path].unit
        self.map = colormaps[COLOURS]
        low, high = (self.finite[0], self.finite[-1]) if self.finite else (0.0, 1.0)
        self.is_log = self.unit is Unit.duration and low > 0 and high / low >= SPAN_OF_LOG
        self.norm: Normalize = LogNorm(low, high) if self.is_log else Normalize(low, high if high > low else low + 1)

    def of(self, value: float) -> tuple[float, float, float]:
        """Return the colour of a finite value."""
        return to_rgb(self.map(float(self.norm(value))))


def _draw_heat(  # noqa: PLR0913, PLR0917  # two axes, the colours, and where
    cells: Sequence[SweptCell], path: str, x: str, y: str, ax: Axes, colours: _Colours, *, bar: bool = True
) -> None:
    columns, rows = _levels(cells, x), _levels(cells, y)
    fields: dict[tuple[int, int], float | None] = {}
    for cell in cells:
        at = columns.index(cell.levels[x]), rows.index(cell.levels[y])
        if at in fields:
            raise ValueError(f"several cells have the same {x} and {y}; draw one variant, or lines")
        fields[at] = cell.metrics.value(path).value
    for (column, row), value in fields.items():
        infinite = value is None or math.isinf(value)
        colour = to_rgb(_NEVER) if value is None or infinite else colours.of(value)
        ax.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5),
                1,
                1,
                facecolor=colour,
                edgecolor="white",
                hatch="///" if infinite else None,
                linewidth=0.8,
            )
        )
        if len(columns) <= MOST_WRITTEN:
            dark = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2] < 0.5
            plate = {"facecolor": _NEVER, "edgecolor": "none", "pad": 1.0} if infinite else None
            text = "-" if value is None else value_text(value, colours.unit)
            ax.text(
                column, row, text, ha="center", va="center", fontsize=7, color="white" if dark else "black", bbox=plate
            )
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(-0.5, len(rows) - 0.5)
    ax.set_xticks(range(len(columns)), [label(one.text, 12) for one in columns])
    ax.set_yticks(range(len(rows)), [label(one.text, 16) for one in rows])
    ax.tick_params(length=0)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    for side in ax.spines.values():
        side.set_visible(False)
    if bar:
        ax.set_title(_title(path))
        figure = ax.get_figure()
        if isinstance(figure, Figure):
            _colour_bar(figure, [ax], colours)


def _colour_bar(figure: Figure, axes: Sequence[Axes], colours: _Colours) -> None:
    if len(set(colours.finite)) < 2:
        return
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415  # pyplot-free, and needed by heat maps alone

    bar = figure.colorbar(ScalarMappable(colours.norm, colours.map), ax=list(axes), pad=0.02, aspect=25)
    low, high = colours.finite[0], colours.finite[-1]
    positions, texts = duration_ticks(low, high) if colours.is_log else linear_ticks(low, high, colours.unit)
    bar.ax.yaxis.set_major_locator(FixedLocator(positions))
    bar.ax.set_yticklabels(texts)
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.set_label(metric_words(colours.path))
    bar.outline.set_visible(False)
