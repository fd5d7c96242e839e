"""The clients of a small world between two steps, as nested tuples of plain values.

Code cannot be looked into: all that it has learned stands for it. That of a guest goes on by what its whole process has
learned.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from sim.convex.functions import Function
from sim.explorer import policy_state
from sim.explorer.request_state import attempt_values, request_number
from sim.options.model import Options

if TYPE_CHECKING:
    from sim.clients.client import Client
    from sim.clients.connection import Connection
    from sim.clients.hedged import Hedge
    from sim.explorer.look import Look
    from sim.guests.timers import Timer
    from sim.guests.waits import Waiting
    from sim.kernel.clock import Pending


def client_values(look: Look, client: Client) -> Any:
    """Describe a client that serves one request."""
    return (
        request_number(client.request),
        client.asleep,
        client.sleeps if client.calls_at_most < client.sleeps + client.request.attempts else 0,
        tuple(look.value(connection) for connection in client.connections),
        look.learned_by(client),
        None if client.hedge is None else client.hedge.state,
        tuple((tuple(address), policy_state.inside(look, cell)) for address, cell in client.own_cells.items()),
        client._task.stopped,
        # A course has a witness, so the loop is kept. Code of a guest goes on by what its process has learned.
        () if client.process is not None else attributes(look, client.loop),
    )


def attributes(look: Look, retrier: Any) -> Any:
    """Describe the attributes of a retrier; a port has only handlers and options, which never change."""
    known = vars(retrier)
    return tuple(
        (name, look.plain(value))
        for name, value in known.items()
        if not isinstance(value, (Function, Options, FunctionType, MethodType))
    )


def connection_values(look: Look, connection: Connection) -> Any:
    """Describe a call that waits for its answer."""
    attempt = None if connection.attempt is None else attempt_values(connection.attempt)
    since_ns = look.now_ns - connection.started_ns if look.distinct.timeout else 0
    return (
        "connection",
        attempt,
        connection.answer.done,
        connection.timeout_ms is not None,
        since_ns,
        *connection.place,
    )


def client_number(look: Look, client: Client) -> Any:
    """Name a client."""
    del look
    return ("client", request_number(client.request))


def hedge_values(look: Look, hedge: Hedge) -> Any:
    """Describe a call that is made more than once."""
    del look
    return ("hedge", request_number(hedge.request), hedge.state)


def pending_values(look: Look, pending: Pending) -> Any:
    """Describe something that a coroutine awaits."""
    return ("pending", pending.done, look.owner(pending.task))


def waiting_values(look: Look, waiting: Waiting) -> Any:
    """Describe a wait of a guest."""
    off = waiting.callbacks is not None and look.clock.is_off(waiting)
    return "called off" if off else ("waiting", waiting.is_handed, pending_values(look, waiting))


def timer_values(look: Look, timer: Timer) -> Any:
    """Describe a timer of asyncio: the code that it runs follows from what its process has learned."""
    if look.clock.is_off(timer):
        return "called off"
    owner = timer.inside or timer.of
    return ("timer", timer.number, None if owner is None else request_number(owner.request))
