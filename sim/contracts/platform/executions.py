"""What the platform owes: how executions end, in which order they start, and whom an operator cancels."""

from __future__ import annotations

from bisect import bisect
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from sim.history.deployment_events import JobStepped
from sim.history.entities import Attempt, Job, when
from sim.history.vocabulary import CANCELED, CUT, DIED, FAILED, OF_THE_ACTION, OF_THE_POLL, RETURNED, SUCCESS
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.events import Event
    from sim.promises.view import View

THE_ACTION = "action"
"""The user's own action, if its job runs nothing else."""


@invariant(owed_by="platform")
def ends_as_attempted(view: View) -> Iterator[Violation]:
    """A job that runs nothing but the action succeeds exactly when its attempt returns.

    It may also fail, but not succeed, if the server dies before the end is written, the platform loses sight of the
    attempt, or the job is canceled.
    """
    for attempt in view.attempts():
        request = attempt.request
        job = view.jobs.get(attempt.job)
        if job is None or job.name != THE_ACTION or job.end is None or job.state == CANCELED:
            continue
        returned = attempt.how == RETURNED and attempt.end_at < job.end_at
        unseen = attempt.lost_at < job.end_at or view.restarted_between(attempt.at, job.end_at)
        if (job.state == SUCCESS) != returned and not (job.state == FAILED and unseen):
            how = attempt.how if attempt.end_at < job.end_at else "still runs"
            text = f"{job} ends as {job.state} {when(job.end)}, but attempt {attempt.number} {how}"
            yield breach(request.number, text, attempt.end or attempt.start, job.end)


@invariant(owed_by="platform")
def deaths_take_all(view: View) -> Iterator[Violation]:
    """An attempt in the deployment dies with the server, in its instant, and nothing that it called commits after.

    One that dies or is cut off takes all others of its execution along.
    """
    for job in view.jobs.values():
        if len(job.attempts) > 1:
            yield from _die_together(job)
    if not view.restarts:
        return
    for attempt in view.attempts():
        if attempt.job >= 0:
            yield from _dies_with_it(view, attempt)
    for commit in view.commits:
        caller = view.jobs.get(commit.event.caller)
        if caller is not None and view.restarted_between(caller.started_at, commit.at):
            text = f"mutation {commit.event.function} commits {when(commit.event)}, called by {caller}, which died with"
            yield breach(commit.event.request, f"{text} the server", caller.started, commit.event)


def _die_together(job: Job) -> Iterator[Violation]:
    dead = min((one for one in job.attempts if one.how in {DIED, CUT}), key=lambda one: one.end_at, default=None)
    if dead is None or dead.end is None:
        return
    for other in job.attempts:
        if other.end_at > dead.end_at and (
            other.end is None or (other.how, other.end.t_ns) != (dead.how, dead.end.t_ns)
        ):
            text = f"attempt {dead.number} of {dead.request} {dead.how} {when(dead.end)} and ends {job}, but attempt"
            text += f" {other.number} of {other.request} goes on"
            yield breach(other.request.number, text, dead.end, other.start, other.end)
            return


def _dies_with_it(view: View, attempt: Attempt) -> Iterator[Violation]:
    place = bisect(view.restarts, attempt.at, key=itemgetter(0))
    at, restart = view.restarts[place] if place < len(view.restarts) else (attempt.end_at, None)
    # A history can be cut between a death and what it takes.
    if restart is None or at > attempt.end_at or (attempt.end is None and not view.is_past(restart.t_ns)):
        return
    if attempt.end is None or attempt.how != DIED or attempt.end.t_ns != restart.t_ns:
        text = f"attempt {attempt.number} of {attempt.request} goes on after the death of the server {when(restart)}"
        yield breach(attempt.request.number, text, restart, attempt.end)


@invariant(owed_by="platform")
def starts_in_order(view: View) -> Iterator[Violation]:
    """Jobs that wait for a slot start in the order in which they are due; checked if nothing else delays starts."""
    if not view.terms.in_order:
        return
    started = [job for job in view.jobs.values() if job.started is not None and not job.errors]
    started.sort(key=lambda job: job.started_at)
    to_come = sorted(started, key=_waits_from_ns, reverse=True)
    waiting: list[tuple[tuple[int, int], Job]] = []
    for job in started:
        t_ns = _started_ns(job)
        # Jobs that were waiting before this instant; one that starts within it is as good as first.
        while to_come and _waits_from_ns(to_come[-1]) < t_ns:
            other = to_come.pop()
            heappush(waiting, (_key(other), other))
        while waiting and _started_ns(waiting[0][1]) <= t_ns:
            heappop(waiting)
        if waiting and waiting[0][0] < _key(job):
            other = waiting[0][1]
            text = f"{job} starts {when(job.started)} before {other}, which was due earlier"
            yield breach(job.request.number, text, other.created, job.started, other.started)
            return
    for commit in view.commits:
        yield from _looked_too_soon(view, commit.created)


def _key(job: Job) -> tuple[int, int]:
    """Return what orders waiting jobs: the time asked for, or the time of asking if that is later."""
    scheduled_ns = job.created.t_ns if job.by is None else job.by.event.begin_ns
    return max(job.asked_ns, scheduled_ns), job.id


def _waits_from_ns(job: Job) -> int:
    waits_ns: int = max(job.asked_ns, job.created.t_ns)
    return waits_ns


def _started_ns(job: Job) -> int:
    return 0 if job.started is None else job.started.t_ns


def _looked_too_soon(view: View, created: list[Job]) -> Iterator[Violation]:
    """Yield a mutation that runs before an action that was scheduled before it, in one mutation, for one instant."""
    for action in created:
        if action.started is None or action.errors or view.restarts:
            continue
        for other in created:
            if other.id > action.id and other.asked_ns == action.asked_ns and other.commits and not other.errors:
                at, event = other.commits[0]
                if (event.begin_ns, at) < (action.started.t_ns, action.started_at):
                    text = f"{other} runs before {action} starts {when(action.started)}, which was scheduled before it"
                    yield breach(action.request.number, text, action.created, event, action.started)


@invariant(owed_by="platform")
def operators_cancel(view: View) -> Iterator[Violation]:
    """An operator's cancel ends the newest unfinished job of its target there and then, if there is one."""
    names = {OF_THE_ACTION: view.terms.promises.action_jobs, OF_THE_POLL: view.terms.promises.poll_jobs}
    for request in view.requests.values():
        for at, cancel in request.cancels:
            alive = [
                job for job in request.jobs if job.name in names.get(cancel.target, ()) and job.at < at < job.end_at
            ]
            if not alive:
                continue
            step: Event | None = view.events[at + 1] if at + 1 < len(view.events) else None
            if step is None and not view.terms.drained:
                continue
            done = isinstance(step, JobStepped) and step.after == CANCELED and step.job == alive[-1].id
            if not done:
                text = f"an operator cancels the {cancel.target} of {request} {when(cancel)}, but {alive[-1]} is not"
                yield breach(request.number, text, cancel, step)
