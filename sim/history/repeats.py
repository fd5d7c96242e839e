"""Records of the same requests, simulated twice: where they differ, although nothing of the scenario does.

Chance and time come by address, so a request does the same whenever it is simulated. If it does not, something else
reaches the retrier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.history.records import COLUMNS, FLAT_COLUMNS, Requests
from sim.history.vocabulary import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable

DUPLICATES = "duplicates"


class Unrepeated(NamedTuple):
    """A request that did something else when it was simulated again."""

    request: int
    """The number that `replay` takes."""
    columns: tuple[tuple[str, int, int], ...]
    """For each column of the record that differs: its name, its value, and its value the second time."""


def unrepeated(first: Requests, again: Requests, before: int = 0, columns: Iterable[str] = COLUMNS) -> list[Unrepeated]:
    """Compare two records of the same requests, row by row; return those that differ, each once, in order of number.

    `before` is how many requests have lower numbers in the replications before. `columns` decide whether a request
    differs. A row that is there only once counts as never submitted in the other record.
    """
    rows = min(len(first), len(again))
    one, other = first.select(slice(rows)), again.select(slice(rows))
    differs = np.zeros(rows, np.bool_)
    for name in columns:
        unequal = getattr(one, name) != getattr(other, name)
        differs |= unequal if unequal.ndim == 1 else unequal.any(axis=1)
    found = {
        int(one.number[row]): Unrepeated(before + int(one.number[row]), tuple(_columns(one, other, int(row))))
        for row in reversed(np.flatnonzero(differs))
    }
    for more, submitted in ((first, (1, 0)), (again, (0, 1))):
        for number in more.number[rows:].tolist():
            found[number] = Unrepeated(before + number, (("submitted", *submitted),))
    return [found[number] for number in sorted(found)]


def _columns(one: Requests, other: Requests, row: int) -> Iterable[tuple[str, int, int]]:
    for name in FLAT_COLUMNS:
        values = int(getattr(one, name)[row]), int(getattr(other, name)[row])
        if values[0] != values[1]:
            yield name, *values
    for cause in Cause:
        values = int(one.duplicates[row, cause]), int(other.duplicates[row, cause])
        if values[0] != values[1]:
            yield f"{DUPLICATES}.{cause.name}", *values
