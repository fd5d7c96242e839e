"""What the world owes: what a scenario plans for certain instants comes then. Checked if the terms say the plan."""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING

from sim.history.deployment_events import FunctionThrew, RowsCollected, SystemErrorStruck
from sim.history.entities import when
from sim.history.failure import Failure
from sim.history.vocabulary import FAIL, HANG, NEVER, OF_THE_REQUEST, SUCCESS, THREW
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.promises.view import View


@invariant(owed_by="platform")
def requests_arrive_as_planned(view: View) -> Iterator[Violation]:
    """All requests that are planned are submitted, each at its instant unless arrivals are random."""
    arrivals_ns, planned = view.terms.arrivals_ns, view.terms.requests
    if arrivals_ns is not None:
        for number, due_ns in enumerate(arrivals_ns if planned is None else arrivals_ns[:planned]):
            request = view.requests.get(number)
            submit = None if request is None else request.submit
            if submit is not None and submit.t_ns != due_ns:
                text = f"request {number} is submitted {when(submit)}, but is planned for {format_duration(due_ns)}"
                yield breach(number, text, submit)
            elif submit is None and view.is_past(due_ns) and planned is not None:
                yield breach(number, f"request {number}, planned for {format_duration(due_ns)}, is never submitted")
    elif planned is not None and view.terms.drained:
        submitted = sum(request.submit is not None for request in view.requests.values())
        if submitted != planned:
            yield breach(-1, f"{submitted} requests are submitted, but {planned} are planned", *view.events[-1:])


@invariant(owed_by="platform")
def cancels_come_as_planned(view: View) -> Iterator[Violation]:
    """A request is canceled once at most, as long after its submission as the law of cancels allows."""
    law_ns = view.terms.cancel_after_ns
    if law_ns is None:
        return
    for request in view.requests.values():
        for count, (_, cancel) in enumerate(request.cancels):
            after_ns = cancel.t_ns - request.submitted_ns
            if count or not law_ns[0] <= after_ns <= law_ns[1]:
                text = f"{request} is canceled {when(cancel)}, {format_duration(after_ns)} after its submission"
                text += " and once more" if count else ""
                low, high = map(format_duration, law_ns)
                yield breach(request.number, f"{text}; the law says {low} to {high}, once", request.submit, cancel)


@invariant(owed_by="platform")
def deaths_come_as_planned(view: View) -> Iterator[Violation]:
    """The server dies at the instants that are planned, if it is up then, and at no other; unless deaths are random."""
    planned_ns = view.terms.restarts_ns
    if planned_ns is None:
        return
    heals_ns = view.terms.heals_at_ns
    for _, restart in view.restarts:
        if restart.t_ns not in planned_ns or (heals_ns is not None and restart.t_ns >= heals_ns):
            yield breach(-1, f"the server dies {when(restart)}, which nothing plans", restart)
    died_ns = [restart.t_ns for _, restart in view.restarts]
    downs = [(restart.t_ns, restart.t_ns + restart.down_ns) for _, restart in view.restarts]
    for due_ns in planned_ns:
        down = any(from_ns <= due_ns <= to_ns for from_ns, to_ns in downs)
        healed = heals_ns is not None and due_ns >= heals_ns
        if due_ns not in died_ns and due_ns < view.last_ns and not (down or healed):
            text = f"the server does not die at {format_duration(due_ns)}, as is planned"
            yield breach(-1, text, *view.events[-1:])


@invariant(owed_by="platform")
def healed_worlds_stay_well(view: View) -> Iterator[Violation]:
    """From the instant on at which the world heals, every attempt succeeds and nothing strikes.

    Requests that fail permanently do so as before: all of their attempts fail.
    """
    heals_ns = view.terms.heals_at_ns
    if heals_ns is None:
        return
    for attempt in view.attempts():
        request = attempt.request
        well = attempt.outcome == SUCCESS or attempt.by_key or attempt.is_at_service
        if attempt.start.t_ns < heals_ns or well:
            continue
        if view.terms.some_fail_permanently and all(one.outcome == "fail" for one in request.attempts):
            continue
        text = f"attempt {attempt.number} of {request} has '{attempt.outcome}' in store {when(attempt.start)}, but"
        yield breach(request.number, f"{text} the world heals at {format_duration(heals_ns)}", attempt.start)
    for event in view.events:
        if isinstance(event, SystemErrorStruck) and event.t_ns >= heals_ns:
            text = f"a system error strikes {view.job_text(event.job)} {when(event)}, but the world heals at"
            yield breach(event.request, f"{text} {format_duration(heals_ns)}", event)


@invariant(owed_by="platform")
def attempts_do_what_is_planned(view: View) -> Iterator[Violation]:
    """An attempt has in store what its world can do: what the script has for its number, or an outcome with a share."""
    possible, script, heals_ns = view.terms.latencies_ns, view.terms.script, view.terms.heals_at_ns
    for attempt in view.attempts() if possible or script else ():
        if attempt.is_at_service:
            continue
        healed = heals_ns is not None and attempt.start.t_ns >= heals_ns
        if script:
            allowed: tuple[str, ...] = (SUCCESS if healed else script[min(attempt.number, len(script)) - 1],)
        else:
            allowed = tuple(possible[0])
        if attempt.by_key:
            continue  # its key decides
        if attempt.outcome not in allowed or (attempt.outcome == HANG) != (attempt.latency_ns < 0):
            text = f"attempt {attempt.number} of {attempt.request} has '{attempt.outcome}' in store"
            text += f" {when(attempt.start)}; its world has {' or '.join(allowed)}"
            yield breach(attempt.request.number, text, attempt.start)


@invariant(owed_by="platform")
def errors_say_what_is_stated(view: View) -> Iterator[Violation]:
    """What the error of a failure says, its kind included, is what its world states; checked if the terms say what."""
    for attempt in view.attempts():
        stated = view.terms_of(attempt.request).errors
        if not stated or attempt.is_at_service:
            continue
        allowed = stated[min(attempt.number, len(stated)) - 1]
        if attempt.by_key:
            continue
        if attempt.outcome == FAIL and attempt.how == THREW and not any(one.allows(attempt.failure) for one in allowed):
            says = attempt.failure or Failure(final=False, retry_after_ns=NEVER)
            text = f"attempt {attempt.number} of {attempt.request} is answered '{says.kind}'"
            text += ", marked as final" if says.final else ""
            wait_ns = says.retry_after_ns
            text += f", with a wait of {format_duration(wait_ns)}" if wait_ns >= 0 else ""
            kinds = " or ".join(dict.fromkeys(one.kind for one in allowed))
            text += f" {when(attempt.end)}, which its world does not state; its answers are: {kinds}"
            yield breach(attempt.request.number, text, attempt.start, attempt.end)


@invariant(owed_by="platform")
def batches_pause(view: View) -> Iterator[Violation]:
    """Rows are collected in batches, with a pause after a full one if more jobs have ended; checked if said how."""
    batch, pause_ns = view.terms.collection_batch, view.terms.collection_pause_ns
    if batch is None or pause_ns is None or not any(isinstance(event, RowsCollected) for _, event in view.ledger):
        return
    full: RowsCollected | None = None
    collected = 0
    ends_at = sorted(job.end_at for job in view.jobs.values())
    for at, event in view.ledger:
        if not isinstance(event, RowsCollected):
            continue
        if event.count > batch or not event.count:
            yield breach(-1, f"{event.count} rows are collected {when(event)}; a batch has {batch} at most", event)
        if full is not None and event.t_ns < full.t_ns + pause_ns:
            text = f"rows are collected {when(event)}, without the pause of {format_duration(pause_ns)} after the"
            yield breach(-1, f"{text} full batch {when(full)}", full, event)
        collected += event.count
        more = bisect(ends_at, at) > collected  # with no other row of an ended job the collector stops
        full = event if event.count == batch and more else None


@invariant("eventually", owed_by="platform")
def calls_are_served(view: View) -> Iterator[Violation]:
    """What a client outside asks of the deployment is done in the end: it calls again until it is served."""
    asked = {event.request for event in view.events if isinstance(event, FunctionThrew) and event.job < 0}
    for request in view.requests.values():
        if request.submit is None or view.is_client(request) or request.number in asked:
            continue
        if not any(commit.event.function == "submit" for commit in view.commits_of(request.number)):
            text = f"{request} is submitted {when(request.submit)}, but no mutation of its submission commits"
            yield breach(request.number, text, request.submit)
        for at, cancel in request.cancels:
            served = any(commit.at > at for commit in request.cancel_commits)
            if cancel.target == OF_THE_REQUEST and not served:
                text = f"the cancel of {request} {when(cancel)} is never carried out"
                yield breach(request.number, text, request.submit, cancel)
