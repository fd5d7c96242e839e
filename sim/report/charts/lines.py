"""Charts of curves: lines, steps, bands and points with intervals, on linear or logarithmic axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.measure.quantities import Unit
from sim.report.charts.frame import Table, Words, close, figure, plot_of, rounded, rows_shown, stretched
from sim.report.charts.looks import look
from sim.report.charts.markup import Html, add, html_of, percent
from sim.text.numerals import value_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

    from sim.report.charts.axes import Axis

HEIGHT: Final = 300
FINE: Final = ((8, 500), (20, 250))
"""Up to how many curves each has how many columns and rows; of points on the same of both only the first is kept."""
COARSE: Final = 120
"""The same, of more curves."""
DIGITS: Final = 7
"""Significant digits of the values of curves under the pointer. Of five, one value in some hundred would be rounded
twice and read unlike that of the table."""
ALL_DIGITS: Final = 17
MOST_COLUMNS: Final = 9
"""The table of values below a chart has at most so many places along x."""

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One curve; `xs` and `ys` have the shape (points,) and the units of their axes."""

    key: str
    """What switches it on and off, together with all other parts of pages of the same key."""
    name: str
    xs: Numbers
    """Ascending."""
    ys: Numbers
    """NaN breaks the curve; `math.inf` stands at the place for `never`."""
    lows: Numbers | None = None
    highs: Numbers | None = None
    """The ends of the intervals of `ys`; NaN where there is none."""
    look: int = 0
    """Its color and dash (`looks.look`)."""
    is_step: bool = False
    """Whether the value holds until the next x."""
    has_points: bool = False
    """Whether points are marked, and intervals are bars instead of a band."""
    has_line: bool = True
    is_ghost: bool = False
    """Whether it is what was before: pale, without values under the pointer."""
    is_faint: bool = False
    """Whether it is one of many that are not told apart."""
    has_label: bool = False
    """Whether the chart itself names it: its key says something else than its name."""
    point_keys: tuple[str, ...] | None = None
    """Shape (points,): keys that switch single points."""
    texts: tuple[str, ...] | None = None
    """Shape (points,): the values with their intervals as tables have them; None: they are written here."""


@dataclass(frozen=True, slots=True)
class Guide:
    """A level or an instant that is marked with a line and a word."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """An interval along x that is shaded; `key` ties it to a series, if it is one's own."""

    low: float
    high: float
    text: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart(Words):
    """Curves over one pair of axes."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    levels: tuple[Guide, ...] = ()
    """Marked along y."""
    instants: tuple[Guide, ...] = ()
    """Marked along x."""
    spans: tuple[Span, ...] = ()
    table: Table | None = None
    """The values as text; made of the curves if it is None."""
    x_texts: tuple[tuple[float, str], ...] = ()
    """Places along x that have texts of their own, such as the values of a swept key."""
    height: int = HEIGHT

    def html(self) -> Html:
        """Return the chart."""
        shown = [(one, thinned(self.x, self.y, one, fine=fine_of(len(self.series)))) for one in self.series]
        data = [
            self.x.packed(),
            self.y.packed(),
            [_packed(one, kept) for one, kept in shown if not one.is_ghost],
            *([[list(pair) for pair in self.x_texts]] if self.x_texts else []),
        ]
        if self.note and not any(len(one.xs) > 1 for one in self.series):
            return html_of(close(figure(self, "lines"), self, self.table))
        root = figure(self, "lines", data)
        self._add_labels(root)
        plot = plot_of(root, self.title, self.x, self.y, self.height)
        for span in self.spans:
            self._add_span(plot, span)
        curves = stretched(plot)
        for one, kept in sorted(shown, key=lambda pair: (not pair[0].is_ghost, not pair[0].is_faint)):
            self._add_curve(curves, one, kept)
        self._add_guides(plot)
        return html_of(close(root, self, self.table or values_table(self)))

    def _add_labels(self, root: Element) -> None:
        named = [one for one in self.series if one.has_label]
        if not named:
            return
        labels = add(root, "ul", class_="parts")
        for one in named:
            item = add(labels, "li")
            sample = add(item, "svg", class_="swatch", width="26", height="10", aria_hidden="true")
            add(sample, "line", class_=f"line {look(one.look)}", x1="0", x2="26", y1="5", y2="5")
            add(item, "span", one.name)

    def _add_span(self, plot: Element, span: Span) -> None:
        low, high = self.x.at(span.low), self.x.at(span.high)
        group = add(plot, "g", class_="span", data_series=span.key)
        width = max(high - low, 0.002)
        add(group, "rect", x=percent(low), width=percent(width), y="0", height="100%", data_tip=span.text)

    def _add_guides(self, plot: Element) -> None:
        for guide in self.levels:
            height = percent(1 - self.y.at(guide.value))
            add(plot, "line", class_="guide", x1="0", x2="100%", y1=height, y2=height)
            add(plot, "text", guide.text, class_="guide", x="3", y=height, dy="-3")
        for guide in self.instants:
            place = self.x.at(guide.value)
            add(plot, "line", class_="guide", x1=percent(place), x2=percent(place), y1="0", y2="100%")
            anchor = "end" if place > 0.7 else "start"
            dx = "-4" if anchor == "end" else "4"
            add(plot, "text", guide.text, class_="guide", x=percent(place), dx=dx, y="12", text_anchor=anchor)

    def _add_curve(self, curves: Element, one: Series, kept: Sequence[int]) -> None:
        kinds = (look(one.look), "faint" if one.is_faint else "", "ghost" if one.is_ghost else "")
        classes = " ".join(filter(None, kinds))
        group = add(curves, "g", class_=f"series {classes}", data_series=one.key)
        x, y = self.x, self.y
        if one.lows is not None and one.highs is not None:
            ends = [(x.at(one.xs[at]), one.lows[at], one.highs[at]) for at in kept]
            held = [(place, y.at(low), y.at(high)) for place, low, high in ends if _is_known(low, high)]
            if held and not one.has_points:
                add(group, "path", class_="band", d=_area(held, is_step=one.is_step))
        if one.has_line:
            across, up = x.places([one.xs[at] for at in kept]), 1 - y.places([one.ys[at] for at in kept])
            add(group, "path", class_="line", d=_path(across, up, is_step=one.is_step))
        if one.has_points:
            self._add_points(group, one, kept)

    def _add_points(self, group: Element, one: Series, kept: Sequence[int]) -> None:
        """Add dots and intervals; each point that has a key of its own is a group of its own."""
        x, y = self.x, self.y
        for key, positions in _by_key(one, kept).items():
            parent = group if key is None else add(group, "g", data_series=key)
            dots = bars = ""
            for at in positions:
                place = _at(x.at(one.xs[at]))
                dots += f"M{place} {_up(y.at(one.ys[at]))}h0"
                low, high = (math.nan if ends is None else ends[at] for ends in (one.lows, one.highs))
                bars += f"M{place} {_up(y.at(low))}V{_up(y.at(high))}" if _is_known(low, high) else ""
            if bars:
                add(parent, "path", class_="whisker", d=bars)
            add(parent, "path", class_="dots", d=dots)


def _by_key(one: Series, kept: Sequence[int]) -> dict[str | None, list[int]]:
    found: dict[str | None, list[int]] = {}
    for at in kept:
        if not math.isnan(one.ys[at]):
            found.setdefault(None if one.point_keys is None else one.point_keys[at], []).append(at)
    return found


def fine_of(count: int) -> int:
    """Return how many columns and rows the points of so many curves are told apart by."""
    return next((fine for most, fine in FINE if count <= most), COARSE)


def thinned(x: Axis, y: Axis, series: Series, *, fine: int) -> list[int]:
    """Return the positions of points that lie in other columns or rows than those before them; the last one stays."""
    if not series.xs:
        return []
    columns, rows = np.rint(fine * x.places(series.xs)), np.rint(fine * y.places(series.ys))
    # NaN differs from everything, so the points around a gap stay.
    changes = (columns[1:] != columns[:-1]) | (rows[1:] != rows[:-1])
    kept = np.concatenate(([True], changes))
    kept[-1] = True
    return np.flatnonzero(kept).tolist()


def values_table(chart: LineChart) -> Table:
    """Return a row for each curve, with its values at a few places along x."""
    rows = []
    places = sorted({value for one in chart.series if not one.is_ghost for value in one.xs if math.isfinite(value)})
    shown = [places[at] for at in rows_shown(len(places), MOST_COLUMNS)]
    for one in chart.series:
        if one.is_ghost:
            continue
        texts = [_value_at(chart, one, place) for place in shown]
        rows.append((one.name or chart.y.label, *texts))
    named = dict(chart.x_texts)
    heads = (named.get(value) or value_text(value, _unit(chart.x)) for value in shown)
    return Table((chart.x.label, *heads), tuple(rows))


def _unit(axis: Axis) -> Unit:
    return Unit(axis.unit) if axis.unit else Unit.count


def _value_at(chart: LineChart, one: Series, place: float) -> str:
    """Write the value of a curve at a place: of steps the one that holds there, else of the nearest point."""
    if not one.xs:
        return "-"
    if one.is_step:
        before = [at for at, value in enumerate(one.xs) if value <= place]
        if not before:
            return "-"
        position = before[-1]
    else:
        position = min(range(len(one.xs)), key=lambda at: abs(one.xs[at] - place))
        if one.has_points and one.xs[position] != place:
            return "-"
    value = one.ys[position]
    if math.isnan(value):
        return "-"
    if one.texts is not None:
        return one.texts[position]
    text = value_text(value, _unit(chart.y))
    if one.lows is not None and one.highs is not None and _is_known(one.lows[position], one.highs[position]):
        text += f" ({' to '.join(value_text(end[position], _unit(chart.y)) for end in (one.lows, one.highs))})"
    return text


def _packed(one: Series, kept: Sequence[int]) -> dict[str, Any]:
    """Return what the script shows: key, name, places and values, and the ends of intervals if there are any.

    Points are few and read one by one, so they have all their digits.
    """
    found: dict[str, Any] = {"k": one.key, "n": one.name, "c": look(one.look)}
    digits = ALL_DIGITS if one.has_points else DIGITS
    for name, values in (("x", one.xs), ("y", one.ys), ("l", one.lows), ("h", one.highs)):
        if values is not None:
            found[name] = ["" if math.isnan(values[at]) else rounded(values[at], digits) for at in kept]
    if one.texts is not None:
        found["t"] = [one.texts[at] for at in kept]
    if one.point_keys is not None:
        found["p"] = [one.point_keys[at] for at in kept]
    if one.is_step:
        found["s"] = 1
    return found


def _path(across: NDArray[np.float64], up: NDArray[np.float64], *, is_step: bool) -> str:
    """Write a curve in the square of 1000 by 1000, broken where a value is NaN."""
    parts: list[str] = []
    pen_down = False
    for column, row in zip((1000 * across).tolist(), (1000 * up).tolist(), strict=True):
        if math.isnan(row):
            pen_down = False
            continue
        if not pen_down:
            parts.append(f"M{column:.5g} {row:.5g}")
        else:
            parts.append(f"H{column:.5g}V{row:.5g}" if is_step else f"L{column:.5g} {row:.5g}")
        pen_down = True
    return "".join(parts)


def _area(ends: Sequence[tuple[float, float, float]], *, is_step: bool) -> str:
    """Write the outline of a band: along its upper ends and back along its lower ones."""
    upper = [f"{_at(place)} {_up(high)}" for place, _, high in ends]
    lower = [f"{_at(place)} {_up(low)}" for place, low, _ in reversed(ends)]
    if is_step:
        upper = [f"{_at(place)} {_up(high)}" for place, high in _steps([(place, high) for place, _, high in ends])]
        back = _steps([(place, low) for place, low, _ in ends])
        lower = [f"{_at(place)} {_up(low)}" for place, low in reversed(back)]
    return f"M{'L'.join([*upper, *lower])}Z"


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    made: list[tuple[float, float]] = []
    for place, value in points:
        if made:
            made.append((place, made[-1][1]))
        made.append((place, value))
    return made


def _at(place: float) -> str:
    return f"{1000 * place:.1f}".rstrip("0").rstrip(".")


def _up(place: float) -> str:
    return _at(1 - place)


def _is_known(low: float, high: float) -> bool:
    return not (math.isnan(low) or math.isnan(high))
