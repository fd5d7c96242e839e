"""The services of a small world between two steps, as nested tuples of plain values.

Calls that wait stand in the order of the queue; a call on its way or at work stands with its timer. A call has no
number of its own here: its request and its attempt tell it apart. The version of a row is left out, since only how old
the version is matters that a call has read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.explorer.request_state import attempt_values, weather_values
from sim.kernel.alarm import Alarm
from sim.kernel.clock import Clock
from sim.world.services.versioned_row import VersionedRowService
from sim.world.services.work import QueueingService

if TYPE_CHECKING:
    from sim.explorer.look import Look
    from sim.kernel.clock import QueueEntry
    from sim.world.services.service import Receiver
    from sim.world.services.visit import Cancellation, Visit


def service(look: Look, receiver: Receiver) -> Any:
    """Describe a service, but for the calls that have timers."""
    if not isinstance(receiver, QueueingService):
        return receiver.name
    now_ns, capacity, bucket = look.now_ns, receiver.capacity, receiver.bucket
    return (
        receiver.name,
        receiver.in_progress,
        tuple(visit_values(visit) for visit in receiver.waiting),
        None if bucket is None else bucket.parts(now_ns),
        capacity.servers,
        tuple((is_on, None if due_ns is None else due_ns - now_ns) for is_on, due_ns in capacity.changes()),
        None if receiver.weather is None else weather_values(receiver.weather),
    )


def visit_values(visit: Visit) -> Any:
    """Describe a call."""
    return (
        attempt_values(visit.attempt),
        visit.number,
        visit.priority,
        visit.waits,
        visit.is_canceled,
        visit.outcome,
        visit.effect_at_end,
        visit.writes,
        visit.how,
        int(visit.end),
        None if visit.answer is None else tuple(visit.answer),
    )


def visit_of_timer(look: Look, visit: Visit) -> Any:
    """Describe a call, and the timer of its next stage if it has one."""
    del look
    if not visit.callbacks:
        return visit_values(visit)
    if isinstance(visit.callbacks[0].__self__, Clock):
        return "called off"
    stage = visit.callbacks[0]
    receiver = stage.__self__
    age = receiver.version - visit.seen if isinstance(receiver, VersionedRowService) and visit.seen >= 0 else -1
    return ("visit", receiver.name, stage.__name__, age, visit_values(visit))


def effect(look: Look, effect: Any) -> Any:
    """Describe the timer of an effect to come."""
    del look
    if isinstance(effect.callbacks[0].__self__, Clock):
        return "called off"
    return ("effect", visit_values(effect.visit))


def cancellation(look: Look, message: Cancellation) -> Any:
    """Describe the word, on its way, that a call needs no answer."""
    del look
    return ("cancel", visit_values(message.visit))


def alarm_values(look: Look, alarm: Alarm) -> Any:
    """Describe an alarm: what it is to call, and whether the world waits for that."""
    return ("alarm", alarm.needed, look.value(alarm.function))


def is_idle(timer: QueueEntry) -> bool:
    """Tell whether a timer does nothing, since it was called off."""
    alarm = getattr(getattr(timer[3], "function", None), "__self__", None)
    called_off = any(isinstance(getattr(one, "__self__", None), Clock) for one in timer[3].callbacks or ())
    return called_off or (isinstance(alarm, Alarm) and alarm.is_off)
