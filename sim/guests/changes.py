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

    def __init__(self, pairs: Iterable[tuple[object, object]] = (), *, back: Change | None = None) -> None:
        self.kept: list[object] = []
        """Keeps the objects alive, so that no other has their identity."""
        self.new: dict[int, Any] = {}
        self.back: Change = Change(back=self) if back is None else back
        for old, new in pairs:
            self._add(old, new)
        self._lasting = len(self.kept)

    def _add(self, old: object, new: object) -> None:
        for change, was, becomes in ((self, old, new), (self.back, new, old)):
            change.kept.append(was)
            change.new[id(was)] = becomes

    def forget(self) -> None:
        """Forget the tuples and the like that were made anew."""
        for change in (self, self.back):
            for old in change.kept[self._lasting :]:
                change.new.pop(id(old), None)
            del change.kept[self._lasting :]

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
            self._add(value, made)
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
