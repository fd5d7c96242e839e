"""Copies code with all that it holds: closures, attributes of functions, globals that it uses, objects, locks.

`copy.deepcopy` takes functions as they are, and refuses locks; what retry code keeps is just there.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from sim.guests.refused import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

_ATOMS: Final = (
    *(int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented), range, slice),
    *(ModuleType, BuiltinFunctionType, CodeType, Enum, BaseException),
)
_LOCKS: Final = (type(threading.Lock()), type(threading.RLock()))


def holds_state(found: Any) -> bool:
    """Tell whether code holds anything that may change: objects that are not plain values, in reach of its names."""
    return any(_may_change(value) for value in _within(found, {}))


def _may_change(value: Any) -> bool:
    if isinstance(value, (*_ATOMS, FunctionType, type, MethodType, tuple, frozenset, CellType)):
        return False
    if isinstance(value, (staticmethod, classmethod, property)):
        return False
    return not (isinstance(value, MappingProxyType) and not value)


def _within(found: Any, seen: dict[int, Any]) -> Iterator[Any]:
    """Yield what is in reach of code: itself, and what its functions, methods and classes refer to."""
    if id(found) in seen or isinstance(found, _ATOMS):
        return
    seen[id(found)] = found
    yield found
    for inner in _parts(found):
        yield from _within(inner, seen)


def _parts(found: Any) -> Iterator[Any]:
    if isinstance(found, FunctionType):
        yield from (cell.cell_contents for cell in found.__closure__ or () if _is_full(cell))
        yield from found.__defaults__ or ()
        yield from (found.__kwdefaults__ or {}).values()
        yield from vars(found).values()
        if is_own(found.__code__.co_filename):
            yield from (found.__globals__[name] for name in _names(found.__code__) if name in found.__globals__)
    elif isinstance(found, MethodType):
        yield found.__func__
        yield found.__self__
    elif isinstance(found, (staticmethod, classmethod)):
        yield found.__func__
    elif isinstance(found, type):
        if _is_own_class(found):
            yield from (value for name, value in vars(found).items() if name not in _OF_CLASSES)
            yield from found.__bases__
    elif isinstance(found, (tuple, frozenset)):
        yield from found


_OF_CLASSES: Final = {
    "__dict__",
    "__weakref__",
    "__module__",
    "__doc__",
    "__annotations__",
    "__abstractmethods__",
    "_abc_impl",
}


def _is_own_class(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    return is_own(getattr(module, "__file__", None) or "<none>")


def _is_full(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # it raises if the cell is empty
    except ValueError:
        return False
    return True


def _names(code: CodeType) -> set[str]:
    """Return the names that code uses, the code within it included."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found


def copied(found: Any) -> Any:
    """Return a copy of a function, a class, a method or an object, with copies of all that it holds."""
    return _Copier().copy(found)


class _Copier:
    def __init__(self) -> None:
        self._memo: dict[int, Any] = {}
        self._kept: list[Any] = []
        self._globals: dict[int, dict[str, Any]] = {}

    def copy(self, found: Any) -> Any:
        """Return the copy of a value."""
        if isinstance(found, _ATOMS):
            return found
        known = self._memo.get(id(found))
        if known is not None:
            return known
        self._kept.append(found)  # as long as it lives, no other has its id
        return self._made(found)

    def _note(self, found: Any, made: Any) -> Any:
        self._memo[id(found)] = made
        return made

    def _made(self, found: Any) -> Any:  # noqa: C901, PLR0911  # one branch a kind
        if isinstance(found, FunctionType):
            return self._function(found)
        if isinstance(found, type):
            return self._class(found)
        if isinstance(found, MethodType):
            return self._note(found, MethodType(self.copy(found.__func__), self.copy(found.__self__)))
        if isinstance(found, (staticmethod, classmethod)):
            return self._note(found, type(found)(self.copy(found.__func__)))
        if isinstance(found, partial):
            words = {name: self.copy(value) for name, value in found.keywords.items()}
            return self._note(found, type(found)(self.copy(found.func), *map(self.copy, found.args), **words))
        if isinstance(found, _LOCKS):
            return self._note(found, threading.Lock() if isinstance(found, _LOCKS[0]) else threading.RLock())
        if isinstance(found, threading.local):
            return self._note(found, type(found)())
        if type(found) in (list, set, deque):
            made = self._note(found, type(found)())
            add = made.add if isinstance(found, set) else made.append
            for one in found:
                add(self.copy(one))
            return made
        if type(found) is dict:
            made = self._note(found, {})
            made.update((self.copy(key), self.copy(value)) for key, value in found.items())
            return made
        if type(found) in (tuple, frozenset):
            return self._note(found, type(found)(self.copy(one) for one in found))
        return self._object(found)

    def _function(self, found: FunctionType) -> Any:
        own = is_own(found.__code__.co_filename)
        if not (own or found.__closure__ or vars(found)):
            return self._note(found, found)
        cells = tuple(CellType() for _ in found.__closure__ or ())
        known = self._globals_of(found) if own else found.__globals__
        made = FunctionType(found.__code__, known, found.__name__, None, cells or None)
        self._note(found, made)
        made.__qualname__, made.__doc__, made.__module__ = found.__qualname__, found.__doc__, found.__module__
        made.__annotations__ = found.__annotations__
        for old, new in zip(found.__closure__ or (), cells, strict=True):
            if _is_full(old):
                new.cell_contents = self.copy(old.cell_contents)
        made.__defaults__ = self.copy(found.__defaults__)
        made.__kwdefaults__ = self.copy(found.__kwdefaults__)
        vars(made).update((name, self.copy(value)) for name, value in vars(found).items())
        if own:
            for name in sorted(_names(found.__code__) & found.__globals__.keys()):
                known[name] = self.copy(found.__globals__[name])
        return made

    def _globals_of(self, found: FunctionType) -> dict[str, Any]:
        known = self._globals.get(id(found.__globals__))
        if known is None:
            known = self._globals[id(found.__globals__)] = dict(found.__globals__)
        return known

    def _class(self, found: type) -> Any:
        if not _is_own_class(found) or not any(_may_change(value) for value in _within(found, {})):
            return self._note(found, found)
        entries = {
            name: value for name, value in vars(found).items() if name not in _OF_CLASSES or name == "__module__"
        }
        plain = {name: value for name, value in entries.items() if isinstance(value, (*_ATOMS, MappingProxyType))}
        made = self._note(found, type(found)(found.__name__, found.__bases__, {**plain, "__doc__": found.__doc__}))
        for name, value in entries.items():
            if name not in plain:
                setattr(made, name, self.copy(value))
        return made

    def _object(self, found: Any) -> Any:
        own = getattr(type(found), "__deepcopy__", None)
        if own is not None:
            return self._note(found, found.__deepcopy__(self._memo))
        try:
            make, args, *more = found.__reduce_ex__(4)
        except (TypeError, ValueError):
            return self._note(found, found)  # a handle of the host, which has no copy
        if isinstance(make, str):
            return self._note(found, found)
        state, items, pairs = (*more, None, None, None)[:3]
        made = self._note(found, make(*(one if isinstance(one, type) else self.copy(one) for one in args)))
        if state is not None:
            _set_state(made, self.copy(state))
        for item in items or ():
            made.append(self.copy(item))
        for key, value in pairs or ():
            made[self.copy(key)] = self.copy(value)
        return made


def _set_state(made: Any, state: Any) -> None:
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        vars(made).update(state)
    for name, value in (slots or {}).items():
        setattr(made, name, value)
