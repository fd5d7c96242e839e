"""What services owe to calls whose callers cancel them: they hear of it in time, and stop what they are at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.entities import when
from sim.history.vocabulary import CUT
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Call
    from sim.promises.view import View


@invariant(owed_by="platform")
def cancels_stop_calls(view: View) -> Iterator[Violation]:
    """A service hears of a cancel after the time that the network takes, and stops the call then if it is not done.

    One that waits is dropped at once, one that is worked on ends as `cut`, one that comes later is dropped on arrival.
    """
    for call in view.calls.values():
        if call.canceled is None:
            if call.cancel_heard is not None:
                text = f"the service hears {when(call.cancel_heard)} of a cancel of {call} that nothing has sent"
                yield breach(call.request.number, text, call.sent, call.cancel_heard)
            continue
        wrong = _late(view, call) or _goes_on(view, call)
        if wrong:
            proof = (call.queued, call.work, call.canceled, call.cancel_heard, call.dropped, call.work_end)
            told = sorted((event for event in proof if event is not None), key=lambda event: event.t_ns)
            yield breach(call.request.number, f"{call} is canceled {when(call.canceled)}, {wrong}", *told)


def _late(view: View, call: Call) -> str:
    """Say what is wrong with the moment at which a service hears of a cancel, nothing if nothing is."""
    terms, heard, canceled = view.terms.services.get(call.service), call.cancel_heard, call.canceled
    if terms is None or canceled is None:
        return ""
    low_ns, high_ns = canceled.t_ns + terms.request_ns[0], canceled.t_ns + terms.request_ns[1]
    if heard is None:
        return f"of which it has not heard by {format_duration(high_ns)}" if view.is_past(high_ns) else ""
    if not low_ns <= heard.t_ns <= high_ns:
        return f"of which it hears {when(heard)}; expected {format_duration(low_ns)} to {format_duration(high_ns)}"
    return ""


def _goes_on(view: View, call: Call) -> str:
    """Say what a call still does behind a cancel that its service has heard of, nothing if nothing."""
    heard, at = call.cancel_heard, call.cancel_heard_at
    if heard is None:
        return ""
    is_past = view.is_past(heard.t_ns)
    if call.queued is not None and call.queued_at < at < min(call.work_at, call.out_at):
        dropped = call.dropped.t_ns == heard.t_ns if call.dropped is not None else not is_past
        return "" if dropped else "but waits on"
    if call.work is not None and call.work_at < at < call.work_end_at:
        end = call.work_end
        cut = (end.t_ns, end.end) == (heard.t_ns, CUT) if end is not None else not is_past
        return "" if cut else "but is worked on"
    begins_late = call.work is not None and call.work_at > at
    return "but its work begins" if begins_late else "but writes" if call.written_at > at and call.written else ""
