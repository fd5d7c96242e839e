"""Which objects become which: the functions of the host and those that take their place."""

from __future__ import annotations

import types
import weakref
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NESTED: Final = 3
"""How deep tuples in tuples are looked into."""
_SAME: Final = object()
_IMMUTABLE: Final = (tuple, types.MethodType, types.BuiltinMethodType, types.MethodWrapperType, weakref.ref)


def is_made_anew(kind: type) -> bool:
    """Return whether objects of a kind cannot be changed, but made anew with something else in them."""
    if issubclass(kind, weakref.ref):
        return kind in {weakref.ref, weakref.KeyedRef}
    return issubclass(kind, _IMMUTABLE) and not hasattr(kind, "n_sequence_fields")  # a tuple that C code has made


class Change:
    """Which objects become which, found by identity; the other way round is `back`.

    A tuple, a bound method or a weak reference with such an object in it becomes a new one, and later itself again.
    """

    def __init__(self, new: dict[int, Any], old: dict[int, Any]) -> None:
        self.new = new
        """For the identity of each object, what it becomes."""
        self.old = old
        """For the identity of what an object becomes, the object. The two keep each other's objects alive."""
        self._lasting = len(new)

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[Any, Any]]) -> Change:
        """Return a change of the first of each pair to the second."""
        new: dict[int, Any] = {}
        old: dict[int, Any] = {}
        for one, other in pairs:
            new[id(one)] = other
            old[id(other)] = one
        return cls(new, old)

    def back(self) -> Change:
        """Return the opposite change. What one of the two learns, the other knows."""
        return Change(self.old, self.new)

    def forget(self) -> None:
        """Forget the tuples and the like that were made anew."""
        for known in (self.new, self.old):
            while len(known) > self._lasting:
                known.popitem()

    def of(self, value: Any) -> Any:
        """Return what an object becomes: itself, if it stays."""
        return self._of(value, NESTED)

    def _of(self, value: Any, depth: int) -> Any:
        found = self.new.get(id(value), _SAME)
        if found is not _SAME:
            return found
        if not depth or not is_made_anew(type(value)):
            return value
        made = self._anew(value, depth - 1)
        if made is not value:
            self.new[id(value)] = made
            self.old[id(made)] = value
        return made

    def _anew(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if issubclass(kind, tuple):
            old = tuple(tuple.__iter__(value))
            new = tuple([self._of(item, depth) for item in old])
            return value if all(map(_is, old, new)) else _tuple_of(kind, new, value)
        inner = value() if issubclass(kind, weakref.ref) else getattr(value, "__func__", value.__self__)
        becomes = self.new.get(id(inner), inner)
        if becomes is inner:
            return value
        if kind is weakref.KeyedRef:
            return weakref.KeyedRef(becomes, value.__callback__, value.key)
        if kind is weakref.ref:
            return weakref.ref(becomes, value.__callback__)
        if kind is types.MethodType:
            return types.MethodType(becomes, value.__self__)
        return getattr(becomes, value.__name__, value)


def _is(one: object, other: object) -> bool:
    return one is other


def _tuple_of(kind: type, items: tuple[Any, ...], like: Any) -> Any:
    if kind is tuple:
        return items
    made: Any = tuple.__new__(kind, items)
    if kind.__dictoffset__:
        vars(made).update(vars(like))
    return made
