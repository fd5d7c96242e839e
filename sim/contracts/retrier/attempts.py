"""What a retrier owes: when it may start an attempt, and how long it waits before it does."""

from __future__ import annotations

from bisect import bisect
from itertools import pairwise
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING

from sim.contracts.invariant import Violation, breach, invariant
from sim.history.entities import NOT_YET, Attempt, Job, Request, when
from sim.history.vocabulary import GAVE_UP, RETURNED, SUCCESS
from sim.kernel.durations import NS_PER_MS, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.contracts.view import View
    from sim.history.events import Event

_place = itemgetter(0)


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
    """No attempt starts after one that threw an error marked as final, if the retrier could know of it."""
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
    """An attempt starts only when those before it have ended or have been given up, unless the retrier hedges."""
    if view.terms.promises.hedges:
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
def delays_in_law(view: View) -> Iterator[Violation]:
    """The wait before each retry lies within the promised law for the failure it follows.

    In the deployment: from the snapshot of the mutation that schedules the retry to the time it asks for. At a client:
    the sleeps between two attempts, together. If the error asks to wait longer, that wait extends the law; if it asks
    to wait less, it does so only for a retrier that promises to obey (`obeys_retry_after`).
    """
    if view.terms.promises.backoff_ms is None:
        return
    for request in view.requests.values():
        if request.sleeps or len(request.attempts) > 1 or len(request.jobs) > 1:
            yield from _scheduled_delays(view, request) if request.jobs else _slept_delays(view, request)


def poll_delays(view: View, request: Request) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield each wait between two looks with no failure handled between them, and its law, in ns."""
    law = view.terms.promises.polls_ms
    for poll, waits, failure in _further_polls(view, request):
        if law is not None and poll.by is not None and not failure:
            low_ms, high_ms = law(waits, 0)
            yield poll.asked_ns - poll.by.event.begin_ns, (_whole_ns(low_ms), _whole_ns(high_ms))


def _further_polls(view: View, request: Request) -> Iterator[tuple[Job, int, int]]:
    """Yield each look but the first, the waits before it, and the number of the failure handled before it (0 none)."""
    polls = [job for job in request.jobs if job.name in view.terms.promises.poll_jobs]
    numbers = {job.id: number for number, job in enumerate(_action_jobs(view, request))}
    waits = 0
    for poll in polls[1:]:
        if poll.by is not None:
            failure = max((numbers.get(job.id, 0) for job in poll.by.created), default=0)
            yield poll, waits, failure
            waits += failure == 0


def delays(view: View, request: Request) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Yield each wait before a retry, scheduled or slept: (number of the failure, wait in ns, its law in ns)."""
    jobs = _action_jobs(view, request)
    for failure, job in enumerate(jobs[1:], 1):
        if job.by is not None:
            yield failure, job.asked_ns - job.by.event.begin_ns, _law_ns(view, failure, None)
    attempts = request.attempts
    for failure, (attempt, following) in enumerate(pairwise(attempts), 1):
        sleeps = [event for at, event in request.sleeps if attempt.at < at < following.at]
        if sleeps:
            yield failure, sum(event.duration_ns for event in sleeps), _law_ns(view, failure, None)


@invariant()
def first_attempt_in_law(view: View) -> Iterator[Violation]:
    """The first attempt is asked for as long after the submission as promised."""
    promised_ms = view.terms.promises.first_ms
    if promised_ms is None:
        return
    low_ns, high_ns = map(_whole_ns, promised_ms)
    for request in view.requests.values():
        jobs = _action_jobs(view, request)
        if jobs and jobs[0].by is not None:
            delay_ns = jobs[0].asked_ns - jobs[0].by.event.begin_ns
            proof: Event = jobs[0].created
        elif request.attempts and not request.jobs:
            proof = request.attempts[0].start
            delay_ns = proof.t_ns - request.submitted_ns
        else:
            continue
        if not low_ns <= delay_ns <= high_ns:
            text = f"the first attempt of {request} is asked for after {format_duration(delay_ns)}, but the law says"
            yield breach(request.number, f"{text} {_law_text(low_ns, high_ns)}", request.submit, proof)


def _scheduled_delays(view: View, request: Request) -> Iterator[Violation]:
    jobs = _action_jobs(view, request)
    if len(jobs) <= 1:
        return
    attempt_in = {attempt.job: attempt for attempt in request.attempts}
    for failure, job in enumerate(jobs[1:], 1):
        if job.by is None:
            continue
        delay_ns = job.asked_ns - job.by.event.begin_ns
        low_ns, high_ns = _law_ns(view, failure, attempt_in.get(jobs[failure - 1].id))
        if not low_ns <= delay_ns <= high_ns:
            yield _off_law(request, failure, delay_ns, (low_ns, high_ns), job.created, job.by.event)


def _action_jobs(view: View, request: Request) -> list[Job]:
    names = view.terms.promises.action_jobs
    return [job for job in request.jobs if job.name in names]


def _slept_delays(view: View, request: Request) -> Iterator[Violation]:
    attempts, slept = request.attempts, request.sleeps
    for failure, attempt in enumerate(attempts, 1):
        following = attempts[failure] if failure < len(attempts) else None
        until_at = NOT_YET if following is None else following.at
        first, last = bisect(slept, attempt.at, key=_place), bisect(slept, until_at, key=_place)
        sleeps = [event for _, event in slept[first:last]]
        if following is None and not sleeps:
            return
        delay_ns = sum(event.duration_ns for event in sleeps)
        low_ns, high_ns = _law_ns(view, failure, attempt)
        # A wait that no attempt has followed yet may go on.
        if delay_ns > high_ns or (following is not None and delay_ns < low_ns):
            proof = sleeps if following is None else [*sleeps, following.start]
            yield _off_law(request, failure, delay_ns, (low_ns, high_ns), *proof)


def _law_ns(view: View, failure: int, failed: Attempt | None) -> tuple[int, int]:
    """Return the promised bounds of the wait after this failure, as whole ns, and as far as its error extends them."""
    promises = view.terms.promises
    law, at_most = promises.backoff_ms, promises.attempts_at_most
    assert law is not None  # noqa: S101  # who asks has looked
    if at_most is not None and failure >= at_most:
        return 0, NOT_YET  # nothing is said of waits that must not be
    try:
        low_ms, high_ms = law(failure)
    except OverflowError:
        return 0, NOT_YET
    low_ns = _whole_ns(low_ms)
    high_ns = _whole_ns(high_ms)
    says = None if failed is None else failed.failure
    if says is not None and says.retry_after_ns >= 0:
        if promises.obeys_retry_after:
            low_ns = min(low_ns, says.retry_after_ns)
        return low_ns, max(high_ns, says.retry_after_ns)
    return low_ns, high_ns


def _whole_ns(delay_ms: float) -> int:
    try:
        delay_ns = float(delay_ms) * NS_PER_MS
    except OverflowError:  # a whole number beyond all floats
        return NOT_YET
    return round(delay_ns) if isfinite(delay_ns) else NOT_YET


def _off_law(request: Request, failure: int, delay_ns: int, law_ns: tuple[int, int], *events: Event) -> Violation:
    law = _law_text(*law_ns)
    text = f"{request} waits {format_duration(delay_ns)} after failure {failure}, but the law says {law}"
    return breach(request.number, text, *events)


def _law_text(low_ns: int, high_ns: int) -> str:
    low = format_duration(low_ns)
    if high_ns == low_ns:
        return low
    return f"{low} to {format_duration(high_ns)}" if high_ns < NOT_YET else f"{low} or more"


@invariant()
def polls_in_law(view: View) -> Iterator[Violation]:
    """The wait before a retrier of the deployment looks, for the first time and again, lies within the promised law."""
    promises = view.terms.promises
    if promises.first_poll_ms is not None:
        for request in view.requests.values():
            first = next((job for job in request.jobs if job.name in promises.poll_jobs), None)
            if first is not None:
                yield from _off_law_of_polls(request, first, "first looks", promises.first_poll_ms)
    if promises.polls_ms is None:
        return
    for request in view.requests.values():
        for poll, waits, failure in _further_polls(view, request):
            try:
                low_ms, high_ms = promises.polls_ms(waits, failure)
            except OverflowError:
                break
            yield from _off_law_of_polls(request, poll, "looks again", (low_ms, high_ms))


def _off_law_of_polls(request: Request, poll: Job, what: str, law_ms: tuple[float, float]) -> Iterator[Violation]:
    if poll.by is None:
        return
    low_ns, high_ns = map(_whole_ns, law_ms)
    delay_ns = poll.asked_ns - poll.by.event.begin_ns
    # The sum of two delays is rounded twice.
    if not low_ns - 1 <= delay_ns <= high_ns + 1:
        text = f"{request} {what} after {format_duration(delay_ns)} ({poll}), but the law says"
        yield breach(request.number, f"{text} {_law_text(low_ns, high_ns)}", poll.created, poll.by.event)


@invariant()
def no_sleep_after_last_attempt(view: View) -> Iterator[Violation]:
    """A client that gives up, or has succeeded, does not sleep after its last attempt."""
    for request in view.requests.values():
        if request.sleeps and request.attempts and request.outcome in {SUCCESS, GAVE_UP}:
            last_at = max(attempt.at for attempt in request.attempts if attempt.at < request.settled_at)
            for at, sleep in request.sleeps:
                if last_at < at < request.settled_at:
                    text = (
                        f"{request} sleeps {format_duration(sleep.duration_ns)} after its last attempt and then settles"
                    )
                    text += f" as {request.outcome} without another"
                    yield breach(request.number, text, view.events[last_at], sleep, request.settled)
                    break


@invariant()
def retry_after_honored(view: View) -> Iterator[Violation]:
    """If an error asks to wait, and the retrier could know of it, the next attempt does not start sooner."""
    for request in view.requests.values():
        for attempt, following in pairwise(request.attempts):
            says = attempt.failure
            if says is None or says.retry_after_ns < 0 or attempt.end is None:
                continue
            waited_ns = following.start.t_ns - attempt.end.t_ns
            if waited_ns < says.retry_after_ns and view.heard_at(attempt) < following.at:
                text = (
                    f"attempt {following.number} of {request} starts {format_duration(waited_ns)} after an error that"
                )
                text += f" asked to wait {format_duration(says.retry_after_ns)}"
                yield breach(request.number, text, attempt.end, following.start)


def _started_after(request: Request, at: int) -> Attempt | None:
    if request.attempts[-1].at <= at:
        return None
    return next(attempt for attempt in request.attempts if attempt.at > at)


def _job_over_by(view: View, attempt: Attempt, at: int) -> bool:
    """Tell whether the platform had ended the attempt's job, so that nothing waited for the attempt any more."""
    job = view.jobs.get(attempt.job)
    return job is not None and job.end_at < at
