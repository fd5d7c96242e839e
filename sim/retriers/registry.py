"""The retriers that a scenario can name, and how they are found."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from sim.retriers.base import LoopRetrier, Retrier, ScheduledRetrier

GROUP = "retrysim.retriers"
"""The entry point group in which other distributions announce their retriers."""


PORTS = {
    "article": "sim.retriers.ports.article:Article",
    "component": "sim.retriers.ports.component:Component",
    "component-repaired": "sim.retriers.ports.repaired:Repaired",
    "helpers": "sim.retriers.ports.helpers:Helpers",
    "none": "sim.retriers.ports.none:NoRetry",
}


def known_kinds() -> list[str]:
    """Name all retriers that a scenario can ask for: the built-in ones and those of other distributions."""
    return sorted({*PORTS, *(point.name for point in entry_points(group=GROUP))})


def retrier_class(kind: str) -> type[Retrier]:
    """Find a retrier by its kind; LookupError where there is none, TypeError where it is not one."""
    if kind in PORTS:
        return load(PORTS[kind])
    for point in entry_points(group=GROUP, name=kind):
        return _checked(point.load(), point.value)
    raise LookupError(f"no retrier of kind '{kind}'; known are {', '.join(known_kinds())}")


def load(path: str) -> type[Retrier]:
    """Import a retrier named `module:Class`; LookupError where it is not there, TypeError where it is not one."""
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
