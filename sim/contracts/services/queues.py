"""What services owe to calls that come: their order, the limits of servers and queues, and no server idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.services.floor import Floor, walk
from sim.history.entities import when
from sim.history.service_events import CallArrived, CallDropped, CallQueued, CallRejected, WorkStarted
from sim.history.vocabulary import CUT, DIED, IN_USE
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.services import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Call
    from sim.history.events import Event
    from sim.promises.view import View

MAX_WAIT = "max_wait"
QUEUE = "queue"


@invariant(owed_by="platform")
def calls_served_in_order(view: View) -> Iterator[Violation]:
    """A server takes the call that is next in the order of the queue, and no call passes those that wait."""
    for _, event, call, floor in walk(view):
        if call is None or not isinstance(event, WorkStarted | CallDropped) or not floor.stated:
            continue
        if isinstance(event, CallDropped) and call.stopped is not None:
            continue
        first = floor.next()
        if first is not None and first is not call:
            what = "begins" if isinstance(event, WorkStarted) else "is dropped"
            text = f"{call} {what} {when(event)} before call {first.id}, which is next by {floor.terms.order}"
            yield breach(call.request.number, text, first.queued, call.queued, event)


@invariant(owed_by="platform")
def servers_respected(view: View) -> Iterator[Violation]:
    """Work begins only if a server is free; more than there are servers go on only since there were more before."""
    for _, event, call, floor in walk(view):
        if call is not None and isinstance(event, WorkStarted) and len(floor.working) >= floor.servers:
            text = f"{call} begins {when(event)} although all {floor.servers} servers work"
            others = list(floor.working.values())[-floor.servers :] if floor.servers else []
            yield breach(call.request.number, text, *(other.work for other in others[:3]), event)


@invariant(owed_by="platform")
def no_server_idles(view: View) -> Iterator[Violation]:
    """While a call waits no server is free."""
    touched: dict[str, Floor] = {}
    last: Event | None = None
    for step in walk(view):
        if last is not None and step.event.t_ns > last.t_ns:
            yield from _idle(touched, last)
            touched = {}
        touched[step.floor.name], last = step.floor, step.event
    if last is not None and view.is_past(last.t_ns):
        yield from _idle(touched, last)


def _idle(floors: dict[str, Floor], last: Event) -> Iterator[Violation]:
    for floor in floors.values():
        call = floor.next()
        if call is not None and len(floor.working) < floor.servers:
            free = "" if floor.servers == NO_LIMIT else f" of {floor.servers}"
            text = (
                f"{call} waits on after {format_duration(last.t_ns)} although only {len(floor.working)}{free} servers"
            )
            yield breach(call.request.number, f"{text} work", call.queued, last)


@invariant(owed_by="platform")
def queue_limits_hold(view: View) -> Iterator[Violation]:
    """Never more calls wait than the queue has places, and only a call that finds it full is rejected for that."""
    for _, event, call, floor in walk(view):
        if call is None or not floor.stated:
            continue
        limit, waiting = floor.terms.limit, floor.waiting
        if isinstance(event, CallQueued) and waiting >= limit:
            text = f"{call} is queued {when(event)} behind {waiting}, but the queue has {limit} places"
            yield breach(call.request.number, text, event)
        elif isinstance(event, CallRejected) and event.reason == QUEUE and waiting < limit:
            text = f"{call} is rejected {when(event)} since the queue is full, but only {waiting} wait"
            yield breach(call.request.number, text, call.arrived, event)


@invariant(owed_by="platform")
def waits_end_in_time(view: View) -> Iterator[Violation]:
    """No call waits longer than `max_wait`: one that waited so long is rejected then, neither sooner nor later."""
    for call in view.calls.values():
        terms = view.terms.services.get(call.service)
        rejected, queued = call.rejected, call.queued
        if terms is None or queued is None:
            continue
        most_ns = terms.max_wait_ns
        out = rejected or call.dropped or call.work
        if rejected is not None and rejected.reason == IN_USE:
            rejected = None  # at its turn, by its key
        text = f"{call} waits from {format_duration(queued.t_ns)}"
        if most_ns is None:
            if rejected is not None:
                yield breach(call.request.number, f"{text} and is rejected {when(rejected)}", queued, rejected)
            continue
        by_ns = queued.t_ns + most_ns
        text += f" with a `max_wait` of {format_duration(most_ns)}"
        if rejected is not None and rejected.t_ns != by_ns:
            yield breach(call.request.number, f"{text} and is rejected {when(rejected)}", queued, rejected)
        elif (out is None and view.is_past(by_ns)) or (out is not None and out.t_ns > by_ns):
            yield breach(call.request.number, f"{text} and is not rejected", queued, out)


@invariant(owed_by="platform")
def arrivals_count_calls(view: View) -> Iterator[Violation]:
    """A call that arrives is told as many that wait and are worked on as there are, and how many are ahead of it."""
    for _, event, call, floor in walk(view):
        if call is None:
            continue
        text = ""
        if isinstance(event, CallArrived):
            told, found = (event.in_queue, event.in_progress), (floor.waiting, len(floor.working))
            if told != found:
                text = f"{told[0]} waiting and {told[1]} in progress, but {found[0]} and {found[1]} are"
        elif isinstance(event, CallQueued) and floor.stated and event.ahead != (ahead := floor.ahead_of(call)):
            text = f"{event.ahead} ahead of it, but {ahead} are"
        elif isinstance(event, WorkStarted) and event.others not in {-1, len(floor.working)}:
            text = f"{event.others} others in progress as its work begins, but {len(floor.working)} are"
        if text:
            yield breach(call.request.number, f"{call} finds {text} {when(event)}", event)


@invariant(owed_by="platform")
def only_abandoned_dropped(view: View) -> Iterator[Violation]:
    """At its turn a call whose caller has given up is dropped exactly if its service does so; no other call is."""
    hedges = view.terms.promises.hedges
    side_by_side = hedges or view.terms.promises.concurrent
    for at, event, call, floor in walk(view):
        if call is None or not floor.stated or call.queued is None:
            continue
        if isinstance(event, CallDropped):
            why = "" if floor.terms.drops else "its service serves such calls"
            if call.stopped is not None:
                why = ""
            elif (
                not why
                and call.attempt is not None
                and not (_given_up(call, at, side_by_side) or _lost(call, at, hedges))
            ):
                why = "its caller waits for it"
            if why:
                yield breach(call.request.number, f"{call} is dropped {when(event)} although {why}", call.sent, event)
        elif isinstance(event, WorkStarted) and floor.terms.drops and _given_up(call, at, side_by_side):
            text = f"{call} begins {when(event)} although its caller has given up, and its service drops such calls"
            yield breach(call.request.number, text, call.queued, event)


def _lost(call: Call, at: int, hedges: bool) -> bool:  # noqa: FBT001  # as the promise has it
    """Tell whether another copy may have ended the try of a call by this place."""
    attempt = call.attempt
    if attempt is None or not hedges:
        return False
    others = (other for other in attempt.request.attempts if other is not attempt)
    return any(
        min(other.end_at, other.lost_at, other.given_up_at) < at or attempt.at < other.at < at for other in others
    )


def _given_up(call: Call, at: int, hedges: bool) -> bool:  # noqa: FBT001  # as the promise has it
    """Tell whether by this place the caller has given a call up: by a timeout, a death, or by another attempt.

    If copies run side by side, another attempt says nothing.
    """
    attempt = call.attempt
    if attempt is None:
        return False  # what a service that calls gives up is not told
    ended_badly = attempt.end_at < at and attempt.how in {DIED, CUT}
    overtaken = not hedges and any(attempt.at < other.at < at for other in attempt.request.attempts)
    return ended_badly or attempt.lost_at < at or attempt.given_up_at < at or overtaken
