"""What it means that guest code ends with an error: it gives up, or it has a mistake."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from sim.clients.failures import CallFailed
from sim.guests.refused import GuestRefused, line_of_error

if TYPE_CHECKING:
    from collections.abc import Mapping


class GaveUp(CallFailed):
    """The guest has given up: it raised an error of its library or of its client, or returned without a success."""


_MISTAKES: Final = (
    *(NameError, UnboundLocalError, AttributeError, TypeError, ImportError, ModuleNotFoundError, SyntaxError),
    *(AssertionError, NotImplementedError, RecursionError, MemoryError, IndexError, KeyError, LookupError),
)
"""Raised by code that is wrong. A class derived from one of them says something of its own."""
_BEFORE_A_CALL: Final = (
    *_MISTAKES,
    ValueError,
    RuntimeError,
    OverflowError,
    ZeroDivisionError,
    ArithmeticError,
    Exception,
)
"""As above, if no call has been made yet, so that no failure can be the reason."""


def mistake_of(
    error: BaseException, *, called: bool, errors: Mapping[str, Any], met: bool = True
) -> GuestRefused | None:
    """Return what is wrong with a guest that ends with an error; None if it gives up by that.

    `called`: whether it has made a call; `errors`: what its calls raise; `met`: whether anything has happened to it
    that may differ from one request to the next. Without that none of its requests ever makes a call.
    """
    kind = type(error)
    if hasattr(error, "call_failed") or any(
        isinstance(made, type) and isinstance(error, made) for made in errors.values()
    ):
        return None
    if isinstance(error, asyncio.CancelledError):
        return None
    if isinstance(error, Exception) and kind not in (_MISTAKES if called else _BEFORE_A_CALL):
        if met:
            return None
        what = f"{kind.__name__}: {error}" if str(error) else kind.__name__
        return GuestRefused(
            f"the guest ends before its first call, which no request of it ever makes then: {what}",
            line_of_error(error.__traceback__),
        )
    if isinstance(error, SystemExit):
        return GuestRefused(
            "the guest calls sys.exit, which would end the simulation", line_of_error(error.__traceback__)
        )
    what = f"{kind.__name__}: {error}" if str(error) else kind.__name__
    return GuestRefused(f"the guest has a mistake: {what}", line_of_error(error.__traceback__))


_GATES: Final = (
    ("breaker", "breaker"),
    ("circuit", "breaker"),
    ("bulkhead", "bulkhead"),
    ("ratelimit", "rate_limit"),
    ("limiter", "rate_limit"),
    ("throttl", "rate_limit"),
    ("quota", "rate_limit"),
    ("budget", "rate_limit"),
)
"""What the names of errors say by which a client refuses a call itself, each with the gate of the history."""


def gate_of(error: BaseException) -> str:
    """Return by which gate of its own a guest has refused the call behind which it gives up; empty if by none.

    A gate's error comes from no call. It is told by the name of its class, such as `CircuitBreakerError`, since
    libraries share no class for that; also if another error, such as Tenacity's `RetryError`, was raised from it.
    """
    at: BaseException | None = error
    gate = ""
    while at is not None:
        if isinstance(at, CallFailed) or hasattr(at, "call_failed"):
            return ""
        names = [kind.__name__.lower().replace("_", "") for kind in type(at).__mro__]
        gate = next((found for word, found in _GATES if any(word in name for name in names)), gate)
        at = at.__cause__
    return gate
