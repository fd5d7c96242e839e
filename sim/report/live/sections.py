"""The parts of the live page that change with the numbers: curves, answer, more pictures, as HTML by their ids.

The curves of before stand pale behind the new ones, on axes that hold both; the table tells what a value was.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sim.measure.paths import metric_of
from sim.pictures.data.run import sweep_data
from sim.pictures.data.sweeps import SweepLines
from sim.report.charts.adapters import (
    attempts_chart,
    ccdf_chart,
    over_time_charts,
    rejections_charts,
    stacks_chart,
    sweep_chart,
)
from sim.report.charts.looks import swatch
from sim.report.charts.markup import Html, add, element, html_of
from sim.text.numerals import range_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from sim.measure.estimates import Estimate
    from sim.report.charts.lines import LineChart
    from sim.report.live.stages import Stage
    from sim.results.result import Result
    from sim.text.reported import Cell

SECTIONS: Final = {"curves": "Curves", "answer": "Answer", "more": "More pictures"}
"""Titles by id, in the order of the page."""
COLUMNS: Final = (
    ("success", "success.rate"),
    ("gave up", "gave_up.rate"),
    ("stuck", "stuck.rate"),
    ("open", "open.rate"),
    ("time to effect p50", "time_to_effect.p50"),
    ("time to effect p99", "time_to_effect.p99"),
    ("time to known p50", "time_to_known.p50"),
    ("time to known p99", "time_to_known.p99"),
    ("attempts mean", "attempts.mean"),
    ("duplicates", "duplicates.rate"),
)
ONLY_IF_THERE: Final = ("gave_up.rate", "stuck.rate", "open.rate")
"""Columns that are left out if no cell has any."""
MOST_ROWS: Final = 60


def curves(result: Result, before: Result | None) -> Html:
    """Return the curves of waiting: of the effect, and of the retrier's knowledge."""
    charts = [
        ccdf_chart(
            getattr(result.plot.data, name)(), ghosts=None if before is None else getattr(before.plot.data, name)()
        ).html()
        for name in ("time_to_effect", "time_to_known")
    ]
    return _side_by_side(charts)


def answer(stage: Stage, before: Result | None) -> Html:
    """Return the answer in sentences, and the table of all cells with their intervals."""
    root = element("div")
    add(root, "p", f"From {stage.size}.", class_="note size")
    sentences = add(root, "div", class_="sentences")
    for sentence in stage.result.sentences():
        add(sentences, "p", sentence)
    _add_table(root, stage.result.reported, None if before is None else before.reported)
    return html_of(root)


def more(result: Result, before: Result | None) -> Html:
    """Return the other pictures."""
    return _side_by_side([chart.html() for chart in _more(result, before)])


def _more(result: Result, before: Result | None) -> Iterator[LineChart | object]:  # type: ignore[misc]
    data, ago = result.plot.data, None if before is None else before.plot.data
    if result.over_time:
        names = [one.name for one in result.over_time]
        earlier = [] if ago is None or before is None or not before.over_time else over_time_charts(ago.over_time(), names)
        for position, chart in enumerate(over_time_charts(data.over_time(), names)):
            yield _with_ghosts(chart, earlier[position]) if position < len(earlier) else chart
    if result.swept:
        for found in sweep_data(result.swept, "").values():
            if isinstance(found, SweepLines):
                yield sweep_chart(found)
    yield _attempts(result.reported, None if before is None else before.reported)
    yield ccdf_chart(data.detection_lag(), ghosts=None if ago is None else ago.detection_lag())
    yield stacks_chart(data.outcomes())
    yield stacks_chart(data.duplicates())
    rejections = data.rejections() if result.over_time else None
    if rejections is not None:
        yield from rejections_charts(rejections)


def _attempts(cells: Sequence[Cell], before: Sequence[Cell] | None) -> LineChart:
    counts = [(cell.name, cell.metrics.attempts) for cell in cells]
    chart = attempts_chart(counts)
    if before is None:
        return chart
    both = attempts_chart([*counts, *((cell.name, cell.metrics.attempts) for cell in before)])
    old = both.series[len(cells) :]
    ghosts = (replace(one, key=str(at), is_ghost=True, has_points=False) for at, one in enumerate(old))
    return replace(chart, x=both.x, y=both.y, series=(*ghosts, *both.series[: len(cells)]))


def _with_ghosts(chart: LineChart, before: LineChart) -> LineChart:
    """Return a chart over time with the lines of before; of both axes the one that reaches further."""
    ghosts = (replace(one, is_ghost=True, lows=None, highs=None) for one in before.series)
    return replace(
        chart,
        x=max(chart.x, before.x, key=lambda axis: axis.high),
        y=max(chart.y, before.y, key=lambda axis: axis.high),
        series=(*ghosts, *chart.series),
    )


def _side_by_side(charts: Sequence[Html]) -> Html:
    return Html(f'<div class="charts">{"".join(charts)}</div>')


def _add_table(root: Element, cells: Sequence[Cell], before: Sequence[Cell] | None) -> None:
    columns = [(title, path) for title, path in COLUMNS if path not in ONLY_IF_THERE or _occurs(cells, path)]
    scroll = add(root, "div", class_="scroll", tabindex="0", role="region", aria_label="Table of all cells")
    table = add(scroll, "table")
    head = add(add(table, "thead"), "tr")
    for title in ("cell", *(title for title, _ in columns)):
        add(head, "th", title, scope="col")
    body = add(table, "tbody")
    for position, cell in enumerate(cells[:MOST_ROWS]):
        row = add(body, "tr", data_series=str(position))
        add(row, "th", cell.name, scope="row")
        old = before[position] if before is not None and position < len(before) else None
        for _, path in columns:
            _add_value(row, path, cell.metrics.value(path), None if old is None else old.metrics.value(path))
    notes = ["below a value: its 95 % interval"]
    if len(cells) > MOST_ROWS:
        notes.append(f"the first {MOST_ROWS} of {len(cells)} cells")
    add(root, "p", "; ".join(notes), class_="note")


def _occurs(cells: Sequence[Cell], path: str) -> bool:
    return any(cell.metrics.outcomes[path.removesuffix(".rate")] for cell in cells)


def _add_value(row: Element, path: str, estimate: Estimate, old: Estimate | None) -> None:
    unit = metric_of(path).unit
    text = value_text(estimate.value, unit)
    field = add(row, "td", text)
    interval = range_text(estimate, unit)
    if interval:
        add(field, "small", interval)
    if old is not None and old.value is not None and not _same(old.value, estimate.value):
        earlier = value_text(old.value, unit)
        if earlier != text:
            add(field, "small", f"was {earlier}", class_="was")


def _same(one: float, other: float | None) -> bool:
    return other is not None and math.isclose(one, other, rel_tol=1e-12)


def legend_of(result: Result) -> list[tuple[str, str, Html]]:
    """Return the buttons of the legend: the keys of the cells, their names, and samples of their lines."""
    return [(str(position), cell.name, swatch(position)) for position, cell in enumerate(result.reported)]
