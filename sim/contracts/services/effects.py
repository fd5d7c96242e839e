"""What services owe to the outside: each effect of a call once, at its moment, and repeats recognized."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.contracts.platform.effects import WITH_EFFECT, lost_in
from sim.contracts.services.floor import work_terms
from sim.contracts.services.work import makes_calls, share_of
from sim.history.entities import NOT_YET, when
from sim.history.vocabulary import ACK_LOST, APPLIED, OWN, RETURNED, SUPPRESSED, Cause
from sim.kernel.durations import format_duration
from sim.promises.invariant import Violation, breach, invariant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.history.entities import Call, Place
    from sim.history.events import EffectMade
    from sim.history.service_events import LayerEffect, WorkStarted
    from sim.promises.services import LayerTerms, ServiceTerms
    from sim.promises.view import View


@invariant(owed_by="platform")
def service_effects_happen(view: View) -> Iterator[Violation]:
    """Work has its effect once, at its moment, if it has one in store; a call that is not worked on has none.

    An effect that is still ahead as the service hears of a cancel does not come.
    """
    for call in view.calls.values():
        found: Sequence[Place[EffectMade | LayerEffect]] = (
            call.effects if call.attempt is None else call.attempt.effects
        )
        terms, work = work_terms(view, call), call.work
        if work is not None and work.outcome == OWN:
            yield from _of_own_work(call, found)
            continue
        if work is not None and terms is not None:
            wrong = _off_its_moment(terms, work)
            if wrong:
                yield breach(call.request.number, f"the effect of {call} {wrong}", work)
        due_ns = _due_ns(view, call, terms, found[0][1].t_ns if found else None)
        whose = f"the effect of {call}"
        if found and due_ns is None:
            yield breach(call.request.number, f"{whose} comes {when(found[0][1])}; it has none", work, found[0][1])
        elif len(found) > 1:
            text = f"{whose} comes {when(found[0][1])} and again {when(found[1][1])}"
            yield breach(call.request.number, text, found[0][1], found[1][1])
        elif found and due_ns is not None and found[0][1].t_ns != due_ns:
            text = f"{whose} comes {when(found[0][1])} but is due at {format_duration(due_ns)}"
            yield breach(call.request.number, text, work, found[0][1])
        elif due_ns is not None:
            yield from _lost_or_not(view, call, due_ns, found)


def _of_own_work(call: Call, found: Sequence[Place[EffectMade | LayerEffect]]) -> Iterator[Violation]:
    """Yield an effect of work of the user's own that comes twice or behind it, and success without one."""
    end, events = call.work_end, [event for _, event in found]
    if len(events) > 1:
        text = f"the effect of {call} comes {when(events[0])} and again {when(events[1])}"
        yield breach(call.request.number, text, *events[:2])
    elif events and end is not None and found[0][0] > call.work_end_at:
        yield breach(call.request.number, f"the effect of {call} comes {when(events[0])}, behind its work", end)
    elif not events and end is not None and end.end == "success":
        yield breach(call.request.number, f"{call} succeeds {when(end)} without an effect", end)


def _lost_or_not(
    view: View, call: Call, due_ns: int, found: Sequence[Place[EffectMade | LayerEffect]]
) -> Iterator[Violation]:
    """Yield an effect that neither comes nor is lost with the server, and one that is lost and comes."""
    attempt = call.attempt
    before_at = found[0][0] if found else NOT_YET
    lost = None if attempt is None or not view.restarts else lost_in(view, attempt, due_ns, before_at)
    if not found and lost is None and view.is_past(due_ns):
        text = f"the effect of {call} is due at {format_duration(due_ns)} but never comes"
        yield breach(call.request.number, text, call.work, call.work_end)
    elif found and lost is not None and lost[1]:
        text = f"the effect of {call} comes {when(found[0][1])} although it was lost {when(lost[0])}"
        yield breach(call.request.number, text, lost[0], found[0][1])


def _off_its_moment(terms: ServiceTerms, work: WorkStarted) -> str:
    """Say what is wrong with the moment that an effect is said to be due at, nothing if nothing is."""
    has = work.outcome in WITH_EFFECT
    behind = bool(terms.layers) and makes_calls(work)
    moment_ns = work.t_ns + share_of(terms.effect_at, work.work_ns)
    if behind and moment_ns == work.t_ns + work.work_ns:
        return "is said to be due before the calls of its work" if work.effect_ns >= 0 else ""
    if (work.effect_ns >= 0) != has:
        return f"is {'said' if work.effect_ns >= 0 else 'not said'} to come, with '{work.outcome}' in store"
    if has and work.effect_ns != moment_ns:
        return f"is due at {format_duration(work.effect_ns)}, but its moment is {format_duration(moment_ns)}"
    return ""


def _due_ns(view: View, call: Call, terms: ServiceTerms | None, came_ns: int | None) -> int | None:
    """Return when the effect of a call is due; None if it has none, as far as the history goes.

    `came_ns` is when it came, if it did: where the history does not tell whether one is due, it is if one came.
    """
    if call.written is not None:
        return call.written.t_ns if call.written.seen == call.written.version else None
    work, stopped = call.work, call.stopped
    if work is None:
        return None
    if stopped is not None:
        in_time = 0 <= work.effect_ns < stopped.t_ns or (came_ns is not None and came_ns == work.effect_ns)
        return work.effect_ns if in_time and (came_ns is None or came_ns <= stopped.t_ns) else None
    return work.effect_ns if work.effect_ns >= 0 else _due_at_end_ns(view, call, terms, came_ns)


def _due_at_end_ns(view: View, call: Call, terms: ServiceTerms | None, came_ns: int | None) -> int | None:
    """Return the same for work whose effect, if it has one, comes at its end behind the calls that it makes."""
    work, end = call.work, call.work_end
    if work is None or not makes_calls(work):
        return None
    if end is None:  # a history can be cut between the effect and the end
        return None if came_ns is None or view.is_past(came_ns) else came_ns
    if work.outcome != ACK_LOST:
        return end.t_ns if end.end == "success" else None
    # It ends as failed in any case; its calls tell whether one of them was given up.
    if terms is None or any(not layer.once or _is_tied(call, layer) for layer in terms.layers):
        return None if came_ns is None else end.t_ns
    heard = [one.answered for one in call.layers]
    succeeded = sum(one is not None and one.end == RETURNED and one.t_ns <= end.t_ns for one in heard)
    return end.t_ns if succeeded == len(terms.layers) else None


def _is_tied(call: Call, layer: LayerTerms) -> bool:
    """Tell whether a call is answered in the instant in which it is given up: which comes first is not told."""
    return layer.timeout_ns is not None and any(
        one.answered is not None and one.answered.t_ns == one.sent.t_ns + layer.timeout_ns
        for one in call.layers
        if one.service == layer.service
    )


@invariant(owed_by="platform")
def repeated_calls_recognized(view: View) -> Iterator[Violation]:
    """Of the effects of a request that services make at one service the first is applied; one in the window is not."""
    last: dict[tuple[int, str], LayerEffect] = {}
    effects = [(at, event, call) for call in view.calls.values() for at, event in call.effects]
    for _, event, call in sorted(effects, key=lambda found: found[0]):
        key = (call.request.number, call.service)
        before, terms = last.get(key), work_terms(view, call)
        if terms is None:
            continue
        if before is None:
            allowed: tuple[str, ...] = (APPLIED,)
        elif event.t_ns - before.t_ns < terms.window_ns:
            allowed = (SUPPRESSED,)
        else:
            allowed = tuple(cause.name for cause in Cause)
        if event.effect not in allowed:
            text = f"the effect of {call} {when(event)} is '{event.effect}'; expected {' or '.join(allowed)}"
            yield breach(call.request.number, text, before, event)
        if event.effect != SUPPRESSED:
            last[key] = event
