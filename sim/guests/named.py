"""Finds what a command line names as `module:name`: a class of retriers, or a plain function, which is a guest.

Every command imports this; what runs guests is imported with the first of them.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from sim.options import own_code
from sim.retriers import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.retrier import GuestRetrier
    from sim.retriers.base import Retrier


def load(path: str) -> type[Retrier]:
    """Import a retrier named `module:name`; LookupError if there is no such name, TypeError if it cannot be one."""
    return _as_retrier(own_code.find(path, "retrier"), path)


def load_anew(path: str) -> type[Retrier] | None:
    """Run the module of a retrier that is imported already once more, and return what is called that there.

    None if that cannot be done (see `sim.options.own_code.anew`), or if it is a guest: each of its requests has fresh
    code already.
    """
    from sim.guests.retrier import GuestRetrier

    found = own_code.anew(path)
    return found if registry.is_retrier(found) and not issubclass(found, GuestRetrier) else None


def maker_of(given: Callable[..., Any]) -> Callable[[], Retrier]:
    """Return what makes retriers: what is given, or the guests that run it if it is a function that takes `call`."""
    if isinstance(given, type):
        return given
    try:
        signature(given).bind()
    except ValueError:  # of a function in C, which tells nothing
        return given
    except TypeError:
        from sim.guests.retrier import guest_of

        return guest_of(given)
    return given


def _as_retrier(found: Any, path: str) -> type[Retrier]:
    from sim.guests.retrier import GuestRetrier

    if registry.is_retrier(found):
        kind: type[Retrier] = found
        return _guest(found, path) if issubclass(kind, GuestRetrier) else kind
    if isinstance(found, type) or not callable(found):
        raise TypeError(
            f"'{path}' is neither a ScheduledRetrier nor a LoopRetrier nor a GuestRetrier, nor a function that takes "
            "`call`"
        )
    return _guest(found, path)


_made: Final[dict[str, tuple[Any, type[GuestRetrier]]]] = {}
"""By path: what was found there, and the class of guests that it is, or that was made of it."""


def _guest(found: Any, path: str) -> type[GuestRetrier]:
    from sim.guests.fresh import Supply
    from sim.guests.retrier import guest_of

    known = _made.get(path)
    if known is None or known[0] is not found:
        if isinstance(found, type):
            kind: type[GuestRetrier] = found
            kind.supply = Supply(kind, path)
        else:
            kind = guest_of(found, kind=path.partition(":")[2], path=path)
        known = _made[path] = found, kind
    return known[1]
