"""A token bucket in whole numbers: no rounding decides whether a call is let through.

A token is cut into so many parts that a nanosecond brings back a whole number of them, whatever the rate.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from sim.kernel.durations import NS_PER_S

LARGEST_DENOMINATOR: Final = 10**12
"""Of a rate in tokens a second: a rate written per hour is met exactly, although it is kept as a float."""


class TokenBucket:
    """Holds at most `burst` tokens, is full at first, and gets `rate` tokens a second."""

    __slots__ = ("_at_ns", "_gain", "_level", "_most", "_token")

    def __init__(self, rate: float, burst: int) -> None:
        exact = Fraction(rate).limit_denominator(LARGEST_DENOMINATOR)
        self._gain = exact.numerator
        """Parts that come back in a nanosecond."""
        self._token = exact.denominator * NS_PER_S
        """Parts of a token."""
        self._most = burst * self._token
        self._level = self._most
        self._at_ns = 0

    def take(self, now_ns: int) -> int:
        """Take a token and return 0; if there is none, return in how many ns there will be one."""
        level = self._fill(now_ns)
        if level >= self._token:
            self._level = level - self._token
            return 0
        self._level = level
        return -(-(self._token - level) // self._gain)

    def reserve(self, now_ns: int) -> int:
        """Take a token that may be yet to come; return in how many ns it will be there, 0 if it is."""
        level = self._level = self._fill(now_ns) - self._token
        return -(level // self._gain) if level < 0 else 0

    def whole(self, now_ns: int) -> int:
        """Return how many whole tokens there are."""
        return self._fill(now_ns) // self._token

    def parts(self, now_ns: int) -> int:
        """Return how many parts of tokens there are."""
        return self._fill(now_ns)

    def _fill(self, now_ns: int) -> int:
        level = self._level = min(self._most, self._level + (now_ns - self._at_ns) * self._gain)
        self._at_ns = now_ns
        return level
