"""Plain tables as text and as HTML: what a terminal and a notebook show of objects with many rows.

HTML is escaped, has no scripts, no addresses and no colors of its own, so that it looks as the notebook does.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST: Final = 10
"""Rows that are shown of more; of few more all are."""
FEW_MORE: Final = 3
LONGEST: Final = 100
"""Columns of a line of text."""


def cut(count: int) -> int:
    """Return how many of so many rows are shown."""
    return count if count <= FIRST + FEW_MORE else FIRST


def more_text(count: int, shown: int, of: str) -> str:
    """Say how many rows are not shown, such as `... 120 more events`; empty if there are none."""
    return f"... {count - shown:,} more {of}" if count > shown else ""


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Return a table as lines of text, each cut at 100 columns; `right` are the columns aligned to the right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = []
    for row in (headings, *rows):
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        lines.append(line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}...")
    return "\n".join(lines)


def html_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", note: str = "") -> str:
    """Return a table as HTML; texts are escaped, line breaks in them kept."""
    head = "".join(f'<th style="text-align:left">{_html(cell)}</th>' for cell in headings)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{_html(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    above = f'<caption style="text-align:left">{_html(caption)}</caption>' if caption else ""
    below = f"<p>{_html(note)}</p>" if note else ""
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def html_text(text: str) -> str:
    """Return lines of text as HTML, as they stand."""
    return f'<pre style="white-space:pre-wrap">{escape(text)}</pre>'


def _html(text: str) -> str:
    return escape(text).replace("\n", "<br>")
