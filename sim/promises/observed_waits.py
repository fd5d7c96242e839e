"""The waits of a retrier, as a history tells them: before each retry, and before each look.

A wait is what the retrier asked for. In the deployment that is the instant for which a job is scheduled, counted from
the snapshot of the mutation that schedules it. A retrier may put a retry aside, in a table or a job of its own, and
schedule it in a later mutation: its wait began with the mutation that first knew of the failure. So the waits that the
mutations in between asked for are added up, and the time by which the platform started them late is left out.
"""

from __future__ import annotations

from bisect import bisect
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.history.entities import NOT_YET, Attempt, Commit, Job, Request
from sim.history.vocabulary import CANCEL, CANCELED, FAILED, SUCCESS
from sim.kernel.durations import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.events import Event
    from sim.promises.view import View

ENDED: Final = (SUCCESS, FAILED, CANCELED)
"""States of a job that is over."""
_FLOAT_STEPS: Final = 2.0**-50
"""Four times the distance from a float to the next, relative to it: what a few roundings can add up to."""
_FORMULA: Final = 2.0**-36
"""By how much two formulas of a delay may differ, relative to it: a product of 10,000 factors against a power."""
_place = itemgetter(0)


class Retry(NamedTuple):
    """A wait before a retry."""

    request: Request
    failure: int
    """The number of the failure that it follows."""
    failed: Attempt | None
    """The attempt that failed, if there was one."""
    waits_ns: tuple[int, ...]
    """The wait as the mutation that schedules the retry sees it, and as each one before sees it, the longest last."""
    from_ns: int
    """The instant from which the longest counts."""
    whole: bool
    """Whether the longest is all of the wait: otherwise the retry stood in a table, and it is only known to be longer
    than the time that has passed, or no attempt has followed yet."""
    pieces: int
    """How many sleeps or jobs it is made of."""
    proof: tuple[Event, ...]


class Look(NamedTuple):
    """A wait before a look."""

    request: Request
    poll: Job
    waits: int
    """How many waits there were before it, since the first look or the last failure handled."""
    failure: int
    """The number of the failure handled by the mutation that schedules it, 0 for none."""
    wait_ns: int


def slack_ns(at_ns: float) -> float:
    """Return by how many ns an instant or duration may be off that was computed in ms, by floats."""
    return 1.0 + _FLOAT_STEPS * at_ns


def is_between(wait_ns: int, bounds_ms: tuple[float, float], at_ns: int = 0) -> bool:
    """Tell whether a wait, asked for at an instant, lies within bounds, up to the rounding of floats."""
    low_ns, high_ns = bounds_ms[0] * NS_PER_MS, bounds_ms[1] * NS_PER_MS
    if low_ns <= wait_ns <= high_ns:
        return True
    slack = slack_ns(at_ns) + _FORMULA * wait_ns
    return low_ns - slack <= wait_ns <= high_ns + slack


def action_jobs(view: View, request: Request) -> list[Job]:
    """Return the jobs that run the action, in their order."""
    names = view.terms.promises.action_jobs
    return [job for job in request.jobs if job.name in names]


def retries(view: View) -> list[Retry]:
    """Return all waits before retries; computed once for a view."""
    found: list[Retry] | None = view.known.get("retries")
    if found is None:
        found = []
        for request in view.requests.values():
            if request.jobs:
                if len(request.jobs) > 1:
                    found += _scheduled(view, request)
            elif request.sleeps or len(request.attempts) > 1:
                found += _slept(request) if not view.terms.promises.concurrent else _waited(view, request)
        view.known["retries"] = found
    return found


def looks(view: View) -> list[Look]:
    """Return all waits before looks but those before the first; computed once for a view."""
    found: list[Look] | None = view.known.get("looks")
    if found is None:
        names = view.terms.promises.poll_jobs
        found = view.known["looks"] = []
        for request in view.requests.values() if names else ():
            polls = [job for job in request.jobs if job.name in names]
            if len(polls) > 1:
                found += _looks(view, request, polls)
    return found


def _looks(view: View, request: Request, polls: list[Job]) -> Iterator[Look]:
    numbers = {job.id: number for number, job in enumerate(action_jobs(view, request))}
    waits = 0
    for poll in polls[1:]:
        by = poll.by
        if by is not None:
            created = by.created
            failure = 0 if len(created) == 1 else max((numbers.get(job.id, 0) for job in created), default=0)
            yield Look(request, poll, waits, failure, poll.asked_ns - by.event.begin_ns)
            waits += failure == 0


def _scheduled(view: View, request: Request) -> Iterator[Retry]:
    jobs = action_jobs(view, request)
    if len(jobs) <= 1:
        return
    attempt_in = {attempt.job: attempt for attempt in request.attempts}
    firsts = first_to_know(view)
    for failure, job in enumerate(jobs[1:], 1):
        by = job.by
        if by is None:
            continue
        failed = jobs[failure - 1]
        from_ns = by.event.begin_ns
        waits = [job.asked_ns - from_ns]
        first, link = firsts.get(failed.id), by
        while first is not None and link.at > first.at:
            own = view.jobs.get(link.event.job)
            if own is None or own.by is None:
                break
            link = own.by
            from_ns = link.event.begin_ns
            waits.append(waits[-1] + own.asked_ns - from_ns)
        whole = first is None or link is first
        if first is not None and not whole:
            from_ns = first.event.begin_ns
            waits.append(job.asked_ns - from_ns)
        proof = (job.created, (by if first is None else first).event)
        yield Retry(request, failure, attempt_in.get(failed.id), tuple(waits), from_ns, whole, len(waits), proof)


def first_to_know(view: View) -> dict[int, Commit]:
    """Return for each job of the action the first mutation that knew how it ended: a look at its row, or its report."""
    names = view.terms.promises.action_jobs
    jobs = view.jobs
    ended_at = {attempt.job: attempt.end_at for attempt in view.attempts() if attempt.job >= 0}
    found: dict[int, Commit] = {}
    for commit in view.commits:
        event = commit.event
        caller = event.caller
        if caller >= 0 and caller not in found and commit.at > ended_at.get(caller, NOT_YET):
            found[caller] = commit
        for row, value in event.reads:
            if row not in jobs or value not in ENDED:
                continue
            job = jobs[row]
            if job.name in names and event.function != CANCEL:
                found.setdefault(job.id, commit)
    return found


def _slept(request: Request) -> Iterator[Retry]:
    attempts, slept = request.attempts, request.sleeps
    for failure, attempt in enumerate(attempts, 1):
        following = attempts[failure] if failure < len(attempts) else None
        until_at = NOT_YET if following is None else following.at
        first, last = bisect(slept, attempt.at, key=_place), bisect(slept, until_at, key=_place)
        sleeps = [event for _, event in slept[first:last]]
        if following is None and not sleeps:
            return
        wait_ns = sum(event.duration_ns for event in sleeps)
        proof = tuple(sleeps) if following is None else (*sleeps, following.start)
        from_ns = sleeps[0].t_ns if sleeps else proof[0].t_ns
        yield Retry(request, failure, attempt, (wait_ns,), from_ns, following is not None, len(sleeps), proof)


def _waited(view: View, request: Request) -> Iterator[Retry]:
    """Yield the waits of a guest: its sleeps between two attempts as long as they last, those side by side once.

    If it does not sleep, it is the time from the failure to the next attempt: it has waited for a timer, or not at all.
    An attempt that starts before the guest has heard of the one before is no retry of that.
    """
    for failure, (attempt, following) in enumerate(pairwise(request.attempts), 1):
        heard_at = min(attempt.end_at, attempt.lost_at, attempt.given_up_at)
        if heard_at > following.at:
            continue
        heard_ns, until_ns = view.events[heard_at].t_ns, following.start.t_ns
        sleeps = [(at, sleep) for at, sleep in request.sleeps if heard_at < at < following.at]
        asleep_ns, awake_ns = 0, heard_ns
        for at, sleep in sleeps:
            from_ns = max(sleep.t_ns, awake_ns)
            awake_ns = max(min(request.slept_until_ns(at, sleep), until_ns), awake_ns)
            asleep_ns += max(awake_ns - from_ns, 0)
        wait_ns = asleep_ns if sleeps else until_ns - heard_ns
        from_ns = sleeps[0][1].t_ns if sleeps else heard_ns
        proof = (*(sleep for _, sleep in sleeps), following.start)
        yield Retry(request, failure, attempt, (wait_ns,), from_ns, True, max(len(sleeps), 1), proof)  # noqa: FBT003  # its field


def first_delay(view: View, request: Request) -> tuple[int, Event] | None:
    """Return the delay in ns before the first attempt, and the event that proves it; None if there is no attempt."""
    first = next(iter(action_jobs(view, request)), None)
    if first is not None and first.by is not None:
        return first.asked_ns - first.by.event.begin_ns, first.created
    if request.attempts and not request.jobs:
        start = request.attempts[0].start
        return start.t_ns - request.submitted_ns, start
    return None


def first_look(view: View, request: Request) -> tuple[Job, int] | None:
    """Return the job of a request's first look, and the delay in ns before it; None if there is none."""
    names = view.terms.promises.poll_jobs
    first = next((job for job in request.jobs if job.name in names), None)
    return None if first is None or first.by is None else (first, first.asked_ns - first.by.event.begin_ns)


def wait_before(retry: Retry, before: Retry | None) -> float | None:
    """Return the wait in ms after the failure before that of `retry`: 0 if it is the first, None if it is not known."""
    if retry.failure == 1:
        return 0.0
    if before is None or before.request is not retry.request or before.failure != retry.failure - 1:
        return None
    return before.waits_ns[-1] / NS_PER_MS if before.whole else None
