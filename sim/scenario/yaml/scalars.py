"""The scalars of YAML 1.2 (its core schema, section 10.3.2): what a plain word in a file means.

PyYAML resolves by YAML 1.1, in which `NO` is false, `1:30` is 90 and `017` is 15. Here they are two texts and 17.
"""

import math
import re

MAX_DIGITS = 32
"""No number of a scenario needs more digits, and the time to read one grows with their square."""

_NULL = ("", "~", "null", "Null", "NULL")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

Scalar = str | int | float | bool | None


def resolve(word: str) -> Scalar:
    """Turn a plain (unquoted) scalar into its value.

    Raises ValueError for `.nan` and `.inf`, and for numbers too large for a float or longer than `MAX_DIGITS`.
    """
    if word in _NULL:
        return None
    if word in _BOOL:
        return _BOOL[word]
    if _NOT_FINITE.fullmatch(word):
        raise ValueError(f"'{word}' is not a finite number")
    for pattern, base in ((_INT, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(word):
            _check_length(word)
            return int(word.removeprefix("0o").removeprefix("0x"), base)
    if _FLOAT.fullmatch(word):
        _check_length(word)
        number = float(word)
        if not math.isfinite(number):
            raise ValueError(f"'{word}' is not a finite number")
        return number
    return word


def _check_length(word: str) -> None:
    if len(word) > MAX_DIGITS:
        raise ValueError(f"a number has at most {MAX_DIGITS} characters")
