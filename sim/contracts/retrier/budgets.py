"""What a retrier owes that promises a budget of its retries: recounted from attempts alone, whoever keeps the count.

When a retry was paid for is not told, only between which instants: after the failure before it, and before its attempt.
So a retry counts for a stretch of time only if all of that lies in it, and what requests, successes and seconds bring
counts as soon as it may. That finds no fault in a budget that is kept.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sim.history.entities import when
from sim.history.policy_events import CopySent
from sim.history.vocabulary import SUCCESS
from sim.kernel.durations import NS_PER_MS, NS_PER_S
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Attempt, Request
    from sim.promises.retry_budget import RetryBudget
    from sim.promises.view import View

MOST_STRETCHES: Final = 2000
"""Beginnings of stretches that are tried; of more retries than that every second one, or third, and so on."""
ROUNDING: Final = 1e-6


class _Retry(NamedTuple):
    from_ns: int
    """Since when it may have been paid for."""
    attempt: Attempt


@invariant()
def retries_within_budget(view: View) -> Iterator[Violation]:
    """In no stretch of time more retries go than the promised budget of retries allows."""
    budget = view.terms.promises.retry_budget
    if budget is None:
        return
    groups: dict[int, list[Request]] = {}
    for request in view.requests.values():
        if request.submit is not None:
            groups.setdefault(_group(request, budget), []).append(request)
    copies = copies_of(view)
    for requests in groups.values():
        yield from _over_budget(budget, requests, copies)


def copies_of(view: View) -> set[tuple[int, int]]:
    """Return the request and the number of each attempt that is a further copy of a try."""
    return {(event.request, event.attempt) for event in view.events if isinstance(event, CopySent)}


def _group(request: Request, budget: RetryBudget) -> int:
    if budget.scope == "request":
        return request.number
    return request.submit.client if budget.scope == "client" and request.submit is not None else -1


def _retries(request: Request, copies: set[tuple[int, int]]) -> Iterator[_Retry]:
    """Yield the retries of a request; a resubmission begins with an attempt that is none."""
    firsts_ns = [event.t_ns for _, event in request.resubmits]
    for position, attempt in enumerate(request.attempts):
        start_ns = attempt.start.t_ns
        if position == 0 or any(request.attempts[position - 1].start.t_ns <= ns <= start_ns for ns in firsts_ns):
            continue
        if (request.number, attempt.number) in copies:
            yield _Retry(start_ns, attempt)
            continue
        heard = (
            event.t_ns
            for other in request.attempts[:position]
            for event in (other.end, other.lost, other.given_up)
            if event is not None and event.t_ns <= start_ns
        )
        yield _Retry(max(heard, default=request.submitted_ns), attempt)


def _over_budget(budget: RetryBudget, requests: list[Request], copies: set[tuple[int, int]]) -> Iterator[Violation]:
    """Yield the first retry that goes although no stretch before it allows one."""
    found = sorted((retry for one in requests for retry in _retries(one, copies)), key=lambda one: one.attempt.at)
    if not found:
        return
    from_ns = np.array([retry.from_ns for retry in found], np.int64)
    to_ns = np.array([retry.attempt.start.t_ns for retry in found], np.int64)
    earned = [(one.submitted_ns, budget.per_request) for one in requests]
    earned += [
        (one.settled.t_ns, budget.per_success) for one in requests if one.settled is not None and one.outcome == SUCCESS
    ]
    earned.sort()
    earned_ns = np.array([t_ns for t_ns, _ in earned], np.int64)
    sums = np.concatenate([[0.0], np.cumsum([amount for _, amount in earned])])
    starts_ns, window_ns = np.unique(from_ns), budget.over_ms * NS_PER_MS
    for start_ns in starts_ns[:: 1 + len(starts_ns) // MOST_STRETCHES]:
        counts = from_ns >= start_ns
        counts &= to_ns - start_ns < window_ns
        ends_ns = to_ns[counts]
        # A window reaches back from the instant of the payment, so it may begin before the stretch.
        begins_ns = np.full(len(ends_ns), start_ns) if window_ns == inf else from_ns[counts] - window_ns
        brought = sums[np.searchsorted(earned_ns, ends_ns, "right")] - sums[np.searchsorted(earned_ns, begins_ns)]
        allowed = budget.burst + brought + budget.per_second * (ends_ns - begins_ns) / NS_PER_S
        over = np.arange(1, len(ends_ns) + 1) > allowed + ROUNDING
        if over.any():
            place = int(np.argmax(over))
            first = found[int(np.flatnonzero(counts)[0])].attempt
            last = found[int(np.flatnonzero(counts)[place])].attempt
            text = f"attempt {last.number} of {last.request} {when(last.start)} is retry {place + 1} from"
            text += f" {when(first.start).removeprefix('at ')} on, but the budget allows {allowed[place]:.6g}"
            yield breach(last.request.number, text, first.start, last.start)
            return
