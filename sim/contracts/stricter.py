"""Invariants that are worth asking of a retrier but that none can always keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.invariant import Violation, breach, invariant
from sim.contracts.retrier.attempts import delays, poll_delays
from sim.history.entities import when
from sim.history.vocabulary import SUPPRESSED
from sim.kernel.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.contracts.promises import Backoff
    from sim.contracts.view import View

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
    for request in view.requests.values():
        for failure, delay_ns, law_ns in delays(view, request):
            if not _capped(law, failure, low=low) and _is_near(delay_ns, law_ns, low=low):
                yield breach(request.number, f"{request} waits {format_duration(delay_ns)}")


def _near_of_polls(view: View, *, low: bool) -> Iterator[Violation]:
    for request in view.requests.values():
        for delay_ns, law_ns in poll_delays(view, request):
            if _is_near(delay_ns, law_ns, low=low):
                yield breach(request.number, f"{request} looks again after {format_duration(delay_ns)}")


def _is_near(delay_ns: int, law_ns: tuple[int, int], *, low: bool) -> bool:
    low_ns, high_ns = law_ns
    if not low_ns <= delay_ns <= high_ns:
        return False  # an error has asked for another wait
    share = (delay_ns - low_ns) / (high_ns - low_ns) if high_ns > low_ns else (0.0 if low else 1.0)
    return share <= FAR if low else share >= 1 - FAR


def _capped(law: Backoff, failure: int, *, low: bool) -> bool:
    """Tell whether a cap has moved this end of the law: a wait that long does not show how far jitter goes."""
    here, following = law(failure), law(failure + 1)
    if here[0] == here[1]:
        first = law(1)
        return first[0] != first[1]
    end = 0 if low else 1
    return here[end] == following[end] and here[1 - end] != following[1 - end]
