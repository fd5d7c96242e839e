"""Heat maps: a table whose fields are colored, so that it reads without colors and without a pointer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.measure.quantities import Unit
from sim.report.charts.frame import Words, close, figure
from sim.report.charts.markup import Html, add, clean, html_of
from sim.text.numerals import value_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

SHADES: Final = 9
"""Classes `h0` to `h8` of the style sheet, from the least to the largest value; `never` has a class of its own."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field."""

    key: str
    """The key of its series."""
    value: float | None
    """`math.inf` if it never comes, None if there is nothing to measure."""
    text: str
    tip: str
    """What stands under the pointer, such as the value with its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap(Words):
    """A value over two keys: rows from the top down, columns from left to right."""

    x_label: str
    y_label: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    fields: Mapping[tuple[int, int], Field]
    """By column and row, from 0."""
    unit: str
    low: float
    high: float
    """The least and the largest value of the colors."""
    log: bool = False
    right_edges: frozenset[tuple[int, int]] = frozenset()
    lower_edges: frozenset[tuple[int, int]] = frozenset()
    """Fields with a boundary at their right, or below them."""

    def html(self) -> Html:
        """Return the chart."""
        root = figure(self, "heat")
        add(root, "p", self._scale(), class_="note")
        holder = add(
            root,
            "div",
            class_="plot scroll",
            tabindex="0",
            role="group",
            aria_roledescription="chart",
            aria_label=f"{self.title}: the arrow keys go from value to value",
        )
        made = add(holder, "table")
        head = add(made, "thead")
        first = add(head, "tr")
        _break_after_dots(add(first, "th", rowspan="2", scope="col", class_="corner"), self.y_label)
        _break_after_dots(add(first, "th", colspan=max(1, len(self.columns)), scope="colgroup"), self.x_label)
        names = add(head, "tr")
        for text in self.columns:
            add(names, "th", text, scope="col")
        body = add(made, "tbody")
        for row, text in enumerate(self.rows):
            line = add(body, "tr")
            add(line, "th", text, scope="row")
            for column in range(len(self.columns)):
                found = self.fields.get((column, row))
                if found is None:
                    add(line, "td", "-")
                    continue
                classes = [self._class(found.value)]
                classes += ["edge-right"] if (column, row) in self.right_edges else []
                classes += ["edge-below"] if (column, row) in self.lower_edges else []
                add(line, "td", found.text, class_=" ".join(classes), data_series=found.key, data_tip=found.tip)
        return html_of(close(root, self, None))

    def _scale(self) -> str:
        low, high = (value_text(end, Unit(self.unit)) for end in (self.low, self.high))
        if low == high:
            return f"All fields have the same value, {low}." if self.fields else "No request counts."
        text = f"Light is {low}, dark is {high}{', on a logarithmic scale' if self.log else ''}."
        has_edges = self.right_edges or self.lower_edges
        return f"{text} At the thick line the value crosses one half." if has_edges else text

    def _class(self, value: float | None) -> str:
        if value is None:
            return "none"
        if math.isinf(value):
            return "never"
        if self.high <= self.low:
            return "h0"
        if self.log:
            place = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            place = (value - self.low) / (self.high - self.low)
        return f"h{min(SHADES - 1, int(SHADES * place))}"


def _break_after_dots(parent: Element, key: str) -> None:
    """Write a dotted key so that a line may end at its dots."""
    first, *others = clean(key).split(".")
    parent.text = f"{first}." if others else first
    for position, part in enumerate(others, 1):
        add(parent, "wbr").tail = part if position == len(others) else f"{part}."
