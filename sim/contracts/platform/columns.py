"""Each column of a request's record, computed from the events of a history alone.

By the definitions of `sim.history.records.Requests`, and apart from the code that fills the record. Most columns follow
to the last unit. Where a history has no event for what a column counts, the events allow a span:

- `action_ns`: nothing tells when an execution ends whose job had ended before, since it was canceled or out of sight.
  An attempt or a mutation that it called tells how long it went on at least. An execution that has not ended at all
  counts as no time up to all of it (`_open_ns`).
- `outcome`: nothing tells that a timer is set. If a history is cut by `until`, a request that has not settled is open
  or stuck; which of the two is not told if a cancel may come or a call hangs.
"""

from __future__ import annotations

from bisect import bisect
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from sim.contracts.platform.dealt import dealt, served_by
from sim.history.dealing import DEALT
from sim.history.entities import NOT_YET, Attempt, Request
from sim.history.vocabulary import (
    ANSWERED,
    CANCELED,
    DIED,
    FAILED,
    HANG,
    IN_PROGRESS,
    NEVER,
    PENDING,
    SUCCESS,
    SUPPRESSED,
    Cause,
    Outcome,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.deployment_events import MutationCommitted
    from sim.history.entities import Job
    from sim.history.events import Event, Settled
    from sim.promises.view import View

Span = tuple[int, int]
"""The least and the most."""
Right = int | Span | frozenset[int]
"""What a column may say: one value, one in a span, or one of several."""

THE_ACTION: Final = "action"
"""The user's own action, if its job runs nothing else."""
ANY: Final = (0, NOT_YET)
CALLED: Final = "called"
POOLS: Final = "pools that serve requests"
DEALT_OUT: Final = "dealt_out"
ENDED: Final = (SUCCESS, FAILED)
_place = itemgetter(0)


def allows(right: Right, says: int) -> bool:
    """Tell whether a column may say this."""
    if isinstance(right, frozenset):
        return says in right
    return right[0] <= says <= right[1] if isinstance(right, tuple) else says == right


def causes_of(request: Request) -> tuple[int, ...]:
    """Count the effects after the first, by their causes in the order of `Cause`."""
    effects = [event.effect for _, event, _ in request.effects]
    return tuple(effects.count(cause.name) for cause in Cause) if len(effects) > 1 else NO_CAUSES


NO_CAUSES: Final = (0,) * len(Cause)


def columns_of(view: View, request: Request) -> dict[str, Right]:
    """Compute the columns of one request from its events, besides those that need all commits."""
    attempts, effects = request.attempts, request.effects
    suppressed = sum(event.effect == SUPPRESSED for _, event, _ in effects)
    first = next((event.t_ns for _, event, _ in effects if event.effect != SUPPRESSED), NEVER)
    settled = _conclusion(request)
    known_ns = NEVER if settled is None else _known_end(request, settled)
    ends_ns = [attempt.end.t_ns for attempt in attempts if attempt.end is not None]
    found: dict[str, Right] = {
        "replication": view.terms.replication,
        "number": request.number,
        "client": 0 if request.submit is None else max(request.submit.client, 0),
        "caller_class": _class_of(view, request),
        "submissions": 1 + len(request.resubmits),
        "submitted_ns": request.submitted_ns,
        "first_effect_ns": first,
        "settled_ns": NEVER if settled is None else _since_ns(settled),
        "known_attempt_end_ns": known_ns,
        "last_attempt_end_ns": max(ends_ns, default=NEVER),
        "attempts": len(attempts),
        "effects": len(effects) - suppressed,
        "suppressed": suppressed,
        **_counted(view, request),
        "outcome": _outcome(view, request),
    }
    gets = shares_of(view).get(request.number)
    if gets is not None:
        for name in DEALT:
            found[name] = _plus(found[name], gets[name])
    return found


def _class_of(view: View, request: Request) -> Right:
    """Return the place of a request's class among those of the scenario; any if the terms do not name it."""
    name = None if request.submit is None else request.submit.caller_class
    names = list(view.terms.classes)
    return 0 if name is None else names.index(name) if name in names else ANY


def _conclusion(request: Request) -> Settled | None:
    """Return the conclusion that counts: the first, unless the request had run into a limit before."""
    return request.settled if request.settled_at < request.runaway_at else None


def _since_ns(settled: Settled) -> int:
    """Return the instant of a conclusion: that which its mutation writes down, or else that of its commit."""
    return settled.t_ns if settled.since_ns is None else settled.since_ns


def _known_end(request: Request, settled: Settled) -> int | frozenset[int]:
    """Return the end of the last attempt that had ended when the request settled.

    If the conclusion is older than its commit, it was reached at the snapshot: which ends of that very instant it had
    seen, no event says.
    """
    since_ns = _since_ns(settled)
    ends = [(attempt.end_at, attempt.end.t_ns) for attempt in request.attempts if attempt.end is not None]
    if since_ns == settled.t_ns:
        return max((t_ns for at, t_ns in ends if at < request.settled_at), default=NEVER)
    before_ns = max((t_ns for _, t_ns in ends if t_ns < since_ns), default=NEVER)
    return frozenset({before_ns, since_ns}) if any(t_ns == since_ns for _, t_ns in ends) else before_ns


# What is done for many requests at once.


def shares_of(view: View) -> dict[int, dict[str, Span]]:
    """Return, by the number of a request, what it gets of the columns that are dealt out; computed once for a view."""
    found: dict[int, dict[str, Span]] | None = view.known.get(DEALT_OUT)
    if found is None:
        found = view.known[DEALT_OUT] = {}
        for own, served in served_by(view):
            for name, total in _counted(view, own).items():
                for request, part in dealt(_span(total), served):
                    found.setdefault(request.number, {})[name] = part
    return found


def _counted(view: View, request: Request) -> dict[str, Right]:
    """Count what was done for a request, in the columns that are dealt out."""
    return {
        "polls": polls_of(view, request),
        "conflicts": sum(event.request == request.number for _, event in view.conflicts),
        "mutations": len(view.commits_of(request.number)),
        "actions": sum(job.started is not None for job in request.jobs)
        + sum(attempt.job < 0 for attempt in request.attempts),
        "action_ns": _action_ns(view, request),
    }


def _span(right: Right) -> Span:
    assert not isinstance(right, frozenset)  # noqa: S101  # no such column is dealt out
    return right if isinstance(right, tuple) else (right, right)


def _plus(right: Right, more: Span) -> Right:
    low, high = _span(right)
    low, high = low + more[0], min(high + more[1], NOT_YET)
    return low if low == high else (low, high)


# Polls.


def polls_of(view: View, request: Request) -> int | Span:
    """Count the executions of functions that poll which committed or threw."""
    names = view.terms.polling
    if names is None:
        return ANY
    return sum(1 for job in request.jobs if job.name in names and (job.commits or job.threw))


# The time of executions.


def _action_ns(view: View, request: Request) -> int | Span:
    """Add up how long executions ran, and attempts of a client outside."""
    low_ns = high_ns = 0
    for job in request.jobs:
        if job.started is not None:
            least_ns, most_ns = _execution_ns(view, job)
            low_ns += least_ns
            high_ns += most_ns
    for attempt in request.attempts:
        if attempt.job < 0:
            least_ns, most_ns = (
                _open_call_ns(view, attempt) if attempt.end is None else _both(attempt.end, attempt.start.t_ns)
            )
            low_ns += least_ns
            high_ns += most_ns
    return low_ns if low_ns == high_ns else (low_ns, high_ns)


def _both(end: Event, since_ns: int) -> Span:
    return end.t_ns - since_ns, end.t_ns - since_ns


def _open_call_ns(view: View, attempt: Attempt) -> Span:
    """Return how long a client's call ran that has not ended: up to the end of the observation, if there is one.

    A hang counts only for as long as its client waits for it, or until the request settles.
    """
    terms = view.terms
    if not terms.concluded:
        return _open_ns(view, attempt.start.t_ns)  # what has not ended is counted when its world has
    ends_ns = [terms.end_ns if terms.end_ns is not None or terms.drained else terms.stopped_ns]
    if attempt.outcome == HANG:
        settled = _conclusion(attempt.request)
        ends_ns.append(None if settled is None else _since_ns(settled))
        ends_ns.append(None if attempt.given_up is None else attempt.given_up.t_ns)
    known_ns = [end_ns for end_ns in ends_ns if end_ns is not None]
    ran_ns = max(0, min(known_ns) - attempt.start.t_ns) if known_ns else 0
    return ran_ns, ran_ns


def _open_ns(view: View, since_ns: int) -> Span:
    """Return how long something runs that has not ended: it counts as no time up to all the time there is."""
    stopped_ns = max(view.terms.stopped_ns or 0, view.terms.end_ns or 0, view.last_ns)
    return 0, stopped_ns - since_ns


def _execution_ns(view: View, job: Job) -> Span:
    """Return how long the execution of a job runs, from its start to its own end, its death, or that of the server."""
    assert job.started is not None  # noqa: S101  # who asks has looked
    since_ns = job.started.t_ns
    restarts = view.restarts
    death = next(iter(restarts[bisect(restarts, job.started_at, key=_place) :]), None) if restarts else None
    attempts = job.attempts
    if job.end is not None and job.end.after != CANCELED and not any(attempt.lost is not None for attempt in attempts):
        return _both(job.end if death is None or death[0] > job.end_at else death[1], since_ns)
    struck = any(event.struck == "end" for _, event in job.errors)
    died_ns = None if death is None else death[1].t_ns
    if job.name == THE_ACTION and attempts and not struck:
        end_ns = _end_of_action(view, attempts[-1], died_ns)
        if end_ns is not None and view.is_past(end_ns):
            return end_ns - since_ns, end_ns - since_ns
    # Its last word is the least, and its death the most.
    limit_ns = view.terms.action_time_limit_ns
    by_ns = NOT_YET if limit_ns is None or struck else since_ns + limit_ns
    heard = [attempt.end.t_ns for attempt in attempts if attempt.end is not None]
    heard += [one.t_ns for one in _called_by(view, job)]
    over = [one.end.t_ns for one in attempts if one.end is not None and one.how not in ANSWERED]
    if len(attempts) > 1 and over:  # one that dies takes the others along, but what they had called commits
        heard = [t_ns for t_ns in heard if t_ns <= min(over)]
    if died_ns is not None:
        return max((t_ns - since_ns for t_ns in heard if t_ns <= died_ns), default=0), died_ns - since_ns
    least_ns, most_ns = _open_ns(view, since_ns)
    if view.terms.drained and attempts and all(attempt.end is not None for attempt in attempts):
        # What it had called before the limit cut it off commits all the same.
        least_ns = max((t_ns for t_ns in heard if t_ns <= by_ns), default=since_ns) - since_ns
    return least_ns, min(most_ns, by_ns + (view.terms.crash_detection_ns or 0) - since_ns)


def _called_by(view: View, job: Job) -> list[MutationCommitted]:
    """Return the mutations that the execution of a job called; they may be of any request."""
    found: dict[int, list[MutationCommitted]] | None = view.known.get(CALLED)
    if found is None:
        found = view.known[CALLED] = {}
        for commit in view.commits:
            if commit.event.caller >= 0:
                found.setdefault(commit.event.caller, []).append(commit.event)
    return found.get(job.id, [])


def _end_of_action(view: View, attempt: Attempt, died_ns: int | None) -> int | None:
    """Return the instant at which an execution of nothing but the action ends, None if it goes on."""
    end = attempt.end
    if end is None:
        return None
    detected = attempt.how == DIED and attempt.lost is None and end.t_ns != died_ns
    end_ns = end.t_ns + ((view.terms.crash_detection_ns or 0) if detected else 0)
    return end_ns if died_ns is None else min(end_ns, died_ns)


# The outcome.


def _outcome(view: View, request: Request) -> int | frozenset[int]:
    """Return the code of the outcome: what the retrier concluded, or what the end of the world proves."""
    terms = view.terms
    if _conclusion(request) is not None:
        return Outcome[request.outcome]
    if not terms.concluded:
        return Outcome.open
    if request.runaway is not None or (not terms.drained and terms.endless):
        return Outcome.runaway  # the limit of steps ends a world without an end of its own
    if terms.drained:
        stopped = any(other.runaway is not None for other in view.requests.values() if other.number < 0)
        return frozenset({Outcome.stuck, Outcome.runaway}) if stopped else Outcome.stuck
    looks = _client_goes_on(view, request) if view.is_client(request) else _will_be_looked_at(view, request)
    to_come = terms.resubmits or (terms.cancels and not request.answers)
    if looks is None or (to_come and not looks):
        return frozenset({Outcome.open, Outcome.stuck})
    return Outcome.open if looks else Outcome.stuck


def _client_goes_on(view: View, request: Request) -> bool | None:
    """Tell whether the loop sleeps or waits for a call that will end; None if no event tells."""
    if request.resubmits:
        return None  # several loops may go on, and those of them that are over are not told apart
    end_ns = view.terms.end_ns or view.terms.stopped_ns or view.last_ns
    if view.terms_of(request).promises.concurrent:
        return _guest_goes_on(request, end_ns)
    if request.sleeps and request.sleeps[-1][1].t_ns + request.sleeps[-1][1].duration_ns > end_ns:
        return True
    waits = [one for one in request.attempts if one.end is None and one.lost is None and one.given_up is None]
    if any(attempt.outcome != HANG for attempt in waits):
        return True
    return None if waits else False  # a call that hangs ends if it has a timeout, which shows only when it fires


def _guest_goes_on(request: Request, end_ns: int) -> bool | None:
    """Tell the same of a guest; a timer that is set, and a wait for another request of its client, show nowhere."""
    if any(request.slept_until_ns(at, sleep) > end_ns for at, sleep in request.sleeps):
        return True
    waits = (one for one in request.attempts if one.end is None and one.lost is None and one.given_up is None)
    return True if any(attempt.outcome != HANG for attempt in waits) else None


def _will_be_looked_at(view: View, request: Request) -> bool | None:
    """Tell whether a function that can still settle the request is to run or goes on; None if no event tells."""
    watchers = view.terms_of(request).watchers
    submitted = any(commit.event.function == "submit" for commit in view.commits_of(request.number))
    if watchers is None or not submitted:
        return None if watchers is None else True
    looks = _any_goes_on(view, request.jobs, watchers)
    own = _pools(view).get(request.number)
    if looks or own is None:
        return looks
    # No event tells whether an operator is still going to act on a pool that has come to rest.
    return _any_goes_on(view, own.jobs, watchers) or None


def _pools(view: View) -> dict[int, Request]:
    """Return the request that stands for its pool by the number of each that a pool serves with others."""
    found: dict[int, Request] | None = view.known.get(POOLS)
    if found is None:
        found = view.known[POOLS] = {request.number: own for own, served in served_by(view) for request in served}
    return found


def _any_goes_on(view: View, jobs: Sequence[Job], watchers: Sequence[str]) -> bool | None:
    """Tell whether one of these jobs is a watcher's, and is to run or goes on; None if no event tells."""
    unsure = False
    for job in jobs:
        if job.name not in watchers:
            continue
        if job.state == PENDING:
            return True
        goes_on = _goes_on(view, job) if job.started is not None else False
        if goes_on:
            return True
        unsure = unsure or goes_on is None
    return None if unsure else False


def _goes_on(view: View, job: Job) -> bool | None:
    """Tell whether the execution of a job that has started goes on; None if no event tells."""
    if view.restarted_between(job.started_at, NOT_YET):
        return False
    last = job.attempts[-1] if job.attempts else None
    seen = job.state == IN_PROGRESS
    if last is None:
        return True if seen else None
    if last.end is None:
        return last.outcome != HANG or view.terms.action_time_limit_ns is not None
    if last.how not in ANSWERED or (job.state in ENDED and last.lost is None):
        return False
    # It has heard the end of its attempt, and may be over, or be on its way to write that down.
    return None if job.errors or not seen else True
