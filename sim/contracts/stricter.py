"""Invariants that are worth asking of a retrier but that none can always keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.entities import when
from sim.history.vocabulary import SUPPRESSED
from sim.kernel.durations import NS_PER_MS, format_duration
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.observed_waits import is_between, looks, retries
from sim.promises.promises import bounds_after, poll_bounds_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.promises.promises import Backoff, Bounds
    from sim.promises.view import View

FAR = 0.25
"""How near to an end of its law a wait must come, as a share of the law's width."""


@invariant("eventually")
def no_runaway(view: View) -> Iterator[Violation]:
    """No request goes on until it runs into a limit of the simulation."""
    for request in view.requests.values():
        if request.runaway is not None:
            limit = request.runaway.limit
            text = f"{request} runs into the limit of {limit} {when(request.runaway)}"
            yield breach(request.number, text, request.submit, request.runaway)


@invariant()
def effect_once(view: View) -> Iterator[Violation]:
    """The effect of a request happens at most once.

    No retrier can promise this if an action may die between its effect and its report.
    """
    for request in view.requests.values():
        applied = [(event, attempt) for _, event, attempt in request.effects if event.effect != SUPPRESSED]
        if len(applied) > 1:
            (first, _), (second, attempt) = applied[0], applied[1]
            text = f"the effect of {request} happens {when(first)} and again {when(second)}, in attempt"
            yield breach(request.number, f"{text} {attempt.number}; cause: {second.effect}", first, second)


@invariant("sometimes")
def delays_reach_low(view: View) -> Iterator[Violation]:
    """Some wait before a retry lies in the lowest quarter of its law: jitter goes all the way down."""
    yield from _near(view, low=True)


@invariant("sometimes")
def delays_reach_high(view: View) -> Iterator[Violation]:
    """Some wait before a retry lies in the highest quarter of its law: jitter goes all the way up."""
    yield from _near(view, low=False)


@invariant("sometimes")
def polls_reach_low(view: View) -> Iterator[Violation]:
    """Some wait before another look lies in the lowest quarter of its law."""
    yield from _near_of_polls(view, low=True)


@invariant("sometimes")
def polls_reach_high(view: View) -> Iterator[Violation]:
    """Some wait before another look lies in the highest quarter of its law."""
    yield from _near_of_polls(view, low=False)


def _near(view: View, *, low: bool) -> Iterator[Violation]:
    law = view.terms.promises.backoff_ms
    if law is None:
        return
    for retry in retries(view):
        wait_ns = retry.waits_ns[-1]
        capped = not retry.whole or _capped(law, retry.failure, low=low)
        if not capped and _is_near(wait_ns, bounds_after(law, retry.failure), low=low):
            yield breach(retry.request.number, f"{retry.request} waits {format_duration(wait_ns)}")


def _near_of_polls(view: View, *, low: bool) -> Iterator[Violation]:
    law = view.terms.promises.polls_ms
    if law is None:
        return
    for look in looks(view):
        if not look.failure and _is_near(look.wait_ns, poll_bounds_after(law, look.waits, 0), low=low):
            yield breach(look.request.number, f"{look.request} looks again after {format_duration(look.wait_ns)}")


def _is_near(wait_ns: int, bounds_ms: Bounds, *, low: bool) -> bool:
    if not is_between(wait_ns, bounds_ms):
        return False  # an error has asked for another wait
    low_ms, high_ms = bounds_ms
    if high_ms == low_ms:
        return True
    share = (wait_ns / NS_PER_MS - low_ms) / (high_ms - low_ms)
    return share <= FAR if low else share >= 1 - FAR


def _capped(law: Backoff, failure: int, *, low: bool) -> bool:
    """Tell whether a cap has moved this end of the law: a wait that long does not show how far jitter goes."""
    here, following = bounds_after(law, failure), bounds_after(law, failure + 1)
    if here[0] == here[1]:
        first = bounds_after(law, 1)
        return first[0] != first[1]
    end = 0 if low else 1
    return here[end] == following[end] and here[1 - end] != following[1 - end]
