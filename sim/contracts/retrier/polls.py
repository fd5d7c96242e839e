"""What a retrier owes of its polls, its draws and its timeouts: when it looks, and what it does about what it sees."""

from __future__ import annotations

from bisect import bisect
from math import ceil, isinf
from typing import TYPE_CHECKING

from sim.history.deployment_events import CommitRefused, FunctionThrew, SystemErrorStruck
from sim.history.entities import NOT_YET, Attempt, Job, when
from sim.history.events import NumberDrawn
from sim.history.vocabulary import ANSWERED, FAILED
from sim.kernel.durations import format_duration, ns_of_ms
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.observed_waits import ENDED, slack_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Commit
    from sim.promises.view import View

LOST_DRAWS = (CommitRefused, FunctionThrew)
EVERYWHERE = -1
STRUCK = (CommitRefused, SystemErrorStruck, FunctionThrew)
"""What can keep an execution from telling how its attempt ended."""


@invariant()
def looking_ends(view: View) -> Iterator[Violation]:
    """A look at a request that has settled schedules no further look, unless it looks for all requests of a pool."""
    if view.terms.promises.pool is not None:
        return  # what wakes and ends its loop is judged by `pool-sleeps-only-if-nothing-is-due`
    names = view.terms.promises.poll_jobs
    for request in view.requests.values():
        settled = request.settled
        if settled is None or not request.jobs or request.jobs[-1].at < request.settled_at:
            continue
        for job in request.jobs:
            if job.at > request.settled_at and job.name in names and job.by is not None:
                look = view.jobs.get(job.by.event.job)
                if look is not None and look.name in names and job.by.event.begin_ns > settled.t_ns:
                    text = f"{request} settled as {settled.outcome} {when(settled)}, but {look} schedules {job}"
                    yield breach(request.number, f"{text} {when(job.created)}", settled, job.created)
                    break


@invariant()
def looks_one_by_one(view: View) -> Iterator[Violation]:
    """No more looks of a request are scheduled at the same time than promised."""
    promises = view.terms.promises
    if promises.polls_at_once is None:
        return
    for request in view.requests.values():
        alive: list[Job] = []
        for job in request.jobs:
            if job.name not in promises.poll_jobs or job.by is None:
                continue
            at = job.by.at
            alive = [other for other in alive if other.end_at > at]
            if job.end_at > at:
                alive.append(job)
            if len(alive) > promises.polls_at_once:
                text = f"{request} has {len(alive)} looks scheduled {when(job.created)}, but at most"
                text += f" {promises.polls_at_once} are promised: {' and '.join(map(str, alive))}"
                yield breach(request.number, text, *(other.created for other in alive))
                break


@invariant()
def ends_acted_on(view: View) -> Iterator[Violation]:
    """A look that finds the newest job of the action over retries or concludes: it does not just look again."""
    promises = view.terms.promises
    if not promises.acts_on_ends:
        return
    actions: dict[int, list[Job]] = {}
    for commit in view.commits:
        if commit.event.request not in view.requests:
            continue  # of another class of callers, or submitted again
        look = view.jobs.get(commit.event.job)
        if look is None or look.name not in promises.poll_jobs:
            continue
        made = {job.name for job in commit.created}
        if made.isdisjoint(promises.poll_jobs) or not made.isdisjoint(promises.action_jobs):
            continue
        number = look.request.number
        if number not in actions:
            actions[number] = [
                job for job in look.request.jobs if job.name in promises.action_jobs and job.by is not None
            ]
        newest = _newest(actions[number], commit)
        if newest is not None and (state := dict(commit.event.reads).get(newest.id)) in ENDED:
            again = next(job for job in commit.created if job.name in promises.poll_jobs)
            text = f"{look} of {look.request} finds {newest} {state} {when(commit.event)}, but only looks again"
            yield breach(look.request.number, text, newest.end, commit.event, again.created)


def _newest(jobs: list[Job], commit: Commit) -> Job | None:
    """Return the newest of some jobs that the snapshot of a mutation shows."""
    begin_ts = commit.event.begin_ts
    return next((job for job in reversed(jobs) if job.by is not None and job.by.event.commit_ts <= begin_ts), None)


@invariant()
def errors_taken(view: View) -> Iterator[Violation]:
    """If promised, a job that runs the action does not fail because the action did: it tells what it heard.

    A conflict, a system error, an error of a mutation, a death or the time limit in between is an excuse.
    """
    promises = view.terms.promises
    if not promises.takes_errors:
        return
    for attempt in view.attempts():
        request = attempt.request
        job = view.jobs.get(attempt.job)
        if job is None or job.state != FAILED or job.name not in promises.action_jobs or attempt.how not in ANSWERED:
            continue
        if view.heard_at(attempt) < NOT_YET and not _struck(view, attempt, job):
            text = f"{job} of {request} fails {when(job.end)}, since attempt {attempt.number} {attempt.how}"
            yield breach(request.number, f"{text} {when(attempt.end)}", attempt.end, job.end)


def _struck(view: View, attempt: Attempt, job: Job) -> bool:
    limit_ns = view.terms.action_time_limit_ns
    if job.started is None or job.end is None or (limit_ns is not None and job.end.t_ns == job.started.t_ns + limit_ns):
        return True
    between = view.events[attempt.end_at : job.end_at]
    return any(isinstance(event, STRUCK) and event.request == attempt.request.number for event in between)


@invariant()
def draws_are_fresh(view: View) -> Iterator[Violation]:
    """No number is drawn twice: every draw has an address of its own; checked if the terms say that draws differ.

    Draws of a mutation that was refused or threw came to nothing: only reruns of the same job must draw others.
    """
    if not view.terms.draws_differ:
        return
    seen: dict[tuple[int, float], NumberDrawn] = {}
    for event, job, lost in _drawn(view):
        keys = [(EVERYWHERE, event.value)] if not lost else []
        if job >= 0:
            keys.append((job, event.value))
        for key in keys:
            before = seen.setdefault(key, event)
            if before is not event:
                text = f"request {event.request} draws {event.value} ({event.stream}) {when(event)}, which"
                text += f" request {before.request} has drawn ({before.stream}) {when(before)}"
                yield breach(event.request, text, before, event)
                return


def _drawn(view: View) -> Iterator[tuple[NumberDrawn, int, bool]]:
    """Yield each draw, the job whose mutation drew it (-1: none), and whether that came to nothing."""
    events, places = view.events, [commit.at for commit in view.commits]
    for at, event in view.draws:
        following = at + 1
        while following < len(events) and isinstance(events[following], NumberDrawn):
            following += 1
        after = events[following] if following < len(events) else None
        if isinstance(after, LOST_DRAWS) and (after.request, after.t_ns) == (event.request, event.t_ns):
            yield event, after.job, True
            continue
        place = bisect(places, at)
        commit = view.commits[place].event if place < len(places) else None
        of_it = commit is not None and (commit.request, commit.t_ns) == (event.request, event.t_ns)
        yield event, commit.job if commit is not None and of_it else -1, False


@invariant()
def timeouts_in_law(view: View) -> Iterator[Violation]:
    """A client gives up on a call after the promised time, or at its deadline if that comes first, and not before.

    A policy has more kinds of timeouts and deadlines; see `timeouts-on-time`.
    """
    promises = view.terms.promises
    if view.terms.policy is not None or promises.timeout_ms is None or isinf(promises.timeout_ms):
        return
    timeout_ns = ns_of_ms(promises.timeout_ms)
    law = f"the law says {format_duration(timeout_ns)}"
    for request in view.requests.values():
        by_ns = None if promises.deadline_ns is None else request.submitted_ns + promises.deadline_ns
        for attempt in request.attempts:
            if attempt.job >= 0:
                continue
            started_ns = attempt.start.t_ns
            latest_ns = started_ns + timeout_ns + slack_ns(timeout_ns)
            what = f"attempt {attempt.number} of {request}"
            if attempt.given_up is not None:
                waited_ns = attempt.given_up.t_ns - started_ns
                at_deadline = by_ns is not None and abs(attempt.given_up.t_ns - by_ns) <= slack_ns(by_ns)
                in_time = abs(waited_ns - timeout_ns) <= slack_ns(timeout_ns)
                if not in_time and not (at_deadline and waited_ns < timeout_ns):
                    text = f"{what} is given up after {format_duration(waited_ns)}, but {law}"
                    yield breach(request.number, text, attempt.start, attempt.given_up)
            elif attempt.end is None and view.is_past(ceil(latest_ns)):
                yield breach(request.number, f"{what} never ends and is not given up, but {law}", attempt.start)
            elif attempt.end is not None and attempt.end.t_ns > latest_ns and attempt.lost is None:
                text = (
                    f"{what} runs for {format_duration(attempt.end.t_ns - started_ns)} and is not given up, but {law}"
                )
                yield breach(request.number, text, attempt.start, attempt.end)
