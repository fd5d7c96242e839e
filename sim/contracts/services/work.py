"""What services owe to calls that they work on: work as the options have it, once, for its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.services.floor import work_terms
from sim.history.entities import NOT_YET, when
from sim.history.vocabulary import (
    ACK_LOST,
    CRASH_AFTER_EFFECT,
    CRASH_BEFORE_EFFECT,
    CUT,
    FAIL,
    HANG,
    LOST_CONTACT,
    NEVER,
    OWN,
    SUCCESS,
)
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Call
    from sim.history.service_events import WorkEnded, WorkStarted
    from sim.promises.services import ServiceTerms, Span
    from sim.promises.view import View

MAKES_CALLS = (SUCCESS, ACK_LOST, LOST_CONTACT)
"""Outcomes of work that makes the calls of its service, if there are any."""
FAILS = (FAIL, ACK_LOST, CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT)
"""Outcomes of work that fails whatever its calls do."""


@invariant(owed_by="platform")
def work_goes_as_stated(view: View) -> Iterator[Violation]:
    """Work has in store what its service can do, by script, shares and weather, and a latency of its law."""
    heals_ns = view.terms.heals_at_ns
    for call in view.calls.values():
        terms, work = work_terms(view, call), call.work
        if terms is None or work is None:
            continue
        wrong = _not_stated(terms, work, call.sent.number, healed=heals_ns is not None and work.t_ns >= heals_ns)
        if wrong:
            yield breach(call.request.number, f"the work of {call} {when(work)} {wrong}", work)


def _not_stated(terms: ServiceTerms, work: WorkStarted, number: int, *, healed: bool) -> str:
    """Say what of work is not as its service states, nothing if all is."""
    spans, script, outcome = terms.latencies_ns, terms.script, work.outcome
    if not spans or work.by_key:
        return ""
    line = min(number, len(spans)) - 1
    allowed = (script[line],) if script else tuple(spans[line])
    if healed:
        allowed = (SUCCESS,)
    else:
        for from_ns, to_ns, outcomes in terms.outages_ns:
            if from_ns <= work.t_ns < to_ns:
                allowed = tuple(sorted(outcomes))
    if outcome not in allowed:
        return f"has '{outcome}' in store; its service has {' or '.join(allowed)}"
    if (outcome == HANG) != (work.latency_ns < 0):
        return f"has '{outcome}' in store, with a latency of {work.latency_ns} ns"
    low_ns, high_ns = spans[line].get(outcome, (NEVER, NOT_YET))
    if outcome != HANG and not low_ns <= work.latency_ns <= high_ns:
        law = f"{format_duration(low_ns)} to {format_duration(high_ns)}"
        return f"has a latency of {format_duration(work.latency_ns)}; the law says {law}"
    return ""


@invariant(owed_by="platform")
def work_takes_its_time(view: View) -> Iterator[Violation]:
    """Work ends once, when its time is over; a hang never does, a crash comes at its moment, calls add their time."""
    for call in view.calls.values():
        work, end = call.work, call.work_end
        if work is None or (work.outcome == OWN and (end is None or end.end != CUT)):
            continue
        wrong = _stops_wrong(view, call)
        if not wrong and (call.work_end is None or call.work_end.end != CUT):
            wrong = _time_wrong(view, call, work)
        if wrong:
            yield breach(call.request.number, f"the work of {call}, '{work.outcome}', {wrong}", work, end)
        yield from _out_of_sight(call, work)


def _time_wrong(view: View, call: Call, work: WorkStarted) -> str:
    """Say what is wrong with the end of work that goes on until its time is over, nothing if nothing is."""
    end = call.work_end
    if work.outcome == HANG:
        return f"ends {when(end)}, but hangs" if end is not None else ""
    low_ns, high_ns = _end_of_work(view, call, work)
    if end is None:
        late = high_ns < NOT_YET and view.is_past(high_ns)
        return f"is not over by {format_duration(high_ns)}" if late else ""
    if low_ns <= end.t_ns <= high_ns:
        return _ends_wrong(call, work, end)
    wrong = f"ends {when(end)}; expected {format_duration(low_ns)}"
    return wrong + ("" if high_ns in {low_ns, NOT_YET} else f" to {format_duration(high_ns)}")


def _stops_wrong(view: View, call: Call) -> str:
    """Say what is wrong with the end of work that a cancel has stopped, or that is said to be so."""
    end, stopped = call.work_end, call.stopped
    if end is not None and end.end == CUT:
        in_time = stopped is not None and stopped.t_ns == end.t_ns
        return "" if in_time else f"is cut {when(end)}, but the service does not hear of a cancel then"
    if stopped is not None and end is None and call.work_at < call.cancel_heard_at and view.is_past(stopped.t_ns):
        return f"goes on although the service hears {when(stopped)} that it is canceled"
    return ""


def makes_calls(work: WorkStarted) -> bool:
    """Tell whether work comes to the calls of its service, if there are any: not if its key is known."""
    return work.outcome in MAKES_CALLS and not work.by_key


def _end_of_work(view: View, call: Call, work: WorkStarted) -> Span:
    """Return from when to when work may end."""
    terms = work_terms(view, call)
    over_ns = work.t_ns + work.work_ns
    effect_ns = over_ns if terms is None else work.t_ns + share_of(terms.effect_at, work.work_ns)
    if work.outcome == CRASH_BEFORE_EFFECT:
        return work.t_ns, max(effect_ns - (terms is not None), work.t_ns)
    if work.outcome == CRASH_AFTER_EFFECT:
        return (work.t_ns if terms is None else effect_ns), over_ns
    calls = makes_calls(work) and (bool(call.layers) if terms is None else bool(terms.layers))
    return over_ns, NOT_YET if calls else over_ns


def share_of(share: float, work_ns: int) -> int:
    """Return how long after its start work has its effect."""
    return work_ns if share == 1.0 else round(share * work_ns)


def _ends_wrong(call: Call, work: WorkStarted, end: WorkEnded) -> str:
    if work.outcome in FAILS:
        return "" if end.end == "failed" else f"ends as {end.end}"
    # A call that it made may have been given up.
    return "" if end.end == "success" or (end.end == "failed" and call.layers) else f"ends as {end.end}"


def _out_of_sight(call: Call, work: WorkStarted) -> Iterator[Violation]:
    """Yield losses of contact that the work does not have, or not then."""
    lost = None if call.attempt is None else call.attempt.lost
    if lost is None:
        return
    within = work.t_ns <= lost.t_ns < work.t_ns + max(work.work_ns, 1)
    if work.outcome != LOST_CONTACT or not within:
        text = f"{call} is lost {when(lost)}, with '{work.outcome}' in store {when(work)} for"
        yield breach(call.request.number, f"{text} {format_duration(work.work_ns)}", work, lost)
