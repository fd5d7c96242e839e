"""A metric over two swept keys: a field for each pair of values, colored by the metric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.measure.paths import metric_of
from sim.measure.quantities import Unit
from sim.pictures.data.levels import levels_of
from sim.pictures.data.picture import Picture
from sim.pictures.data.scales import metric_title, metric_words, wants_log
from sim.text.numerals import value_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.pictures.data.levels import SweptCell


@dataclass(frozen=True, slots=True)
class ColorScale:
    """From which value to which the colors of a heat map go."""

    label: str
    """What the metric is called on an axis."""
    unit: str
    """`duration` (values in ns), `share` (parts of 1) or `count`: a value of `Unit`."""
    low: float
    high: float
    """The least and the largest finite value; equal if there are fewer than two."""
    log: bool
    """Whether colors follow the logarithm of the value."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a heat map."""

    column: int
    row: int
    """Positions in `columns` and `rows`, from 0; row 0 is at the bottom."""
    value: float | None
    """The metric: `math.inf` if it never comes, None if no request counts."""
    text: str
    """The value in words."""


BOUNDED = "recovered.rate"
"""The metric whose heat map has a boundary: between the fields in which most replications recover and the others."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The side that two neighboring fields share, in columns and rows: field (0, 0) goes from -0.5 to 0.5."""

    x: tuple[float, float]
    y: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap(Picture):
    """A metric over two swept keys."""

    variant: str
    """The variant whose cells these are; empty without variants."""
    x_label: str
    y_label: str
    """The swept keys."""
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    """The keys' values, in the order of the sweep."""
    fields: tuple[Field, ...]
    """In the order of the cells."""
    colors: ColorScale
    """The color of each value."""
    boundary: tuple[Edge, ...] = ()
    """Between fields in which at least half of the replications recover, and others; empty for other metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMaps(Picture):
    """A heat map for each variant; all share one scale of colors."""

    panels: tuple[HeatMap, ...]
    """At least one."""
    colors: ColorScale
    """The scale that all panels share."""


def heat_data(cells: Sequence[SweptCell], path: str, x: str, y: str, caption: str = "") -> HeatMap:
    """Return a metric over two swept keys.

    Raises KeyError if a key is not swept or there is no such metric, ValueError if several cells share a field.
    """
    return _heat_map(cells, path, (x, y), _colors(cells, path), caption)


def heat_maps_data(cells: Sequence[SweptCell], path: str, x: str, y: str, caption: str = "") -> HeatMaps:
    """Return a heat map for each variant; raises as `heat_data` does."""
    colors = _colors(cells, path)
    panels = [
        _heat_map([cell for cell in cells if cell.variant == variant], path, (x, y), colors, caption)
        for variant in dict.fromkeys(cell.variant for cell in cells)
    ]
    return HeatMaps(title=metric_title(path), panels=tuple(panels), colors=colors, caption=caption)


def _colors(cells: Sequence[SweptCell], path: str) -> ColorScale:
    unit = metric_of(path).unit
    values = [cell.metrics.value(path).value for cell in cells]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    words = metric_words(path, cells[0].metrics.currency if cells else "")
    return ColorScale(words, unit.value, low, high, log=unit is Unit.duration and wants_log(low, high))


def _heat_map(
    cells: Sequence[SweptCell], path: str, keys: tuple[str, str], colors: ColorScale, caption: str
) -> HeatMap:
    x, y = keys
    columns, rows = levels_of(cells, x), levels_of(cells, y)
    fields: dict[tuple[int, int], Field] = {}
    for cell in cells:
        at = columns.index(cell.levels[x]), rows.index(cell.levels[y])
        if at in fields:
            raise ValueError(f"several cells have the same {x} and {y}; draw one variant, or lines")
        value = cell.metrics.value(path).value
        fields[at] = Field(*at, value, value_text(value, metric_of(path).unit))
    return HeatMap(
        title=metric_title(path),
        variant=cells[0].variant if cells else "",
        x_label=x,
        y_label=y,
        columns=tuple(one.text for one in columns),
        rows=tuple(one.text for one in rows),
        fields=tuple(fields.values()),
        colors=colors,
        boundary=_boundary(fields) if path == BOUNDED else (),
        caption=caption,
    )


def _boundary(fields: Mapping[tuple[int, int], Field]) -> tuple[Edge, ...]:
    """Return the sides between fields of at least a half and fields of less, in the order of the fields."""
    most = {at: one.value >= 0.5 for at, one in fields.items() if one.value is not None}
    edges = []
    for (column, row), here in most.items():
        if most.get((column + 1, row), here) != here:
            edges.append(Edge((column + 0.5, column + 0.5), (row - 0.5, row + 0.5)))
        if most.get((column, row + 1), here) != here:
            edges.append(Edge((column - 0.5, column + 0.5), (row + 0.5, row + 0.5)))
    return tuple(edges)
