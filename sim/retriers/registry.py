"""Finds the retriers that a scenario can name. Importing this module imports none of them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Final

from sim.options import own_code
from sim.retriers.base import ClientRetrier, Retrier, ScheduledRetrier
from sim.retriers.ports import PORTS

KINDS: Final = {**PORTS, "policy": "sim.retriers.policy:Policy"}
"""The class of each kind that this package has, as `module:Class`."""
GROUP = "retrysim.retriers"
"""The entry point group in which other distributions announce their retriers."""


def known_kinds() -> list[str]:
    """Return the kinds that a scenario can name: of this package, and of retriers in other distributions."""
    return sorted({*KINDS, *(point.name for point in entry_points(group=GROUP))})


def retrier_class(kind: str) -> type[Retrier]:
    """Find a retrier by its kind; LookupError if there is none, TypeError if the kind does not lead to a retrier."""
    if kind in KINDS:
        return _checked(own_code.find(KINDS[kind], "retrier"), KINDS[kind])
    for point in entry_points(group=GROUP, name=kind):
        return _checked(point.load(), point.value)
    raise LookupError(f"no retrier of kind '{kind}'; known are {', '.join(known_kinds())}")


def is_built_in(retrier: type) -> bool:
    """Tell whether a retrier is one of this package, and not a user's own."""
    return f"{retrier.__module__}:{retrier.__qualname__}" in KINDS.values()


def is_retrier(found: Any) -> bool:
    """Tell whether something is a class of retriers."""
    return isinstance(found, type) and issubclass(found, (ScheduledRetrier, ClientRetrier))


def _checked(found: Any, path: str) -> type[Retrier]:
    if not is_retrier(found):
        raise TypeError(f"'{path}' is neither a ScheduledRetrier nor a LoopRetrier")
    kind: type[Retrier] = found
    return kind
