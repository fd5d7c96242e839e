"""A promise about how many retries go at all: so many at once, and more for what happens meanwhile.

In any stretch of time, and whatever was saved up before, a budget that keeps to it lets no more retries go than its
burst and what the requests, the successes and the seconds of that stretch bring. Token buckets are that: `burst` is the
capacity in retries. With `over_ms` it is a window: in the time up to each retry that it covers there are no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

Scope = Literal["request", "client", "world"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """At most so many retries. Amounts are counted in retries. Raises ValueError for a negative amount."""

    burst: float
    """Retries that may go without anything that brings more."""
    per_request: float = 0.0
    """What each request that starts brings."""
    per_success: float = 0.0
    """What each request that succeeds brings."""
    per_second: float = 0.0
    over_ms: float = inf
    """The length of the window; infinite for a bucket, which holds for every stretch of time."""
    scope: Scope = "client"
    """Whose retries count together."""

    def __post_init__(self) -> None:
        """Check the amounts."""
        for name in ("burst", "per_request", "per_success", "per_second"):
            amount = getattr(self, name)
            if not (isfinite(amount) and amount >= 0):
                raise ValueError(f"{name} of a budget of retries must be finite and not negative, not {amount}")
        if not self.over_ms > 0:
            raise ValueError(f"over_ms of a budget of retries must be positive, not {self.over_ms}")
