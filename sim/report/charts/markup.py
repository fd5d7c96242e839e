"""Trees of HTML and SVG elements, written down with every text escaped."""

from __future__ import annotations

from typing import NewType
from xml.etree.ElementTree import Element, SubElement, tostring

Html = NewType("Html", str)
"""HTML in which every text that came from outside is escaped."""


def element(tag: str, text: str = "", **attributes: object) -> Element:
    """Make an element; `class_` is the attribute `class`, an underscore within a name is a hyphen, None is left out."""
    made = Element(tag, _attributes(attributes))
    made.text = clean(text) or None
    return made


def add(parent: Element, tag: str, text: str = "", **attributes: object) -> Element:
    """Add an element to another one; see `element`."""
    made = SubElement(parent, tag, _attributes(attributes))
    made.text = clean(text) or None
    return made


def html_of(root: Element) -> Html:
    """Write an element down. The tree must have no `script` and no `style`, whose text HTML does not escape."""
    return Html(tostring(root, encoding="unicode", method="html"))


def clean(text: str) -> str:
    """Leave out characters that no HTML document may hold: they would end up as something else."""
    return "".join(one for one in text if one >= " " or one in "\t\n")


def percent(fraction: float) -> str:
    """Write a place as a percentage, to a ten-thousandth of the whole."""
    return f"{100 * fraction:.2f}".rstrip("0").rstrip(".") + "%"


def _attributes(given: dict[str, object]) -> dict[str, str]:
    return {name.rstrip("_").replace("_", "-"): clean(str(value)) for name, value in given.items() if value is not None}
