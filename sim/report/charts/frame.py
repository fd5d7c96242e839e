"""What all charts have around them: a figure with title, note, caption, axes and a table of values."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.report.charts.markup import add, element, percent, words_class

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from sim.report.charts.axes import Axis

MOST_ROWS: Final = 60
"""A table below a chart has at most so many rows."""


@dataclass(frozen=True, slots=True)
class Table:
    """The values of a chart for readers who cannot see it: the same as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words around a chart."""

    title: str
    note: str = ""
    """A sentence that says what the chart cannot show, or why it is empty."""
    caption: str = ""
    """Small print below it."""
    level: int = 3
    """The rank of its heading."""


def figure(words: Words, kind: str, data: Any = None) -> Element:
    """Begin a figure; `data` is what the page's script shows under the pointer."""
    root = element("figure", class_=f"chart {kind}", data_chart=None if data is None else packed(data))
    if words.title:
        add(root, f"h{words.level}", words.title)
    if words.note:
        add(root, "p", words.note, class_="note")
    return root


def close(root: Element, words: Words, table: Table | None) -> Element:
    """End a figure with its values as a table, and its caption."""
    if table is not None and table.rows:
        _add_table(root, table, words.title)
    if words.caption:
        add(root, "figcaption", words.caption)
    return root


def plot_of(parent: Element, title: str, x: Axis | None, y: Axis | None, height: int) -> Element:
    """Add axes and an empty plot to a figure; return the plot's SVG, in which places along x are percentages."""
    frame = add(parent, "div", class_="frame" if y is not None else "frame wide")
    if y is not None:
        add(frame, "div", y.label, class_="y-label")
        side = add(frame, "svg", class_="y-axis", height=height, width="64", aria_hidden="true")
        for value, text in y.ticks:
            add(side, "text", text, x="58", y=percent(1 - y.at(value)), dy=_shift(y.at(value)), text_anchor="end")
    holder = add(
        frame,
        "div",
        class_="plot",
        tabindex="0",
        role="group",
        aria_roledescription="chart",
        aria_label=f"{title}: the arrow keys go from value to value",
    )
    root = add(holder, "svg", width="100%", height=height, aria_hidden="true")
    if y is not None:
        for value, _ in y.ticks:
            add(
                root, "line", class_="grid", x1="0", x2="100%", y1=percent(1 - y.at(value)), y2=percent(1 - y.at(value))
            )
    if x is not None:
        bottom = add(frame, "svg", class_="x-axis", height="20", width="100%", aria_hidden="true")
        for position, (value, text) in enumerate(x.ticks):
            place = x.at(value)
            anchor = "start" if place < 0.04 else "end" if place > 0.96 else "middle"
            spare = "spare" if position % 2 and len(x.ticks) > 4 else None
            add(bottom, "text", text, x=percent(place), y="14", text_anchor=anchor, class_=spare)
            add(root, "line", class_="grid", x1=percent(place), x2=percent(place), y1="0", y2="100%")
        add(frame, "div", x.label, class_="x-label")
    return root


def stretched(parent: Element) -> Element:
    """Add a square of 1000 by 1000 that is stretched over the plot, for curves and areas."""
    return add(parent, "svg", viewBox="0 0 1000 1000", preserveAspectRatio="none", width="100%", height="100%")


def packed(data: Any) -> str:
    """Write data for the page's script, as short as JSON can be; numbers that are not finite are null."""
    return json.dumps(_finite(data), separators=(",", ":"), ensure_ascii=False)


def rounded(value: float | None, digits: int) -> float | None:
    """Round a value to significant digits; shares near 1 to as many more as tell them from it."""
    if value is None or not math.isfinite(value):
        return None
    if 0.9 < value < 1:
        digits += int(-math.log10(1 - value))
    short = float(f"{value:.{digits}g}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return (int(data) if data == int(data) and abs(data) < 1e15 else data) if math.isfinite(data) else None
    if isinstance(data, list | tuple):
        return [_finite(one) for one in data]
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    return data


def _shift(place: float) -> str:
    """Keep the texts at the ends of a vertical axis inside it."""
    return "0.8em" if place > 0.97 else "-0.1em" if place < 0.03 else "0.32em"


def _add_table(root: Element, table: Table, title: str) -> None:
    details = add(root, "details", class_="values")
    add(details, "summary", "These values as a table")
    scroll = add(details, "div", class_="scroll", tabindex="0", role="region", aria_label=f"{title}: table of values")
    made = add(scroll, "table")
    head = add(add(made, "thead"), "tr")
    for text in table.head:
        add(head, "th", text, scope="col")
    body = add(made, "tbody")
    for row in table.rows[:MOST_ROWS]:
        line = add(body, "tr")
        for position, text in enumerate(row):
            if position:
                add(line, "td", text)
            else:
                add(line, "th", text, scope="row", class_=words_class(text))
    if len(table.rows) > MOST_ROWS:
        add(details, "p", f"The first {MOST_ROWS} of {len(table.rows)} rows.", class_="note")


def rows_shown(count: int, most: int) -> Sequence[int]:
    """Choose at most `most` positions of `count`, evenly, the first and the last among them."""
    if count <= most:
        return range(count)
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]


def rows_of(root: Element, title: str, what: str) -> Element:
    """Add the plot of a chart of rows, in which the arrow keys go from one value or event to the next."""
    return add(
        root,
        "div",
        class_="plot rows",
        tabindex="0",
        role="group",
        aria_roledescription="chart",
        aria_label=f"{title}: the arrow keys go from {what} to {what}",
    )
