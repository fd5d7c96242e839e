"""What the platform and the world owe: that their own numbers hold. Checked if the terms give them."""

from __future__ import annotations

from bisect import bisect
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING

from sim.history.deployment_events import CommitRefused, FunctionThrew, JobStepped, MutationCommitted, RowsCollected
from sim.history.entities import NOT_YET, Attempt, Job, when
from sim.history.events import AttemptStarted, NumberDrawn, Settled, SettledAgain, SleepStarted
from sim.history.policy_events import GateWaited, TryRefused
from sim.history.vocabulary import CANCELED, CUT, DIED, FAILED, IN_PROGRESS
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Request
    from sim.history.events import CallGivenUp, Event
    from sim.promises.view import View

OF_A_LOOP = (AttemptStarted, SleepStarted, NumberDrawn, GateWaited, TryRefused, Settled, SettledAgain)
"""What a client's loop itself does, as far as a history tells."""
ENDS_OF_RUNS = (CommitRefused, MutationCommitted, FunctionThrew)
"""How one run of a mutation ends."""
LONG_NS = 1_000_000
"""Of a wait with full jitter up to this long or longer, 0 is no chance."""
TWICE = 2


@invariant(owed_by="platform")
def clients_wait(view: View) -> Iterator[Violation]:
    """A client goes on as soon as its sleep or timeout is over or its call is heard of, unless it is canceled.

    A policy may have to wait at gates, or may end a sleep for a limit on time; see `sleeps-as-decided`. A guest may do
    several things at once; see `guests-go-on`.
    """
    own: dict[int, list[Event]] = {
        request.number: []
        for request in view.requests.values()
        if not request.resubmits
        and view.terms_of(request).policy is None
        and not view.terms_of(request).promises.concurrent
        and (request.sleeps or (request.attempts and request.attempts[0].job < 0))
    }
    hedges = view.terms.promises.hedges
    for event in view.events if own else ():
        if isinstance(event, OF_A_LOOP) and event.request in own:
            own[event.request].append(event)
    for request in view.requests.values():
        for attempt in request.attempts:
            if attempt.given_up is not None:
                yield from _given_up_in_time(request, attempt, attempt.given_up)
        heard_ns = {attempt.number: _heard_ns(attempt) for attempt in request.attempts}
        for one, following in pairwise(own.get(request.number, ())):
            canceled = isinstance(following, Settled | SettledAgain) and following.outcome == CANCELED
            if isinstance(one, SleepStarted) and following.t_ns != one.t_ns + one.duration_ns and not canceled:
                text = f"{request} sleeps {format_duration(one.duration_ns)} {when(one)}, but goes on"
                yield breach(request.number, f"{text} {when(following)}", one, following)
            elif (
                isinstance(one, AttemptStarted) and following.t_ns != heard_ns[one.attempt] and not (canceled or hedges)
            ):
                heard = heard_ns[one.attempt]
                text = f"{request} goes on {when(following)} behind its attempt {one.attempt}, of which it hears"
                text += " nothing" if heard is None else f" at {format_duration(heard)}"
                yield breach(request.number, text, one, following)


def _heard_ns(attempt: Attempt) -> int | None:
    """Return the instant at which a client hears of its call first: its end, its loss, or that it gives up."""
    places = ((attempt.end_at, attempt.end), (attempt.lost_at, attempt.lost), (attempt.given_up_at, attempt.given_up))
    first = min(places, key=itemgetter(0))[1]
    return None if first is None else first.t_ns


def _given_up_in_time(request: Request, attempt: Attempt, given_up: CallGivenUp) -> Iterator[Violation]:
    if attempt.end_at < attempt.given_up_at:
        text = f"attempt {attempt.number} of {request} is given up {when(given_up)}, but had ended"
        yield breach(request.number, f"{text} {when(attempt.end)}", attempt.end, given_up)
    waited_ns = given_up.t_ns - attempt.start.t_ns
    if given_up.timeout_ns is not None and waited_ns != given_up.timeout_ns:
        text = f"attempt {attempt.number} of {request} is given up after {format_duration(waited_ns)};"
        text += f" expected after {format_duration(given_up.timeout_ns)}"
        yield breach(request.number, text, attempt.start, given_up)


@invariant(owed_by="platform")
def restarts_last(view: View) -> Iterator[Violation]:
    """The server is down for as long as the fault says."""
    for (_, restart), (_, boot) in zip(view.restarts, view.boots, strict=False):
        down_ns = boot.t_ns - restart.t_ns
        if down_ns != restart.down_ns:
            text = f"the server is down for {format_duration(down_ns)}; expected for"
            yield breach(-1, f"{text} {format_duration(restart.down_ns)}", restart, boot)


@invariant(owed_by="platform")
def reruns_in_law(view: View) -> Iterator[Violation]:
    """A refused mutation runs again as often as it may, a scheduled one until it commits, each time after its backoff.

    How long a called mutation waits is not seen: calls of the same name are not told apart.
    """
    terms = view.terms
    if terms.occ_reruns is not None:
        for at, event in view.conflicts:
            if event.job < 0:
                yield from _called_again(view, at, event, terms.occ_reruns)
    if terms.scheduled_occ_backoff_ns is not None:
        yield from _waits_in_law(view, terms.scheduled_occ_backoff_ns)


def _waits_in_law(view: View, backoff_ns: tuple[int, int]) -> Iterator[Violation]:
    waits: list[tuple[int, Event]] = []
    latest = {(event.job, event.rerun): (at, event) for at, event in view.conflicts if event.job >= 0}
    for (number, count), (at, event) in latest.items():
        job = view.jobs.get(number)
        if job is None or not job.commits or (number, count + 1) in latest:
            continue
        commit_at, commit = job.commits[0]
        if view.restarted_between(at, commit_at) or any(place > at for place, _ in job.errors):
            continue
        wait_ns, most_ns = commit.begin_ns - event.t_ns, _most_ns(backoff_ns, count - 1)
        if most_ns >= LONG_NS:
            waits.append((wait_ns, event))
        if wait_ns > most_ns:
            text = f"{job} runs again {format_duration(wait_ns)} after conflict {count}; expected within"
            yield breach(event.request, f"{text} {format_duration(most_ns)}", event, commit)
    if len(waits) >= TWICE and view.terms.draws_differ and not any(wait_ns for wait_ns, _ in waits):
        last = waits[-1][1]
        yield breach(last.request, f"all {len(waits)} reruns come at once, with no wait behind a conflict", last)


def _called_again(view: View, at: int, event: CommitRefused, most: int) -> Iterator[Violation]:
    if event.rerun > most + 1:
        text = f"{event.function} of request {event.request} loses {event.rerun} times {when(event)}, but runs again"
        yield breach(event.request, f"{text} at most {most} times", event)
        return
    if event.rerun > most:
        return
    following = view.events[at + 1] if at + 1 < len(view.events) else None
    if isinstance(following, JobStepped):
        # Nothing but the error of a call that is given up ends a job in the very step in which it is refused.
        same = (following.t_ns, following.request) == (event.t_ns, event.request)
        job = view.jobs.get(following.job)
        limit_ns = view.terms.action_time_limit_ns
        cut = job is not None and job.started is not None and job.started.t_ns + (limit_ns or 0) == event.t_ns
        if same and (following.before, following.after) == (IN_PROGRESS, FAILED) and not cut:
            text = f"{event.function} of request {event.request} is given up {when(event)}"
            yield breach(event.request, f"{text} after {event.rerun} of {most} reruns", event, following)
            return
    if view.terms.drained and not view.restarted_between(at, NOT_YET):
        again = (one for one in view.events[at + 1 :] if isinstance(one, ENDS_OF_RUNS))
        if not any((one.request, one.function, one.job) == (event.request, event.function, -1) for one in again):
            text = f"{event.function} of request {event.request} is refused {when(event)} and never runs again,"
            yield breach(event.request, f"{text} after {event.rerun - 1} of {most} reruns", event)


def _most_ns(backoff_ns: tuple[int, int], failures: int) -> int:
    initial_ns, max_ns = backoff_ns
    return min(initial_ns << min(failures, 62), max_ns)


@invariant(owed_by="platform")
def crashes_detected(view: View) -> Iterator[Violation]:
    """The job of an attempt that dies alone is marked failed after the time that detection takes."""
    detection_ns = view.terms.crash_detection_ns
    if detection_ns is None:
        return
    for attempt in view.attempts():
        request = attempt.request
        job = view.jobs.get(attempt.job)
        if attempt.how != DIED or attempt.end is None or job is None:
            continue
        if any(one.lost is not None for one in job.attempts):
            continue
        due_ns = attempt.end.t_ns + detection_ns
        if _excused(view, attempt, job, due_ns):
            continue
        if job.end is None and view.is_past(due_ns):
            text = f"{job} is never marked failed; expected at {format_duration(due_ns)}"
            yield breach(request.number, text, attempt.end)
        elif job.end is not None and job.end.t_ns != due_ns:
            text = f"{job} is marked {job.state} {when(job.end)}; expected at {format_duration(due_ns)}"
            yield breach(request.number, text, attempt.end, job.end)


def _excused(view: View, attempt: Attempt, job: Job, due_ns: int) -> bool:
    if job.state == CANCELED or any(place > attempt.at for place, event in job.errors if event.struck == "end"):
        return True
    for _, restart in view.restarts[bisect(view.restarts, attempt.at, key=itemgetter(0)) :]:
        if restart.t_ns > due_ns:
            break
        if attempt.end is not None and attempt.end.t_ns <= restart.t_ns:
            return True
    return False


@invariant(owed_by="platform")
def rows_collected(view: View) -> Iterator[Violation]:
    """A row is collected once its job has been over for the retention; checked if one batch takes all there are."""
    retention_ns, batch = view.terms.retention_ns, view.terms.collection_batch
    if retention_ns is None or batch is None or view.restarts or batch <= len(view.jobs):
        return
    ends = sorted((job.end or job.created).t_ns for job in view.jobs.values() if job.end_at < NOT_YET)
    ripe = bisect(ends, view.last_ns - retention_ns - 1)
    collected = sum(event.count for _, event in view.ledger if isinstance(event, RowsCollected))
    if collected < ripe:
        text = f"{collected} rows have been collected by {format_duration(view.last_ns)}, but {ripe} jobs had been over"
        yield breach(-1, f"{text} for more than {format_duration(retention_ns)}", view.events[-1])


@invariant(owed_by="platform")
def effects_at_their_moment(view: View) -> Iterator[Violation]:
    """An effect is due at its share of the attempt's latency, and a crash before the effect comes before that."""
    share = view.terms.effect_at
    if share is None:
        return
    for attempt in view.attempts():
        request = attempt.request
        latency_ns = attempt.latency_ns
        if latency_ns < 0 or attempt.is_at_service:
            continue
        moment_ns = attempt.start.t_ns + (latency_ns if share == 1.0 else round(share * latency_ns))
        if attempt.effect_ns >= 0 and attempt.effect_ns != moment_ns:
            text = f"the effect of attempt {attempt.number} of {request} is due at"
            text += f" {format_duration(attempt.effect_ns)}, but its moment is {format_duration(moment_ns)}"
            yield breach(request.number, text, attempt.start)
        late = attempt.end is not None and attempt.end.t_ns > moment_ns
        if attempt.outcome == "crash_before_effect" and attempt.how != CUT and late:
            text = f"attempt {attempt.number} of {request} dies {when(attempt.end)}, behind the moment of its effect"
            yield breach(request.number, f"{text} at {format_duration(moment_ns)}", attempt.start, attempt.end)


@invariant(owed_by="platform")
def outages_strike(view: View) -> Iterator[Violation]:
    """No attempt that starts in a total outage succeeds; checked if the terms name outages."""
    for attempt in view.attempts():
        request = attempt.request
        t_ns = attempt.start.t_ns
        for from_ns, to_ns, outcomes in view.terms.outages_ns:
            if from_ns <= t_ns < to_ns and attempt.outcome not in outcomes and not attempt.by_key:
                text = f"attempt {attempt.number} of {request} has '{attempt.outcome}' in store {when(attempt.start)},"
                text += f" in the outage from {format_duration(from_ns)} to {format_duration(to_ns)}"
                yield breach(request.number, text, attempt.start)
