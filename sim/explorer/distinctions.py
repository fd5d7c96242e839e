"""What tells the states of a world apart, besides what happened in it: which instants and memories still matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sim.retriers.base import Fields, ScheduledRetrier
from sim.world.arrivals import Closed
from sim.world.services.work import QueueingService

if TYPE_CHECKING:
    from sim.engine.world import World


class Distinctions(NamedTuple):
    """What tells the states of a world apart, besides what happened in it."""

    up_to_time: bool
    """Whether jobs are renumbered and instants relative to now."""
    fields: Fields
    """Which fields of arguments and documents hold jobs, instants and addresses of draws."""
    deadline: bool
    """Whether the time since the submission of a request matters."""
    timeout: bool
    """Whether the time since the start of a client's call matters."""
    named_waits: bool
    """Whether errors name a wait, so that the time since the end of an attempt matters."""
    remembers: bool
    """Whether a receiver recognizes repeated effects, so that the time since one matters."""
    roles: dict[tuple[str, ...], list[tuple[str, str]]]
    """A cache: the fields of a document or of arguments in order, each with its role; see `_roles`."""


def distinctions(world: World) -> Distinctions:
    """Find out what tells the states of a world apart."""
    cell, retrier = world.cell, world.retrier
    fields = retrier.fields if isinstance(retrier, ScheduledRetrier) else Fields()
    actions, promised = [cell.action, *(one.action for one in cell.callers)], world.retriers.promises.values()
    knows_time = any(action.weather for action in actions) or _a_service_knows_time(world)
    knows_time = knows_time or cell.until is not None or cell.heals_at is not None
    # Pauses and patience count from instants that the rest of a state lacks, and classes have retriers of their own.
    knows_time = knows_time or not (cell.classes is None and cell.resubmit is None)
    knows_time = knows_time or isinstance(cell.requests.arrivals, Closed)
    up_to_time = fields is not None and not knows_time
    return Distinctions(
        up_to_time,
        fields if fields is not None and up_to_time else Fields(),
        deadline=any(promises.deadline_ns is not None for promises in promised),
        timeout=any(promises.timeout_ms is not None for promises in promised),
        named_waits=any(action.names_waits for action in actions) or _a_service_names_waits(world),
        remembers=any(action.window_ns is not None for action in actions) or _a_service_remembers(world),
        roles={},
    )


def _a_service_knows_time(world: World) -> bool:
    """Tell whether a service knows the time of day, by its weather."""
    return any(getattr(options, "weather", ()) for options in world.cell.services.values())


def _a_service_names_waits(world: World) -> bool:
    """Tell whether an answer of a service can ask to wait."""
    found = (one for one in world.services.values() if isinstance(one, QueueingService))
    return any(one.asks_to_wait for one in found)


def _a_service_remembers(world: World) -> bool:
    """Tell whether a service recognizes repeated effects."""
    return any(getattr(options, "window_ns", None) is not None for options in world.cell.services.values())
