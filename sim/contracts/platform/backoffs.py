"""What the platform owes: that it backs off as it says after conflicts and system errors, and that reports come.

How long its backoffs are is a law of chance, which a whole run is held to (`sim.chance.backoffs`).
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING

from sim.history.deployment_events import CommitRefused, FunctionThrew, JobStepped, MutationCommitted, SystemErrorStruck
from sim.history.entities import NOT_YET, Attempt, when
from sim.history.vocabulary import ANSWERED, CANCELED, DIED, SYSTEM_BACKOFF
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.promises.view import View

_place = itemgetter(0)


@invariant(owed_by="platform")
def backoffs_come(view: View) -> Iterator[Violation]:
    """A mutation that is refused and what a system error puts back backs off before it is tried again."""
    if not view.terms.tells_backoffs:
        return
    reruns = view.terms.occ_reruns
    backing_off = {(event.t_ns, event.request, event.job) for _, event in view.backoffs}
    refused = [event for _, event in view.conflicts if event.job >= 0 or (reruns is not None and event.rerun <= reruns)]
    struck = [event for job in view.jobs.values() for _, event in job.errors if _is_put_back(view, event)]
    for event in (*refused, *struck):
        if (event.t_ns, event.request, event.job) not in backing_off:
            text = f"{event.function} of request {event.request} is to be tried again {when(event)}"
            yield breach(event.request, f"{text} but does not back off", event)


def _is_put_back(view: View, error: SystemErrorStruck) -> bool:
    """Tell whether what a system error has struck is tried again: not an execution, which dies, nor a call in it."""
    if error.struck in {"start", "end"}:
        return True
    return error.struck == f"mutation {view.jobs[error.job].name}"


@invariant(owed_by="platform")
def backoffs_last(view: View) -> Iterator[Violation]:
    """What backs off is tried again when its backoff is over, and not before.

    A job that was put back needs a slot and a dispatch then, so it may start later.
    """
    if not view.backoffs:
        return
    tries = _tries(view)
    for at, event in view.backoffs:
        due_ns = event.t_ns + event.wait_ns
        of_it = tries[event.request, event.job]
        later = of_it[bisect(of_it, at, key=_place) :]
        # What was tried and had not come to its end when the server died, or the history ends, is not seen.
        if (not later and not view.terms.drained) or view.restarted_between(at, later[0][0] if later else NOT_YET):
            continue
        if event.stream == SYSTEM_BACKOFF:
            wrong = bool(later) and later[0][2] < due_ns
        else:
            job = view.jobs.get(event.job)
            over = job is not None and job.ended_ns is not None and job.ended_ns <= due_ns and job.state == CANCELED
            wrong = not over and not any(from_ns <= due_ns <= to_ns for _, from_ns, to_ns in later)
        if wrong:
            text = (
                f"{event.function} of request {event.request} backs off {format_duration(event.wait_ns)} {when(event)}"
            )
            then = f"goes on at {format_duration(later[0][2])}" if later else "does not go on"
            yield breach(event.request, f"{text}, but {then}", event)


def _tries(view: View) -> defaultdict[tuple[int, int], list[tuple[int, int, int]]]:
    """Return (place, from ns, to ns) of all that is tried, by request and job (-1: called): when it can have begun.

    Of a run that is refused only the end is seen. A job that is canceled meanwhile is not tried.
    """
    found: defaultdict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for at, event in enumerate(view.events):
        match event:
            case MutationCommitted():
                span = event.begin_ns, event.begin_ns
            case CommitRefused():
                span = 0, event.t_ns
            case JobStepped() if event.after == CANCELED:
                continue
            case FunctionThrew() | SystemErrorStruck() | JobStepped():
                span = event.t_ns, event.t_ns
            case _:
                continue
        found[event.request, event.job].append((at, *span))
    return found


@invariant("eventually", owed_by="platform")
def reports_come(view: View) -> Iterator[Violation]:
    """An attempt out of sight goes on to its end, and if its job reports ends, that of every attempt is reported."""
    reports = view.terms.promises.reports_ends
    names = view.terms.promises.action_jobs
    told: dict[int, int] = {}
    if reports:
        # The last mutation that each job has called.
        told = {commit.event.caller: commit.at for commit in view.commits if commit.event.caller >= 0}
    for attempt in view.attempts():
        request, lost = attempt.request, attempt.lost
        if request.runaway is not None:
            continue
        if lost is not None and (attempt.end is None or attempt.how == DIED) and not _killed(view, attempt):
            text = f"attempt {attempt.number} of {request} is out of sight from {format_duration(lost.t_ns)} on, and"
            then = f"dies {when(attempt.end)}" if attempt.end is not None else "never ends"
            yield breach(request.number, f"{text} {then}", lost, attempt.end)
        job = view.jobs.get(attempt.job)
        if not reports or job is None or job.name not in names or attempt.how not in ANSWERED:
            continue
        if told.get(job.id, -1) < attempt.end_at and not _report_lost(view, attempt):
            text = f"attempt {attempt.number} of {request} {attempt.how} {when(attempt.end)}, but {job}"
            yield breach(request.number, f"{text} never reports it", attempt.start, attempt.lost, attempt.end)


def _killed(view: View, attempt: Attempt) -> bool:
    """Tell whether something ended the attempt out of sight: a death of the server, or a system error."""
    job = view.jobs.get(attempt.job)
    struck = job is not None and any(event.struck == "execution" for _, event in job.errors)
    return struck or any(at > attempt.at for at, _ in view.restarts)


def _report_lost(view: View, attempt: Attempt) -> bool:
    """Tell whether something kept the report of an attempt from being committed."""
    if any(at > attempt.end_at for at, _ in view.restarts):
        return True
    return any(
        isinstance(event, CommitRefused | FunctionThrew | SystemErrorStruck) and event.request == attempt.request.number
        for event in view.events[attempt.end_at + 1 :]
    )
