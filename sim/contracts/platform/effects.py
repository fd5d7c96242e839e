"""What the platform and the world owe: how attempts end, what they do to the outside, when, and why twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.deployment_events import CommitRefused, FunctionThrew, ServerDied, SystemErrorStruck
from sim.history.entities import NOT_YET, Attempt, when
from sim.history.vocabulary import (
    ACK_LOST,
    APPLIED,
    CANCELED,
    CUT,
    DIED,
    FAILED,
    LOST,
    LOST_CONTACT,
    RETURNED,
    SILENT,
    SUPPRESSED,
    THREW,
    Cause,
)
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.events import EffectMade, Event
    from sim.promises.view import View

CRASH = "crash_after_effect"
TIMEOUT = "timeout"
REPORT_LOST = "report_lost"
REPEATED = "repeated"
RESUBMIT = "resubmit"
CAUSES = tuple(cause.name for cause in Cause)
WITH_EFFECT = ("success", ACK_LOST, CRASH, LOST_CONTACT)
ENDS = {
    "success": (RETURNED, DIED, CUT),
    "fail": (THREW, DIED, CUT),
    ACK_LOST: (THREW, DIED, CUT),
    "crash_before_effect": (DIED, CUT),
    CRASH: (DIED, CUT),
    LOST_CONTACT: (RETURNED, DIED, CUT),
    "hang": (DIED, CUT),
}
"""How an attempt can end, by what it has in store; any can die with its server or reach the time limit."""
ANSWERS = ("success", "fail", ACK_LOST)
"""Outcomes with an answer at the end of the latency."""


@invariant(owed_by="platform")
def attempts_end_once(view: View) -> Iterator[Violation]:
    """An attempt ends at most once, and nothing is heard of attempts that never started."""
    for _, event in view.strays:
        text = f"'{event.kind}' of attempt {event.attempt} of request {event.request} {when(event)}"
        yield breach(event.request, f"{text}: it had ended or never started", event)


@invariant(owed_by="platform")
def attempts_go_as_drawn(view: View) -> Iterator[Violation]:
    """An attempt ends as its outcome says, unless it dies or is cut off, and only some outcomes have an effect."""
    for attempt in view.attempts():
        request = attempt.request
        ends = ENDS.get(attempt.outcome)
        if ends is None or attempt.is_at_service:
            continue
        wrong = ""
        if attempt.end is not None and attempt.how not in ends:
            wrong = f"{attempt.how} {when(attempt.end)}"
        elif attempt.lost is not None and attempt.outcome != LOST_CONTACT:
            wrong = f"is lost {when(attempt.lost)}"
        elif (attempt.effect_ns >= 0) != (attempt.outcome in WITH_EFFECT):
            wrong = "is to have an effect" if attempt.effect_ns >= 0 else "is to have no effect"
        if wrong:
            text = f"attempt {attempt.number} of {request}, with '{attempt.outcome}' in store, {wrong}"
            yield breach(request.number, text, attempt.start, attempt.lost, attempt.end)


@invariant(owed_by="platform")
def time_limit_holds(view: View) -> Iterator[Violation]:
    """An attempt or execution is cut off at the action time limit, neither later nor sooner, if there is one."""
    limit_ns = view.terms.action_time_limit_ns
    if limit_ns is None:
        return
    for attempt in view.attempts():
        request = attempt.request
        job = view.jobs.get(attempt.job)
        if job is None or job.started is None:
            continue
        by_ns = job.started.t_ns + limit_ns
        if (attempt.end is None and view.is_past(by_ns)) or (attempt.end is not None and attempt.end.t_ns > by_ns):
            text = f"attempt {attempt.number} of {request} runs on after {format_duration(by_ns)}, the time limit of"
            yield breach(request.number, f"{text} {job}", job.started, attempt.start, attempt.end)
        elif attempt.end is not None and attempt.how == CUT and attempt.end.t_ns < by_ns:
            text = f"attempt {attempt.number} of {request} is cut off {when(attempt.end)}, before"
            text += f" {format_duration(by_ns)}, the time limit of {job}"
            yield breach(request.number, text, job.started, attempt.start, attempt.end)
        elif attempt.end is not None and attempt.how == CUT and attempt.outcome in ANSWERS:
            end_ns = attempt.start.t_ns + attempt.latency_ns
            if end_ns < by_ns and attempt.latency_ns >= 0 and not (job.errors or attempt.is_at_service):
                text = f"attempt {attempt.number} of {request} is cut off {when(attempt.end)}, but answers at"
                yield breach(request.number, f"{text} {format_duration(end_ns)}", attempt.start, attempt.end)

    yield from _executions_over(view, limit_ns)


def _executions_over(view: View, limit_ns: int) -> Iterator[Violation]:
    """Yield the jobs whose executions the limit does not cut off, such as one that waits for a mutation."""
    within_ns = limit_ns + (view.terms.crash_detection_ns or 0)
    for job in view.jobs.values():
        if job.started is None or job.end is None or job.errors or job.end.t_ns <= job.started.t_ns + within_ns:
            continue
        if not view.restarted_between(job.started_at, job.end_at):
            text = f"{job} ends {when(job.end)}, later than its time limit allows after its start {when(job.started)}"
            yield breach(job.request.number, text, job.started, job.end)


@invariant(owed_by="platform")
def effects_happen(view: View) -> Iterator[Violation]:
    """Every attempt has its effect at the instant it is due, once, unless a restart loses it, and none otherwise.

    A policy may cancel the other copies of a try that has succeeded: then what is still ahead of them does not come.
    """
    for attempt in view.attempts():
        request = attempt.request
        if attempt.is_at_service:
            continue
        due_ns = attempt.effect_ns
        if attempt.effects:
            yield from _effect_as_due(view, attempt)
        elif due_ns >= 0 and view.is_past(due_ns) and not lost_in(view, attempt, due_ns, NOT_YET):
            if is_canceled(view, attempt):
                continue
            text = f"{_whose(attempt)} is due at {format_duration(due_ns)} but never comes"
            yield breach(request.number, text, attempt.start, attempt.end)


def is_canceled(view: View, attempt: Attempt) -> bool:
    """Tell whether a policy cut an attempt off: another copy of its try had succeeded."""
    policy = view.terms_of(attempt.request).policy
    cancels = policy is not None and policy.hedge is not None and policy.hedge.cancels
    return cancels and attempt.how == CUT and attempt.job < 0


def _effect_as_due(view: View, attempt: Attempt) -> Iterator[Violation]:
    number = attempt.request.number
    at, effect = attempt.effects[0]
    if attempt.effect_ns < 0:
        yield breach(number, f"{_whose(attempt)} comes {when(effect)}; it has none", attempt.start, effect)
        return
    if len(attempt.effects) > 1:
        again = attempt.effects[1][1]
        yield breach(number, f"{_whose(attempt)} comes {when(effect)} and again {when(again)}", effect, again)
    if effect.t_ns != attempt.effect_ns:
        text = f"{_whose(attempt)} comes {when(effect)} but is due at {format_duration(attempt.effect_ns)}"
        yield breach(number, text, attempt.start, effect)
    elif view.restarts and (lost := lost_in(view, attempt, attempt.effect_ns, at)) is not None and lost[1]:
        text = f"{_whose(attempt)} comes {when(effect)} although it was lost {when(lost[0])}"
        yield breach(number, text, lost[0], effect)


def _whose(attempt: Attempt) -> str:
    return f"the effect of attempt {attempt.number} of {attempt.request}"


def lost_in(view: View, attempt: Attempt, due_ns: int, before_at: int) -> tuple[ServerDied, bool] | None:
    """Return the restart that loses the effect of an attempt, due then, and whether that is sure; None if none does.

    A restart loses the effects that are ahead of the executions it kills. The execution of an attempt that has died is
    there to be killed until the end of its job is written; for a canceled job that instant is unknown.
    """
    job = view.jobs.get(attempt.job)
    if job is None:
        return None
    for at, restart in view.restarts:
        if at > before_at or due_ns < restart.t_ns:
            return None
        if at < attempt.at or restart.inflight != LOST:
            continue
        if attempt.end_at > at:
            return restart, True
        unwritten = job.state == CANCELED or job.end_at > at
        if unwritten and attempt.how in {DIED, CUT} and attempt.lost_at > attempt.end_at:
            return restart, job.state != CANCELED
    return None


@invariant(owed_by="platform")
def duplicates_have_causes(view: View) -> Iterator[Violation]:
    """The first effect is applied; a later one is suppressed within the receiver's window, or names what caused it.

    The cause is what became of the attempt whose effect came before; or `timeout` if the attempt that makes the
    duplicate had been given up. An attempt is given up, too, if another one begins before it is over. If the two are of
    different submissions by the caller, the cause is `resubmit`.
    """
    renews = view.terms.keys is not None and view.terms.keys.renews
    for request in view.requests.values():
        last: Attempt | None = None
        last_event: Event | None = None
        seen: Event | None = None
        for at, event, attempt in request.effects:
            expected = _expected(view, at, event, attempt, last, seen)
            if event.effect not in expected:
                text = (
                    f"the effect of attempt {attempt.number} of {request} {when(event)} is '{event.effect}' but should"
                )
                yield breach(request.number, f"{text} be '{' or '.join(expected)}'", last_event, event)
            if event.effect != SUPPRESSED:
                last, last_event, seen = attempt, event, event
            elif renews:
                seen = event


def _expected(  # noqa: PLR0911, PLR0917  # an effect and the one before
    view: View, at: int, event: EffectMade, attempt: Attempt, last: Attempt | None, last_event: Event | None
) -> tuple[str, ...]:
    if last is None or last_event is None:
        return (APPLIED,)
    window_ns = view.terms.idempotency_ns
    if attempt.by_key:
        return (SUPPRESSED,)
    if window_ns is None:
        if event.effect == SUPPRESSED:
            return (SUPPRESSED,)
    elif event.t_ns - last_event.t_ns < window_ns:
        return (SUPPRESSED,)
    causes = _across_submissions(attempt, last, at) if attempt.request.resubmits else ()
    if causes:
        return causes
    if _given_up(view, attempt, at):
        return (TIMEOUT,)
    return _blame(view, last, at)


def _across_submissions(attempt: Attempt, last: Attempt, at: int) -> tuple[str, ...]:
    """Return what a duplicate may be charged to since the two attempts may be of different submissions; else nothing.

    If a caller asks again without a word of its request, two submissions go on side by side: no event says which of
    them an attempt is of.
    """
    if any(place < at and resubmit.reason == SILENT for place, resubmit in attempt.request.resubmits):
        return CAUSES
    return (RESUBMIT,) if _submission(attempt) != _submission(last) else ()


def _submission(attempt: Attempt) -> int:
    """Return the submission an attempt is of, if each begins after the end of the one before."""
    return sum(place < attempt.at for place, _ in attempt.request.resubmits)


def _given_up(view: View, attempt: Attempt, at: int) -> bool:
    ended_badly = attempt.end_at < at and attempt.how in {DIED, CUT}
    return ended_badly or attempt.lost_at < at or attempt.given_up_at < at or _overtaken(view, attempt, at)


def _following(attempt: Attempt, at: int) -> Attempt | None:
    """Return the next attempt of the submission, if that has begun by this place."""
    following = next((one for one in attempt.request.attempts if attempt.at < one.at < at), None)
    if following is None or not attempt.request.resubmits or _submission(following) == _submission(attempt):
        return following
    return None


def _overtaken(view: View, attempt: Attempt, at: int) -> bool:
    """Tell whether, by this place, another attempt began while this one ran, or before its success was reported."""
    following = _following(attempt, at)
    if following is None or attempt.end_at > following.at:
        return following is not None
    job = view.jobs.get(attempt.job)
    if job is None or attempt.outcome != "success" or attempt.how != RETURNED or following.job == attempt.job:
        return False
    unreported = job.end_at > following.at and job.state != CANCELED
    return unreported and not view.restarted_between(attempt.end_at, following.at)


def _blame(view: View, attempt: Attempt, at: int) -> tuple[str, ...]:
    """Return what a duplicate may be charged to that comes at a position, behind an effect of this attempt."""
    if attempt.lost_at < at or attempt.given_up_at < at or _overtaken(view, attempt, at):
        causes: tuple[str, ...] = (TIMEOUT,)
    elif attempt.how == THREW:
        causes = (ACK_LOST,)
    elif attempt.how == CUT:
        causes = (TIMEOUT,)
    elif attempt.how == DIED:
        causes = (CRASH,) if attempt.effects[0][0] < attempt.end_at else (TIMEOUT,)
    else:
        causes = _blame_of_success(view, attempt, at)
    return causes


def _blame_of_success(view: View, attempt: Attempt, at: int) -> tuple[str, ...]:
    """Return the same for an attempt that returned.

    Its report was lost, or its execution ended before it was made, or the success was there to be seen.
    """
    job = view.jobs.get(attempt.job)
    following = _following(attempt, at)
    if attempt.outcome == LOST_CONTACT:
        # It was over before contact could be lost; its outcome may be blamed all the same.
        return (TIMEOUT, REPORT_LOST, CRASH)
    if job is None or job.started is None or (following is not None and following.job == attempt.job):
        return (REPEATED,)
    if job.state == CANCELED:
        return (REPORT_LOST, CRASH, TIMEOUT)
    if view.restarted_between(attempt.end_at, min(job.end_at, at)):
        return (CRASH,)
    struck = [
        event.t_ns
        for event in view.events[attempt.end_at : min(job.end_at, at)]
        if isinstance(event, CommitRefused | SystemErrorStruck | FunctionThrew) and event.request == job.request.number
    ]
    if job.state != FAILED or job.end is None:
        # A handler that catches the error of its report returns all the same.
        return (REPEATED, REPORT_LOST) if struck else (REPEATED,)
    # The job failed. What struck the report stands in its instant; else the job may have reached its time limit.
    return (REPORT_LOST,) if job.end.t_ns in struck else (REPORT_LOST, TIMEOUT)
