"""Delays that several retriers compute the same way.

JavaScript's numbers overflow to infinity where Python raises; `power` does as JavaScript does.
"""

from __future__ import annotations

import math


def jitter(delay_ms: float, uniform: float) -> float:
    """Spread a delay over 0.5 to 1.5 times itself; `withJitter` of convex-helpers and of the component."""
    return delay_ms * (0.5 + uniform)


def power(base: float, exponent: float) -> float:
    """Raise as `Math.pow` does: infinity instead of an overflow."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
