"""Pictures of sweeps: a metric over one swept key as lines with intervals, over two as a heat map.

`plot_metric(cells, path, over, ax=None)` and `plot_heat(cells, path, x, y, ax=None)` return their Axes; `save_sweep`
writes the few that say most about a scenario with one or two swept keys.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from sim.measure.quantities import METRICS, Unit
from sim.pictures.drawing import (
    add_caption,
    duration_ticks,
    figure_bytes,
    label,
    line_style,
    new_axes,
    note,
    settings,
)
from sim.pictures.heat_map import _heat_figure
from sim.pictures.metric_axes import Scale, dress, linear_ticks, metric_words, scale_of
from sim.pictures.sweep_levels import SPAN_OF_LOG, Level, SweptCell, _last, _levels, _title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from sim.measure.estimates import Estimate

SWEEP_METRICS = ("success.rate", "time_to_effect.p99", "duplicates.rate", "amplification")
"""What is drawn of every sweep, where it differs between cells."""
SWEEP_PICTURES = tuple(f"sweep-{path}" for path in SWEEP_METRICS)
MOST_LINES = 14
MOST_PANELS = 6
LEAST_OF_HEAT = 3
"""So many values of both keys make a heat map; of fewer, lines say more."""
LEAST_STEP = 0.07
"""How far apart values are, as a share of an axis, that can all be written along it."""


def plot_metric(cells: Sequence[SweptCell], path: str, over: str, ax: Axes | None = None) -> Axes:
    """Draw a metric over one swept key, a line for each variant and each combination of the other keys' values.

    Raises KeyError where the key is not swept or there is no such metric.
    """
    ax = new_axes() if ax is None else ax
    _draw_lines(cells, path, over, ax)
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=8, handlelength=4)
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
