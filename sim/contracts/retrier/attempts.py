"""What a retrier owes: when it may start an attempt, and how long it waits before it does."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from sim.contracts.retrier.budgets import copies_of
from sim.history.entities import NOT_YET, Attempt, Request, when
from sim.history.events import ON_TIMER
from sim.history.policy_events import TryRefused
from sim.history.vocabulary import GAVE_UP, RETURNED, SUCCESS
from sim.kernel.durations import NS_PER_MS, format_duration
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.observed_waits import first_delay, first_look, is_between, looks, retries, wait_before
from sim.promises.promises import bounds_after, poll_bounds_after
from sim.promises.waits import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.history.entities import Job
    from sim.promises.observed_waits import Retry
    from sim.promises.promises import Bounds
    from sim.promises.view import View


@invariant()
def attempts_within_budget(view: View) -> Iterator[Violation]:
    """A request has at most as many attempts as the retrier promises."""
    at_most = view.terms.promises.attempts_at_most
    if at_most is None:
        return
    for request in view.requests.values():
        if len(request.attempts) > at_most:
            start = request.attempts[at_most].start
            text = f"{request} has {len(request.attempts)} attempts, but at most {at_most} are promised"
            yield breach(request.number, f"{text}: attempt {start.attempt} starts {when(start)}", start)


@invariant()
def no_attempt_after_settled(view: View) -> Iterator[Violation]:
    """No attempt starts after the retrier has concluded, be it success, giving up or a cancel."""
    for request in view.requests.values():
        if request.settled is not None and request.attempts and request.attempts[-1].at > request.settled_at:
            late = next(attempt for attempt in request.attempts if attempt.at > request.settled_at)
            settled = request.settled
            text = f"{request} settled as {settled.outcome} {when(settled)}, but attempt {late.number} starts"
            yield breach(request.number, f"{text} {when(late.start)}", settled, late.start)


@invariant()
def no_retry_after_success(view: View) -> Iterator[Violation]:
    """No attempt starts after one whose success the retrier could know of.

    It could not if the platform lost sight of the attempt, the caller had given it up, or the server or a system error
    took the answer away; see `View.heard_at`.
    """
    yield from _tried_again(view, lambda attempt: "succeeded" if attempt.how == RETURNED else "")


@invariant()
def no_retry_of_final_error(view: View) -> Iterator[Violation]:
    """No attempt starts after one that threw an error marked as final, if the retrier could know of it.

    Not asked of a policy that states that it retries such errors.
    """
    if view.terms.policy is not None and view.terms.policy.retries_final:
        return
    yield from _tried_again(
        view,
        lambda attempt: (
            "threw an error marked as final" if attempt.failure is not None and attempt.failure.final else ""
        ),
    )


def _tried_again(view: View, reason: Callable[[Attempt], str]) -> Iterator[Violation]:
    """Yield the first attempt of each request that starts although the retrier could know of a reason against it."""
    for request in view.requests.values():
        for attempt in request.attempts[:-1]:
            why = reason(attempt)
            late = _started_after(request, view.heard_at(attempt)) if why else None
            if late is not None:
                text = f"{request} is tried again {when(late.start)} (attempt {late.number}) although"
                text += f" attempt {attempt.number} {why} {when(attempt.end)}"
                yield breach(request.number, text, attempt.end, late.start)
                break


@invariant()
def no_overlapping_attempts(view: View) -> Iterator[Violation]:
    """An attempt starts only when those before it have ended or have been given up, unless the retrier hedges.

    A guest may make several calls at once.
    """
    if view.terms.promises.hedges or view.terms.promises.concurrent:
        return
    for request in view.requests.values():
        running: list[Attempt] = []
        for attempt in request.attempts:
            if running:
                at = attempt.at
                running = [other for other in running if not (other.over_by(at) or _job_over_by(view, other, at))]
                if running:
                    other = running[0]
                    text = f"attempt {attempt.number} of {request} starts {when(attempt.start)} while attempt"
                    text += f" {other.number}, started {when(other.start)}, still runs"
                    yield breach(request.number, text, other.start, attempt.start)
                    break
            running.append(attempt)


@invariant()
def first_attempt_in_law(view: View) -> Iterator[Violation]:
    """The first attempt is asked for as long after the submission as promised."""
    promised_ms = view.terms.promises.first_ms
    if promised_ms is None:
        return
    for request in view.requests.values():
        delay = first_delay(view, request)
        if delay is not None and not is_between(delay[0], promised_ms, request.submitted_ns):
            text = f"the first attempt of {request} is asked for after {format_duration(delay[0])}, but the law says"
            yield breach(request.number, f"{text} {_law_text(promised_ms)}", request.submit, delay[1])


@invariant()
def delays_in_law(view: View) -> Iterator[Violation]:
    """The wait before each retry lies within the promised law for the failure it follows.

    In the deployment: what the mutations that handle the failure ask for, from the first that knows of it on; see
    `sim.promises.observed_waits`. At a client: the sleeps between two attempts, together. If the error asks to wait
    longer, that wait extends the law; if it asks to wait less, it does so only for a retrier that promises to obey. For
    one that promises to ignore such errors (`retry_after`) it does neither.
    """
    law = view.terms.promises.backoff_ms
    if law is None:
        return
    before: Retry | None = None
    for retry in retries(view):
        bounds_ms = _bounds_of(view, retry, before)
        before = retry
        if bounds_ms is None or _is_in_law(retry, bounds_ms):
            continue
        request, wait = retry.request, format_duration(retry.waits_ns[-1])
        text = f"{request} waits {wait} after failure {retry.failure}, but the law says {_law_text(bounds_ms)}"
        yield breach(request.number, text, *retry.proof)


def _is_in_law(retry: Retry, bounds_ms: Bounds) -> bool:
    wait_ns, at_ns = retry.waits_ns[-1], retry.from_ns
    if any(is_between(one_ns, bounds_ms, at_ns) for one_ns in (retry.waits_ns if retry.whole else retry.waits_ns[:-1])):
        return True
    if retry.whole:
        return False
    # In a table a retry may wait for the next look at it; at a client, a wait without an attempt behind it may go on.
    return is_between(wait_ns, (bounds_ms[0], inf) if retry.request.jobs else (0.0, bounds_ms[1]), at_ns)


def _bounds_of(view: View, retry: Retry, before: Retry | None) -> Bounds | None:
    """Return the promised bounds of a wait, as far as its error extends them; None if nothing is said of it."""
    promises = view.terms.promises
    law, at_most = promises.backoff_ms, promises.attempts_at_most
    if law is None or (at_most is not None and retry.failure >= at_most):
        return None  # nothing is said of waits that must not be
    bounds_ms = bounds_after(law, retry.failure)
    if isinstance(bounds_ms, Wait):
        bounds_ms = bounds_ms.given(wait_before(retry, before)) or bounds_ms
    says = None if retry.failed is None else retry.failed.failure
    heeded_ns = -1 if says is None else promises.heeded_ns(says.retry_after_ns)
    if heeded_ns >= 0:
        asked_ms = heeded_ns / NS_PER_MS
        low_ms = bounds_ms[0] if promises.retry_after is None else min(bounds_ms[0], asked_ms)
        return low_ms, max(bounds_ms[1], asked_ms)
    return bounds_ms


def _law_text(bounds_ms: Bounds) -> str:
    low_ms, high_ms = bounds_ms
    if low_ms * NS_PER_MS >= NOT_YET:
        return "never"
    low = format_duration(round(low_ms * NS_PER_MS))
    if high_ms == low_ms:
        return low
    if high_ms * NS_PER_MS >= NOT_YET:
        return f"{low} or more"
    return f"{low} to {format_duration(round(high_ms * NS_PER_MS))}"


@invariant()
def polls_in_law(view: View) -> Iterator[Violation]:
    """The wait before a retrier of the deployment looks, for the first time and again, lies within the promised law."""
    promises = view.terms.promises
    if promises.first_poll_ms is not None:
        for request in view.requests.values():
            first = first_look(view, request)
            if first is not None:
                yield from _off_law_of_polls(request, *first, "first looks", promises.first_poll_ms)
    if promises.polls_ms is None:
        return
    for look in looks(view):
        bounds_ms = poll_bounds_after(promises.polls_ms, look.waits, look.failure)
        yield from _off_law_of_polls(look.request, look.poll, look.wait_ns, "looks again", bounds_ms)


def _off_law_of_polls(request: Request, poll: Job, wait_ns: int, what: str, bounds_ms: Bounds) -> Iterator[Violation]:
    if poll.by is not None and not is_between(wait_ns, bounds_ms):
        text = f"{request} {what} after {format_duration(wait_ns)} ({poll}), but the law says"
        yield breach(request.number, f"{text} {_law_text(bounds_ms)}", poll.created, poll.by.event)


@invariant()
def no_sleep_after_last_attempt(view: View) -> Iterator[Violation]:
    """A client that gives up, or has succeeded, does not sleep after its last attempt, made or refused by itself.

    A policy may state that it does, by its deadline, its budget or a sleep after the last try; see `reasons-in-order`.
    A guest may have begun a sleep that a limit of time cuts, or that goes on beside: it must not settle as a sleep ends
    that it has begun after its last attempt was over.
    """
    if view.terms.policy is not None:
        return
    if view.terms.promises.concurrent:
        yield from _slept_in_vain(view)
        return
    refused: dict[int, int] = {
        event.request: at for at, event in enumerate(view.events) if isinstance(event, TryRefused)
    }
    for request in view.requests.values():
        if request.sleeps and request.attempts and request.outcome in {SUCCESS, GAVE_UP}:
            last_at = max(attempt.at for attempt in request.attempts if attempt.at < request.settled_at)
            last_at = max(last_at, refused.get(request.number, last_at))
            for at, sleep in request.sleeps:
                if last_at < at < request.settled_at:
                    text = (
                        f"{request} sleeps {format_duration(sleep.duration_ns)} after its last attempt and then settles"
                    )
                    text += f" as {request.outcome} without another"
                    yield breach(request.number, text, view.events[last_at], sleep, request.settled)
                    break


def _slept_in_vain(view: View) -> Iterator[Violation]:
    """Yield each sleep of a guest behind its last attempt that lasts its time, whereupon the guest settles at once.

    A wait for a lock may be one for another request of its client, if there are several: that is a bulkhead. If a gate
    of its own refuses the call behind the sleep, it has not slept in vain.
    """
    alone = len(view.requests) == 1
    refused = {event.request for event in view.events if isinstance(event, TryRefused)}
    for request in view.requests.values():
        settled = request.settled
        made = [attempt for attempt in request.attempts if attempt.at < request.settled_at]
        if settled is None or not made or request.outcome not in {SUCCESS, GAVE_UP} or request.number in refused:
            continue
        last_at = max(min(attempt.end_at, attempt.lost_at, attempt.given_up_at) for attempt in made)
        if any(last_at < at < request.settled_at for at, _ in request.wakes):
            continue
        for at, sleep in request.sleeps:
            lasts = sleep.duration_ns > 0 and sleep.t_ns + sleep.duration_ns == settled.t_ns
            if last_at < at < request.settled_at and lasts and (alone or not sleep.awaits):
                text = f"{request} sleeps {format_duration(sleep.duration_ns)} after its last attempt and then settles"
                text += f" as {request.outcome} without another"
                yield breach(request.number, text, view.events[last_at], sleep, settled)
                break


@invariant()
def retry_after_honored(view: View) -> Iterator[Violation]:
    """If an error asks to wait, and the retrier could know of it, the next try does not start sooner.

    A retrier that promises to cap such waits may start after its cap, one that promises to ignore them at any time. A
    policy states more of what it makes of such a wait; see `waits-as-stated`. A guest may have set a timer for a
    further call before it heard of the error.
    """
    if view.terms.policy is not None:
        return
    promises = view.terms.promises
    copies = copies_of(view) if promises.hedges else set()
    for request in view.requests.values():
        for attempt, following in pairwise(request.attempts):
            says = attempt.failure
            heeded_ns = -1 if says is None else promises.heeded_ns(says.retry_after_ns)
            if heeded_ns < 0 or attempt.end is None or (request.number, following.number) in copies:
                continue
            if promises.concurrent and _was_planned(request, attempt, following):
                continue
            waited_ns = following.start.t_ns - attempt.end.t_ns
            if waited_ns < heeded_ns and view.heard_at(attempt) < following.at:
                text = (
                    f"attempt {following.number} of {request} starts {format_duration(waited_ns)} after an error that"
                )
                text += f" asked to wait {format_duration(says.retry_after_ns if says is not None else 0)}"
                text += f", of which {format_duration(heeded_ns)} counts" if promises.retry_after == "capped" else ""
                yield breach(request.number, text, attempt.end, following.start)


def _was_planned(request: Request, attempt: Attempt, following: Attempt) -> bool:
    """Tell whether a guest starts an attempt as a timer fires, or a sleep is over, that it began before an error."""
    t_ns = following.start.t_ns
    if any(event.t_ns == t_ns and event.reason == ON_TIMER for _, event in request.wakes):
        return True
    return any(at < attempt.end_at and request.slept_until_ns(at, sleep) == t_ns for at, sleep in request.sleeps)


def _started_after(request: Request, at: int) -> Attempt | None:
    if request.attempts[-1].at <= at:
        return None
    return next(attempt for attempt in request.attempts if attempt.at > at)


def _job_over_by(view: View, attempt: Attempt, at: int) -> bool:
    """Tell whether the platform had ended the attempt's job, so that nothing waited for the attempt any more."""
    job = view.jobs.get(attempt.job)
    return job is not None and job.end_at < at
