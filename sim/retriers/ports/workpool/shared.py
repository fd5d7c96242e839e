"""Numbers and times that the component's functions share (`src/component/shared.ts`, `src/component/loop.ts`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sim.convex.functions import FunctionError
from sim.kernel.durations import NS_PER_MS, NS_PER_S, ns_of_ms

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

DEFAULT_MAX_PARALLELISM: Final = 10
DEFAULT_LOG_LEVEL: Final = "REPORT"
DEFAULT_RETRY_BEHAVIOR: Final = {"maxAttempts": 5, "initialBackoffMs": 250, "base": 2}
WORKER_NAME: Final = "main"
MINUTE_NS: Final = 60 * NS_PER_S
YEAR_NS: Final = 365 * 24 * 60 * MINUTE_NS
SEGMENT_NS: Final = 100 * NS_PER_MS
"""A segment: the grain of the component's absolute time."""
LARGEST_SEGMENT: Final = 2**63 - 1
"""Segments are kept as 64-bit integers."""

INITIAL_STATE: Final[dict[str, Any]] = {
    "generation": 0,
    "segmentCursors": {"incoming": 0, "completion": 0, "cancelation": 0},
    "lastRecovery": 0,
    "report": {"completed": 0, "succeeded": 0, "failed": 0, "retries": 0, "canceled": 0, "lastReportTs": 0},
    "running": (),
}
"""What `internalState` is before the first `run`."""


def to_segment(at_ns: int) -> int:
    """Return the segment of an absolute time."""
    return at_ns // SEGMENT_NS


def from_segment(segment: int) -> int:
    """Return the absolute time at which a segment starts, in ns."""
    return segment * SEGMENT_NS


def segment_after(now_ns: int, delay_ms: float) -> int:
    """Return the segment that is `delay_ms` from now. Raises FunctionError if a 64-bit integer cannot hold it."""
    try:
        segment = to_segment(now_ns + ns_of_ms(delay_ms))
    except (OverflowError, ValueError):  # infinite, or not a number
        segment = LARGEST_SEGMENT + 1
    if abs(segment) > LARGEST_SEGMENT:
        raise FunctionError(f"a segment must be a 64-bit integer, not {delay_ms} ms from now")
    return segment


def bound_scheduled_time(at_ns: float, now_ns: int) -> int:
    """Return the time at which a work may start: now in place of a very old time, a year from now of a very late one.

    Raises FunctionError for a NaN.
    """
    if math.isnan(at_ns):
        raise FunctionError("a time must be a number")
    if at_ns < now_ns - YEAR_NS:
        return now_ns
    if at_ns > now_ns + 4 * YEAR_NS:
        return now_ns + YEAR_NS
    return int(at_ns)


def whole(number: float) -> int:
    """Return how many documents `take` takes. Raises FunctionError unless the number is whole and not negative."""
    if number < 0 or number != math.floor(number):
        raise FunctionError(f"take() needs a whole number that is not negative, not {number}")
    return int(number)


def promise_all(running: Iterable[Generator[None, None, None]]) -> None:
    """Run handlers side by side within one transaction, as `Promise.all` does.

    A handler yields after each call of the database. The first calls of all come in order, then all second ones, and
    so on: this is the order in which the writes of several items stand, and numbers are drawn.
    """
    left = list(running)
    while left:
        left = [handler for handler in left if next(handler, handler) is not handler]
