"""Options of the two polling retriers, and delays that several retriers compute the same way.

On overflow JavaScript's numbers become infinite, but Python raises; `power` does as JavaScript does.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from sim.kernel.durations import NS_PER_MS
from sim.options.model import DurationNs, Options

WaitBackoff = Annotated[DurationNs, Field(ge=NS_PER_MS, description="First delay before looking again.")]
RetryBackoff = Annotated[DurationNs, Field(ge=NS_PER_MS, description="First delay before a retry.")]


class PollingOptions(Options):
    """Options of a retrier that polls the job of its action; the defaults are those of convex-helpers."""

    wait_backoff: WaitBackoff = 100 * NS_PER_MS
    retry_backoff: RetryBackoff = 100 * NS_PER_MS
    base: Annotated[float, Field(ge=1, le=1000, description="Base of both exponential backoffs.")] = 2.0
    max_failures: Annotated[int, Field(ge=0, le=10_000, description="Failures after which it still retries.")] = 16

    def arguments(self) -> dict[str, float]:
        """Return the options as upstream names them, delays in ms."""
        return {
            "waitBackoff": self.wait_backoff / NS_PER_MS,
            "retryBackoff": self.retry_backoff / NS_PER_MS,
            "base": self.base,
            "maxFailures": self.max_failures,
        }


def jitter(delay_ms: float, uniform: float) -> float:
    """Spread a delay from 0.5 to 1.5 times itself, as `withJitter` of convex-helpers and of the component does."""
    return delay_ms * (0.5 + uniform)


def power(base: float, exponent: float) -> float:
    """Return base ** exponent as `Math.pow` does: infinity instead of an OverflowError."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
