"""Settings of the process that guest code may change: they are kept when a run begins, and put back when it is over.

Such as the handlers of a logger, the filters of warnings, what stands in `time` and `sys`, or the default timeout of
sockets. In production they belong to the guest's process, so they are not refused. During a run the requests share
them, as they share the libraries that are imported.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
import threading
import warnings
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from sim.guests.output import Stream
from sim.guests.unheard import Input

if TYPE_CHECKING:
    from collections.abc import Callable

    Restore = Callable[[], None]

_MODULES: Final = (
    *("builtins", "datetime", "logging", "os", "random", "socket", "tempfile", "threading", "time", "warnings"),
)
"""All of what stands in them is put back."""
_OF_SYS: Final = (
    *("argv", "breakpointhook", "displayhook", "excepthook", "meta_path", "path", "path_hooks", "unraisablehook"),
    "dont_write_bytecode",
)
_OF_LOGGERS: Final = ("level", "propagate", "disabled")
_STREAMS: Final = ("stdin", "stdout", "stderr")
_NOT_KEPT: Final = {"_", "__warningregistry__", "onceregistry"}
"""What the interpreter itself sets in modules."""


class Settings:
    """What the settings were when a run began."""

    def __init__(self) -> None:
        self._restorers: list[Restore] = []

    def install(self) -> None:
        """Note them."""
        self._restorers = [
            *(_of_module(import_module(name)) for name in _MODULES),
            _of_sys(),
            _of_loggers(),
            _of_warnings(),
            _of_sockets(),
            _of_threads(),
            _of_loops(),
            _of_collector(),
        ]

    def restore(self) -> None:
        """Put them back."""
        restorers, self._restorers = self._restorers, []
        for restore in restorers:
            restore()


def streams() -> tuple[Any, ...]:
    """Return the standard streams."""
    return sys.stdin, sys.stdout, sys.stderr


def put_back_streams(were: tuple[Any, ...]) -> None:
    """Put the standard streams back that stand there for a run; guest code may have put others in their place.

    Only these are put back: another thread of the host may have exchanged a stream meanwhile, and do so back itself.
    """
    for name, was in zip(_STREAMS, were, strict=True):
        if getattr(sys, name) is not was and isinstance(was, (Stream, Input)):
            setattr(sys, name, was)


def _of_module(module: ModuleType) -> Restore:
    known = vars(module)
    saved = {name: value for name, value in known.items() if name not in _NOT_KEPT}

    def restore() -> None:
        for name in [name for name in known if name not in saved and name not in _NOT_KEPT]:
            if not isinstance(known[name], ModuleType):  # one that was imported meanwhile
                del known[name]
        for name, value in saved.items():
            if known.get(name, _MISSING) is not value:
                known[name] = value

    return restore


_MISSING: Final = object()


def _of_sys() -> Restore:
    saved = {name: getattr(sys, name) for name in _OF_SYS}
    lists = [(value, list(value)) for value in saved.values() if isinstance(value, list)]

    def restore() -> None:
        for name, value in saved.items():
            if getattr(sys, name, _MISSING) is not value:
                setattr(sys, name, value)
        for value, had in lists:
            if value != had:
                value[:] = had

    return restore


def _of_loggers() -> Restore:
    manager = logging.root.manager
    saved = {logger: _parts_of(logger) for logger in _loggers()}
    disable = manager.disable

    def restore() -> None:
        changed = manager.disable != disable
        manager.disable = disable
        for logger in _loggers():
            before = saved.get(logger)
            if before is None:  # a library that was imported meanwhile may have one, with a handler that does nothing
                before = 0, True, False, [one for one in logger.handlers if type(one) is logging.NullHandler], []
            if _parts_of(logger) != before:
                changed = True
                level, propagate, disabled, handlers, filters = before
                logger.level, logger.propagate, logger.disabled = level, propagate, disabled
                logger.handlers[:], logger.filters[:] = handlers, filters
        if changed:
            manager._clear_cache()  # type: ignore[attr-defined]  # noqa: SLF001  # as `setLevel` does

    return restore


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict
    return [logging.root, *(one for one in list(known.values()) if isinstance(one, logging.Logger))]


def _parts_of(logger: logging.Logger) -> tuple[int, bool, bool, list[Any], list[Any]]:
    level, propagate, disabled = (getattr(logger, name) for name in _OF_LOGGERS)
    return level, propagate, disabled, list(logger.handlers), list(logger.filters)


def _of_warnings() -> Restore:
    known: Any = warnings.filters
    saved = list(known)

    def restore() -> None:
        if list(known) != saved:
            known[:] = saved
            warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  # as its functions do

    return restore


def _of_sockets() -> Restore:
    timeout = socket.getdefaulttimeout()

    def restore() -> None:
        if socket.getdefaulttimeout() != timeout:
            socket.setdefaulttimeout(timeout)

    return restore


def _of_threads() -> Restore:
    size = threading.stack_size()

    def restore() -> None:
        if threading.stack_size() != size:
            threading.stack_size(size)

    return restore


def _of_loops() -> Restore:
    known = vars(asyncio.events)
    policy = known["_event_loop_policy"]

    def restore() -> None:
        now = known["_event_loop_policy"]
        is_usual = policy is None and type(now).__module__.startswith("asyncio.")  # made when it was first asked for
        if now is not policy and not is_usual:
            known["_event_loop_policy"] = policy

    return restore


def _of_collector() -> Restore:
    enabled, threshold = gc.isenabled(), gc.get_threshold()

    def restore() -> None:
        if gc.isenabled() != enabled:
            (gc.enable if enabled else gc.disable)()
        if gc.get_threshold() != threshold:
            gc.set_threshold(*threshold)

    return restore
