"""Shares of a whole, written `50%` or `0.5`, and the exact number that such a text means.

Whether a share is reached must not hang on binary rounding: 2 of 10 are 0.2 of them. So a share is compared as the
decimal number that stands in the file, which the shortest text of its float gives back.
"""

import re
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_PERCENTAGE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%")


def exact(number: float) -> Fraction:
    """Return the decimal number that a float was written as: one fifth for 0.2."""
    return Fraction(repr(float(number)))


def _read(value: Any) -> Any:
    if isinstance(value, str):
        found = _PERCENTAGE.fullmatch(value.strip())
        if found is None or len(value) > 30:
            raise PydanticCustomError(
                "percentage", "expected a share such as 50% or 0.5, not '{value}'", {"value": value[:40]}
            )
        return float(Fraction(found[1]) / 100)
    return value


def _at_most_all(share: float) -> float:
    if not 0 <= share <= 1:
        raise ValueError("a share lies between 0% and 100%, that is between 0 and 1")
    return share


_SCHEMA: Final = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)? ?%\s*$"},
    ]
}
PercentOrShare = Annotated[float, BeforeValidator(_read), AfterValidator(_at_most_all), WithJsonSchema(_SCHEMA)]
"""A share from 0 to 1: in a file a number or a percentage, in memory a number."""
