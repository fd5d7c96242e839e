"""Amounts of money as texts have them: a number and a currency, such as `2e-6 USD`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple

LONGEST: Final = 60
PATTERN: Final = r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})? ?([A-Z]{2,10}|[$€£¥])"
"""An amount with its currency, for the JSON Schema."""
_MONEY: Final = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?)\s*(?P<currency>[A-Z]{2,10}|[$€£¥])?"
)


class Money(NamedTuple):
    """An amount in a currency."""

    amount: Decimal
    currency: str
    """As it was written; empty if none was."""

    @property
    def text(self) -> str:
        """The amount as a file writes it, without an exponent."""
        return f"{self.amount:f} {self.currency}"


def money_of(text: str) -> Money | None:
    """Read an amount, with or without its currency; None if the text is none."""
    match = _MONEY.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if match is None:
        return None
    number = Decimal(match["number"])
    # Of equal amounts there is one text.
    plain = number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()
    return Money(plain, match["currency"] or "")
