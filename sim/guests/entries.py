"""Exchanges methods in classes that do not let themselves be changed, such as those of `datetime` and of NumPy.

Python's own `setattr` refuses that for classes written in C. Its C interface allows it: an entry of the dictionary of
the class itself is exchanged, and `PyType_Modified` tells the interpreter that what it remembers of the class and of
those derived from it holds no more.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Any


class ClassEntries:
    """Methods in the dictionaries of classes, which can be exchanged and put back."""

    def __init__(self, replaced: dict[tuple[type, str], Any]) -> None:
        self._new = replaced
        self._real = {(kind, name): vars(kind)[name] for kind, name in replaced}

    def install(self) -> None:
        """Exchange them."""
        _write(self._new)

    def restore(self) -> None:
        """Put them back."""
        _write(self._real)

    def pairs(self) -> list[tuple[Any, Any]]:
        """Return the methods that are exchanged, each with the one that takes its place."""
        return [(real, self._new[place]) for place, real in self._real.items()]


def _write(entries: dict[tuple[type, str], Any]) -> None:
    for (kind, name), value in entries.items():
        _dictionary(kind)[name] = value
    for kind in dict.fromkeys(kind for kind, _ in entries):
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def _dictionary(kind: type) -> dict[str, Any]:
    """Return the dictionary of a class itself, and not a view of it."""
    (found,) = gc.get_referents(vars(kind))
    return found  # type: ignore[no-any-return]  # a view refers to its dictionary alone
