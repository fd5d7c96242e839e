"""What is worth asking of a retrier and what none can always grant."""

# ruff: noqa: D401  # an invariant's docstring is a claim about histories, not an order

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.analysis.contract_attempts import delays
from sim.analysis.contracts import Violation, breach, invariant
from sim.analysis.history_records import when
from sim.kernel.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.analysis.history_view import View

FAR = 0.25
"""How near to an end of its law a wait must come, as a share of the law's width."""


@invariant("eventually")
def no_runaway(view: View) -> Iterator[Violation]:
    """No request goes on until it runs into a limit of the simulation."""
    for request in view.requests.values():
        if request.runaway is not None:
            limit = request.runaway.name
            text = f"{request} runs into the limit of {limit} {when(request.runaway)}"
            yield breach(request.number, text, request.submit, request.runaway)


@invariant()
def effect_once(view: View) -> Iterator[Violation]:
    """The effect of a request happens at most once.

    No retrier can promise this where an action may die between its effect and its report.
    """
    for request in view.requests.values():
        applied = [(event, attempt) for _, event, attempt in request.effects if event.name != "suppressed"]
        if len(applied) > 1:
            (first, _), (second, attempt) = applied[0], applied[1]
            text = f"the effect of {request} happens {when(first)} and again {when(second)}, in attempt"
            yield breach(request.number, f"{text} {attempt.number}; cause: {second.name}", first, second)


@invariant("sometimes")
def delays_reach_low(view: View) -> Iterator[Violation]:
    """Some wait before a retry lies in the lowest quarter of its law: jitter goes all the way down."""
    yield from _near(view, low=True)


@invariant("sometimes")
def delays_reach_high(view: View) -> Iterator[Violation]:
    """Some wait before a retry lies in the highest quarter of its law: jitter goes all the way up."""
    yield from _near(view, low=False)


def _near(view: View, *, low: bool) -> Iterator[Violation]:
    if view.terms.promises.backoff_ms is None:
        return
    for request in view.requests.values():
        for delay_ns, (low_ns, high_ns) in delays(view, request):
            share = (delay_ns - low_ns) / (high_ns - low_ns) if high_ns > low_ns else (0.0 if low else 1.0)
            if share <= FAR if low else share >= 1 - FAR:
                yield breach(request.number, f"{request} waits {format_duration(delay_ns)}")
