"""A terminal table as plain text, and as HTML for notebooks; and how much room there is for either."""

from __future__ import annotations

import shutil
from io import StringIO
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from sim.history.shown import html_table
from sim.text.columns import TABLE_WIDTH

if TYPE_CHECKING:
    from rich.table import Table


NARROWEST: Final = 40
WIDEST: Final = 200
HTML_WIDTH: Final = 10_000
"""More columns than any table takes: HTML has room for all of them, with every interval."""


def table_width() -> int:
    """Return how many columns tables may take: those of the terminal (COLUMNS, if that is set), or 100 if it is none.

    From 40 to 200: a narrower table tells nothing, and the rows of a wider one are hard to follow.
    """
    return max(NARROWEST, min(shutil.get_terminal_size((TABLE_WIDTH, 24)).columns, WIDEST))


def plain_text(table: Table, width: int = TABLE_WIDTH) -> str:
    """Return a table as lines of text without colors."""
    file = StringIO()
    Console(file=file, width=width, color_system=None, highlight=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def html_of(table: Table, caption: str = "") -> str:
    """Return a table as HTML; texts are escaped."""
    headings = [_words(column.header) for column in table.columns]
    rows = zip(*(list(column.cells) for column in table.columns), strict=True)
    return html_table(
        [heading.replace("-\n", "").replace("\n", " ") for heading in headings],  # they were broken to be narrow
        [[_words(cell) for cell in row] for row in rows],
        caption=caption,
        note="" if table.caption is None else _words(table.caption),
    )


def _words(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)
