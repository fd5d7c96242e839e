"""What a retrier owes: the limits that its caller sets, by a budget, a deadline or a cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.retrier.budgets import copies_of
from sim.history.deployment_events import JobStepped
from sim.history.entities import NOT_YET, Commit, Request, when
from sim.history.policy_events import TryRefused
from sim.history.vocabulary import CANCELED, GAVE_UP, OF_THE_ACTION, OF_THE_REQUEST
from sim.kernel.durations import NS_PER_MS, format_duration
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.observed_waits import slack_ns
from sim.promises.promises import bounds_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.events import Event
    from sim.promises.view import View


@invariant()
def budget_used(view: View) -> Iterator[Violation]:
    """A request that gives up has had all its attempts, unless an error was final or the deadline leaves no time.

    A server that dies before the action of a job that it has started has begun costs an attempt too. Nothing is owed if
    a budget of retries is promised, or if the client's own gates have refused a try. A policy has more reasons to give
    up; see `reasons-in-order`. A pool goes by the attempts that it has written down; see `pool-retries-in-budget`.
    """
    promises = view.terms.promises
    at_most = promises.attempts_at_most
    if at_most is None or view.terms.policy is not None or promises.pool is not None:
        return
    refused = {event.request for event in view.events if isinstance(event, TryRefused)}
    for request in view.requests.values():
        settled, at = request.settled, request.settled_at
        if settled is None or request.outcome != GAVE_UP:
            continue
        made = [attempt for attempt in request.attempts if attempt.at < at]
        died = sum(job.started_at < at for job in request.jobs if job.name in promises.action_jobs) - len(made)
        if len(made) + max(died, 0) >= at_most or (request.cancels and request.cancels[0][0] < at):
            continue
        if any(attempt.failure is not None and attempt.failure.final for attempt in made):
            continue
        if promises.retry_budget is not None or request.number in refused:
            continue
        by_ns = min((ns for ns in (promises.deadline_ns, promises.soft_deadline_ns) if ns is not None), default=None)
        if by_ns is not None and not _fits(view, request, settled, len(made), by_ns):
            continue
        text = f"{request} gives up {when(settled)} after {len(made)} of {at_most} attempts"
        yield breach(request.number, text, *(attempt.start for attempt in made), settled)


def _fits(view: View, request: Request, settled: Event, failures: int, deadline_ns: int) -> bool:
    """Tell whether the longest wait before another attempt still ends before the deadline."""
    promises = view.terms.promises
    by_ns = request.submitted_ns + deadline_ns
    wait_ms = 0.0 if promises.backoff_ms is None or not failures else bounds_after(promises.backoff_ms, failures)[1]
    says = request.attempts[failures - 1].failure if failures else None
    wait_ns = max(wait_ms * NS_PER_MS, 0 if says is None else promises.heeded_ns(says.retry_after_ns))
    return wait_ns + slack_ns(by_ns) < by_ns - settled.t_ns


@invariant()
def deadline_holds(view: View) -> Iterator[Violation]:
    """A request settles by its deadline, a call in flight included, and starts no attempt after it.

    A deadline may be off by what a client that counts in floats loses to rounding: about a nanosecond, more after days.
    """
    deadline_ns = view.terms.promises.deadline_ns
    if deadline_ns is None:
        return
    for request in view.requests.values():
        if request.submit is None:
            continue
        by_ns = request.submitted_ns + deadline_ns
        last_ns = by_ns + slack_ns(by_ns)
        allowed = f"its deadline of {format_duration(deadline_ns)}, at {format_duration(by_ns)}"
        late = next((attempt for attempt in request.attempts if attempt.start.t_ns > last_ns), None)
        if late is not None:
            text = f"attempt {late.number} of {request} starts {when(late.start)}, after {allowed}"
            yield breach(request.number, text, request.submit, late.start)
        elif request.settled is not None:
            if request.settled.t_ns > last_ns:
                text = f"{request} settles {when(request.settled)}, after {allowed}"
                yield breach(request.number, text, request.submit, request.settled)
        elif view.last_ns > last_ns and request.runaway is None:
            text = f"{request} has not settled by {allowed}"
            yield breach(request.number, text, request.submit, *(attempt.start for attempt in request.attempts[-1:]))


@invariant()
def soft_deadline_holds(view: View) -> Iterator[Violation]:
    """No try of a request starts after its soft deadline; copies of a try that has started may."""
    deadline_ns = view.terms.promises.soft_deadline_ns
    if deadline_ns is None:
        return
    copies = copies_of(view)
    for request in view.requests.values():
        by_ns = request.submitted_ns + deadline_ns
        tries = (attempt for attempt in request.attempts if (request.number, attempt.number) not in copies)
        late = next((attempt for attempt in tries if attempt.start.t_ns > by_ns + slack_ns(by_ns)), None)
        if request.submit is not None and late is not None and late is not request.attempts[0]:
            text = f"attempt {late.number} of {request} starts {when(late.start)}, after its soft deadline of"
            text += f" {format_duration(deadline_ns)}, at {format_duration(by_ns)}"
            yield breach(request.number, text, request.submit, late.start)


@invariant()
def cancel_obeyed(view: View) -> Iterator[Violation]:
    """A canceled request starts no attempt, and what is still under way ends it as canceled.

    A client is canceled at once, a retrier of the deployment when its cancel commits. A cancel that answers False had
    nothing to cancel and changes nothing; one that answers True has settled the request as canceled by then. If an
    operator cancels the job of the action, nothing is left to retry either, as long as the row can be seen. A pool
    carries cancels out later, and takes a canceled job for a failure; see `pool-cancels-hold`.
    """
    if view.terms.promises.pool is not None:
        return
    for request in view.requests.values():
        for at, cancel in request.cancels:
            if at > request.settled_at:
                yield from _answered_late(request, at, cancel)
            elif cancel.target == OF_THE_REQUEST:
                yield from _obeyed(view, request, at, cancel)
            elif cancel.target == OF_THE_ACTION:
                step = view.events[at + 1] if at + 1 < len(view.events) else None
                if isinstance(step, JobStepped) and step.after == CANCELED:
                    late = _nothing_starts(view, request, at + 1, cancel)
                    yield from (found for found in late if not _forgotten(view, at, found))


def _forgotten(view: View, at: int, found: Violation) -> bool:
    """Tell whether the canceled row may have been collected before the retrier looked at it."""
    start_at = next(place for place, event in enumerate(view.events) if event is found.events[-1])
    return view.collected_between(at, start_at)


def _obeyed(view: View, request: Request, at: int, cancel: Event) -> Iterator[Violation]:
    commit: Commit | None = None
    if request.jobs or view.terms.promises.action_jobs:
        # Nothing is owed if the cancel has not committed, or came before there was anything to cancel.
        commit = next((commit for commit in request.cancel_commits if commit.at > at), None)
        if commit is None or not _submitted_before(request, commit):
            return
        at = commit.at
        answered_at, answer = next((place for place in request.answers if place[0] > at), (NOT_YET, None))
        if answer is not None and answer.answer is False:
            # A mutation's `settled` stands right behind its commit.
            if request.settled_at == at + 1:
                text = f"the cancel of {request} answers false {when(answer)}, but has itself settled the request"
                yield breach(request.number, text, cancel, request.settled, answer)
            return
        obeyed = request.outcome == CANCELED and request.settled_at < answered_at
        if answer is not None and answer.answer is True and not obeyed:
            text = f"the cancel of {request} answers true {when(answer)}, but it has not settled as canceled"
            yield breach(request.number, text, cancel, answer)
            return
    late = list(_nothing_starts(view, request, at, cancel))
    sleep = next((event for place, event in request.sleeps if place > at), None)
    if late:
        yield from late
    elif sleep is not None:
        text = f"{request} is canceled {when(cancel)}, but sleeps {when(sleep)}"
        yield breach(request.number, text, cancel, sleep)
    elif at < request.settled_at < NOT_YET and request.outcome != CANCELED and _under_way(view, request, at, commit):
        text = f"{request} is canceled {when(view.events[at])}, but settles as {request.outcome}"
        yield breach(request.number, f"{text} {when(request.settled)}", cancel, request.settled)


def _answered_late(request: Request, at: int, cancel: Event) -> Iterator[Violation]:
    """Yield a cancel that answers true although the request had settled otherwise before its snapshot."""
    commit = next((commit for commit in request.cancel_commits if commit.at > at), None)
    settled = request.settled
    if commit is None or settled is None or request.outcome == CANCELED or settled.t_ns >= commit.event.begin_ns:
        return
    answer = next((answer for place, answer in request.answers if place > commit.at), None)
    if answer is not None and answer.answer is True:
        text = f"the cancel of {request} answers true {when(answer)}, but it had settled as {request.outcome}"
        yield breach(request.number, f"{text} {when(settled)}", settled, cancel, answer)


def _nothing_starts(view: View, request: Request, at: int, cancel: Event) -> Iterator[Violation]:
    """Yield the first attempt that starts after a cancel, else the first job of the action that does."""
    canceled = f"{request} is canceled {when(view.events[at])}"
    late = next((attempt for attempt in request.attempts if attempt.at > at), None)
    if late is not None:
        text = f"{canceled}, but attempt {late.number} starts {when(late.start)}"
        yield breach(request.number, text, cancel, late.start)
        return
    names = view.terms.promises.action_jobs
    started = next((job for job in request.jobs if job.name in names and at < job.started_at < NOT_YET), None)
    if started is not None:
        text = f"{canceled}, but {started} starts {when(started.started)}"
        yield breach(request.number, text, cancel, started.started)


def _submitted_before(request: Request, cancel: Commit) -> bool:
    """Tell whether the cancel's snapshot could show anything of the request."""
    first = request.jobs[0].by if request.jobs else None
    return first is not None and first.event.commit_ts <= cancel.event.begin_ts


def _under_way(view: View, request: Request, at: int, commit: Commit | None) -> bool:
    """Tell whether there was something to cancel: for a client always, else a job of the action that had not ended."""
    if commit is None:
        return True
    for job in request.jobs:
        if job.name in view.terms.promises.action_jobs and job.at < at:
            ended_by = next((step.by for step in job.steps if step.event is job.end), None)
            if job.end_at > at or ended_by is commit:
                return True
    return False
