"""Pictures of sweeps: a metric over one swept key as lines with intervals, over two as a heat map.

`plot_metric(cells, path, over, ax=None)` and `plot_heat(cells, path, x, y, ax=None)` return their Axes; `save_sweep`
writes the few that say most about a scenario with one or two swept keys.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from matplotlib import colormaps
from matplotlib.colors import LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullLocator

from sim.analysis.drawing import (
    add_caption,
    duration_ticks,
    figure_bytes,
    label,
    line_style,
    new_axes,
    note,
    settings,
)
from sim.analysis.metric_axes import Scale, dress, linear_ticks, metric_words, scale_of
from sim.analysis.numerals import value_text
from sim.analysis.quantities import METRICS, Unit
from sim.kernel.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from sim.analysis.estimates import Estimate
    from sim.analysis.metrics import CellMetrics

SWEEP_METRICS = ("success.rate", "time_to_effect.p99", "duplicates.rate", "amplification")
"""What is drawn of every sweep, where it differs between cells."""
SWEEP_PICTURES = tuple(f"sweep-{path}" for path in SWEEP_METRICS)
MOST_LINES = 14
MOST_PANELS = 6
LEAST_OF_HEAT = 3
"""So many values of both keys make a heat map; of fewer, lines say more."""
MOST_WRITTEN = 12
"""Columns of a heat map whose cells have room for their values."""
SPAN_OF_LOG = 8
LEAST_STEP = 0.07
"""How far apart values are, as a share of an axis, that can all be written along it."""
COLOURS = "cividis"
"""Even in lightness, and the same to every colour vision (J. R. Nunez and others, PLoS ONE 13(7), 2018)."""
_NEVER = "#D9D9D9"


@dataclass(frozen=True, slots=True)
class Level:
    """One value of a swept key."""

    text: str
    number: float | None = None
    """A number, or a duration in ns; None for anything else."""
    is_duration: bool = False


@dataclass(frozen=True, slots=True)
class SweptCell:
    """A cell of a sweep."""

    levels: Mapping[str, Level]
    """By swept key."""
    variant: str
    """Its variant's name, empty without variants."""
    metrics: CellMetrics


def level(value: Any, text: str) -> Level:
    """Take a value as files write it, and what it is called."""
    if isinstance(value, str):
        try:
            return Level(text, float(parse_duration(value)), is_duration=True)
        except ValueError:
            return Level(text)
    return Level(text, float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else Level(text)


def plot_metric(cells: Sequence[SweptCell], path: str, over: str, ax: Axes | None = None) -> Axes:
    """Draw a metric over one swept key, a line for each variant and each combination of the other keys' values.

    Raises KeyError where the key is not swept or there is no such metric.
    """
    ax = new_axes() if ax is None else ax
    _draw_lines(cells, path, over, ax)
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=8, handlelength=4)
    return ax


def plot_heat(cells: Sequence[SweptCell], path: str, x: str, y: str, ax: Axes | None = None) -> Axes:
    """Draw a metric over two swept keys, a field for each pair of values; what is infinite is grey and says `never`.

    Raises KeyError where a key is not swept or there is no such metric, ValueError where several cells share a field.
    """
    ax = new_axes() if ax is None else ax
    _draw_heat(cells, path, x, y, ax, _Colours(cells, path))
    return ax


def save_sweep(cells: Sequence[SweptCell], caption: str, folder: Path, *, svg: bool = False) -> list[Path]:
    """Write a picture for each of `SWEEP_METRICS` that differs between cells, where one or two keys are swept.

    PNG, and SVG if asked to; returns the files. Equal input gives equal bytes.
    """
    files: dict[Path, bytes] = {}
    keys = list(cells[0].levels) if cells else []
    if len(keys) not in (1, 2):
        return []
    with settings():
        for path in SWEEP_METRICS:
            if len({cell.metrics.value(path).value for cell in cells}) < 2:
                continue
            figure = _figure(cells, keys, path)
            if figure is None:
                continue
            add_caption(figure, caption)
            kinds = ("png", "svg") if svg else ("png",)
            files |= {folder / f"sweep-{path}.{kind}": figure_bytes(figure, kind) for kind in kinds}
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        file.write_bytes(content)
    return list(files)


def _figure(cells: Sequence[SweptCell], keys: Sequence[str], path: str) -> Figure | None:
    counts = {key: len(_levels(cells, key)) for key in keys}
    variants = list(dict.fromkeys(cell.variant for cell in cells))
    if len(keys) == 2 and min(counts.values()) >= LEAST_OF_HEAT:
        return _heat_figure(cells, keys, path, variants) if len(variants) <= MOST_PANELS else None
    # Over the key that has a scale, and of those over the one with most values.
    over = max(keys, key=lambda key: (_has_numbers(cells, key), counts[key]))
    lines = len(cells) // counts[over]
    if lines > MOST_LINES:
        return None
    figure = Figure(figsize=(8, 4.8 + 0.12 * lines), layout="constrained")
    ax = figure.add_subplot()
    _draw_lines(cells, path, over, ax)
    handles, texts = ax.get_legend_handles_labels()
    if len(handles) > 1:
        figure.legend(handles, texts, loc="outside upper center", ncols=min(4, len(handles)), handlelength=5)
    return figure


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


# -- lines -------------------------------------------------------------------------------------------------------------


def _draw_lines(cells: Sequence[SweptCell], path: str, over: str, ax: Axes) -> None:
    unit = METRICS[path].unit
    if not any(cell.metrics.value(path).value is not None for cell in cells):
        note(ax, "No request counts.")
        ax.set_axis_off()
        return
    lines: dict[str, list[SweptCell]] = {}
    for cell in cells:
        others = [f"{_last(key)} {other.text}" for key, other in cell.levels.items() if key != over]
        lines.setdefault(", ".join([*([cell.variant] if cell.variant else []), *others]), []).append(cell)
    levels = _levels(cells, over)
    places = _places(levels)
    estimates = [cell.metrics.value(path) for cell in cells]
    scale = scale_of([*(one.value for one in estimates if one.value is not None), *_ends(estimates)], unit)
    for index, (name, members) in enumerate(lines.items()):
        style = line_style(index, len(lines))
        points = _points(members, path, over, places)
        # Side by side, as far as that goes, so that intervals at the same value do not hide one another.
        shift = _shift(index, len(lines), levels, places)
        xs = [shift(at) for at, _ in points]
        _draw_line(ax, list(zip(xs, (one for _, one in points), strict=True)), scale, style, label(name) or None)
    dress(ax, "y", scale, metric_words(path))
    _dress_levels(ax, levels, places)
    ax.set_xlabel(over)
    ax.set_title(f"{_title(path)} by {over}")


def _draw_line(
    ax: Axes, points: Sequence[tuple[float, Estimate]], scale: Scale, style: Mapping[str, Any], name: str | None
) -> None:
    """Draw one line with its intervals; between what never comes and what does there is no way, so it is broken."""
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


def _points(
    members: Sequence[SweptCell], path: str, over: str, places: Mapping[str, float]
) -> list[tuple[float, Estimate]]:
    found = [(places[cell.levels[over].text], cell.metrics.value(path)) for cell in members]
    return sorted((one for one in found if one[1].value is not None), key=lambda one: one[0])


def _ends(estimates: Sequence[Estimate]) -> list[float]:
    ends = [end for one in estimates for end in (one.low, one.high) if end is not None]
    return [end for end in ends if math.isfinite(end) and end > 0]


def _shift(index: int, count: int, levels: Sequence[Level], places: Mapping[str, float]) -> Any:
    """Return what moves a place aside a little: by up to a tenth of the narrowest step in all."""
    ordered = sorted(places.values())
    steps = [after - before for before, after in pairwise(ordered)]
    if _is_log(levels):
        ratio = min((after / before for before, after in pairwise(ordered)), default=1.0)
        return lambda at: at * ratio ** (0.12 * (index - (count - 1) / 2) / count)
    step = min(steps, default=1.0)
    return lambda at: at + 0.12 * step * (index - (count - 1) / 2) / count


def _levels(cells: Sequence[SweptCell], key: str) -> list[Level]:
    """Return the values of a key, in the order of the sweep."""
    return list(dict.fromkeys(cell.levels[key] for cell in cells))


def _has_numbers(cells: Sequence[SweptCell], key: str) -> bool:
    return all(one.number is not None for one in _levels(cells, key))


def _is_log(levels: Sequence[Level]) -> bool:
    numbers = [one.number for one in levels if one.number is not None]
    return len(numbers) == len(levels) and min(numbers) > 0 and max(numbers) / min(numbers) >= SPAN_OF_LOG


def _places(levels: Sequence[Level]) -> dict[str, float]:
    """Return where each value stands: at its number where all have one, else one after the other."""
    if all(one.number is not None for one in levels):
        return {one.text: one.number for one in levels if one.number is not None}
    return {one.text: float(position) for position, one in enumerate(levels)}


def _dress_levels(ax: Axes, levels: Sequence[Level], places: Mapping[str, float]) -> None:
    low, high = min(places.values()), max(places.values())
    if any(one.number is None for one in levels):
        ax.set_xticks(list(places.values()), [label(text, 14) for text in places])
        ax.set_xlim(low - 0.4, high + 0.4)
        return
    unit = Unit.duration if levels[0].is_duration else Unit.count
    log = _is_log(levels)
    if log:
        ax.set_xscale("log")
        low, high = low / (high / low) ** 0.06, high * (high / low) ** 0.06
        positions, texts = duration_ticks(low, high) if unit is Unit.duration else ([], [])
    else:
        room = 0.05 * (high - low) or 0.5
        low, high = low - room, high + room
        positions, texts = linear_ticks(low, high, unit)
    if not positions or _have_room(list(places.values()), low, high, log=log):
        positions, texts = list(places.values()), list(places)
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(FixedLocator(positions))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels(texts)


def _have_room(places: Sequence[float], low: float, high: float, *, log: bool) -> bool:
    """Say whether the values themselves can be written along an axis from `low` to `high`."""
    along = [math.log(place / low) / math.log(high / low) if log else (place - low) / (high - low) for place in places]
    along.sort()
    return all(after - before >= LEAST_STEP for before, after in pairwise(along))


# -- heat maps ---------------------------------------------------------------------------------------------------------


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


def _title(path: str) -> str:
    words = metric_words(path)
    return words if words.startswith("p") and words[1:2].isdigit() else words[0].upper() + words[1:]


def _last(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")
