"""Finds the retriers that a scenario can name. Importing this module imports none of them."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from sim.retriers.base import LoopRetrier, Retrier, ScheduledRetrier
from sim.retriers.ports import PORTS

GROUP = "retrysim.retriers"
"""The entry point group in which other distributions announce their retriers."""


def known_kinds() -> list[str]:
    """Return the kinds that a scenario can name: of the ports, and of retriers in other distributions."""
    return sorted({*PORTS, *(point.name for point in entry_points(group=GROUP))})


def retrier_class(kind: str) -> type[Retrier]:
    """Find a retrier by its kind; LookupError if there is none, TypeError if the kind does not lead to a retrier."""
    if kind in PORTS:
        return load(PORTS[kind])
    for point in entry_points(group=GROUP, name=kind):
        return _checked(point.load(), point.value)
    raise LookupError(f"no retrier of kind '{kind}'; known are {', '.join(known_kinds())}")


def load(path: str) -> type[Retrier]:
    """Import a retrier named `module:Class`; LookupError if there is no such name, TypeError if it is no retrier."""
    module, _, name = path.partition(":")
    if not module or not name:
        raise LookupError(f"'{path}' does not name a retrier; write MODULE:CLASS")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise LookupError(f"no module '{error.name}' (looking for '{path}')") from error
    except AttributeError as error:
        raise LookupError(f"module '{module}' has no '{name}'") from error
    return _checked(found, path)


def _checked(found: Any, path: str) -> type[Retrier]:
    if not (isinstance(found, type) and issubclass(found, (ScheduledRetrier, LoopRetrier))):
        raise TypeError(f"'{path}' is neither a ScheduledRetrier nor a LoopRetrier")
    return found
