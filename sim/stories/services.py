"""What a request met at services, in plain words: waits, work, rejections, and what was wasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from sim.history import events, service_events
from sim.history.vocabulary import CUT, RETURNED
from sim.stories.phrases import span_text
from sim.stories.story import Entry, Rank

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.entities import Call
    from sim.history.index import Index
    from sim.stories.story import Story, Try


class Say(Protocol):
    """Adds an entry to a story."""

    def __call__(self, t_ns: int, who: str, text: str, rank: Rank = Rank.notable) -> Entry:
        """Say at an instant who did what."""
        ...


REASONS = {
    "rate_limit": "no token is left",
    "shed": "it sheds load",
    "in_use": "its key is in use",
}


class AtServices:
    """Tells the events of the calls of one request."""

    def __init__(self, index: Index, story: Story, say: Say) -> None:
        self._calls = index.calls
        self._story = story
        self._say = say
        self._levels: dict[str, int] = {}
        """How many servers each service has."""

    def take(self, event: events.Event) -> None:
        """Take an event; those that are none of a service's are left to others."""
        if isinstance(event, service_events.ServersChanged):
            self._servers(event)
        elif isinstance(event, service_events.CallEvent) and (call := self._calls.get(event.call)) is not None:
            tell = self._tells.get(type(event))
            if tell is not None:
                tell(self, event, call)

    def _servers(self, event: service_events.ServersChanged) -> None:
        """Tell of a change of servers while a call of the request is there."""
        before = self._levels.get(event.service)
        self._levels[event.service] = event.servers
        there = any(
            call.service == event.service
            and call.sent.t_ns <= event.t_ns
            and (call.left_ns is None or call.left_ns > event.t_ns)
            for call in self._calls.values()
        )
        if there and before is not None and before != event.servers:
            now = "any number of" if event.servers < 0 else f"{event.servers:,}"
            self._say(event.t_ns, event.service, f"has {now} {_servers(event.servers)} from now on", Rank.plain)

    def _try_of(self, call: Call) -> Try | None:
        """Return the attempt that a call is; None for a call that a service makes."""
        number = None if call.attempt is None else call.attempt.number
        return next((tried for tried in self._story.tries if tried.number == number), None)

    def _sent(self, event: service_events.CallSent, call: Call) -> None:
        tried = self._try_of(call)
        if tried is not None:
            tried.service = event.service
        elif event.caller:
            self._say(event.t_ns, event.caller, f"calls {event.service}", Rank.plain)

    def _queued(self, event: service_events.CallQueued, call: Call) -> None:
        working = 0 if call.arrived is None else call.arrived.in_progress
        place = f"behind {event.ahead:,}" if event.ahead else "first in line"
        self._say(event.t_ns, event.service, f"{_whose(call)} is queued, {place} ({working:,} in progress)", Rank.plain)
        if (tried := self._try_of(call)) is not None:
            tried.queued_ns = (event.t_ns, None)

    def _rejected(self, event: service_events.CallRejected, call: Call) -> None:
        waited = self._leaves_queue(event, call)
        in_queue = 0 if call.arrived is None else call.arrived.in_queue
        why = {"queue": f"its queue is full ({in_queue:,} wait)", "max_wait": f"it has waited {waited}"}
        text = f"rejects {_whose(call)}: {why.get(event.reason) or REASONS.get(event.reason, event.reason)}"
        if event.retry_after_ns >= 0:
            text += f"; asks to retry after {span_text(event.retry_after_ns)}"
        self._say(event.t_ns, event.service, text, Rank.plain)
        if (tried := self._try_of(call)) is not None:
            tried.outcome = f"rejected ({event.reason.replace('_', ' ')})"

    def _dropped(self, event: service_events.CallDropped, call: Call) -> None:
        waited = self._leaves_queue(event, call)
        text = f"drops {_whose(call)} at its turn, after {waited}: its caller had gone"
        if call.stopped is not None:
            text = f"drops {_whose(call)}" + (f", which has waited {waited}" if waited else "") + ": it was canceled"
        self._say(event.t_ns, event.service, text, Rank.telling)

    def _canceled(self, event: service_events.CallCanceled, call: Call) -> None:
        self._say(event.t_ns, event.service, f"{_whose(call)} is canceled: word of it is on its way", Rank.plain)

    def _hears(self, event: service_events.CancelHeard, call: Call) -> None:
        if call.stopped is None:
            text = f"hears that {_whose(call)} was canceled: too late"
            self._say(event.t_ns, event.service, text, Rank.plain)

    def _begins(self, event: service_events.WorkStarted, call: Call) -> None:
        waited = self._leaves_queue(event, call)
        text = f"{_whose(call)} waited {waited}, work begins" if waited else f"work on {_whose(call)} begins"
        text += f" ({event.others:,} other{'' if event.others == 1 else 's'} in progress)" if event.others >= 0 else ""
        if event.work_ns > event.latency_ns:
            text += f", slowed down from {span_text(event.latency_ns)} to {span_text(event.work_ns)}"
        text += "; its key is known: it gets the first answer again" if event.by_key else ""
        self._say(event.t_ns, event.service, text, Rank.telling if event.by_key else Rank.plain)
        if (tried := self._try_of(call)) is not None:
            tried.outcome, tried.work_ns = event.outcome, (event.t_ns, None)

    def _leaves_queue(self, event: events.Event, call: Call) -> str:
        """Note that a call waits no more, and say how long it did; nothing if it did not."""
        if call.queued is None:
            return ""
        tried = self._try_of(call)
        if tried is not None and tried.queued_ns is not None:
            tried.queued_ns = (tried.queued_ns[0], event.t_ns)
        return span_text(event.t_ns - call.queued.t_ns)

    def _ends(self, event: service_events.WorkEnded, call: Call) -> None:
        given = "" if call.work is None else span_text(event.t_ns - call.work.t_ns)
        text = f"gave {_whose(call)} {given}" + ("" if event.end == "success" else f": {event.end}")
        if event.end == CUT:
            text = f"stops the work on {_whose(call)} after {given}: it was canceled"
        rank = Rank.plain
        tried = self._try_of(call)
        if tried is not None:
            if tried.work_ns is not None:
                tried.work_ns = (tried.work_ns[0], event.t_ns)
            gone_ns = min((t for t in (tried.given_up_ns, tried.lost_ns, tried.end_ns) if t is not None), default=None)
            if gone_ns is not None and event.end != CUT:
                gone = span_text(gone_ns - self._story.submitted_ns)
                text += f"; its caller had gone at +{gone}: the work was wasted"
                rank = Rank.telling
        self._say(event.t_ns, event.service, text, rank)

    def _effect(self, event: service_events.LayerEffect, call: Call) -> None:
        again = {"applied": "applied", "suppressed": "suppressed: recognized as a repeat"}
        words = again.get(event.effect, f"applied AGAIN (duplicate: {event.effect})")
        self._say(event.t_ns, event.service, f"effect of {_whose(call)} {words}", Rank.plain)

    def _answered(self, event: service_events.LayerAnswered, call: Call) -> None:
        how = "answers" if event.end == RETURNED else "tells of a failure"
        self._say(event.t_ns, event.service, f"{how} to {call.sent.caller}", Rank.plain)

    def _read(self, event: service_events.RowRead, call: Call) -> None:
        self._say(event.t_ns, event.service, f"{_whose(call)} reads version {event.version:,}", Rank.plain)

    def _written(self, event: service_events.RowWritten, call: Call) -> None:
        text = f"{_whose(call)} writes with version {event.seen:,}"
        if event.seen == event.version:
            self._say(event.t_ns, event.service, f"{text}: it counts", Rank.plain)
        else:
            self._say(event.t_ns, event.service, f"{text}: conflict, {event.version:,} is there", Rank.plain)

    _tells: ClassVar[dict[type[events.Event], Callable[..., None]]] = {
        service_events.CallSent: _sent,
        service_events.CallQueued: _queued,
        service_events.CallRejected: _rejected,
        service_events.CallDropped: _dropped,
        service_events.CallCanceled: _canceled,
        service_events.CancelHeard: _hears,
        service_events.WorkStarted: _begins,
        service_events.WorkEnded: _ends,
        service_events.LayerEffect: _effect,
        service_events.LayerAnswered: _answered,
        service_events.RowRead: _read,
        service_events.RowWritten: _written,
    }


def _whose(call: Call) -> str:
    return f"the call of {call.sent.caller}" if call.attempt is None else f"attempt {call.attempt.number}"


def _servers(count: int) -> str:
    return "server" if count == 1 else "servers"
