"""Charts of the objects of `sim.pictures.data`: the same numbers as the pictures, under the pointer.

The key of a series is the position of its cell, `0`, `1`, ..., so that one legend switches a cell in every chart. Lines
over a swept key join several cells: they have keys of their own, `line-0`, `line-1`, ..., and their points those of the
cells.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sim.measure.quantities import Unit
from sim.report.charts.axes import Axis, axis_of, linear_ticks, log_axis, log_ticks
from sim.report.charts.bars import Part, Row, StackedBars
from sim.report.charts.frame import Table
from sim.report.charts.heat import Field, HeatMap
from sim.report.charts.lines import Guide, LineChart, Series, Span
from sim.text.numerals import duration_text, estimate_text, percent_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.measure.estimates import Estimate
    from sim.pictures.data.bars import StackedBars as StackedData
    from sim.pictures.data.ccdf import Ccdf, Curve
    from sim.pictures.data.heat_map import HeatMap as HeatData
    from sim.pictures.data.over_time import OverTime, Shade, StacksOverTime, TimePanel
    from sim.pictures.data.scales import Scale
    from sim.pictures.data.sweeps import LevelAxis, SweepLines

S: Final = 1e9
DURATION: Final = Unit.duration.value
SHARE: Final = Unit.share.value
REFERENCE_LOOK: Final = 6
"""Of what others are held against: the offered load."""
FEW: Final = (1, 2, 3, 5, 10)
"""Numbers of attempts that the table has."""
MOST_ATTEMPTS: Final = 40
"""Above it the axis of attempts is logarithmic."""
PART_LOOKS: Final = {
    "success": "p2",
    "gave_up": "p4",
    "stuck": "p1",
    "open": "p7",
    "canceled": "p3",
    "runaway": "p6",
    "ack_lost": "p0",
    "crash_after_effect": "p1",
    "timeout": "p2",
    "report_lost": "p3",
    "resubmit": "p4",
    "repeated": "p5",
}
"""The color of each outcome and of each cause of repeated effects."""


def ccdf_chart(data: Ccdf, *, ghosts: Ccdf | None = None) -> LineChart:
    """Return curves of waiting on logarithmic axes; `ghosts` are the curves of before, pale behind them."""
    low_ns, high_ns, zero_ns, floor = data.low_ns, data.high_ns, data.zero_ns, data.floor
    if ghosts is not None and not ghosts.is_empty:
        low_ns, high_ns, floor = min(low_ns, ghosts.low_ns), max(high_ns, ghosts.high_ns), min(floor, ghosts.floor)
        zero_ns = min((zero for zero in (zero_ns, ghosts.zero_ns) if zero is not None), default=None)
    behind = [] if ghosts is None else [_curve(one, at, high_ns, is_ghost=True) for at, one in enumerate(ghosts.curves)]
    return LineChart(
        title=data.title,
        note=data.note,
        x=log_axis(low_ns, high_ns, DURATION, data.x_label, zero=zero_ns),
        y=log_axis(floor, 1.0, SHARE, data.y_label),
        series=(*behind, *(_curve(one, at, high_ns) for at, one in enumerate(data.curves))),
        levels=tuple(Guide(share, name) for name, share in data.quantiles if share >= floor),
        table=_ccdf_table(data),
    )


def _curve(curve: Curve, position: int, high_ns: float, *, is_ghost: bool = False) -> Series:
    """Return a curve from 100 % on; if requests wait for ever it ends in a plateau, else at 0."""
    xs, ys = list(curve.times_ns), list(curve.shares)
    if curve.requests and (not xs or xs[0] > 0):
        xs, ys = [0.0, *xs], [1.0, *ys]
    if curve.requests and curve.never and xs[-1] < high_ns:
        xs, ys = [*xs, high_ns], [*ys, curve.never]
    return Series(
        key=str(position),
        name=curve.name,
        xs=tuple(xs),
        ys=tuple(ys),
        look=position,
        is_step=True,
        is_ghost=is_ghost,
        is_faint=not curve.named,
    )


def _ccdf_table(data: Ccdf) -> Table:
    rows = []
    for curve in data.curves:
        if not curve.requests:
            rows.append((curve.name, *("-" for _ in data.quantiles), "-"))
            continue
        points = list(zip(curve.times_ns, curve.shares, strict=True))
        times = [
            next((duration_text(time) for time, longer in points if longer <= share * (1 + 1e-9)), "never")
            for _, share in data.quantiles
        ]
        rows.append((curve.name, *times, percent_text(curve.never)))
    return Table(("cell", *(name for name, _ in data.quantiles), "never"), tuple(rows))


def with_ghosts(chart: LineChart, before: LineChart) -> LineChart:
    """Return a chart with the lines of an earlier one pale behind; of the axes, those that reach further."""
    ghosts = (replace(one, is_ghost=True, has_points=False, lows=None, highs=None) for one in before.series)
    return replace(
        chart,
        x=max(chart.x, before.x, key=lambda axis: axis.high),
        y=max(chart.y, before.y, key=lambda axis: axis.high / (axis.low if axis.log else 1)),
        series=(*ghosts, *chart.series),
    )


def attempts_chart(
    cells: Sequence[tuple[str, Mapping[int, int]]], *, ghosts: Sequence[tuple[str, Mapping[int, int]]] = ()
) -> LineChart:
    """Return the share of requests with at least n attempts; its logarithmic axis lets tails be read.

    `cells` has of each cell its name and how many requests had how many attempts; `ghosts` those of before.
    """
    if ghosts:
        return with_ghosts(attempts_chart(cells), attempts_chart(ghosts))
    series, rows = [], []
    for position, (name, counts) in enumerate(cells):
        total, numbers = sum(counts.values()), sorted(counts)
        at_least = {
            least: sum(count for number, count in counts.items() if number >= least) / (total or 1)
            for least in (*numbers, *FEW)
        }
        xs = tuple(map(float, numbers))
        ys = tuple(at_least[number] for number in numbers)
        series.append(
            Series(key=str(position), name=name, xs=xs, ys=ys, look=position, has_points=len(xs) <= MOST_ATTEMPTS)
        )
        texts = (percent_text(at_least[least]) if total else "-" for least in FEW)
        rows.append((name, *texts, f"{max(numbers, default=0):,}"))
    least = min((one.xs[0] for one in series if one.xs), default=1.0)
    most = max((one.xs[-1] for one in series if one.xs), default=1.0)
    shares = [share for one in series for share in one.ys if share > 0]
    floor = min([*shares, 0.1]) / 1.5
    x = (
        log_axis(0.9, most * 1.1, Unit.count.value, "attempts")
        if most > MOST_ATTEMPTS and least > 0
        else Axis("attempts", Unit.count.value, least - 0.2, most + 0.2, _whole_ticks(least, most))
    )
    return LineChart(
        title="Attempts per request",
        note="" if shares else "No request counts.",
        x=x,
        y=log_axis(floor, 1.0, SHARE, "share of requests with at least so many attempts"),
        series=tuple(series),
        table=Table(("cell", *(f"{least} or more" for least in FEW), "most"), tuple(rows)),
    )


def _whole_ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    return tuple(tick for tick in linear_ticks(low, high, Unit.count.value) if tick[0] == round(tick[0]))


def stacks_chart(data: StackedData) -> StackedBars:
    """Return outcomes, or repeated effects by cause, a bar a cell."""
    return StackedBars(
        title=data.title,
        note=data.note,
        x_label=data.x_label,
        unit=data.unit,
        rows=tuple(
            Row(str(at), name, remark.replace("\n", ", "))
            for at, (name, remark) in enumerate(zip(data.cells, data.remarks, strict=True))
        ),
        parts=tuple(Part(part.name, PART_LOOKS.get(part.key, "p7"), part.sizes) for part in data.parts),
        whole=1.0 if data.unit == SHARE else None,
    )


def sweep_chart(data: SweepLines, keys: Sequence[Sequence[str]] | None = None) -> LineChart:
    """Return a metric over a swept key, with intervals; `keys` are of each line those of its points' cells."""
    series = []
    for position, line in enumerate(data.lines):
        estimates = [point.estimate for point in line.points]
        series.append(
            Series(
                key=f"line-{position}",
                name=line.name,
                xs=tuple(point.place for point in line.points),
                ys=tuple(math.nan if one.value is None else one.value for one in estimates),
                lows=tuple(_end(one, one.low) for one in estimates),
                highs=tuple(_end(one, one.high) for one in estimates),
                look=position,
                has_points=True,
                texts=tuple(estimate_text(one, Unit(data.y.unit)) for one in estimates),
                point_keys=None if keys is None else tuple(keys[position]),
            )
        )
    return LineChart(
        title=data.title,
        note=data.note,
        x=_level_axis(data.x),
        y=_metric_axis(data.y, data.y_label),
        series=tuple(series),
        x_texts=tuple(zip(data.x.places, data.x.texts, strict=True)),
    )


def _end(one: Estimate, end: float | None) -> float:
    return math.nan if end is None or not one.has_interval else end


def _level_axis(axis: LevelAxis) -> Axis:
    """Return the axis of a swept key: its values are its ticks, thinned where they would collide."""
    low, high = min(axis.places), max(axis.places)
    levels = tuple(sorted(zip(axis.places, axis.texts, strict=True)))
    if axis.unit is None:
        return Axis(axis.label, "", low - 0.4, high + 0.4, levels)
    if axis.log:
        room = (high / low) ** 0.06
        low, high = low / room, high * room
        ticks = levels if len(levels) <= 8 else log_ticks(low, high, axis.unit)
        return Axis(axis.label, axis.unit, low, high, ticks, log=True)
    room = 0.05 * (high - low) or 0.5
    low, high = low - room, high + room
    return Axis(axis.label, axis.unit, low, high, levels if len(levels) <= 8 else linear_ticks(low, high, axis.unit))


def _metric_axis(scale: Scale, label: str) -> Axis:
    end = scale.high if scale.never is None else scale.never
    ticks = log_ticks(scale.low, end, scale.unit) if scale.log else linear_ticks(scale.low, end, scale.unit)
    if scale.never is not None:
        ticks = (*(tick for tick in ticks if tick[0] < scale.never * (1 - 1e-9)), (scale.never, "never"))
    return Axis(label, scale.unit, scale.low, scale.high, ticks, log=scale.log, never=scale.never)


def heat_chart(data: HeatData, estimates: Sequence[Estimate], keys: Sequence[str]) -> HeatMap:
    """Return a metric over two swept keys; `estimates` and `keys` are of the cells, in the order of the fields."""
    last = len(data.rows) - 1
    fields = {
        (field.column, last - field.row): Field(
            key,
            field.value,
            field.text,
            f"{data.x_label}: {data.columns[field.column]}\n{data.y_label}: {data.rows[field.row]}\n"
            f"{data.colors.label}: {estimate_text(estimate, Unit(data.colors.unit))}",
        )
        for field, estimate, key in zip(data.fields, estimates, keys, strict=True)
    }
    right, below = set(), set()
    for edge in data.boundary:
        if edge.x[0] == edge.x[1]:
            right.add((math.floor(edge.x[0]), last - math.floor(edge.y[0] + 1)))
        else:
            below.add((math.floor(edge.x[0] + 1), last - math.floor(edge.y[0]) - 1))
    return HeatMap(
        title=f"{data.title}: {data.variant}" if data.variant else data.title,
        note=data.note,
        x_label=data.x_label,
        y_label=data.y_label,
        columns=data.columns,
        rows=tuple(reversed(data.rows)),
        fields=fields,
        unit=data.colors.unit,
        low=data.colors.low,
        high=data.colors.high,
        log=data.colors.log,
        right_edges=frozenset(right),
        lower_edges=frozenset(below),
    )


def over_time_charts(data: OverTime, names: Sequence[str], keys: Sequence[str]) -> list[LineChart]:
    """Return a chart for each panel; `names` and `keys` are those of the cells that the data was made of."""
    edges_ns = [edge * S for edge in data.edges_s]
    return [_panel(panel, edges_ns, data.shades, (names, keys), data.note) for panel in data.panels]


def _panel(
    panel: TimePanel,
    edges_ns: Sequence[float],
    shades: Sequence[Shade],
    cells: tuple[Sequence[str], Sequence[str]],
    note: str,
) -> LineChart:
    names, keys = cells
    series = []
    for line in panel.lines:
        bins = len(line.mean)
        has_band = line.low is not None and line.high is not None
        series.append(
            Series(
                key="reference" if line.is_reference else keys[line.cell],
                name=line.name or (names[line.cell] if len(names) > 1 else ""),
                xs=tuple(edges_ns[: bins + 1]),
                ys=(*line.mean, line.mean[-1]),
                lows=(*line.low, line.low[-1]) if has_band and line.low is not None else None,
                highs=(*line.high, line.high[-1]) if has_band and line.high is not None else None,
                look=REFERENCE_LOOK if line.is_reference else int(keys[line.cell]),
                is_step=True,
            )
        )
    values = [value for one in series for value in (*one.ys, *(one.highs or ())) if math.isfinite(value)]
    unit = SHARE if panel.is_share else Unit.count.value
    return LineChart(
        title=panel.y_label[:1].upper() + panel.y_label[1:],
        note=note,
        x=_time_axis(edges_ns),
        y=axis_of([0.0, *values], unit, panel.y_label, from_zero=True),
        series=tuple(series),
        spans=_spans(shades),
        height=220,
    )


def rejections_charts(data: StacksOverTime, keys: Sequence[str]) -> list[LineChart]:
    """Return a chart for each cell: the calls that services turn away, a line a reason."""
    edges_ns = [edge * S for edge in data.edges_s]
    most = max((value for panel in data.panels for _, values in panel.layers for value in values), default=1.0)
    return [
        LineChart(
            title=f"{data.title}: {panel.name}" if panel.name else data.title,
            note=data.note,
            x=_time_axis(edges_ns),
            y=axis_of([0.0, most], Unit.count.value, panel.y_label, from_zero=True),
            series=tuple(
                Series(
                    key=keys[position],
                    name=reason,
                    xs=tuple(edges_ns[: len(values) + 1]),
                    ys=(*values, values[-1]),
                    look=layer,
                    is_step=True,
                    has_label=True,
                )
                for layer, (reason, values) in enumerate(panel.layers)
            ),
            spans=_spans(data.shades),
            height=200,
        )
        for position, panel in enumerate(data.panels)
    ]


def _time_axis(edges_ns: Sequence[float]) -> Axis:
    high = edges_ns[-1] or 1.0
    return Axis("simulated time", DURATION, 0.0, high, linear_ticks(0.0, high, DURATION))


def _spans(shades: Sequence[Shade]) -> tuple[Span, ...]:
    return tuple(Span(one.from_s * S, one.to_s * S, _span_text(one)) for one in shades)


def _span_text(shade: Shade) -> str:
    until = "the end" if math.isinf(shade.to_s) else duration_text(shade.to_s * S)
    return f"{shade.text}\nfrom {duration_text(shade.from_s * S)} to {until}"
