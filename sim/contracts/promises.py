"""What a retrier promises of every request, in numbers that a history can be checked against.

A retrier states them (`promises()` in `sim.retriers.base`), the invariants of `sim.contracts` check them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isinf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Backoff = Callable[[int], tuple[float, float]]
    """Number of the failure handled, 1 first -> least and most ms before the retry, both included."""
    Polls = Callable[[int, int], tuple[float, float]]
    """Waits before this one, number of the failure just handled (0 none) -> least and most ms before the next look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What a retrier promises of every request; what is None is not promised."""

    attempts_at_most: int | None = None
    """Attempts a request has at most; one that gives up has had them all."""
    first_ms: tuple[float, float] | None = None
    """[low, high] of the delay before the first attempt."""
    backoff_ms: Backoff | None = None
    """Given n, the bounds in ms of the wait after failure n."""
    polls_ms: Polls | None = None
    """The law of the delays before a retrier of the deployment looks again, from its second look on."""
    first_poll_ms: tuple[float, float] | None = None
    """[low, high] of the delay before it looks for the first time."""
    polls_at_once: int | None = None
    """Looks of one request that are scheduled at the same time, at most."""
    acts_on_ends: bool = False
    """A look that finds the newest job of the action over retries or concludes in the same mutation."""
    takes_errors: bool = False
    """The job that runs the action takes its error: it does not fail because the action did."""
    timeout_ms: float | None = None
    """After which time a client gives up on a call, unless its deadline comes first."""
    obeys_retry_after: bool = False
    """It waits as long as the error asks, even if that is less than its own law."""
    deadline_ns: int | None = None
    """From submission to the conclusion, a call in flight included."""
    settled_field: str | None = None
    """The field of a document in which it writes the instant of its conclusion; None: it settles as it commits."""
    callback: bool = False
    """The caller is told how its request ended, exactly once."""
    hedges: bool = False
    """An attempt may start while another of the same request still runs."""
    action_jobs: tuple[str, ...] = ()
    """Functions whose jobs run the action; () for a client outside."""
    poll_jobs: tuple[str, ...] = ()
    """Functions whose jobs look whether there is something to do."""


def attempts_of(retries: float) -> int | None:
    """Return how many attempts fit into a budget of retries, the first one included; None if it has no end.

    A retrier that counts down from a fraction, or from below zero, retries while more than nothing is left.
    """
    return None if isinf(retries) and retries > 0 else ceil(max(retries, 0)) + 1


def growing(first_ms: float, base: float, *, low: float = 1.0, high: float = 1.0) -> Backoff:
    """Return the law of a delay that starts at `first_ms` and is multiplied by `base` after each failure.

    It lies between `low` and `high` times that. Powers are repeated products, as in retriers that hand the grown delay
    on from one failure to the next.
    """
    grown_ms = [float(first_ms)]

    def backoff_ms(failure: int) -> tuple[float, float]:
        while len(grown_ms) < failure:
            grown_ms.append(grown_ms[-1] * base)
        delay_ms = grown_ms[failure - 1]
        return delay_ms * low, delay_ms * high

    return backoff_ms
