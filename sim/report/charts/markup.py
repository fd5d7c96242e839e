"""Trees of HTML and SVG elements, written down with every text escaped."""

from __future__ import annotations

import re
from typing import Final, NewType
from xml.etree.ElementTree import Element, SubElement, tostring

LONGEST_WORD: Final = 18
"""Characters of a word that the narrowest column of names has room for."""
Html = NewType("Html", str)
"""HTML in which every text that came from outside is escaped."""
_TIED: Final = re.compile(r"([-+<>0-9.,e]{0,24}[0-9] (?:%|ns|us|ms|s|min|y|pp)(?![A-Za-z]))")
"""A number with its unit."""
_VERBATIM: Final = frozenset({"code", "pre", "td", "text"})
"""Elements whose text is copied, or stays on one line anyway."""
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f]")


def element(tag: str, text: str = "", **attributes: object) -> Element:
    """Make an element; `class_` is the attribute `class`, an underscore within a name is a hyphen, None is left out."""
    made = Element(tag, _attributes(attributes))
    _write(made, text)
    return made


def add(parent: Element, tag: str, text: str = "", **attributes: object) -> Element:
    """Add an element to another one; see `element`."""
    made = SubElement(parent, tag, _attributes(attributes))
    _write(made, text)
    return made


def html_of(root: Element) -> Html:
    """Write an element down. The tree must have no `script` and no `style`, whose text HTML does not escape."""
    return Html(tostring(root, encoding="unicode", method="html"))


def clean(text: str) -> str:
    """Leave out characters that no HTML document may hold: they would end up as something else."""
    return _FORBIDDEN.sub("", text)


def split_tied(text: str) -> list[str]:
    """Split a text into what may break anywhere, at even places, and numbers with their units, at odd ones."""
    return _TIED.split(text)


def words_class(text: str) -> str | None:
    """Return the class of the head of a row that breaks between its words alone; None if one of them is too long."""
    return "words" if all(len(word) <= LONGEST_WORD for word in text.split()) else None


def percent(fraction: float) -> str:
    """Write a place as a percentage, to a ten-thousandth of the whole."""
    return f"{100 * fraction:.2f}".rstrip("0").rstrip(".") + "%"


def _write(made: Element, text: str) -> None:
    """Set the text of an element; numbers stay on one line with their units, and the text is the same."""
    cleaned = clean(text)
    first, *rest = [cleaned] if made.tag in _VERBATIM else split_tied(cleaned)
    made.text = first or None
    for number, after in zip(rest[::2], rest[1::2], strict=True):
        one = SubElement(made, "span", {"class": "tied"})
        one.text, one.tail = number, after or None


def _attributes(given: dict[str, object]) -> dict[str, str]:
    return {name.rstrip("_").replace("_", "-"): clean(str(value)) for name, value in given.items() if value is not None}
