"""What a service owes that calls others in the course of its work: one call after the other, then the end.

Exact for calls that are made once. What a retrier of a call's own does between its failures is its own affair: of such
a call only the order, the timeout and the server that is held are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.contracts.services.floor import work_terms
from sim.contracts.services.work import makes_calls
from sim.history.entities import NOT_YET, when
from sim.history.vocabulary import ACK_LOST, LOST_CONTACT, RETURNED
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.history.entities import Call
    from sim.promises.services import LayerTerms, ServiceTerms, Span
    from sim.promises.view import View


@invariant(owed_by="platform")
def layers_called_in_turn(view: View) -> Iterator[Violation]:
    """A service makes its calls one after the other while its server is held, and its work ends as they do."""
    for call in view.calls.values():
        if call.sent.within >= 0 and not call.sent.caller:
            yield breach(call.request.number, f"{call} is made in the work of call {call.sent.within}", call.sent)
        work = call.work
        for layer in call.layers:
            held = call.work_at < layer.at < call.work_end_at
            if not held or layer.sent.caller != call.service:
                text = f"{layer} is made {when(layer.sent)} in the work of {call}, which holds no server then"
                yield breach(call.request.number, text, work, layer.sent, call.work_end)
        terms = work_terms(view, call)
        if terms is None or work is None:
            continue
        if not makes_calls(work) or not terms.layers:
            if call.layers:
                text = f"{call.layers[0]} is made in the work of {call}, which makes no calls"
                yield breach(call.request.number, text, work, call.layers[0].sent)
        elif call.stopped is None:
            yield from _in_turn(view, call, terms)


class _Over(NamedTuple):
    """How a call went that a service made, and when it was over."""

    succeeded: bool | None
    """None: it is not known, or it goes on."""
    span_ns: Span


def _in_turn(view: View, call: Call, terms: ServiceTerms) -> Iterator[Violation]:
    """Follow the calls of one work from its own latency to its end."""
    work = call.work
    assert work is not None  # noqa: S101  # see above
    due_ns: Span = (work.t_ns + work.work_ns, work.t_ns + work.work_ns)
    left = list(call.layers)
    for position, layer in enumerate(terms.layers):
        made = _made(left, layer)
        left = left[len(made) :]
        wrong = _starts_wrong(view, call, layer, made, due_ns)
        if wrong:
            yield breach(call.request.number, wrong, work, *(one.sent for one in made[:1]), call.work_end)
        if wrong or not made:
            return
        over = _over(view, made, layer)
        if not layer.once:
            if any(other.service == layer.service for other in terms.layers[position + 1 :]):
                return  # whose call is whose is not told
            due_ns = over.span_ns
        elif over.succeeded is None:
            if call.work_end is not None and call.work_end.t_ns < over.span_ns[0]:
                text = f"the work of {call} ends {when(call.work_end)}, while {made[0]} goes on"
                yield breach(call.request.number, text, made[0].sent, call.work_end)
            return
        else:
            due_ns = over.span_ns
            if not over.succeeded:
                yield from _ends(view, call, due_ns, "failed", left)
                return
    known = all(layer.once for layer in terms.layers)
    end = "failed" if work.outcome == ACK_LOST else "success"
    yield from _ends(view, call, due_ns, end if known else "", left)


def _starts_wrong(  # one layer of one call
    view: View, call: Call, layer: LayerTerms, made: Sequence[Call], due_ns: Span
) -> str:
    """Say what is wrong with the first call of a layer, nothing if nothing is."""
    if made:
        if due_ns[0] <= made[0].sent.t_ns <= due_ns[1]:
            return ""
        return f"{call} calls {layer.service} {when(made[0].sent)}; expected {format_duration(due_ns[0])}"
    if not layer.once:
        return ""  # a loop may conclude without a call
    if call.work_end is not None:
        return f"the work of {call} ends {when(call.work_end)} without a call of {layer.service}"
    late = due_ns[1] < NOT_YET and view.is_past(due_ns[1])
    return f"{call} is to call {layer.service} by {format_duration(due_ns[1])}, but does not" if late else ""


def _made(left: Sequence[Call], layer: LayerTerms) -> list[Call]:
    """Return the calls at the front that belong to a layer."""
    made: list[Call] = []
    for call in left:
        if call.service != layer.service or (made and layer.once):
            break
        made.append(call)
    return made


def _over(view: View, made: Sequence[Call], layer: LayerTerms) -> _Over:
    """Return how the call of a layer went and when that was known."""
    by_ns = NOT_YET if layer.timeout_ns is None else made[0].sent.t_ns + layer.timeout_ns
    call = made[-1]
    answered, work = call.answered, call.work
    if not layer.once:
        return _Over(None, (call.sent.t_ns, by_ns))
    if work is not None and work.outcome == LOST_CONTACT and work.t_ns <= by_ns:
        return _Over(succeeded=None, span_ns=(work.t_ns, by_ns))  # contact is lost at a moment that is not told
    if answered is not None and answered.t_ns == by_ns:
        return _Over(None, (by_ns, by_ns))  # which of the two is first is not told
    if answered is not None and answered.t_ns < by_ns:
        return _Over(answered.end == RETURNED, (answered.t_ns, answered.t_ns))
    given_up = by_ns < NOT_YET and view.is_past(by_ns)
    return _Over(succeeded=False if given_up else None, span_ns=(by_ns, by_ns))


def _ends(view: View, call: Call, due_ns: Span, how: str, left: Sequence[Call]) -> Iterator[Violation]:
    """Yield what is wrong with the end of work whose calls are over."""
    end, number = call.work_end, call.request.number
    if left:
        text = f"{call} calls {left[0].service} {when(left[0].sent)}, which no call that it has to make is"
        yield breach(number, text, call.work, left[0].sent)
    elif end is None:
        if view.is_past(due_ns[1]):
            text = f"the work of {call} is not over by {format_duration(due_ns[1])}, as its calls are"
            yield breach(number, text, call.work)
    elif not due_ns[0] <= end.t_ns <= due_ns[1] or (how and end.end != how):
        expected = f"{how or 'an end'} at {format_duration(due_ns[0])}"
        text = f"the work of {call} ends as {end.end} {when(end)}; by its calls expected {expected}"
        yield breach(number, text, call.work, end)
