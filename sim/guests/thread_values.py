"""What the `threading.local` objects of a program have in a thread, taken out of the thread and put back.

Up to Python 3.12 a dictionary of the thread holds it. From 3.13 on each `threading.local` object has a dictionary by
thread, and the thread has two objects of its own, one after the other in its C structure, by which it is found there;
where they are is looked up once. Python makes them if they are missing.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from typing import Any, Final

_dictionary: Final = ctypes.pythonapi.PyThreadState_GetDict
_dictionary.restype = ctypes.c_void_p
_structure: Final = ctypes.pythonapi.PyThreadState_Get
_structure.restype = ctypes.c_void_p
_release: Final = ctypes.pythonapi.Py_DecRef
_release.argtypes = [ctypes.c_void_p]
_OF_ASYNCIO: Final = "__asyncio_running_event_loop__"
_LONGEST: Final = 1024
"""So many bytes of a thread's structure are looked at; it has fewer than a thousand."""
_WORD: Final = ctypes.sizeof(ctypes.c_void_p)


class InDictionary:
    """The values of a thread whose dictionary holds them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        """Take the present thread."""
        self._known = dictionary_at(place_of_dictionary())

    def exchange(self, others: dict[Any, Any] | None) -> dict[Any, Any] | None:
        """Put other values there, and return those that were; None for no values.

        An entry of asyncio stays: its C code also refers to it from elsewhere.
        """
        known = self._known
        taken = None
        if known and (len(known) > 1 or _OF_ASYNCIO not in known):
            taken = known.copy()
            known.clear()
            of_asyncio = taken.pop(_OF_ASYNCIO, None)
            if of_asyncio is not None:
                known[_OF_ASYNCIO] = of_asyncio
        if others:
            known.update(others)
        return taken


class Keys:
    """The two objects by which values are found."""

    __slots__ = ("_places",)

    def __init__(self, places: tuple[int, int]) -> None:
        self._places = places

    def give(self) -> tuple[int, int]:
        """Give away where they are, and so the references to them."""
        places, self._places = self._places, (0, 0)
        return places

    def __del__(self) -> None:
        """Let go of them, and so of the values."""
        for place in self._places:
            if place:
                _release(place)


class InStructure:
    """The values of a thread whose structure refers to what they are found by."""

    __slots__ = ("_fields",)

    def __init__(self, offset: int) -> None:
        """Take the present thread."""
        self._fields = (ctypes.c_void_p * 2).from_address((_structure() or 0) + offset)

    def exchange(self, others: Keys | None) -> Keys | None:
        """Let other values be found, and return those that were; None for no values."""
        fields = self._fields
        places = fields[0] or 0, fields[1] or 0
        fields[0], fields[1] = (0, 0) if others is None else others.give()
        return Keys(places) if places[0] else None


def _offset() -> int:
    """Return where in the structure of a thread its two objects are."""
    one = threading.local()
    one.value = None  # so they are made
    found = {
        id(key)
        for known in gc.get_referents(one)
        if isinstance(known, dict)
        for key in known
        if not isinstance(key, str)
    }
    words = (ctypes.c_void_p * (_LONGEST // _WORD)).from_address(_structure() or 0)
    for number, word in enumerate(words):
        if word in found:
            return number * _WORD
    raise RuntimeError(f"Python {sys.version.split()[0]} keeps thread-local values where retrysim does not find them")


_OFFSET: Final = _offset() if sys.version_info >= (3, 13) else None


def values_of_thread() -> InDictionary | InStructure:
    """Return the values of the present thread."""
    return InDictionary() if _OFFSET is None else InStructure(_OFFSET)


def place_of_dictionary() -> int:
    """Return where the dictionary of the present thread is, which tells it from all others as long as that is kept."""
    return _dictionary() or 0


def dictionary_at(place: int) -> dict[Any, Any]:
    """Return the dictionary at a place."""
    found: dict[Any, Any] = ctypes.cast(place, ctypes.py_object).value
    return found
