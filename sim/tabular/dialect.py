"""How a text table is written, seen in its first rows: its separator, its header, its decimal separator."""

from __future__ import annotations

import csv
import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sim.tabular.durations import BLANK
from sim.tabular.instants import is_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

SEPARATORS: Final = ("\t", ";", "|", ",", " ")
"""In this order of preference: with decimal commas a file has as many commas as semicolons, but not the other way."""
NAMES: Final = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "spaces"}
SAMPLE_ROWS: Final = 200
_VALUE: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?([eE][+-]?[0-9]+)?( ?[a-zµ]{1,3})?")
_DECIMAL_COMMA: Final = re.compile(r"[0-9]+,[0-9]+( ?[a-zµ]{1,3})?")


def rows_of(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return the rows of some lines, up to the first that is no such table."""
    rows: list[list[str]] = []
    with suppress(csv.Error):  # `extend` keeps the rows before the mistake
        rows.extend(filter(None, csv.reader(lines, **reading(separator))))  # type: ignore[arg-type]  # settings by name
    return [bracketed(cells) for cells in rows] if separator == " " else rows


def reading(separator: str) -> dict[str, object]:
    """Return the settings of `csv.reader` for a separator."""
    spaced = separator == " "
    return {
        "delimiter": separator,
        "strict": True,
        "skipinitialspace": spaced,
        "escapechar": "\\" if spaced else None,
    }


def bracketed(cells: list[str]) -> list[str]:
    """Return the cells of an access log with `[27/Nov/2026:10:00:00 +0000]` in one."""
    if cells and not cells[-1]:
        cells = cells[:-1]  # spaces at the end of a line are no cell
    if not any(cell.startswith("[") for cell in cells):
        return cells
    found: list[str] = []
    open_at = None
    for cell in cells:
        if open_at is not None:
            found[open_at] += f" {cell}"
        else:
            found.append(cell)
            if cell.startswith("["):
                open_at = len(found) - 1
        if open_at is not None and cell.endswith("]"):
            open_at = None
    return found


def separator_of(lines: Sequence[str]) -> str:
    """Return the separator that gives rows of one length, then clean cells, then many of them."""
    best, most = ",", (0.0, 0, 0, 0)
    for rank, separator in enumerate(SEPARATORS):
        rows = rows_of(lines, separator)
        if not rows:
            continue
        (width, count), *_ = Counter(map(len, rows)).most_common(1)
        if width < 2:
            continue
        share = 1.0 if count >= 0.9 * len(rows) else round(count / len(rows), 1)
        stains = _stains(rows, separator) + (0 if len(rows[0]) == width else 3)
        score = (share, -stains, width if separator != " " else 2, -rank)
        best, most = (separator, score) if score > most else (best, most)
    return best


def _stains(rows: Sequence[Sequence[str]], separator: str) -> int:
    """Return how little the cells look like whole ones: halves of quotes, or stronger separators, are in them."""
    cells = [cell for row in rows for cell in row]
    halves = any(cell.count('"') % 2 for cell in cells)
    stronger = separator in {",", " "} and any(mark in cell for cell in cells for mark in "\t;|")
    return 2 * halves + stronger


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: it has no number, no time, and more than blank cells."""
    first = [cell.strip() for cell in rows[0]]
    return any(first) and not any(_VALUE.fullmatch(cell) or is_instant(cell) or cell == "-" for cell in first)


def decimal_of(cells: Sequence[str]) -> str | None:
    """Return the decimal separator of numbers, "." or ","; None if `1,234` can be read in both ways."""
    told = [cell.strip() for cell in cells if cell.strip() not in BLANK]
    commas = [cell for cell in told if _DECIMAL_COMMA.fullmatch(cell)]
    if not commas or any("." in cell for cell in told):
        return "."
    sure = any(len(re.split("[^0-9]", cell)[1]) != 3 or cell.startswith("0,") for cell in commas)
    whole = [re.split("[^0-9]", cell)[0] for cell in told]
    return "," if sure or any(len(digits) > 3 for digits in whole) else None
