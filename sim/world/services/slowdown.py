"""How long work takes beside other work."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.world.services.options import Slowdown


class Pace:
    """A slow-down, ready to be asked; None takes the latency as it is."""

    __slots__ = ("_calls", "_factors", "_per_call_ns")

    def __init__(self, slowdown: Slowdown | None) -> None:
        self._per_call_ns = 0 if slowdown is None else slowdown.per_call or 0
        curve = () if slowdown is None else slowdown.curve or ()
        self._calls = [calls for calls, _ in curve]
        self._factors = [factor for _, factor in curve]

    def work_ns(self, latency_ns: int, others: int) -> int:
        """Return how long work of this latency takes that starts beside so many other calls in progress."""
        if not self._calls:
            return latency_ns + self._per_call_ns * others
        return round(latency_ns * self._factor(others))

    def _factor(self, others: int) -> float:
        """Return the factor on the curve: linear between its points, level before the first and after the last."""
        calls, factors = self._calls, self._factors
        after = bisect_right(calls, others)
        if after == 0:
            return factors[0]
        if after == len(calls):
            return factors[-1]
        before = after - 1
        share = (others - calls[before]) / (calls[after] - calls[before])
        return factors[before] + (factors[after] - factors[before]) * share
