"""What services owe to each call: it arrives, goes one way, and its answer tells what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.history.entities import when
from sim.history.vocabulary import (
    ANSWERED,
    CONFLICT,
    CRASH_AFTER_EFFECT,
    CRASH_BEFORE_EFFECT,
    CUT,
    DIED,
    FAIL,
    IN_USE,
    OWN,
    REJECTED,
    RETURNED,
    THREW,
)
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant
from sim.promises.services import ServiceTerms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.history.entities import Call
    from sim.history.events import Event
    from sim.history.failure import Failure
    from sim.history.service_events import WorkEnded, WorkStarted
    from sim.promises.services import Span
    from sim.promises.view import View

DIES = (CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT)


@invariant(owed_by="platform")
def calls_arrive(view: View) -> Iterator[Violation]:
    """A call that is sent arrives once, after the time that the network takes."""
    for call in view.calls.values():
        terms = view.terms.services.get(call.service)
        if terms is None:
            continue
        if not terms.is_row:
            yield from _comes(view, call, call.sent, call.arrived, "arrive", terms.request_ns)
            continue
        yield from _comes(view, call, call.sent, call.read, "read the row", terms.request_ns)
        if call.read is not None:
            both_ns = (terms.reply_ns[0] + terms.request_ns[0], terms.reply_ns[1] + terms.request_ns[1])
            yield from _comes(view, call, call.read, call.written, "write the row", both_ns)


def _comes(  # noqa: PLR0917  # one event and the next
    view: View, call: Call, before: Event, event: Event | None, what: str, span_ns: Span
) -> Iterator[Violation]:
    low_ns, high_ns = before.t_ns + span_ns[0], before.t_ns + span_ns[1]
    if event is None:
        if view.is_past(high_ns) and (call.stopped is None or not view.terms.services[call.service].is_row):
            yield breach(call.request.number, f"{call} does not {what} by {format_duration(high_ns)}", before)
    elif not low_ns <= event.t_ns <= high_ns:
        text = f"{call} is to {what} from {format_duration(low_ns)} to {format_duration(high_ns)}, but does so"
        yield breach(call.request.number, f"{text} {when(event)}", before, event)


@invariant(owed_by="platform")
def calls_go_one_way(view: View) -> Iterator[Violation]:
    """A call that arrives is worked on, waits or is rejected at once, and then goes one way; nothing comes twice."""
    for _, event in view.stray_calls:
        text = f"'{event.kind}' of call {event.call} {when(event)}: it was never sent, or this comes twice"
        yield breach(event.request, text, event)
    for call in view.calls.values():
        wrong = _goes_wrong(view, call)
        if wrong:
            proof = (call.arrived, call.queued, call.rejected, call.dropped, call.work, call.work_end)
            told = sorted((event for event in proof if event is not None), key=lambda event: event.t_ns)
            yield breach(call.request.number, f"{call} {wrong}", call.sent, *told)


def _goes_wrong(view: View, call: Call) -> str:
    """Say what is wrong with the stages of a call, nothing if nothing is."""
    arrived, queued, work = call.arrived, call.queued, call.work
    ends = [name for name in ("rejected", "dropped", "work") if getattr(call, name) is not None]
    first = queued or call.rejected or call.dropped or work
    waited_out = call.rejected is not None and call.rejected.reason == "max_wait"
    at_its_turn = call.rejected is not None and call.rejected.reason == IN_USE
    wrong = ""
    if len(ends) > 1:
        wrong = f"is {' and '.join('worked on' if name == 'work' else name for name in ends)}"
    elif call.work_end is not None and (work is None or call.work_end_at < call.work_at):
        wrong = "ends its work, which has not begun"
    elif arrived is None:
        wrong = "has not arrived, but the service has it" if first is not None else ""
    elif first is None:
        wrong = "has arrived, and nothing becomes of it" if view.is_past(arrived.t_ns) else ""
    elif first.t_ns != arrived.t_ns or min(call.queued_at, call.out_at, call.work_at) < call.arrived_at:
        wrong = f"arrives {when(arrived)}, but it is only {when(first)} that the service does something with it"
    elif queued is not None and min(call.out_at, call.work_at) < call.queued_at:
        wrong = "waits after its wait is over"
    elif queued is None and (waited_out or (call.dropped is not None and call.stopped is None)):
        wrong = "leaves the queue, but has not waited"
    elif queued is not None and call.rejected is not None and not (waited_out or at_its_turn):
        wrong = f"is rejected by {call.rejected.reason} while it waits"
    return wrong


class Answer(NamedTuple):
    """What the caller of a call has to hear."""

    after: Event
    """The event behind which the answer is sent."""
    how: str
    kind: str | None = None
    """The kind of failure that the error names; None: it says what the service had in store."""
    retry_after_ns: int = -1


def answer_of(call: Call) -> Answer | None:
    """Return what the caller of a call has to hear; None if the service is not done with it."""
    if call.rejected is not None:
        return Answer(call.rejected, THREW, f"{REJECTED}.{call.rejected.reason}", call.rejected.retry_after_ns)
    if call.dropped is not None:
        return Answer(call.dropped, THREW, "")
    if call.written is not None:
        fits = call.written.seen == call.written.version
        return Answer(call.written, RETURNED) if fits else Answer(call.written, THREW, CONFLICT)
    return None if call.work_end is None else _answer_of_work(call.work_end, call.work)


def _answer_of_work(end: WorkEnded, work: WorkStarted | None) -> Answer:
    if work is not None and work.outcome in DIES:
        return Answer(end, DIED)
    if end.end == "success":
        return Answer(end, RETURNED)
    return Answer(end, THREW, None if work is not None and work.outcome in {FAIL, OWN} else "")


@invariant(owed_by="platform")
def calls_answered(view: View) -> Iterator[Violation]:
    """A caller that still waits hears once what became of its call, after the time that the network takes."""
    for call in view.calls.values():
        terms = view.terms.services.get(call.service, ServiceTerms())
        attempt, expected = call.attempt, answer_of(call)
        heard = call.answered if attempt is None else attempt.end
        if attempt is None and not call.sent.caller:
            continue  # of an attempt that the history does not have
        how = "" if heard is None else heard.end
        struck = False
        if attempt is not None:
            job = view.jobs.get(attempt.job)
            struck = job is not None and any(event.struck == "execution" for _, event in job.errors)
            died = how == DIED and heard is not None and any(one.t_ns == heard.t_ns for _, one in view.restarts)
            if how == CUT or (died and not struck):
                continue  # by the platform, which other invariants judge
        wrong = ""
        if expected is None:
            if heard is not None:
                wrong = f"is answered ({how}) {when(heard)}, but the service is not done with it"
        else:
            wrong = _misheard(view, expected, heard, terms.reply_ns, struck=struck)
        if wrong:
            yield breach(call.request.number, f"{call} {wrong}", None if expected is None else expected.after, heard)


def _misheard(view: View, expected: Answer, heard: Event | None, span_ns: Span, *, struck: bool) -> str:
    """Say what is wrong with what a caller hears, nothing if nothing is."""
    low_ns, high_ns = expected.after.t_ns + span_ns[0], expected.after.t_ns + span_ns[1]
    if heard is None:
        return f"is never answered; expected by {format_duration(high_ns)}" if view.is_past(high_ns) else ""
    how: str = heard.end  # type: ignore[attr-defined]  # both kinds have it
    failure: Failure | None = heard.failure  # type: ignore[attr-defined]
    due = DIED if struck else expected.how
    if how != due:
        return f"is answered {when(heard)}: {how}; expected {due}"
    if not low_ns <= heard.t_ns <= high_ns:
        return f"is answered {when(heard)}; expected {format_duration(low_ns)} to {format_duration(high_ns)}"
    if how in ANSWERED and expected.kind is not None:
        says = ("", -1) if failure is None else (failure.kind, failure.retry_after_ns)
        if says != (expected.kind, expected.retry_after_ns):
            return f"is answered {when(heard)} with {failure}; expected '{expected.kind}'"
    return ""
