"""What the simulation owes to guests: their code goes on when something lets it, and at no other instant.

A guest may do several things at once: calls in `asyncio.gather`, background tasks, limits of time around a sleep. A
history does not say which of them an event belongs to. But simulated time stands still while code runs, so all that a
guest does falls on an instant at which something of it, or of its process, is over. That holds for code that does one
thing at a time, too: it cannot go on before its sleep is over, since nothing else of it ends meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.entities import when
from sim.history.events import (
    CUT_SHORT,
    ON_TIMER,
    AttemptStarted,
    CallGivenUp,
    GuestWoken,
    NumberDrawn,
    Settled,
    SettledAgain,
    SleepStarted,
)
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Request
    from sim.history.events import Event
    from sim.promises.view import View

OF_A_GUEST = (AttemptStarted, SleepStarted, GuestWoken, CallGivenUp, NumberDrawn, Settled, SettledAgain)
"""What the code of a guest does, as far as a history tells."""

Process = tuple[int, str]
"""A client process: the number of the client, and its class if that has a retrier of its own."""


@invariant(owed_by="platform")
def guests_go_on(view: View) -> Iterator[Violation]:
    """A guest does something only as its request is submitted or canceled, or a sleep, a timer or a call of it is over.

    A sleep is over in its time, unless its code cuts it at such an instant; a call when it answers or its timeout is
    over. The requests that one client process serves can wake each other, so what is over for one lets all go on.
    """
    guests = {number: one for number, one in view.requests.items() if view.terms_of(one).promises.concurrent}
    for request in view.requests.values():
        if request.wakes:
            yield from _woken_rightly(request, is_guest=request.number in guests)
    if not guests:
        return
    moments_ns = moments_of_processes(view)
    told: set[int] = set()
    for event in view.events:
        number = event.request
        if not isinstance(event, OF_A_GUEST) or number not in guests or number in told or _is_a_moment(event):
            continue
        if event.t_ns not in moments_ns[process_of(view, guests[number])]:
            told.add(number)
            text = f"{guests[number]} goes on {when(event)} ('{event.kind}'), when nothing of it is over"
            yield breach(number, text, guests[number].submit, event)


def process_of(view: View, request: Request) -> Process:
    """Return the client process that serves a request of a shared world."""
    submit = request.submit
    name = "" if submit is None or submit.caller_class is None else submit.caller_class
    return (-1 if submit is None else submit.client, name if view.terms_of(request).own_retrier else "")


def moments_of_processes(view: View) -> dict[Process, set[int]]:
    """Return the instants in ns at which something is over for the requests of each client process."""
    found: dict[Process, set[int]] = {}
    for request in view.requests.values():
        found.setdefault(process_of(view, request), set()).update(_moments_ns(request))
    return found


def _moments_ns(request: Request) -> Iterator[int]:
    yield request.submitted_ns
    yield from (event.t_ns for _, event in request.resubmits)
    yield from (event.t_ns for _, event in request.cancels)
    yield from (event.t_ns for _, event in request.wakes if event.reason == ON_TIMER)
    yield from (sleep.t_ns + sleep.duration_ns for at, sleep in request.sleeps if at not in request.cuts)
    for attempt in request.attempts:
        places = (
            (attempt.end_at, attempt.end),
            (attempt.lost_at, attempt.lost),
            (attempt.given_up_at, attempt.given_up),
        )
        heard = min(places, key=lambda place: place[0])[1]
        if heard is not None and (heard is not attempt.given_up or _is_a_moment(heard)):
            yield heard.t_ns


def _is_a_moment(event: Event) -> bool:
    """Tell whether an event says itself what lets a guest go on: a timer, or the timeout of a call."""
    if isinstance(event, GuestWoken):
        return event.reason == ON_TIMER
    return isinstance(event, CallGivenUp) and event.timeout_ns is not None


def _woken_rightly(request: Request, *, is_guest: bool) -> Iterator[Violation]:
    """Yield a wake that is of no guest, or cuts a sleep that does not last."""
    cut = {at for at, _ in request.cuts.values()}
    for at, event in request.wakes:
        if not is_guest:
            yield breach(request.number, f"{request} is woken {when(event)}, but no guest serves it", event)
            return
        if event.reason == CUT_SHORT and at not in cut:
            left = "" if event.left_ns is None else f" with {format_duration(event.left_ns)} left"
            yield breach(request.number, f"a sleep of {request} is cut {when(event)}{left}, but it has none", event)
            return
