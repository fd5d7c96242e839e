"""What the platform and the world owe: that each step takes the time its law allows. Checked if the terms say the laws.

A single history can show only that a time lies beyond both ends of its law; how times are spread between is seen over a
whole run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.entities import NOT_YET, Attempt, Job, when
from sim.history.vocabulary import ANSWERED, DIED
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.events import Event
    from sim.promises.view import View

ANY_SPAN = (0, NOT_YET)


@invariant(owed_by="platform")
def steps_take_their_time(view: View) -> Iterator[Violation]:
    """A job takes the time of its dispatch to start, and a mutation its latency and its window, no more and no less.

    The most is held only for jobs that nothing delays: no lack of slots, no death, no system error, no conflict.
    """
    terms = view.terms
    dispatch_ns, latency_ns, window_ns = terms.dispatch_latency_ns, terms.mutation_latency_ns, terms.commit_window_ns
    if dispatch_ns is None or latency_ns is None or window_ns is None:
        return
    for commit in view.commits:
        event = commit.event
        took_ns = event.t_ns - event.begin_ns
        if event.function and not window_ns[0] <= took_ns <= window_ns[1]:
            text = f"{event.function} commits {when(event)}, {format_duration(took_ns)} after its snapshot;"
            yield breach(event.request, f"{text} the law says {_span_text(window_ns)}", event)
    refused = {event.job for _, event in view.conflicts}
    free = terms.parallelism is None and not view.restarts
    mutation_ns = (dispatch_ns[0] + latency_ns[0], dispatch_ns[1] + latency_ns[1])
    for job in view.jobs.values():
        began = _began(job)
        if began is None or job.request.runaway is not None:
            continue
        began_ns, proof = began
        law_ns = mutation_ns if job.started is None else dispatch_ns
        # A death takes with it what has been dispatched; with a boot before it begins anew.
        boot_ns = max((boot.t_ns for _, boot in view.boots if boot.t_ns < began_ns), default=0) if view.boots else 0
        took_ns = began_ns - max(job.asked_ns, job.created.t_ns, boot_ns)
        late = took_ns > law_ns[1] and free and not job.errors and job.id not in refused
        if took_ns < law_ns[0] or late:
            text = f"{job} begins at {format_duration(began_ns)}, {format_duration(took_ns)} after it was due;"
            yield breach(job.request.number, f"{text} the law says {_span_text(law_ns)}", job.created, proof)


def _began(job: Job) -> tuple[int, Event] | None:
    """Return the instant at which a job began to run, and the event that says so; None if it did not."""
    if job.started is not None:
        return job.started.t_ns, job.started
    if job.commits:
        return job.commits[0][1].begin_ns, job.commits[0][1]
    return (job.threw[0][1].t_ns, job.threw[0][1]) if job.threw else None


def _span_text(span_ns: tuple[int, int]) -> str:
    low_ns, high_ns = span_ns
    return format_duration(low_ns) if low_ns == high_ns else f"{format_duration(low_ns)} to {format_duration(high_ns)}"


@invariant(owed_by="platform")
def attempts_last_as_drawn(view: View) -> Iterator[Violation]:
    """An attempt that answers does so after its latency, as drawn; one that dies alone or is lost, is so before.

    An attempt in an execution that a system error strikes dies before its latency is over, and never answers.
    """
    for attempt in view.attempts():
        if attempt.latency_ns >= 0 and not attempt.is_at_service:
            wrong = _off_its_latency(view, attempt)
            if wrong:
                over_ns = attempt.start.t_ns + attempt.latency_ns
                text = f"attempt {attempt.number} of {attempt.request} {wrong}, but its latency of"
                text += f" {format_duration(attempt.latency_ns)} ends at {format_duration(over_ns)}"
                yield breach(attempt.request.number, text, attempt.start, attempt.lost, attempt.end)


def _off_its_latency(view: View, attempt: Attempt) -> str:
    """Say which moment of an attempt its latency does not allow, nothing if it allows all."""
    started_ns, end, how = attempt.start.t_ns, attempt.end, attempt.how
    over_ns, before_ns = started_ns + attempt.latency_ns, started_ns + max(attempt.latency_ns, 1)
    job = view.jobs.get(attempt.job)
    struck = job is not None and any(event.struck == "execution" for _, event in job.errors)
    if struck and job is not None and job.attempts[0] is not attempt:
        # Of several attempts side by side the first is struck; the others die with it, unless they are over by then.
        struck = how in ANSWERED and attempt.end_at > job.attempts[0].end_at
    wrong = ""
    spans = view.terms.latencies_ns
    low_ns, high_ns = spans[min(attempt.number, len(spans)) - 1].get(attempt.outcome, ANY_SPAN) if spans else ANY_SPAN
    in_mutation = job is not None and job.started is None
    at_once = attempt.latency_ns == 0 and (in_mutation or view.terms_of(attempt.request).promises.takes_no_time)
    if not low_ns <= attempt.latency_ns <= high_ns and not (attempt.by_key or at_once):
        law = f"{format_duration(low_ns)} to {format_duration(high_ns)}"
        wrong = f"with '{attempt.outcome}' in store takes {law} by its law"
    elif attempt.lost is not None and not started_ns <= attempt.lost.t_ns < before_ns:
        wrong = f"is lost {when(attempt.lost)}"
    elif end is not None and struck and (how in ANSWERED or (how == DIED and end.t_ns >= before_ns)):
        wrong = f"{how} {when(end)}, although a system error strikes its execution before"
    elif end is not None and ((how in ANSWERED and end.t_ns != over_ns) or (how == DIED and end.t_ns > over_ns)):
        wrong = f"{how} {when(end)}"
    return wrong
