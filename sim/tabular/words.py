"""Cells compared with words: `200` is also `200.0`, and `5xx` stands for 500 to 599."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLASS: Final = re.compile(r"[1-9]xx", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{0,30})?")
LONGEST_CELL: Final = 256


def word_of(value: object) -> str:
    """Return a value of a file as the text of a cell: true for True, "" for None, 200 for 200.0."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    text = str(value).strip()
    return text.removesuffix(".0") if isinstance(value, float) else text


class Words:
    """Some words; tells which cells are one of them."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        self._texts = frozenset(word.strip().casefold() for word in self.words)
        self._numbers = frozenset(number for word in self.words if (number := _number(word)) is not None)
        self._hundreds = frozenset(word.strip()[0] for word in self.words if _CLASS.fullmatch(word.strip()))
        self._known: dict[str, bool] = {}

    def __contains__(self, cell: str) -> bool:
        found = self._known.get(cell)
        if found is None:
            found = self._is_one(cell.strip())
            if len(self._known) < 10_000 and len(cell) <= LONGEST_CELL:
                self._known[cell] = found
        return found

    def _is_one(self, cell: str) -> bool:
        if cell.casefold() in self._texts:
            return True
        number = _number(cell)
        if number is None:
            return False
        whole = number == number.to_integral_value() and 100 <= number <= 999
        return number in self._numbers or (whole and str(int(number))[0] in self._hundreds)


def _number(text: str) -> Decimal | None:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
