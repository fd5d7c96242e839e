"""What runs outside the deployment: a client's coroutine, its calls and its context. May import `world` and below."""

from sim.clients.client import Call, CallFailed, CallTimedOut, ClientContext

__all__ = ["Call", "CallFailed", "CallTimedOut", "ClientContext"]
