"""What guest code must not do, and where it does it."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType, TracebackType


class GuestRefused(RuntimeError):
    """Guest code does what a simulation cannot allow: real I/O, threads, a call after its request is over."""

    says_all = True
    """Its text names what the guest did and where, so that no advice for loops is added to it."""

    def __init__(self, what: str, line: str = "") -> None:
        super().__init__(f"{what} ({line})" if line else what)


def line_of_guest() -> str:
    """Return the line of the user's own code that runs, as `file:line`.

    Without any, it is the innermost line of an installed package, or else of the standard library; or nothing.
    """
    return line_of_stack(sys._getframe(1))  # noqa: SLF001  # the documented way to look at one's callers without building a traceback


def line_of_stack(frame: FrameType | None) -> str:
    """As `line_of_guest`, of a frame and its callers."""
    found: list[tuple[FrameType, int]] = []
    while frame is not None:
        found.append((frame, frame.f_lineno))
        frame = frame.f_back
    return line_of_frames(found)


def runs_a_module() -> bool:
    """Tell whether a module of the user's own is being imported: code at its top level runs."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # as in `line_of_guest`
    while frame is not None:
        if frame.f_code.co_name == "<module>" and is_own(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def line_of_error(traceback: TracebackType | None) -> str:
    """As `line_of_guest`, of the code that an error came through."""
    found: list[tuple[FrameType, int]] = []
    while traceback is not None:
        found.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return line_of_frames(found[::-1])


def line_of_frames(frames: Iterable[tuple[FrameType, int]]) -> str:
    """As `line_of_guest`, of frames that are given with their lines, the innermost first."""
    best, best_rank = "", _NOT_SHOWN
    for frame, line in frames:
        rank = _rank(frame.f_code, frame.f_globals)
        if rank < best_rank:
            best, best_rank = f"{frame.f_code.co_filename}:{line}", rank
    return best


_OWN, _INSTALLED, _STANDARD, _NOT_SHOWN = range(4)


def _rank(code: CodeType, module: dict[str, object]) -> int:
    """Return how far from the user a piece of code is."""
    path = code.co_filename
    if path.startswith("<") and module.get("__file__") is not None:
        return _NOT_SHOWN  # generated, as the methods of dataclasses are: no reader can look its lines up
    if is_own(path):
        return _OWN
    if path.startswith(("<", _PACKAGE)) or (path.endswith(_RUNS_TASKS) and _is_standard(path)):
        return _NOT_SHOWN
    return _STANDARD if _is_standard(path) else _INSTALLED


def is_own(path: str) -> bool:
    """Tell whether a file is the user's: neither this package, nor the standard library, nor an installed package.

    What is typed in counts: notebooks, the prompt, `python -c`. A package that is installed so that it can be edited
    counts too, as it lies outside of the folders of installed packages.
    """
    if path.startswith("<"):
        return path.startswith(_TYPED_IN)
    if path.startswith(_PACKAGE):
        return False
    return not (_is_standard(path) or any(place in path for place in _INSTALLED_AT))


def is_own_class(kind: type) -> bool:
    """Tell whether a class is one of the user's own code."""
    module = sys.modules.get(kind.__module__)
    return is_own(getattr(module, "__file__", None) or "<none>")


def _is_standard(path: str) -> bool:
    return path.startswith(_STANDARD_LIBRARY) and not any(place in path for place in _INSTALLED_AT)


_PACKAGE: Final = str(Path(__file__).parent.parent) + os.sep
_RUNS_TASKS: Final = f"{os.sep}asyncio{os.sep}events.py"
"""Beneath each task: a task of no line of the guest has this one alone, which would tell a reader nothing."""
_TYPED_IN: Final = ("<ipython-input", "<python-input", "<stdin", "<string>", "<console>", "<doctest")
_INSTALLED_AT: Final = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_STANDARD_LIBRARY: Final = tuple(
    f"{place}{end}"
    for given in (Path(sysconfig.get_path("stdlib")), Path(os.__file__).parent)
    for folder in (given, given.resolve())
    for place, end in ((folder, os.sep), (folder.parent / "python{}{}.zip".format(*sys.version_info), os.sep))
)
"""Where Python's own modules are; they may be packed in one file."""
