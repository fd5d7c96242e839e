"""What runs outside the deployment: a client's coroutine, its calls and its context. May import `world` and below."""

from sim.clients.calling import Call
from sim.clients.context import ClientContext
from sim.clients.failures import CallFailed, CallRefused, CallTimedOut
from sim.clients.loop_breaker import LoopBreaker, Ticket
from sim.clients.loop_budget import LoopBudget
from sim.clients.loop_gates import LoopBulkhead, LoopRateLimit
from sim.clients.shared_values import SharedValues

__all__ = [
    "Call",
    "CallFailed",
    "CallRefused",
    "CallTimedOut",
    "ClientContext",
    "LoopBreaker",
    "LoopBudget",
    "LoopBulkhead",
    "LoopRateLimit",
    "SharedValues",
    "Ticket",
]
