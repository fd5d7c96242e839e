"""A metric over one swept key: lines with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.measure.paths import metric_of
from sim.measure.quantities import Unit
from sim.pictures.data.levels import have_numbers, levels_of
from sim.pictures.data.picture import Picture
from sim.pictures.data.scales import Scale, metric_title, metric_words, scale_of, wants_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.measure.estimates import Estimate
    from sim.pictures.data.levels import Level, SweptCell


@dataclass(frozen=True, slots=True)
class LevelAxis:
    """The axis of a swept key."""

    label: str
    """The key, such as `retrier.initial_backoff`."""
    unit: str | None
    """`duration` (places in ns) or `count` (plain numbers), values of `Unit`; None if the key's values are words."""
    log: bool
    """Whether the axis is logarithmic."""
    texts: tuple[str, ...]
    """Shape (levels,): the key's values as the scenario writes them, in the order of the sweep."""
    places: tuple[float, ...]
    """Shape (levels,): where each stands: at its number if all have one, else one after the other from 0."""


@dataclass(frozen=True, slots=True)
class Point:
    """The metric of one cell."""

    place: float
    """Where the cell stands on the axis of the key."""
    estimate: Estimate
    """The metric with its 95 % interval, in its unit; the value is never None."""


@dataclass(frozen=True, slots=True)
class Line:
    """The cells that differ in the swept key alone."""

    name: str
    """The variant and the values of the other keys; empty if there are neither."""
    points: tuple[Point, ...]
    """By place, ascending; cells in which no request counts are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepLines(Picture):
    """A metric over one swept key, a line for each variant and each combination of the other keys' values."""

    y_label: str
    x: LevelAxis
    """The swept key."""
    y: Scale
    """Where the metric's values stand."""
    lines: tuple[Line, ...]
    """In the order of the cells."""


def metric_data(cells: Sequence[SweptCell], path: str, over: str, caption: str = "") -> SweepLines:
    """Return a metric over one swept key.

    Raises KeyError if the key is not swept or there is no such metric.
    """
    unit = metric_of(path).unit
    x = _axis(levels_of(cells, over), over)
    places = dict(zip(x.texts, x.places, strict=True))
    estimates = [cell.metrics.value(path) for cell in cells]
    values = [one.value for one in estimates if one.value is not None]
    lines: dict[str, list[SweptCell]] = {}
    for cell in cells:
        others = [f"{_short(key)} {other.text}" for key, other in cell.levels.items() if key != over]
        lines.setdefault(", ".join([*([cell.variant] if cell.variant else []), *others]), []).append(cell)
    return SweepLines(
        title=f"{metric_title(path)} by {over}",
        y_label=metric_words(path, cells[0].metrics.currency if cells else ""),
        x=x,
        y=scale_of([*values, *_ends(estimates)], unit),
        lines=tuple(Line(name, _points(members, path, over, places)) for name, members in lines.items()),
        note="" if values else "No request counts.",
        caption=caption,
    )


def _short(key: str) -> str:
    """Return the last part of a key, as words."""
    return key.rpartition(".")[2].replace("_", " ")


def _points(members: Sequence[SweptCell], path: str, over: str, places: dict[str, float]) -> tuple[Point, ...]:
    points = [Point(places[cell.levels[over].text], cell.metrics.value(path)) for cell in members]
    return tuple(sorted((one for one in points if one.estimate.value is not None), key=lambda one: one.place))


def _ends(estimates: Sequence[Estimate]) -> list[float]:
    ends = [end for one in estimates for end in (one.low, one.high) if end is not None]
    return [end for end in ends if math.isfinite(end) and end > 0]


def _axis(levels: Sequence[Level], over: str) -> LevelAxis:
    numbers = [one.number for one in levels if one.number is not None]
    if not levels or not have_numbers(levels):
        places = {one.text: float(position) for position, one in enumerate(levels)}
        return LevelAxis(over, None, log=False, texts=tuple(places), places=tuple(places.values()))
    unit = Unit.duration if levels[0].is_duration else Unit.count
    places = dict(zip((one.text for one in levels), numbers, strict=True))
    log = wants_log(min(numbers), max(numbers))
    return LevelAxis(over, unit.value, log=log, texts=tuple(places), places=tuple(places.values()))
