"""What a retrier owes: every request ends in a way it may, and its caller learns of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sim.history.dealing import FIRST_OWN
from sim.history.deployment_events import DocumentWritten, MutationCommitted
from sim.history.entities import NOT_YET, Request, when
from sim.history.events import Settled, SettledAgain
from sim.history.policy_events import GateWaited, TryRefused
from sim.history.vocabulary import CANCELED, FAILED, GAVE_UP, PENDING, RETURNED, SUCCESS
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sim.history.events import Event
    from sim.promises.view import View

RESULT_OF = {SUCCESS: SUCCESS, FAILED: GAVE_UP, GAVE_UP: GAVE_UP, CANCELED: CANCELED}
"""What a caller is told, as an outcome."""


@invariant("eventually")
def settles(view: View) -> Iterator[Violation]:
    """Every request settles in the end, unless it runs into a limit of the simulation or the platform starves it.

    A client that waits for a call which never ends, without a timeout of its own, does not settle.
    """
    latest: dict[int, Event] = {}
    for request in view.requests.values():
        if request.settled is None and request.submit is not None and not _excused(request):
            latest = latest or {event.request: event for event in view.events}
            last = latest[request.number]
            text = f"{request}, submitted {when(request.submit)}, never settles; the last thing that happens to it is"
            text += f" '{last.kind}' {when(last)}"
            yield breach(request.number, text, request.submit, None if last == request.submit else last)


def _excused(request: Request) -> bool:
    """Tell whether the retrier is still waiting for something that the simulation never lets happen."""
    return request.runaway is not None or any(job.state == PENDING for job in request.jobs)


@invariant()
def settles_at_its_commit(view: View) -> Iterator[Violation]:
    """A request settles in the step that concludes it, at the instant of that, or at one that its mutation writes down.

    In the deployment that step is the commit of a mutation for the request. If the retrier promises to write the
    instant of its conclusion into a document (`settled_field`), that one counts, and it is the mutation's snapshot;
    what it only says counts for nothing. A loop concludes when its call is answered or given up, when a sleep is
    over, when a gate of its own has let it wait or refuses it, or when it is canceled: nothing else lets it go on. What
    else lets a policy go on its own invariants say, and of a guest `guests-go-on` does.
    """
    gates: dict[int, list[GateWaited | TryRefused]] = {}
    for event in view.events:
        if isinstance(event, GateWaited | TryRefused):
            gates.setdefault(event.request, []).append(event)
    for request in view.requests.values():
        settled = request.settled
        if settled is None:
            continue
        if view.is_client(request):
            if settled.since_ns is not None and settled.since_ns != settled.t_ns:
                text = f"{request} settles {when(settled)}, but says that it did at {format_duration(settled.since_ns)}"
                yield breach(request.number, text, settled)
            elif (
                view.terms_of(request).policy is None
                and not view.terms_of(request).promises.concurrent
                and not _can_go_on(request, settled, gates.get(request.number, ()))
            ):
                text = f"{request} settles {when(settled)}, when nothing lets its loop go on"
                yield breach(request.number, text, request.submit, settled)
        else:
            yield from _settled_at_commit(view, request, settled)


def _can_go_on(request: Request, settled: Event, gates: Sequence[GateWaited | TryRefused]) -> bool:
    """Tell whether something lets a loop go on as it settles; a place in a bulkhead may come at any time."""
    last_gate = gates[-1] if gates else None
    if isinstance(last_gate, GateWaited) and all(attempt.start.t_ns <= last_gate.t_ns for attempt in request.attempts):
        return True
    return settled.t_ns in _moments_of_loop(request) or any(event.t_ns == settled.t_ns for event in gates)


def _moments_of_loop(request: Request) -> set[int]:
    moments_ns = {request.submitted_ns}
    moments_ns.update(event.t_ns for _, event in request.cancels)
    moments_ns.update(event.t_ns + event.duration_ns for _, event in request.sleeps)
    for attempt in request.attempts:
        heard = (attempt.end, attempt.lost, attempt.given_up)
        moments_ns.update(event.t_ns for event in heard if event is not None)
    return moments_ns


def _settled_at_commit(view: View, request: Request, settled: Settled) -> Iterator[Violation]:
    at = request.settled_at - 1
    while at >= 0 and isinstance(view.events[at], Settled | SettledAgain):
        at -= 1  # a mutation can conclude about several requests
    before = view.events[at] if at >= 0 else None
    # What serves many requests at once is charged to none of them.
    ours = isinstance(before, MutationCommitted) and (before.request == request.number or before.request <= FIRST_OWN)
    if not isinstance(before, MutationCommitted) or not ours or before.t_ns != settled.t_ns:
        text = f"{request} settles {when(settled)} without the commit of a mutation that concludes it"
        yield breach(request.number, text, before, settled)
        return
    since_ns = settled.t_ns if settled.since_ns is None else settled.since_ns
    written, field = _written_with(view, request), view.terms.promises.settled_field
    if field is not None:
        said = {value for document in written for value in _values(document, field)}
        if since_ns != before.begin_ns or since_ns not in said:
            text = f"{request} settles at {format_duration(since_ns)}, but its mutation, with its snapshot at"
            text += f" {format_duration(before.begin_ns)}, writes"
            text += f" {', '.join(map(str, sorted(said, key=str))) or 'nothing'} as {field}"
            yield breach(request.number, text, before, settled)
    elif since_ns != settled.t_ns and not any(since_ns in _values(document) for document in written):
        text = f"{request} settles with the commit {when(settled)}, but says {format_duration(since_ns)},"
        yield breach(request.number, f"{text} which is written in no document", before, settled)


def _written_with(view: View, request: Request) -> list[Any]:
    """Return the documents that the mutation wrote behind whose commit the request settles."""
    at, written = request.settled_at - 1, []
    while at >= 0 and not isinstance(view.events[at], MutationCommitted):
        at -= 1
    at -= 1
    while at >= 0 and not isinstance(view.events[at], MutationCommitted):
        event = view.events[at]
        if isinstance(event, DocumentWritten) and event.request == request.number:
            written.append(event.document)
        at -= 1
    return written


def _values(document: Any, field: str | None = None) -> Iterator[int]:
    """Yield the whole numbers in a document, at any depth; with `field` only those that stand under that name."""
    values: Iterable[Any] = document.values() if isinstance(document, Mapping) else document
    if field is not None and isinstance(document, Mapping) and type(document.get(field)) is int:
        yield document[field]
    for value in values if isinstance(document, Mapping | list | tuple) else ():
        if isinstance(value, Mapping | list | tuple):
            yield from _values(value, field)
        elif field is None and type(value) is int:
            yield value


@invariant()
def result_never_changes(view: View) -> Iterator[Violation]:
    """A request that has settled never settles as something else."""
    for request in view.requests.values():
        for again in request.resettled if request.settled is not None else ():
            if again.outcome != request.outcome:
                text = f"{request} settled as {request.outcome} {when(request.settled)}"
                text += f" and as {again.outcome} {when(again)}"
                yield breach(request.number, text, request.settled, again)


@invariant()
def settles_once(view: View) -> Iterator[Violation]:
    """The retrier concludes once about each request: nothing of it goes on looking after that."""
    for request in view.requests.values():
        for again in request.resettled:
            if again.outcome == request.outcome:
                text = f"{request} settled as {again.outcome} {when(request.settled)} and once more {when(again)}"
                yield breach(request.number, text, request.settled, again)


@invariant()
def result_is_true(view: View) -> Iterator[Violation]:
    """Success has an attempt that succeeded, giving up knows of no success, and a canceled request was canceled.

    A whole number that a client's loop returns must be that of an attempt that succeeded: the answer of its call. An
    operator who cancels all works of a pool cancels for the callers.
    """
    all_canceled_at = next((at for at, event in view.operations if event.name == "cancel_all"), NOT_YET)
    for request in view.requests.values():
        settled, at = request.settled, request.settled_at
        if settled is None:
            continue
        if request.outcome == SUCCESS:
            if not any(attempt.how == RETURNED and attempt.end_at < at for attempt in request.attempts):
                text = f"{request} settles as success {when(settled)}, but no attempt has succeeded"
                yield breach(request.number, text, *(attempt.end for attempt in request.attempts), settled)
            elif settled.answer >= 0:
                yield from _answer_is_true(request, settled)
        elif request.outcome == GAVE_UP:
            for attempt in request.attempts:
                if attempt.how == RETURNED and view.heard_at(attempt) < at:
                    text = f"{request} gives up {when(settled)} although attempt {attempt.number} succeeded"
                    yield breach(request.number, f"{text} {when(attempt.end)}", attempt.end, settled)
                    break
        elif request.outcome == CANCELED and at < min([all_canceled_at, *(place for place, _ in request.cancels[:1])]):
            yield breach(
                request.number, f"{request} settles as canceled {when(settled)}; no caller canceled it", settled
            )


def _answer_is_true(request: Request, settled: Settled) -> Iterator[Violation]:
    number = settled.answer
    if not any(
        attempt.number == number and attempt.how == RETURNED and attempt.end_at < request.settled_at
        for attempt in request.attempts
    ):
        text = f"the loop of {request} returns {number} {when(settled)}, but no attempt of that number has succeeded"
        yield breach(request.number, text, *(attempt.end for attempt in request.attempts), settled)


@invariant()
def newest_attempt_decides(view: View) -> Iterator[Violation]:
    """A request settles as success or gives up only when its newest attempt is over or given up, unless it hedges.

    Otherwise what an older attempt says, of which the platform had lost sight, has settled the newer one. A pool also
    takes an attempt for over whose job is: an operator's cancel ends that while the attempt goes on. A guest may leave
    calls to background tasks.
    """
    if view.terms.promises.hedges or view.terms.promises.concurrent:
        return
    for request in view.requests.values():
        settled, at = request.settled, request.settled_at
        if settled is None or request.outcome not in {SUCCESS, GAVE_UP}:
            continue
        newest = next((attempt for attempt in reversed(request.attempts) if attempt.at < at), None)
        job = None if newest is None or view.terms.promises.pool is None else view.jobs.get(newest.job)
        if newest is not None and not (newest.over_by(at) or (job is not None and job.end_at < at)):
            text = f"{request} settles as {request.outcome} {when(settled)} while its newest attempt {newest.number},"
            text += f" started {when(newest.start)}, still runs"
            ends = [attempt.end for attempt in request.attempts if attempt.end_at < at]
            yield breach(request.number, text, newest.start, *ends[-1:], settled)


@invariant()
def callback_once(view: View) -> Iterator[Violation]:
    """The caller's callback runs at most once, names what the request settled as, and is never lost."""
    if not view.terms.promises.callback:
        return
    for request in view.requests.values():
        calls = request.callbacks
        if len(calls) > 1:
            text = f"the callback of {request} runs {when(calls[0])} and again {when(calls[1])}"
            yield breach(request.number, text, calls[0], calls[1])
        if calls and request.settled is not None and RESULT_OF.get(calls[0].result, calls[0].result) != request.outcome:
            text = f"the callback of {request} is told '{calls[0].result}' {when(calls[0])}, but it settled as"
            yield breach(request.number, f"{text} {request.outcome}", calls[0], request.settled)
        if request.callbacks_lost:
            lost = request.callbacks_lost[0]
            text = f"the callback of {request} threw {when(lost)}; its caller is not told '{lost.result}' again"
            yield breach(request.number, text, lost)


@invariant("eventually")
def callback_comes(view: View) -> Iterator[Violation]:
    """Every caller is told in the end how its request ended, with the same exceptions as for settling."""
    if not view.terms.promises.callback:
        return
    for request in view.requests.values():
        told = request.callbacks or request.callbacks_lost
        if not told and request.submit is not None and not _excused(request):
            text = f"the callback of {request}, submitted {when(request.submit)}, never runs"
            yield breach(request.number, text, request.submit, request.settled)
