"""What the `threading.local` objects of a program have in a thread, taken out of the thread and put back.

Up to Python 3.12 a dictionary holds it, to which the C structure of the thread refers. From 3.13 on each
`threading.local` object has a dictionary by thread, and the thread has two objects of its own, one after the other in
its structure, by which it is found there. Where in the structure that is, is looked up once. These
references are what is exchanged, however many values there are.
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
_LONGEST: Final = 1024
"""So many bytes of a thread's structure are looked at; it has fewer than a thousand."""
_WORD: Final = ctypes.sizeof(ctypes.c_void_p)


class InDictionary:
    """The values of a thread whose dictionary holds them.

    The thread owns the first dictionary, which has to be back at the end. The others belong to those who exchange them.
    Each comes with its place in memory, which takes time to look up.
    """

    __slots__ = ("_field", "_here")

    def __init__(self, offset: int) -> None:
        """Take the present thread."""
        place = place_of_dictionary()  # it is made, if it is missing
        self._here = dictionary_at(place), place
        self._field = ctypes.c_void_p.from_address(thread_structure() + offset)

    @property
    def is_here(self) -> bool:
        """Whether the thread still lives whose structure was there when this was made.

        No other has the same dictionary, since this one is kept.
        """
        return bool(self._field.value == self._here[1])

    def exchange(self, others: tuple[dict[Any, Any], int] | None) -> tuple[dict[Any, Any], int]:
        """Put other values there, and return those that were; None for no values."""
        if others is None:
            made: dict[Any, Any] = {}
            others = made, id(made)
        taken = self._here
        self._here = others
        self._field.value = others[1]
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

    __slots__ = ("_dictionary", "_fields")

    def __init__(self, offset: int) -> None:
        """Take the present thread."""
        self._dictionary = dictionary_at(place_of_dictionary())
        self._fields = (ctypes.c_void_p * 2).from_address(thread_structure() + offset)

    @property
    def is_here(self) -> bool:
        """Whether the thread still lives whose structure was there when this was made.

        No other has the same dictionary, since that is kept.
        """
        return place_of_dictionary() == id(self._dictionary)

    def exchange(self, others: Keys | None) -> Keys | None:
        """Let other values be found, and return those that were; None for no values."""
        fields = self._fields
        places = fields[0] or 0, fields[1] or 0
        fields[0], fields[1] = (0, 0) if others is None else others.give()
        return Keys(places) if places[0] else None


def _offset() -> int:
    """Return where in the structure of a thread its dictionary is, or its two objects are."""
    if sys.version_info < (3, 13):
        found = {place_of_dictionary()}
    else:
        one = threading.local()
        one.value = None  # so they are made
        found = {
            id(key)
            for known in gc.get_referents(one)
            if isinstance(known, dict)
            for key in known
            if not isinstance(key, str)
        }
    words = (ctypes.c_void_p * (_LONGEST // _WORD)).from_address(thread_structure())
    for number, word in enumerate(words):
        if word in found:
            return number * _WORD
    raise RuntimeError(f"Python {sys.version.split()[0]} keeps thread-local values where retrysim does not find them")


def thread_structure() -> int:
    """Return where the structure of the present thread is."""
    return _structure() or 0


def place_of_dictionary() -> int:
    """Return where the dictionary of the present thread is; it is made, if it is missing."""
    return _dictionary() or 0


def dictionary_at(place: int) -> dict[Any, Any]:
    """Return the dictionary at a place."""
    found: dict[Any, Any] = ctypes.cast(place, ctypes.py_object).value
    return found


_OFFSET: Final = _offset()


def values_of_thread() -> InDictionary | InStructure:
    """Return the values of the present thread."""
    return InDictionary(_OFFSET) if sys.version_info < (3, 13) else InStructure(_OFFSET)
