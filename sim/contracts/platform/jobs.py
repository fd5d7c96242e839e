"""What the platform owes: time, the states of jobs, and how often a function runs."""

from __future__ import annotations

from bisect import bisect
from operator import itemgetter
from typing import TYPE_CHECKING

from sim.history.deployment_events import RowsCollected
from sim.history.entities import NOT_YET, Attempt, Job, when
from sim.history.vocabulary import ALIVE, CANCELED, FAILED, HANG, IN_PROGRESS, PENDING, SUCCESS
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Place
    from sim.history.events import Event
    from sim.promises.view import View

LEGAL = {
    PENDING: (IN_PROGRESS, SUCCESS, FAILED, CANCELED),
    IN_PROGRESS: (SUCCESS, FAILED, CANCELED),
}
"""The steps that a job's state can take; from the others there is none."""


@invariant(owed_by="platform")
def clock_monotone(view: View) -> Iterator[Violation]:
    """The clock never goes back, and no mutation commits before its snapshot."""
    for at in view.backwards:
        before, after = view.events[at - 1] if at else None, view.events[at]
        yield breach(after.request, f"the clock goes back, to {format_duration(after.t_ns)}", before, after)
    for commit in view.commits:
        if commit.event.begin_ns > commit.event.t_ns:
            event = commit.event
            text = f"mutation {event.function} commits {when(event)}, before its snapshot"
            yield breach(event.request, f"{text} at {format_duration(commit.event.begin_ns)}", event)


@invariant(owed_by="platform")
def legal_job_steps(view: View) -> Iterator[Violation]:
    """A job's state goes from pending, through inProgress or not, to an end, step by step, and never leaves an end."""
    for _, event in view.strangers:
        yield breach(event.request, f"job {event.job} ({event.function}) changes but was never created", event)
    for job in view.jobs.values():
        state = job.born
        last: Event = job.created
        for step in job.steps:
            if step.before != state:
                text = f"{job} goes from {step.before} to {step.after} {when(step.event)}, but was {state}"
                yield breach(step.event.request, text, last, step.event)
            elif step.after not in LEGAL.get(state, ()):
                text = f"{job} goes from {state} to {step.after} {when(step.event)}"
                yield breach(step.event.request, text, last, step.event)
            state, last = step.after, step.event


@invariant(owed_by="platform")
def mutations_exactly_once(view: View) -> Iterator[Violation]:
    """A scheduled mutation commits once, together with its job's success, or throws and fails, and then never runs."""
    for job in view.jobs.values():
        if job.commits or job.threw or (job.end is not None and job.started is None):
            yield from _ran_once(view, job)


def _ran_once(view: View, job: Job) -> Iterator[Violation]:
    number = job.request.number
    runs: list[tuple[int, Event]] = sorted([*job.commits, *job.threw], key=itemgetter(0))
    if len(runs) > 1:
        (_, first), (_, again) = runs[0], runs[1]
        text = f"{job} runs {when(first)} and once more {when(again)}"
        yield breach(number, text, first, again)
        return
    ended = next((step for step in job.steps if step.event is job.end), None)
    if job.commits:
        at, event = job.commits[0]
        if ended is None or ended.by is None or ended.by.at != at or ended.after != SUCCESS:
            text = f"{job} commits {when(event)}, but its success is not part of that"
            yield breach(number, text, event, job.end)
    elif ended is not None and job.started is None:
        # A history can be cut between the steps of a mutation and its commit.
        if ended.after == SUCCESS and (view.terms.drained or (view.commits and view.commits[-1].at > ended.at)):
            yield breach(number, f"{job} succeeds {when(ended.event)} without a commit", ended.event)
        elif ended.after == FAILED and not job.threw:
            yield breach(number, f"{job} fails {when(ended.event)}, but never threw", ended.event)
    if job.threw and ended is not None and ended.after != FAILED and ended.at > job.threw[0][0]:
        _, thrown = job.threw[0]
        text = f"{job} threw {when(thrown)} but ends as {ended.after}"
        yield breach(number, text, thrown, ended.event)


@invariant(owed_by="platform")
def actions_at_most_once(view: View) -> Iterator[Violation]:
    """An action's job starts at most once, and its attempts run in that execution, while it lives."""
    for job in view.jobs.values():
        if job.started is not None and len(job.steps) > 1:
            starts = [step.event for step in job.steps if step.after == IN_PROGRESS]
            if len(starts) > 1:
                text = f"{job} starts {when(starts[0])} and again {when(starts[1])}"
                yield breach(job.request.number, text, starts[0], starts[1])
    for attempt in view.attempts():
        if attempt.job >= 0:
            yield from _within_execution(view, attempt)


def _within_execution(view: View, attempt: Attempt) -> Iterator[Violation]:
    job = view.jobs.get(attempt.job)
    what = f"attempt {attempt.number} of {attempt.request} starts {when(attempt.start)}"
    number = attempt.request.number
    if job is not None and job.started is None and job.commits:
        # A mutation's own work is done as it commits.
        at, commit = job.commits[0]
        if not (at < attempt.at and attempt.end is not None and commit.t_ns == attempt.start.t_ns == attempt.end.t_ns):
            yield breach(number, f"{what}, but {job} commits {when(commit)}", commit, attempt.start, attempt.end)
    elif job is None or job.started_at > attempt.at:
        yield breach(number, f"{what} in {view.job_text(attempt.job)}, which has not started", attempt.start)
    elif job.end_at < attempt.at and job.end is not None and job.state != CANCELED:
        # An execution out of the platform's sight goes on, and so does that of a job canceled meanwhile.
        if not any(other.lost_at < attempt.at for other in job.attempts):
            yield breach(number, f"{what} in {job}, which had ended", job.end, attempt.start)
    elif view.restarted_between(job.started_at, attempt.at):
        yield breach(number, f"{what} in {job}, which died with the server", job.started, attempt.start)


@invariant(owed_by="platform")
def children_of_canceled(view: View) -> Iterator[Violation]:
    """Jobs that a canceled action schedules, itself or through a mutation, are born canceled; no others are."""
    for commit in view.commits:
        if not commit.created:
            continue
        caller = view.jobs.get(commit.event.caller)
        cancel = None
        if caller is not None:
            cancel = next((step for step in caller.steps if step.after == CANCELED and step.at < commit.at), None)
        for job in commit.created:
            if (job.born == CANCELED) == (cancel is not None):
                continue
            if cancel is None:
                text = f"{job} is born canceled {when(job.created)}, but no canceled action scheduled it"
                yield breach(job.request.number, text, job.created, commit.event)
            elif cancel.by is not commit and not view.collected_between(cancel.at, commit.at):
                text = f"{job} is born {job.born} {when(job.created)}, scheduled by the canceled {caller}"
                yield breach(job.request.number, text, cancel.event, job.created, commit.event)


@invariant(owed_by="platform")
def nothing_starts_early(view: View) -> Iterator[Violation]:
    """No job starts before the time it is due, nor while the server is down."""
    for job in view.jobs.values():
        due_ns = job.asked_ns
        runs: list[tuple[int, Event]] = []
        if job.started is not None:
            runs.append((job.started.t_ns, job.started))
        if job.threw:
            runs.append((job.threw[0][1].t_ns, job.threw[0][1]))
        if job.commits:
            commit = job.commits[0][1]
            runs.append((commit.begin_ns, commit))
        for start_ns, event in runs:
            if start_ns < due_ns:
                text = f"{job} starts at {format_duration(start_ns)} but is due at {format_duration(due_ns)}"
                yield breach(job.request.number, text, job.created, event)
    if view.restarts:
        yield from _while_down(view)


def _while_down(view: View) -> Iterator[Violation]:
    starts: list[tuple[int, Event, str]] = [(commit.at, commit.event, commit.event.function) for commit in view.commits]
    starts += [(job.started_at, job.started, job.name) for job in view.jobs.values() if job.started is not None]
    starts += [
        (attempt.at, attempt.start, attempt.outcome)
        for request in view.requests.values()
        for attempt in request.attempts
        if attempt.job >= 0
    ]
    downs = [at for at, _ in view.restarts]
    ups = [at for at, _ in view.boots]
    for at, event, name in starts:
        before = bisect(downs, at)
        # The server is up if there were as many boots as deaths before: it dies only while it is up.
        if before > bisect(ups, at):
            text = f"'{event.kind}' {name} happens {when(event)} while the server is down"
            yield breach(event.request, text, view.restarts[before - 1][1], event)


@invariant(owed_by="platform")
def slots_respected(view: View) -> Iterator[Violation]:
    """No more jobs run at the same time than the platform has slots; checked if the terms say how many."""
    slots = view.terms.parallelism
    if slots is None:
        return
    changes: list[tuple[int, int, int, Event]] = []
    for job in view.jobs.values():
        if job.started is not None:
            changes.append((job.started.t_ns, 1, job.started_at, job.started))
            end = _slot_free(job)
            if end is not None:
                changes.append((end[1].t_ns, -1, *end))
        for at, commit in job.commits:
            if commit.begin_ns < commit.t_ns:
                changes += [(commit.begin_ns, 1, at, commit), (commit.t_ns, -1, at, commit)]
    busy = 0
    for t_ns, change, _, event in sorted(changes):
        busy += change
        if busy > slots:
            text = f"{busy} jobs run in {slots} slots at {format_duration(t_ns)}"
            yield breach(event.request, text, event)
            return


def _slot_free(job: Job) -> Place[Event] | None:
    """Return where the slot of an action is free again: a canceled one keeps it for as long as its attempt runs on."""
    if job.end is None:
        return None
    if job.state == CANCELED:
        attempts = [
            attempt for attempt in job.request.attempts if attempt.job == job.id and not attempt.over_by(job.end_at)
        ]
        for attempt in attempts:
            ends = [(attempt.end_at, attempt.end), (attempt.lost_at, attempt.lost)]
            at, event = min(ends, key=lambda place: place[0])
            return None if event is None else (at, event)
    return job.end_at, job.end


@invariant(owed_by="platform")
def rows_kept(view: View) -> Iterator[Violation]:
    """No row is collected before its job has been over for the retention; checked if the terms say how long."""
    retention_ns = view.terms.retention_ns
    if retention_ns is None:
        return
    collections = [event for _, event in view.ledger if isinstance(event, RowsCollected)]
    if not collections:
        return
    ends_ns = sorted((job.end or job.created).t_ns for job in view.jobs.values() if job.end_at < NOT_YET)
    collected = 0
    for event in collections:
        collected += event.count
        ripe = bisect(ends_ns, event.t_ns - retention_ns)
        if collected > ripe:
            text = f"{collected} rows have been collected {when(event)}, but {ripe} jobs had been over for"
            yield breach(-1, f"{text} {format_duration(retention_ns)}", event)
            return


@invariant("eventually", owed_by="platform")
def nothing_left(view: View) -> Iterator[Violation]:
    """In the end no job is pending or in progress and no attempt goes on, but for hangs and requests at a limit.

    Hangs that no time limit cuts keep their slots, so what waits for a slot then may wait for ever. So does what waits
    for a service; whether that may keep it waiting is judged by other invariants.
    """
    hanging: dict[int, Attempt] = {}
    for attempt in view.attempts():
        request = attempt.request
        if attempt.end is not None:
            continue
        unserved = attempt.call is not None and attempt.call.left_ns is None
        if attempt.outcome == HANG or unserved:
            hanging[attempt.job] = attempt
        else:
            text = f"attempt {attempt.number} of {request}, started {when(attempt.start)}, never ends"
            yield breach(request.number, text, attempt.start)
    slots_held = sum(job >= 0 for job in hanging)
    starved = slots_held >= (view.terms.parallelism or 1)
    for job in view.jobs.values():
        if job.state in ALIVE and job.id not in hanging:
            if job.state == PENDING and (starved or job.request.runaway is not None):
                continue
            last = job.steps[-1].event if job.steps else job.created
            text = f"{job} is {job.state} in the end, since {format_duration(last.t_ns)}"
            yield breach(job.request.number, text, last)
