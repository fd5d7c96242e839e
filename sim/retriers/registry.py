"""Finds the retriers that a scenario can name. Importing this module imports none of them."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.abc import SourceLoader
from importlib.metadata import entry_points
from importlib.util import module_from_spec
from io import StringIO
from typing import Any, Final

from sim.retriers.base import LoopRetrier, Retrier, ScheduledRetrier
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
        return load(KINDS[kind])
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


def load_anew(path: str) -> type[Retrier] | None:
    """Run the module of a retrier that is imported already once more, beside it, and return the class of that name.

    Its class attributes and globals are then those that a new process has. What the module prints is left out. None
    if the module has no source of its own, as a notebook, or if it does not run twice.
    """
    module, _, name = path.partition(":")
    spec = getattr(sys.modules.get(module), "__spec__", None)
    if spec is None or not isinstance(spec.loader, SourceLoader):
        return None
    anew = module_from_spec(spec)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            spec.loader.exec_module(anew)
        return _checked(getattr(anew, name), path)
    except Exception:  # noqa: BLE001  # whatever a module does that was not written to run twice
        return None


def _checked(found: Any, path: str) -> type[Retrier]:
    if not (isinstance(found, type) and issubclass(found, (ScheduledRetrier, LoopRetrier))):
        raise TypeError(f"'{path}' is neither a ScheduledRetrier nor a LoopRetrier")
    return found
