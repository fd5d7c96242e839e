"""The parts of a policy that have state of their own, as one request finds them."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from typing import TYPE_CHECKING, Final

from sim.clients.policy.hedges import NEVER_AFTER, AfterPercentile
from sim.options.share import exact

if TYPE_CHECKING:
    from sim.clients.policy.breakers import Breaker
    from sim.clients.policy.budgets import Budget
    from sim.clients.policy.gates import Bulkhead, CallerRateLimit
    from sim.clients.policy.rules import Rules
    from sim.kernel.choices import DelayOf


class Latencies:
    """How long the last successes took, in order."""

    __slots__ = ("_last", "_most", "_sorted")

    def __init__(self, most: int) -> None:
        self._most = most
        self._last: deque[int] = deque()
        self._sorted: list[int] = []

    def add(self, latency_ns: int) -> None:
        """Add one; the oldest is forgotten."""
        self._last.append(latency_ns)
        insort(self._sorted, latency_ns)
        if len(self._last) > self._most:
            del self._sorted[bisect_left(self._sorted, self._last.popleft())]

    def percentile_ns(self, percentile: float) -> int | None:
        """Return the least latency that so many percent of them do not exceed; None if there are too few."""
        count, share = len(self._sorted), exact(percentile) / 100
        if count * (1 - share) < 1:
            return None
        return self._sorted[max(math.ceil(count * share) - 1, 0)]


class Looks:
    """When a worker looks whether there is something to do: from a first look on, each a random time after the last."""

    __slots__ = ("_every", "_looks_ns", "_number", "_owner")

    def __init__(self, every: DelayOf, owner: int, first_ns: int) -> None:
        """Take the law of the times between looks, bound to its stream (entity `owner`, index the look's number)."""
        self._every = every
        self._owner = owner
        self._number = 0
        self._looks_ns = [first_ns]

    def next_ns(self, from_ns: int) -> int:
        """Return the instant of the first look at or after an instant."""
        looks_ns = self._looks_ns
        while looks_ns[-1] < from_ns:
            self._number += 1
            looks_ns.append(looks_ns[-1] + max(self._every(self._owner, self._number, 0), 1))
        return looks_ns[bisect_left(looks_ns, from_ns)]


class Shared:
    """The stateful parts of a policy for one request; None for those that it does not have."""

    __slots__ = ("breaker", "budget", "bulkhead", "latencies", "looks", "rate_limit")

    def __init__(self) -> None:
        self.budget: Budget | None = None
        # Gates ask only for what their policy has.
        self.breaker: Breaker = None  # type: ignore[assignment]  # as above
        self.bulkhead: Bulkhead = None  # type: ignore[assignment]  # as above
        self.rate_limit: CallerRateLimit = None  # type: ignore[assignment]  # as above
        self.latencies: Latencies | None = None
        self.looks: Looks | None = None

    def copy_after_ns(self, rules: Rules) -> int | None:
        """Return how long after a copy the next one goes; None if it does not go by itself."""
        assert rules.hedge is not None  # noqa: S101  # asked only with a hedge
        after = rules.hedge.after
        if isinstance(after, AfterPercentile):
            assert self.latencies is not None  # noqa: S101  # it has them if its hedge has a percentile
            return self.latencies.percentile_ns(after.percentile)
        return None if after == NEVER_AFTER else after


NOTHING_SHARED: Final = Shared()
"""Of a policy without such parts."""
