"""Finds methods that code keeps apart from their class: `clock = datetime.now`, or `field(default_factory=date.today)`.

Such a bound method holds the function in C, so nothing done to the class reaches it; and each is an object of its own,
which cannot be known before. So the garbage collector is asked for all of them, again only if modules have come since,
or if more refers to what has such methods than before. From Python 3.12 on, classes in C do not tell how much refers to
them, so their methods are looked for each time.
"""

from __future__ import annotations

import datetime
import gc
import random
import sys
from collections.abc import Mapping
from types import BuiltinMethodType, ClassMethodDescriptorType, MethodDescriptorType, MethodType
from typing import TYPE_CHECKING, Any, Final

from sim.guests.references import IMMORTAL, References

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_COUNTED: Final = datetime.datetime, datetime.date, random.Random, random._inst  # noqa: SLF001  # the generator of the module's functions
"""What has such methods. Each generator refers to its class; a method kept of a generator that was there is not noticed
until a module is imported."""


class KeptMethods:
    """The bound methods of the process that ask the host for time or chance, each with one that takes its place."""

    def __init__(self, methods: Iterable[tuple[Any, Any]], known: Mapping[Any, Any]) -> None:
        """Look for methods bound of `methods`: entries of classes, each with the one that takes its place.

        Those in `known` are exchanged already.
        """
        self._in_python: dict[int, tuple[Any, Any]] = {}
        """By the function's identity: it, and what takes its place."""
        self._in_c: dict[str, list[tuple[Any, Any]]] = {}
        """By name."""
        for real, new in methods:
            if type(real) in {ClassMethodDescriptorType, MethodDescriptorType}:
                self._in_c.setdefault(real.__name__, []).append((real, new))
            else:
                self._in_python[id(real)] = real, new
        self._known = frozenset(map(id, known))
        self._state: tuple[int, ...] = ()
        self._bound: frozenset[int] = frozenset()
        self._references: References | None = None

    def install(self) -> list[str]:
        """Exchange them; returns in words what could not be exchanged."""
        state, bound = _state(), self._of_lasting()
        if self._state[:1] != state[:1] or any(map(int.__gt__, state, self._state)) or not bound <= self._bound:
            self._state = ()  # until the search is over
            found = self._found()
            self._references = References(found) if found else None
            self._state, self._bound = state, bound  # `found` keeps these, so that no others get their identities
        return [] if self._references is None else self._references.install()

    def restore(self) -> None:
        """Put them back."""
        if self._references is not None:
            self._references.restore()
        if self._state:
            self._state = _state()

    def _of_lasting(self) -> frozenset[int]:
        """Return the identities of methods of classes whose references have no count: those in C from 3.12 on."""
        lasting = [one for one in _COUNTED if sys.getrefcount(one) >= IMMORTAL]
        referrers = gc.get_referrers(*lasting) if lasting else []
        return frozenset(id(one) for one in referrers if type(one) is BuiltinMethodType and self._new(one) is not None)

    def _found(self) -> _ByIdentity:
        if gc.get_freeze_count():
            gc.unfreeze()  # the collector does not tell of frozen objects
        bound = [one for one in gc.get_objects() if type(one) in {BuiltinMethodType, MethodType}]
        news = [(one, self._new(one)) for one in bound if id(one) not in self._known]
        return _ByIdentity([(one, new) for one, new in news if new is not None])

    def _new(self, method: Any) -> Any:
        """Return what takes the place of a bound method; None if it is none of those."""
        owner = method.__self__
        if type(method) is MethodType:
            _, new = self._in_python.get(id(method.__func__), (None, None))
            return None if new is None else MethodType(new, owner)
        for real, new in self._in_c.get(method.__name__, ()):
            if type(real) is MethodDescriptorType:
                if isinstance(owner, real.__objclass__) and real.__get__(owner) == method:
                    return MethodType(new, owner)
            elif _is_derived(owner, real.__objclass__) and real.__get__(None, owner) == method:
                return new.__get__(None, owner)
        return None


def _is_derived(owner: object, kind: type) -> bool:
    return isinstance(owner, type) and issubclass(owner, kind)


def _state() -> tuple[int, ...]:
    """Return what grows if there may be more such methods."""
    return (len(sys.modules), *map(sys.getrefcount, _COUNTED))


class _ByIdentity(Mapping[Any, Any]):
    """Objects that may be equal to one another, each with what it becomes."""

    def __init__(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        self._pairs = {id(one): (one, new) for one, new in pairs}

    def __getitem__(self, one: Any) -> Any:
        return self._pairs[id(one)][1]

    def __iter__(self) -> Iterator[Any]:
        return (one for one, _ in self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)
