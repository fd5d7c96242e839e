"""Shares of a whole, written `2%` or `0.02`, and the exact number that such a text means.

Whether a share is reached must not hang on binary rounding: 2 of 10 are 0.2 of them. So a share is compared as the
decimal number that stands in the file, which the shortest text of its float gives back.
"""

import re
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from sim.kernel.durations import MAX_LITERAL

_PERCENTAGE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")


def exact(number: float) -> Fraction:
    """Return the decimal number that a float was written as: one fifth for 0.2."""
    return Fraction(repr(float(number)))


def share_of_percentage(value: Any) -> Any:
    """Return the number that a text such as `2%` means, and any other value as it is.

    Raises a PydanticCustomError for a text that is no percentage.
    """
    if not isinstance(value, str):
        return value
    found = _PERCENTAGE.fullmatch(value.strip())
    if found is None or len(value) > MAX_LITERAL:
        shown = {"value": value[:40]}
        raise PydanticCustomError("percentage", "expected a share such as 2% or 0.02, got the text '{value}'", shown)
    share = Fraction(found[1]) / 100
    if share > 1:
        raise PydanticCustomError("percentage", "must be at most 100%, got {value}", {"value": value.strip()[:40]})
    return float(share)


def _at_most_all(share: float) -> float:
    if share < 0:
        raise ValueError(f"must be at least 0, got {share:.12g}")
    if share > 1:
        hint = f"; did you mean '{share:.12g}%'?" if share <= 100 else ""
        raise ValueError(f"must be at most 1, got {share:.12g}{hint}")
    return share


SHARE_SCHEMAS: Final = (
    {"type": "number", "minimum": 0, "maximum": 1},
    {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)? ?%\s*$"},
)
"""The forms of a share in the JSON Schema: a number, or a percentage."""
Share = Annotated[
    float,
    BeforeValidator(share_of_percentage),
    AfterValidator(_at_most_all),
    WithJsonSchema({"anyOf": list(SHARE_SCHEMAS)}),
]
"""A share from 0 to 1: in a file a number or a percentage, in memory a number."""
