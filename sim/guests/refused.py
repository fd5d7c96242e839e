"""What guest code must not do, and where it does it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_PACKAGE: Final = str(Path(__file__).parent.parent)


class GuestRefused(RuntimeError):
    """Guest code does what a simulation cannot allow: real I/O, threads, a call after its request is over."""

    def __init__(self, what: str, line: str = "") -> None:
        super().__init__(f"{what} ({line})" if line else what)


def line_of_guest() -> str:
    """Return the line of the user's own code that runs, or else of the innermost library, as `file:line`; or nothing.

    Installed libraries and the standard library are passed over as long as there is code of the user's own.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # the documented way to look at one's callers without building a traceback
    innermost = ""
    at: object = frame
    while at is not None:
        name, line = frame.f_code.co_filename, frame.f_lineno
        if not name.startswith((_PACKAGE, "<frozen")):
            innermost = innermost or f"{name}:{line}"
            if is_own(name):
                return f"{name}:{line}"
        if frame.f_back is None:
            break
        at = frame = frame.f_back
    return innermost


def is_own(path: str) -> bool:
    """Tell whether a file is neither of the standard library nor an installed package."""
    return not path.startswith((_PACKAGE, "<")) and not any(path.startswith(place) for place in _LIBRARIES)


_LIBRARIES: Final = tuple(
    {
        str(Path(found))
        for found in (*sys.path, getattr(sys, "prefix", ""))
        if found and ("site-packages" in found or "dist-packages" in found)
    }
    | {str(Path(sys.modules["os"].__file__ or "").parent)}
)
