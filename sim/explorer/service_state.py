"""The services of a small world between two steps, as nested tuples of plain values.

Calls that wait stand in the order of the queue; a call on its way or at work stands with its timer. A call has no
number of its own here: its request and its attempt tell it apart. The version of a row is left out, since only how old
the version is matters that a call has read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sim.kernel.alarm import Alarm
from sim.kernel.clock import Clock
from sim.world.services.versioned_row import VersionedRowService
from sim.world.services.work import QueueingService

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.kernel.clock import QueueEntry
    from sim.world.attempt import Attempt
    from sim.world.services.service import Receiver
    from sim.world.services.visit import Visit
    from sim.world.weather import WeatherPath


class Look(Protocol):
    """What describes the rest of a world."""

    now_ns: int

    def attempt(self, attempt: Attempt) -> Any:
        """Describe an attempt."""
        ...

    def value(self, value: Any) -> Any:
        """Describe what a timer holds."""
        ...

    def weather(self, path: WeatherPath) -> Any:
        """Describe weather that comes in turns, as far as it is known."""
        ...


def service(look: Look, receiver: Receiver) -> Any:
    """Describe a service, but for the calls that have timers."""
    if not isinstance(receiver, QueueingService):
        return receiver.name
    now_ns, capacity, bucket = look.now_ns, receiver.capacity, receiver.bucket
    return (
        receiver.name,
        receiver.in_progress,
        tuple(visit_values(look, visit) for visit in receiver.waiting),
        None if bucket is None else bucket.parts(now_ns),
        capacity.servers,
        tuple((is_on, None if due_ns is None else due_ns - now_ns) for is_on, due_ns in capacity.changes()),
        None if receiver.weather is None else look.weather(receiver.weather),
    )


def visit_values(look: Look, visit: Visit) -> Any:
    """Describe a call."""
    return (
        look.attempt(visit.attempt),
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


def visit_timer(look: Look, visit: Visit) -> Any:
    """Describe the timer of a call's next stage."""
    if isinstance(visit.callbacks[0].__self__, Clock):
        return "called off"
    stage = visit.callbacks[0]
    receiver = stage.__self__
    age = receiver.version - visit.seen if isinstance(receiver, VersionedRowService) and visit.seen >= 0 else -1
    return ("visit", receiver.name, stage.__name__, age, visit_values(look, visit))


def alarm_values(look: Look, alarm: Alarm) -> Any:
    """Describe an alarm: what it is to call, and whether the world waits for that."""
    return ("alarm", alarm.needed, look.value(alarm.function))


def is_idle(timer: QueueEntry) -> bool:
    """Tell whether a timer does nothing, since it was called off."""
    alarm = getattr(getattr(timer[3], "function", None), "__self__", None)
    called_off = any(isinstance(getattr(one, "__self__", None), Clock) for one in timer[3].callbacks or ())
    return called_off or (isinstance(alarm, Alarm) and alarm.is_off)


def knows_time(world: World) -> bool:
    """Tell whether a service knows the time of day, by its weather."""
    return any(getattr(options, "weather", ()) for options in world.cell.services.values())


def names_waits(world: World) -> bool:
    """Tell whether an answer of a service can ask to wait."""
    found = (one for one in world.services.values() if isinstance(one, QueueingService))
    return any(one.asks_to_wait for one in found)


def remembers(world: World) -> bool:
    """Tell whether a service recognizes repeated effects."""
    return any(getattr(options, "window_ns", None) is not None for options in world.cell.services.values())
