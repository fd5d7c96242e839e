"""Imports code of the user's own that a command line names as `module:Class`; a file never does.

A command line can also give such code a name, `fast=module:Class`, which files may then use.

`anew` runs the module of such code once more, beside itself: what the module holds is then as in a new process.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.abc import SourceLoader
from importlib.util import module_from_spec
from io import StringIO
from pathlib import PurePath
from threading import RLock
from traceback import extract_tb
from typing import Any, Final

STREAMS: Final = RLock()
"""Held by who exchanges the standard streams: they are those of the whole process, and of two threads that exchange
them at once, one would put back the other's.
"""
Trusted = Mapping[str, str]
"""What a file may use for code of the user's own: the `module:Class` of each name; without a name it stands for itself.
"""


OwnCode = str | type | Callable[..., Any]
"""Code of the user's own: its `module:name`, or itself."""


def path_of(found: OwnCode) -> str:
    """Return the `module:name` of a class or function, or of what is one already. Raises ValueError without a name."""
    if isinstance(found, str):
        return found
    name = getattr(found, "__qualname__", repr(found))
    if "<" in name or "." in name:
        raise ValueError(f"no file can name {name}: it is not at the top level of a module")
    return f"{found.__module__}:{name}"


def find(path: str, what: str) -> Any:
    """Import what is named `module:Class`; LookupError if there is no such name. `what` it is to be, messages say."""
    module, _, name = path.partition(":")
    if not module or not name:
        raise LookupError(f"'{path}' does not name a {what}; write MODULE:NAME")
    if module.endswith(".py"):
        stem = PurePath(module).stem
        raise LookupError(f"'{module}' is a file: name the module, '{stem}:{name}', from the folder of that file")
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        place = _place_of(error)
        where = f", which '{module}' imports ({place})" if place else f" (looking for '{path}')"
        raise LookupError(f"no module '{error.name}'{where}") from error
    except _TAKEN_FOR_OURS as error:
        place = _place_of(error)
        where = f" ({place})" if place else ""
        raise LookupError(f"module '{module}' cannot be imported: {type(error).__name__}: {error}{where}") from error
    try:
        return getattr(found, name)
    except AttributeError as error:
        why = ": what is named stands at its top level, such as a function" if "." in name else ""
        raise LookupError(f"module '{module}' has no '{name}'{why}") from error


_TAKEN_FOR_OURS: Final = (ValueError, AssertionError, TypeError, LookupError, AttributeError, ImportError)
"""Errors of a module that runs which a reader of scenarios would take for its own: that a name or a value is wrong."""


def _place_of(error: BaseException) -> str:
    """Return the innermost line of the user's own code that an error came through, as `file:line`; or nothing."""
    others = (__file__, "<", *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")))
    frames = [one for one in extract_tb(error.__traceback__) if not one.filename.startswith(others)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def anew(path: str) -> Any:
    """Run a module that is imported already once more, beside it, and return what it calls by that name.

    Its class attributes and globals are then those that a new process has. What the module prints is left out. None
    if the module has no source of its own, as a notebook, or if it does not run twice.
    """
    module, _, name = path.partition(":")
    spec = getattr(sys.modules.get(module), "__spec__", None)
    if spec is None or not isinstance(spec.loader, SourceLoader):
        return None
    made = module_from_spec(spec)
    try:
        with STREAMS, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            spec.loader.exec_module(made)
        return getattr(made, name)
    except Exception:  # noqa: BLE001  # whatever a module does that was not written to run twice
        return None
