"""How series are told apart: a color and a dash for each, as classes that the style sheet knows for light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.report.charts.markup import Html, add, element, html_of

if TYPE_CHECKING:
    from collections.abc import Sequence

COLORS: Final = 7
"""Colors of the style sheet, `c0` to `c6`, and dashes `d0` to `d6`."""


def look(index: int) -> str:
    """Return the classes of series `index`; the first 49 differ in color or dash."""
    turn = index // COLORS
    return f"c{index % COLORS} d{(index + 3 * turn) % COLORS}"


def swatch(index: int) -> Html:
    """Return a short sample of a line, for buttons and tables."""
    root = element("svg", class_="swatch", width="26", height="10", aria_hidden="true")
    add(root, "line", class_=f"line {look(index)}", x1="0", x2="26", y1="5", y2="5")
    return html_of(root)


def legend(names: Sequence[str]) -> list[tuple[str, str, Html]]:
    """Return the buttons of a page's legend: the key, the name and a sample for each name, keys `0`, `1`, ..."""
    return [(str(index), name, swatch(index)) for index, name in enumerate(names)]
