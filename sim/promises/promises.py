"""What a retrier promises of every request, in numbers that a history can be checked against.

A retrier states them (`promises()` in `sim.retriers.base`), the invariants of `sim.contracts` check them.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil, inf, isinf, isnan
from typing import TYPE_CHECKING, Literal, get_args

from sim.kernel.durations import ns_of_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.promises.pool import PoolPromises
    from sim.promises.retry_budget import RetryBudget

    Bounds = tuple[float, float]
    """Least and most ms, both included; a `Wait` (`sim.promises.waits`) says besides how likely each wait is."""
    Backoff = Callable[[int], Bounds]
    """Number of the failure handled, 1 first -> the wait before the retry."""
    Polls = Callable[[int, int], Bounds]
    """Waits before this one, number of the failure just handled (0 none) -> the wait before the next look."""


RetryAfter = Literal["obeyed", "capped", "ignored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What a retrier promises of every request; what is None is not promised."""

    attempts_at_most: int | None = None
    """Attempts a request has at most; one that gives up has had them all."""
    first_ms: Bounds | None = None
    """The delay before the first attempt."""
    backoff_ms: Backoff | None = None
    """Given n, the bounds in ms of the wait after failure n, or its law.

    In the deployment the wait counts from the snapshot of the mutation that first knows of the failure, through all
    mutations that it schedules, to the instant for which the retry is asked: what the retrier decides, and not how late
    the platform is.
    """
    polls_ms: Polls | None = None
    """The law of the delays before a retrier of the deployment looks again, from its second look on."""
    first_poll_ms: Bounds | None = None
    """The delay before it looks for the first time."""
    polls_at_once: int | None = None
    """Looks of one request that are scheduled at the same time, at most."""
    acts_on_ends: bool = False
    """A look that finds the newest job of the action over retries or concludes in the same mutation."""
    reports_ends: bool = False
    """The job that runs the action calls a mutation after each end of the action, to report it."""
    takes_errors: bool = False
    """The job that runs the action takes its error: it does not fail because the action did."""
    timeout_ms: float | None = None
    """After which time a client gives up on a call, unless its deadline comes first."""
    retry_after: RetryAfter | None = None
    """What it makes of an error that asks to wait.

    `obeyed`: it waits as long as that, even if its own law says less or more. `capped`: the same, but for no longer
    than `retry_after_at_most_ms`. `ignored`: its own law holds whatever errors ask for. None: it waits at least as long
    as the error asks, and at least as long as its own law says.
    """
    retry_after_at_most_ms: float | None = None
    """The longest wait that it lets an error ask for; only with `capped`."""
    deadline_ns: int | None = None
    """From submission to the conclusion, a call in flight included."""
    soft_deadline_ns: int | None = None
    """From submission to the start of its last try at the latest; a sleep or a call may pass it."""
    retry_budget: RetryBudget | None = None
    """How many retries go at all. A request may then give up with attempts left."""
    settled_field: str | None = None
    """The field of a document in which it writes the instant of its conclusion; None: it settles as it commits."""
    callback: bool = False
    """The caller is told how its request ended, exactly once."""
    hedges: bool = False
    """An attempt may start while another of the same request still runs."""
    concurrent: bool = False
    """Its code may do several things at once, and cut a wait or leave a call before that is over: it is a guest."""
    pool: PoolPromises | None = None
    """What the pool owes that runs the requests' works; the loop of a pool looks for all of them, and its cancel is
    carried out by the loop."""
    takes_no_time: bool = False
    """What it runs is over as it starts, as a mutation or a query, whatever latency is stated of the action."""
    action_jobs: tuple[str, ...] = ()
    """Functions whose jobs run the action; () for a client outside."""
    poll_jobs: tuple[str, ...] = ()
    """Functions whose jobs look whether there is something to do."""

    def __post_init__(self) -> None:
        """Check what can be wrong in itself. Raises ValueError."""
        if self.retry_after not in {None, *get_args(RetryAfter)}:
            allowed = ", ".join(get_args(RetryAfter))
            raise ValueError(f"retry_after is one of {allowed}, not {self.retry_after!r}")
        if (self.retry_after == "capped") != (self.retry_after_at_most_ms is not None):
            raise ValueError("retry_after_at_most_ms belongs to retry_after 'capped', and to nothing else")

    def heeded_ns(self, asked_ns: int) -> int:
        """Return for how long it waits at least if an error asks for `asked_ns`; -1 if it does not care."""
        if asked_ns < 0 or self.retry_after == "ignored":
            return -1
        if self.retry_after_at_most_ms is not None:
            return min(asked_ns, ns_of_ms(self.retry_after_at_most_ms))
        return asked_ns


def attempts_of(retries: float) -> int | None:
    """Return how many attempts fit into a budget of retries, the first one included; None if it has no end.

    A retrier that counts down from a fraction, or from below zero, retries while more than nothing is left.
    """
    return None if isinf(retries) and retries > 0 else ceil(max(retries, 0)) + 1


def growing(first_ms: float, base: float, *, low: float = 1.0, high: float = 1.0) -> Backoff:
    """Return the bounds of a delay that starts at `first_ms` and is multiplied by `base` after each failure.

    It lies between `low` and `high` times that. Powers are repeated products, as in retriers that hand the grown delay
    on from one failure to the next. `sim.promises.waits.spread` says besides that it is spread evenly.
    """
    grown_ms = [float(first_ms)]

    def backoff_ms(failure: int) -> Bounds:
        while len(grown_ms) < failure:
            grown_ms.append(grown_ms[-1] * base)
        delay_ms = grown_ms[failure - 1]
        return (delay_ms * low if low else 0.0), (delay_ms * high if high else 0.0)

    return backoff_ms


def bounds_after(law: Backoff, failure: int) -> Bounds:
    """Return what a law says of the wait after a failure, also if its formula overflows there.

    A law whose numbers no float can hold stays what it was for the last failure for which they could be computed: at
    its cap if it has one, and otherwise at a wait that never ends. A bound that is no number is no bound.
    """
    try:
        return _numbers(law(failure))
    except OverflowError:
        last = _last_computed(law, failure)
        return _numbers(law(last)) if last else (0.0, inf)


def poll_bounds_after(law: Polls, waits: int, failure: int) -> Bounds:
    """Return what a law says of the wait before the next look, also if its formula overflows there.

    It then stays what it was after fewer waits, or if it has overflown without any, after an earlier failure.
    """
    try:
        return _numbers(law(waits, failure))
    except OverflowError:
        last = _last_computed(lambda number: law(number - 1, failure), waits + 1)
        if last:
            return _numbers(law(last - 1, failure))
        return bounds_after(lambda number: law(0, number - 1), failure + 1)


def _numbers(bounds: Bounds) -> Bounds:
    low_ms, high_ms = bounds
    if isnan(low_ms) or isnan(high_ms):
        return (0.0 if isnan(low_ms) else low_ms), (inf if isnan(high_ms) else high_ms)
    return bounds


def _last_computed(law: Backoff, failure: int) -> int:
    """Return the last failure before this one for which a law does not overflow, 0 if there is none."""

    def overflows(number: int) -> bool:
        try:
            law(number)
        except OverflowError:
            return True
        return False

    return bisect_left(range(1, failure), 1, key=overflows)
