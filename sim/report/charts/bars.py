"""Bars: a stacked bar for each row, and histograms over an axis of values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.measure.quantities import Unit
from sim.report.charts.frame import Table, Words, close, figure, plot_of, rows_of
from sim.report.charts.looks import look
from sim.report.charts.markup import Html, add, html_of, percent
from sim.text.numerals import value_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from sim.report.charts.axes import Axis

BAR_HEIGHT: Final = 22
HEIGHT: Final = 240


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the bars of all rows."""

    name: str
    classes: str
    """Its color, such as `p2`, and pattern."""
    sizes: tuple[float, ...]
    """Shape (rows,), in the unit of the bars."""


@dataclass(frozen=True, slots=True)
class Row:
    """One bar."""

    key: str
    """The key of its series."""
    name: str
    remark: str = ""
    """The text below its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedBars(Words):
    """A bar a row, each split into parts, with a legend of the parts."""

    x_label: str
    unit: str
    """A value of `Unit`."""
    rows: tuple[Row, ...]
    parts: tuple[Part, ...]
    whole: float | None = None
    """What the full width stands for; None: the longest bar."""

    def html(self) -> Html:
        """Return the chart."""
        root = figure(self, "stacks")
        totals = [sum(part.sizes[at] for part in self.parts) for at in range(len(self.rows))]
        whole = self.whole or max(totals, default=0.0) or 1.0
        if self.parts:
            legend = add(root, "ul", class_="parts")
            for part in self.parts:
                item = add(legend, "li")
                sample = add(item, "svg", class_="swatch", width="14", height="14", aria_hidden="true")
                add(sample, "rect", class_=f"part {part.classes}", width="14", height="14")
                add(item, "span", part.name)
            self._add_rows(root, whole)
            add(root, "div", self.x_label, class_="x-label")
        table = Table(
            ("", *(part.name for part in self.parts)),
            tuple((row.name, *(self._text(part.sizes[at]) for part in self.parts)) for at, row in enumerate(self.rows)),
        )
        return html_of(close(root, self, table if self.parts else None))

    def _add_rows(self, root: Element, whole: float) -> None:
        holder = rows_of(root, self.title, "value")
        for at, row in enumerate(self.rows):
            line = add(holder, "div", class_="bar-row", data_series=row.key)
            name = add(line, "div", class_="name")
            add(name, "span", row.name)
            if row.remark:
                add(name, "small", f" {row.remark}")
            bar = add(line, "svg", width="100%", height=BAR_HEIGHT, aria_hidden="true")
            left = 0.0
            for part in self.parts:
                size = part.sizes[at]
                if size > 0:
                    tip = f"{row.name}\n{part.name}: {self._text(size)}"
                    width = max(size / whole, 0.002)
                    add(
                        bar,
                        "rect",
                        class_=f"part {part.classes}",
                        x=percent(left / whole),
                        width=percent(width),
                        height="100%",
                        data_tip=tip,
                    )
                left += size

    def _text(self, value: float) -> str:
        return value_text(value, Unit(self.unit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """One histogram: `heights[i]` stands over the interval from `edges[i]` to `edges[i + 1]`."""

    key: str
    name: str
    edges: tuple[float, ...]
    heights: tuple[float, ...]
    look: int = 0
    is_outline: bool = False
    """Whether it is drawn as a line over the bars of others, as a model over its data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram(Words):
    """Histograms over one pair of axes."""

    x: Axis
    y: Axis
    bins: tuple[Bins, ...]
    height: int = HEIGHT

    def html(self) -> Html:
        """Return the chart."""
        root = figure(self, "histogram")
        plot = plot_of(root, self.title, self.x, self.y, self.height)
        rows = []
        for one in self.bins:
            group = add(plot, "g", class_=f"series {look(one.look)}", data_series=one.key)
            for low, high, height in zip(one.edges, one.edges[1:], one.heights, strict=False):
                span = f"{self._at(low, self.x)} to {self._at(high, self.x)}"
                tip = f"{one.name}\n{span}: {self._at(height, self.y)}"
                self._add_bar(group, one, (low, high), height, tip)
                if height:
                    rows.append((one.name, span, self._at(height, self.y)))
        table = Table(("series", self.x.label, self.y.label), tuple(rows))
        return html_of(close(root, self, table))

    def _add_bar(self, group: Element, one: Bins, ends: tuple[float, float], height: float, tip: str) -> None:
        left, right, top = self.x.at(ends[0]), self.x.at(ends[1]), self.y.at(height)
        classes = "outline" if one.is_outline else "bar"
        if right > left and not math.isnan(height):
            add(
                group,
                "rect",
                class_=classes,
                x=percent(left),
                width=percent(right - left),
                y=percent(1 - top),
                height=percent(top),
                data_tip=tip,
            )

    @staticmethod
    def _at(value: float, axis: Axis) -> str:
        return value_text(value, Unit(axis.unit) if axis.unit else Unit.count)
