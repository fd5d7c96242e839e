"""The kinds of place that refer to an object, and how each is made to refer to another.

A place holds its container weakly if Python allows that. Lists, plain dictionaries, cells and the wrappers of methods
have no weak references: a place keeps such a container until its owner is gone, a module, class, function or object. If
only running code has it, the place is forgotten after a session.
"""

from __future__ import annotations

import weakref
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Sequence

    from sim.guests.changes import Change

MISSING: Final = object()
"""What a place that is empty at the moment holds."""


class Place(Protocol):
    """Somewhere that one object or more can be exchanged."""

    def exchange(self, change: Change) -> None:
        """Make it refer to what its objects become; whatever else is there meanwhile stays."""

    def is_gone(self) -> bool:
        """Return whether its container is gone, or may be."""


class Grip(Protocol):
    """What reaches a container."""

    def __call__(self) -> Any:
        """Return the container; None if it is gone."""

    def is_gone(self) -> bool:
        """Return whether the container is gone, or nothing tells when it is."""


class Weak:
    """Reaches an object, or a dictionary of it, as long as the object exists.

    Raises TypeError if the object cannot be referred to weakly.
    """

    __slots__ = ("_name", "_reference")

    def __init__(self, owner: object, name: str | None = None) -> None:
        self._reference = weakref.ref(owner)
        self._name = name

    def __call__(self) -> Any:
        """Return it; None if it is gone."""
        owner = self._reference()
        if owner is None or self._name is None:
            return owner
        return object.__getattribute__(owner, self._name)

    def is_gone(self) -> bool:
        """Return whether it is gone."""
        return self._reference() is None


class Strong:
    """Keeps an object until its owner is gone."""

    __slots__ = ("_anchor", "_held")

    def __init__(self, held: object, owner: object) -> None:
        self._held: object = held
        self._anchor: object = None
        if owner is not None:
            try:
                self._anchor = weakref.ref(owner, self._drop)
            except TypeError:
                self._anchor = owner

    def __call__(self) -> Any:
        """Return it; None if its owner is gone."""
        return self._held

    def is_gone(self) -> bool:
        """Return whether its owner is gone, or it has none."""
        return self._held is None or self._anchor is None

    def _drop(self, _: object) -> None:
        self._held = None


def grip_of(held: object, owner: object) -> Grip:
    """Return what reaches an object: weakly if possible, else until its owner is gone."""
    try:
        return Weak(held)
    except TypeError:
        return Strong(held, owner)


class Entries:
    """Values of a dictionary."""

    __slots__ = ("_grip", "_keys")

    def __init__(self, grip: Grip, keys: Sequence[object]) -> None:
        self._grip = grip
        self._keys = keys

    def is_gone(self) -> bool:
        """Return whether the dictionary is gone, or may be."""
        return self._grip.is_gone()

    def exchange(self, change: Change) -> None:
        """Exchange the values of the keys at which something was found."""
        entries = self._grip()
        if entries is None:
            return
        becomes = change.new.get
        for key in self._keys:
            value = dict.get(entries, key, MISSING)
            new = becomes(id(value), MISSING)  # by far the most are found at once
            if new is MISSING:
                new = change.of(value)
            if new is not value:
                dict.__setitem__(entries, key, new)


class Items:
    """Items of a list or a deque, wherever they move in it."""

    __slots__ = ("_grip",)

    def __init__(self, grip: Grip) -> None:
        self._grip = grip

    def is_gone(self) -> bool:
        """Return whether the list is gone, or may be."""
        return self._grip.is_gone()

    def exchange(self, change: Change) -> None:
        """Exchange the items."""
        items = self._grip()
        if items is None:
            return
        kind: Any = list if issubclass(type(items), list) else deque
        for index, value in enumerate(tuple(kind.__iter__(items))):
            new = change.of(value)
            if new is not value:
                kind.__setitem__(items, index, new)


class Value:
    """One value, which is read and written in a way of its own."""

    __slots__ = ("_grip", "_read", "_write")

    def __init__(self, grip: Grip, read: Callable[[Any], Any], write: Callable[[Any, Any], None]) -> None:
        self._grip = grip
        self._read = read
        self._write = write

    def is_gone(self) -> bool:
        """Return whether the object that has the value is gone, or may be."""
        return self._grip.is_gone()

    def exchange(self, change: Change) -> None:
        """Exchange the value."""
        holder = self._grip()
        if holder is None:
            return
        value = self._read(holder)
        new = change.of(value)
        if new is not value:
            self._write(holder, new)


def of_class(cls: type, name: str) -> Value:
    """Return the place of an attribute that a class has itself. Its metaclass is not asked."""

    def read(cls: type) -> Any:
        return vars(cls).get(name, MISSING)

    def write(cls: type, new: Any) -> None:
        type.__setattr__(cls, name, new)

    return Value(Weak(cls), read, write)


def of_defaults(function: types.FunctionType) -> Value:
    """Return the place of the defaults of a function's positional arguments."""

    def read(function: types.FunctionType) -> Any:
        return function.__defaults__

    def write(function: types.FunctionType, new: Any) -> None:
        function.__defaults__ = new

    return Value(Weak(function), read, write)


def of_cell(cell: types.CellType, owner: object) -> Value:
    """Return the place of a variable that a function shares with others."""

    def read(cell: types.CellType) -> Any:
        try:
            return cell.cell_contents
        except ValueError:
            return MISSING

    def write(cell: types.CellType, new: Any) -> None:
        cell.cell_contents = new

    return Value(grip_of(cell, owner), read, write)


def read_slot(slot: types.MemberDescriptorType, holder: object) -> Any:
    """Return what a slot holds."""
    try:
        return slot.__get__(holder, type(holder))
    except AttributeError:
        return MISSING


def of_slot(holder: object, slot: types.MemberDescriptorType, owner: object) -> Value:
    """Return the place of an attribute that has a slot. What its class says about setting attributes is passed over."""
    return Value(grip_of(holder, owner), lambda holder: read_slot(slot, holder), slot.__set__)


def of_wrapper(wrapper: object, owner: object) -> Value:
    """Return the place of the function in a static method or a class method."""
    kind: Any = staticmethod if issubclass(type(wrapper), staticmethod) else classmethod

    def read(wrapper: Any) -> Any:
        return wrapper.__func__

    def write(wrapper: Any, new: Any) -> None:
        said = dict(vars(wrapper))
        kind.__init__(wrapper, new)  # it takes over what the function says about itself
        vars(wrapper).clear()
        vars(wrapper).update(said)

    return Value(grip_of(wrapper, owner), read, write)


def of_partial(held: partial[Any], owner: object) -> Value:
    """Return the place of the function and the positional arguments of a `functools.partial`."""
    kind: Any = partial

    def read(held: partial[Any]) -> Any:
        return held.func, held.args

    def write(held: partial[Any], new: Any) -> None:
        kind.__setstate__(held, (*new, *kind.__reduce__(held)[2][2:]))

    return Value(grip_of(held, owner), read, write)
