"""The pictures of a report, in groups: the figure data of `sim.pictures.data` as charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.pictures.data.heat_map import HeatMaps
from sim.pictures.data.over_time import load_data, pools_data, rejections_data, utilization_data
from sim.pictures.data.run import run_data, sweep_data
from sim.report.charts.adapters import (
    attempts_chart,
    ccdf_chart,
    heat_chart,
    over_time_charts,
    rejections_charts,
    stacks_chart,
    sweep_chart,
    with_ghosts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.pictures.data.levels import SweptCell
    from sim.pictures.data.run import RunPictures
    from sim.pictures.data.sweeps import SweepLines
    from sim.report.charts.lines import LineChart
    from sim.report.charts.markup import Html
    from sim.results.result import Result

MOST_CURVES: Final = 300
"""Cells of curves; of a larger sweep the pictures over its keys tell more."""


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures of one kind."""

    id: str
    title: str
    charts: tuple[Html, ...]
    lines: tuple[str, ...] = ()
    """Names of lines over a swept key that have buttons of their own; their keys are `line-0`, `line-1`, ..."""
    note: str = ""


def groups(result: Result) -> list[Group]:
    """Return the pictures of a run that have something to show."""
    made = [of_sweeps(result), of_requests(result), of_time(result)]
    return [one for one in made if one.charts]


def of_requests(result: Result, before: Result | None = None) -> Group:
    """Return the pictures of what becomes of requests; the curves of `before` stand pale behind those of the result."""
    cells = result.reported[:MOST_CURVES]
    earlier = [] if before is None else before.reported[:MOST_CURVES]
    data: RunPictures = run_data(cells, "")
    ago = run_data(earlier, "") if earlier else None
    curves = [
        ccdf_chart(data.time_to_effect, ghosts=None if ago is None else ago.time_to_effect),
        ccdf_chart(data.time_to_known, ghosts=None if ago is None else ago.time_to_known),
    ]
    if not data.detection_lag.is_empty:
        curves.append(ccdf_chart(data.detection_lag, ghosts=None if ago is None else ago.detection_lag))
    attempts = attempts_chart(
        [(cell.name, cell.metrics.attempts) for cell in cells],
        ghosts=[(cell.name, cell.metrics.attempts) for cell in earlier],
    )
    bars = [stacks_chart(data.outcomes), stacks_chart(data.duplicates)]
    note = f"The first {MOST_CURVES} of {len(result.cells)} cells." if len(result.cells) > MOST_CURVES else ""
    charts = (*(one.html() for one in (*curves, attempts)), *(one.html() for one in bars))
    return Group("requests", "What becomes of requests", charts, note=note)


def of_sweeps(result: Result) -> Group:
    """Return the pictures over the swept keys; without any if nothing is swept, or nothing differs."""
    cells = result.swept
    found = sweep_data(cells, "")
    charts: list[Html] = []
    lines: tuple[str, ...] = ()
    for path, data in found.items():
        if isinstance(data, HeatMaps):
            charts += _heat_maps(result, data, path)
        else:
            positions = [at for at, one in enumerate(result.cells) if one.cell.levels]
            keys = _keys_of_points(positions, cells, data)
            charts.append(sweep_chart(data, keys).html())
            lines = tuple(line.name for line in data.lines)
    return Group("sweep", "Over the swept keys", tuple(charts), lines if len(lines) > 1 else ())


def _heat_maps(result: Result, data: HeatMaps, path: str) -> list[Html]:
    positions = [at for at, found in enumerate(result.cells) if found.cell.levels]
    made = []
    for panel in data.panels:
        members = [at for at in positions if result.cells[at].cell.variant == panel.variant]
        estimates = [result.cells[at].metrics.value(path) for at in members]
        made.append(heat_chart(panel, estimates, [str(at) for at in members]).html())
    return made


def _keys_of_points(positions: Sequence[int], cells: Sequence[SweptCell], data: SweepLines) -> list[list[str]] | None:
    """Return of each point the key of its cell; None if names of lines do not tell cells apart."""
    over = data.x.label
    places = dict(zip(data.x.texts, data.x.places, strict=True))
    names: dict[tuple[str, float], str] = {}
    lines: dict[tuple[object, ...], str] = {}
    order = iter(data.lines)
    for position, cell in zip(positions, cells, strict=True):
        identity = (cell.variant, *(level.text for key, level in cell.levels.items() if key != over))
        if identity not in lines:
            line = next(order, None)
            if line is None:
                return None
            lines[identity] = line.name
        names[lines[identity], places[cell.levels[over].text]] = str(position)
    return [[names[line.name, point.place] for point in line.points] for line in data.lines]


def of_time(result: Result, before: Result | None = None) -> Group:
    """Return the pictures over time; the lines of `before` stand pale behind those of the result."""
    cells = result.over_time
    if not cells:
        return Group("over-time", "Over time", ())
    names = [cell.name for cell in cells]
    keys = [str(at) for at, found in enumerate(result.cells) if found.timeline is not None]
    charts: list[LineChart] = over_time_charts(load_data(cells), names, keys)
    utilization = utilization_data(cells)
    if before is not None and before.over_time:
        earlier = over_time_charts(load_data(before.over_time), names, keys)
        charts = [with_ghosts(one, old) for one, old in zip(charts, earlier, strict=False)]
    charts += [] if utilization is None else over_time_charts(utilization, names, keys)
    pools = pools_data(cells)
    charts += [] if pools is None else over_time_charts(pools, names, keys)
    rejections = rejections_data(cells)
    charts += [] if rejections is None else rejections_charts(rejections, keys)
    note = (
        "Bands are 95 % intervals of the mean, bin by bin."
        if any(one.timeline.replications > 1 for one in cells)
        else ""
    )
    return Group("over-time", "Over time", tuple(one.html() for one in charts), note=note)
