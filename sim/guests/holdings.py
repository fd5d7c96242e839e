"""Where in a container the objects are that are to be exchanged."""

from __future__ import annotations

import functools
import types
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from sim.guests import places as at

if TYPE_CHECKING:
    from sim.guests.containers import Container
    from sim.guests.places import Grip, Place

_HEAP_TYPE: Final = 1 << 9
_IMMUTABLE_TYPE: Final = 1 << 8
_MANAGED_DICT: Final = 1 << 4
"""`Py_TPFLAGS_HEAPTYPE`, `Py_TPFLAGS_IMMUTABLETYPE` and `Py_TPFLAGS_MANAGED_DICT` of CPython's `object.h`."""


def places_in(container: Container, owner: object) -> tuple[list[Place], set[int]]:
    """Return the places in a container, and what it refers to in a way that cannot be changed.

    Left alone are bases of classes, annotations, and the class that `super()` needs.
    """
    held, kind = container.held, type(container.held)
    if issubclass(kind, type):
        return [], set()
    if kind is types.FunctionType:
        return ([at.of_defaults(held)] if id(held.__defaults__) in container.reaches else []), set()
    if kind is types.CellType:
        return ([] if _is_of_super(container) else [at.of_cell(held, owner)]), set()
    if issubclass(kind, dict):
        places, left = _in_dictionary(container, owner)
    else:
        places, left = _in_other(held, container.reaches, owner)
    if left and kind is not dict:
        more, found = _in_attributes(held, left, owner)
        places.extend(more)
        left -= found
    return places, left


def _in_dictionary(container: Container, owner: object) -> tuple[list[Place], set[int]]:
    held, reaches = container.held, container.reaches
    items = [(key, id(value)) for key, value in dict.copy(held).items() if id(value) in reaches]
    keys = [key for key, _ in items]
    left = reaches - {value for _, value in items}
    above = _above(container)
    cls: Any = next((one for one in above if issubclass(type(one), type)), None)
    if not keys:
        return [], left
    if cls is None:
        return [at.Entries(_grip_of_dictionary(held, above, owner), keys)], left
    if cls.__flags__ & _HEAP_TYPE and not cls.__flags__ & _IMMUTABLE_TYPE:
        return [at.of_class(cls, key) for key in keys], left
    return [], set(reaches)


def _above(container: Container) -> list[object]:
    """Return what a dictionary may be the dictionary of."""
    return [parent.held for parent in container.parents] + ([] if container.owner is None else [container.owner.thing])


def _in_other(held: Any, reaches: set[int], owner: object) -> tuple[list[Place], set[int]]:
    kind = type(held)
    if issubclass(kind, (list, deque)):
        items = list.__iter__(held) if issubclass(kind, list) else deque.__iter__(held)
        return [at.Items(at.grip_of(held, owner))], reaches - set(map(id, tuple(items)))
    if issubclass(kind, (staticmethod, classmethod)):
        return [at.of_wrapper(held, owner)], reaches - {id(held.__func__)}
    if issubclass(kind, functools.partial):
        return [at.of_partial(held, owner)], reaches - {id(held.func), id(held.args)}
    return [], set(reaches)


def _in_attributes(held: object, sought: set[int], owner: object) -> tuple[list[Place], set[int]]:
    """Return the places in the dictionary and the slots of an object, and what was found there."""
    places: list[Place] = []
    found: set[int] = set()
    # Objects of C code refer to their dictionaries, which are containers of their own.
    entries: Any = _attribute(held, "__dict__") if type(held).__flags__ & _MANAGED_DICT else {}
    keys = [key for key, value in tuple(entries.items()) if id(value) in sought]
    if keys:
        grip = _weakly(held, "__dict__") or at.Strong(entries, owner)
        places.append(at.Entries(grip, keys))
        found.update(id(entries[key]) for key in keys)
    for cls in type(held).__mro__:
        for slot in tuple(vars(cls).values()):
            if type(slot) is types.MemberDescriptorType:
                value = at.read_slot(slot, held)
                if id(value) in sought and _can_be_set(slot, held, value):
                    places.append(at.of_slot(held, slot, owner))
                    found.add(id(value))
    return places, found


def _is_of_super(cell: Container) -> bool:
    """Return whether a cell holds a class for `super()` in its methods: that class, whatever its name means."""
    for function in (function.held for closure in cell.parents for function in closure.parents):
        if type(function) is types.FunctionType:
            variables = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
            if variables.get("__class__") is cell.held:
                return True
    return False


def _grip_of_dictionary(entries: object, above: list[object], owner: object) -> Grip:
    """Return what reaches a dictionary: through what it is the dictionary of, if possible."""
    for thing in above:
        for name in ("__dict__", "__kwdefaults__"):
            if _attribute(thing, name) is entries and (grip := _weakly(thing, name)) is not None:
                return grip
    return at.grip_of(entries, owner)


def _attribute(thing: object, name: str) -> Any:
    try:
        return object.__getattribute__(thing, name)
    except (AttributeError, TypeError):
        return None


def _weakly(thing: object, name: str) -> Grip | None:
    try:
        return at.Weak(thing, name)
    except TypeError:
        return None


def _can_be_set(slot: types.MemberDescriptorType, held: object, value: object) -> bool:
    try:
        slot.__set__(held, value)
    except (AttributeError, TypeError):
        return False
    return True
