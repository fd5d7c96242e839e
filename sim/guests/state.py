"""What code holds, as it was: closures, attributes, globals and objects in its reach, put back as they were.

Retry code keeps little, and in few kinds of places. Where all of it is in such places, putting it back costs less than
making it anew, and gives the same. A place of another kind (a generator, a handle of the host) cannot be put
back; then the code has to be made anew.
"""

from __future__ import annotations

import datetime as dt  # noqa: TID251  # values of its classes do not change
import functools
import logging
import operator
import re
import threading
import weakref
from collections import OrderedDict, defaultdict, deque
from contextvars import ContextVar
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from operator import is_
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GenericAlias,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID  # noqa: TID251  # as above

from sim.guests.randomness import draws_from_requests
from sim.guests.reach import Reach, names_in, stored_names
from sim.guests.refused import is_own, is_own_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ATOMS: Final = (
    *(int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented), range, slice),
    *(ModuleType, BuiltinFunctionType, CodeType, Enum, re.Pattern, MethodDescriptorType, WrapperDescriptorType),
    *(GetSetDescriptorType, MemberDescriptorType, GenericAlias, weakref.ref, ContextVar, logging.Logger),
    *(operator.attrgetter, operator.itemgetter, operator.methodcaller),
    *(dt.date, dt.time, dt.timedelta, dt.tzinfo, Decimal, Fraction, UUID),
    threading.local,  # each strand has its own values
)
"""What does not change, or is no concern of the code that refers to it."""
_LOCKS: Final = (type(threading.Lock()), type(threading.RLock()))
_CONTAINERS: Final = (list, dict, set, deque, OrderedDict, defaultdict)
LRU_CACHE: Final = type(functools.lru_cache(lambda: None))
OF_CLASSES: Final = {"__dict__", "__weakref__", "__module__", "__doc__", "__annotations__", "__abstractmethods__"} | {
    "_abc_impl",
    "__static_attributes__",
    "__firstlineno__",
    "__slots__",
}
"""Entries of a class that its code does not change."""
MOST_PLACES: Final = 400
"""Of more places it is cheaper to make the code anew."""


class CannotRestore(Exception):
    """Code holds something that cannot be put back."""


class State:
    """What code holds at the moment: `restore` puts it back."""

    def __init__(self, found: Any) -> None:
        """Look at everything in reach of `found`. Raises CannotRestore."""
        self._restorers: list[Callable[[], None]] = []
        self._dictionaries: list[tuple[dict[Any, Any], dict[Any, Any]]] = []
        """Each with what it has; nearly all places are such ones."""
        self._reach = Reach()
        seen: dict[int, Any] = {}
        to_see = [found]
        while to_see:
            self._look_at(to_see, seen)
            to_see = [value for value in self._reach.in_modules() if id(value) not in seen]
        names = self._reach.set_somewhere
        if names:
            self._restorers += [_of_names(vars(module), names) for module in self._reach.modules]

    def _look_at(self, to_see: list[Any], seen: dict[int, Any]) -> None:
        """Note how to put back all that is to be seen, and what is in reach of it; `seen` is noted already."""
        while to_see:
            one = to_see.pop()
            if is_of_object(one):
                one = one.__self__  # that is what it holds
            if id(one) in seen:
                continue
            seen[id(one)] = one
            if isinstance(one, ATOMS):
                to_see += self._atom(one)
                continue
            to_see += self._note(one)
            if len(self._restorers) + len(self._dictionaries) > MOST_PLACES:
                raise CannotRestore("it holds more than is worth to be put back")

    @property
    def is_empty(self) -> bool:
        """Whether the code holds nothing that could change."""
        return not (self._restorers or self._dictionaries)

    def restore(self) -> None:
        """Put everything back."""
        for one, saved in self._dictionaries:
            if one or saved:
                one.clear()
                one.update(saved)
        for restorer in self._restorers:
            restorer()

    def _keep_dictionary(self, one: dict[Any, Any]) -> None:
        self._dictionaries.append((one, dict(one)))

    def _atom(self, one: Any) -> Iterator[Any]:
        """Note what own code may set in a thing that does not change by itself; yield what that refers to."""
        if isinstance(one, ModuleType):
            self._reach.add_module(one)
        elif isinstance(one, logging.Logger):
            self._keep_dictionary(vars(one))
            self._restorers += [_of_list(one.handlers), _of_list(one.filters)]
        elif isinstance(one, Enum) and is_own_class(type(one)):
            self._keep_dictionary(vars(one))
            yield from list(vars(one).values())
            yield type(one)

    def _note(self, one: Any) -> Iterator[Any]:  # noqa: C901, PLR0912  # one branch a kind
        """Note how to put a thing back; yield what it refers to."""
        if isinstance(one, FunctionType):
            yield from self._function(one)
        elif isinstance(one, MethodType):
            yield from (one.__func__, one.__self__)
        elif isinstance(one, (staticmethod, classmethod)):
            yield one.__func__
        elif isinstance(one, property):
            yield from (one.fget, one.fset, one.fdel)
        elif isinstance(one, functools.partial):
            yield from (one.func, *one.args, *one.keywords.values())
        elif isinstance(one, LRU_CACHE):
            self._restorers.append(one.cache_clear)
            yield one.__wrapped__
        elif isinstance(one, type):
            if is_own_class(one):
                yield from self._class(one)
        elif isinstance(one, (tuple, frozenset)):
            yield from one
            if type(one) not in (tuple, frozenset) and hasattr(one, "__dict__"):
                yield from self._object(one)
        elif isinstance(one, MappingProxyType):
            yield from one.values()
        elif isinstance(one, _LOCKS):
            return  # nothing of a guest holds it now
        elif isinstance(one, _CONTAINERS):
            yield from self._container(one)
        elif _is_pure(type(one)) or draws_from_requests(one):
            yield from self._object(one)
        else:
            raise CannotRestore(f"it holds a {type(one).__module__}.{type(one).__qualname__}")

    def _function(self, one: FunctionType) -> Iterator[Any]:
        own = is_own(one.__code__.co_filename)
        attributes = vars(one)
        if own or attributes or one.__closure__:
            self._keep_dictionary(attributes)
        yield from list(attributes.values())
        for cell in one.__closure__ or ():
            full = is_full(cell)
            content = cell.cell_contents if full else None
            if full and not isinstance(content, (FunctionType, type)):
                self._restorers.append(_of_cell(cell, content))
            yield content
        yield from one.__defaults__ or ()
        yield from (one.__kwdefaults__ or {}).values()
        if own:
            self._reach.add_code(one.__code__)
            names = stored_names(one.__code__)
            known = one.__globals__
            if names:
                self._restorers.append(_of_names(known, names))
            yield from (known[name] for name in names_in(one.__code__) if name in known)

    def _class(self, one: type) -> Iterator[Any]:
        entries = {name: value for name, value in vars(one).items() if name not in OF_CLASSES}
        self._restorers.append(_of_class(one, entries))
        yield from entries.values()
        yield from (type(one), *one.__bases__)

    def _container(self, one: Any) -> Iterator[Any]:
        if isinstance(one, dict):
            self._keep_dictionary(one)
            yield from list(one.values())
            yield from list(one)
        else:
            self._restorers.append(_of_list(one) if not isinstance(one, (set, deque)) else _of_bag(one))
            yield from list(one)
        if hasattr(one, "__dict__"):
            yield from self._object(one)

    def _object(self, one: Any) -> Iterator[Any]:
        attributes = getattr(one, "__dict__", None)
        if attributes is not None:
            self._keep_dictionary(attributes)
            yield from list(attributes.values())
        for kind in type(one).__mro__:
            for name in slots(kind):
                slot = vars(kind).get(name)
                if slot is not None and hasattr(slot, "__set__"):
                    value = getattr(one, name, _NOTHING)
                    self._restorers.append(_of_slot(one, slot, value))
                    if value is not _NOTHING:
                        yield value
        if is_own_class(type(one)):
            yield type(one)


_NOTHING: Final = object()


def _is_pure(kind: type) -> bool:
    """Tell whether the objects of a class hold nothing but what Python code has given them."""
    return issubclass(kind, BaseException) or all(map(_adds_only_attributes, kind.__mro__[:-1]))


def _adds_only_attributes(kind: type) -> bool:
    """Tell whether the objects of a class are no larger than its attributes need: C code may keep more in them."""
    if kind.__module__ in _KEEP_NOTHING:
        return True
    entries = vars(kind)
    attributes = len(slots(kind)) + ("__dict__" in entries) + ("__weakref__" in entries)
    larger = kind.__basicsize__ - (kind.__base__ or object).__basicsize__
    return bool(kind.__flags__ & _HEAP_TYPE) and larger <= attributes * _PLACE


_HEAP_TYPE: Final = 1 << 9
_PLACE: Final = object.__basicsize__ // 2
"""The bytes of a reference; an object has a count and its class."""
_KEEP_NOTHING: Final = {"operator", "_operator", "_struct", "_ssl"}
"""Modules in C whose objects do not change as they are used."""


def is_of_object(one: Any) -> bool:
    """Tell whether a thing is a method in C of an object, which has that object in its reach."""
    return isinstance(one, BuiltinFunctionType) and not isinstance(one.__self__, (ModuleType, type, type(None)))


def slots(kind: type) -> tuple[str, ...]:
    """Return the names of the places that a class gives its objects by `__slots__`, as they are in its dictionary."""
    slots = vars(kind).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(
        f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name
        for name in names
        if name not in {"__dict__", "__weakref__"}
    )


def is_full(cell: CellType) -> bool:
    """Tell whether a cell has a content."""
    try:
        cell.cell_contents  # noqa: B018  # it raises if the cell is empty
    except ValueError:
        return False
    return True


def _of_list(one: list[Any]) -> Callable[[], None]:
    saved = list(one)

    def restore() -> None:
        one[:] = saved

    return restore


def _of_bag(one: Any) -> Callable[[], None]:
    saved = list(one)
    add = one.update if isinstance(one, set) else one.extend

    def restore() -> None:
        one.clear()
        add(saved)

    return restore


def _of_cell(cell: CellType, content: Any) -> Callable[[], None]:
    def restore() -> None:
        cell.cell_contents = content

    return restore


def _of_names(known: dict[str, Any], names: list[str]) -> Callable[[], None]:
    saved = {name: known[name] for name in names if name in known}

    def restore() -> None:
        for name in names:
            known.pop(name, None)
        known.update(saved)

    return restore


def _of_class(kind: type, entries: dict[str, Any]) -> Callable[[], None]:
    def restore() -> None:
        now = vars(kind)
        if len(now) == len(values) and all(map(is_, now.values(), values)):
            return
        for name in [name for name in now if name not in entries and name not in OF_CLASSES]:
            delattr(kind, name)
        for name, value in entries.items():
            if vars(kind).get(name, _NOTHING) is not value:
                setattr(kind, name, value)

    values = tuple(vars(kind).values())
    return restore


def _of_slot(one: Any, slot: Any, value: Any) -> Callable[[], None]:
    def restore() -> None:
        if value is not _NOTHING:
            slot.__set__(one, value)
        elif getattr(one, slot.__name__, _NOTHING) is not _NOTHING:
            slot.__delete__(one)

    return restore
