"""Finds every place of the process that refers to some objects, by asking the garbage collector who refers to them.

Modules are not walked: what refers to a function may be a default argument, a closure or a list in an object, and one
pass over all containers finds them all. What refers to a tuple with the function in it, and who owns a list, takes a
pass each; few containers are left by then.

What is left alone: what this package holds, classes as bases and as kinds of objects, annotations, and variables of
running code, generators included. So are tuples that are keys: arguments that a cache remembers, for example.
"""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sim.guests import places as at
from sim.guests.changes import is_made_anew
from sim.guests.containers import Container, in_words
from sim.guests.holdings import places_in
from sim.guests.owners import OWN, TOOLS, Owner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.guests.places import Place

MOST_PASSES: Final = 6
"""From a function in a tuple in a tuple in a dictionary in an object up to a module."""
_CAPABILITIES: Final = "a set in os.supports_"
"""Code asks whether a function is in such a set, and calls none from there."""
FEW: Final = 16
"""From here on it takes less time to look first which of them only modules have."""
MANY: Final = 400
"""The collector compares each reference of the process with each object asked for; above this, sets are faster."""


_NOTED_ONLY: Final = 3
"""References to a holder that nothing but the note of it refers to: the note, a variable, and the one that counts."""


class Unreachable:
    """Something that refers to an original and cannot be made to refer to another function."""

    __slots__ = ("_grip", "_held", "_module", "words")

    def __init__(self, holder: object, held: object, owner: Owner, words: str) -> None:
        self._grip = at.grip_of(holder, owner.thing)
        self._held = held
        self._module = owner.module if owner.thing is sys.modules.get(owner.module) else None
        self.words = words

    def may_be_garbage(self) -> bool:
        """Return whether no module has it itself: classes and functions refer to themselves and outlive their use."""
        return self._module not in sys.modules

    def is_left(self) -> bool:
        """Return whether it still exists and still refers to that."""
        holder = self._grip()
        if holder is None or (isinstance(self._grip, at.Strong) and sys.getrefcount(holder) <= _NOTED_ONLY):
            return False
        return any(held is self._held for held in gc.get_referents(holder))


_LEFT_OUT: Final = {
    types.FrameType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.TracebackType,
    types.GenericAlias,
    types.UnionType,
    Container,
    Owner,
    Unreachable,
    at.Strong,
    at.Weak,
}
"""Variables of running code, annotations, and what notes places."""

_OF_CLASSES: Final = {
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
}
"""Methods and attributes that are written in C."""


class Search:
    """One search: `places` that can be exchanged, and what is `unreachable`."""

    def __init__(self, sought: Sequence[object], *, replacements: Sequence[object], spared: Sequence[object]) -> None:
        self.places: list[Place] = []
        self.unreachable: list[Unreachable] = []
        self._sought = {id(one): one for one in sought}
        self._has_classes = any(issubclass(type(one), type) for one in sought)
        self._replacements = frozenset(map(id, replacements))
        self._found: dict[int, Container] = {}
        self._spared: list[object] = [*spared, *_cells_of(replacements), sought, self._sought, self._found]
        """Containers of the search itself, and of what must keep the originals. They stay until it is over."""
        self._find(sought)
        for container in tuple(self._found.values()):
            if container.reaches and not container.is_made_anew and not container.is_ours():
                self._settle(container)
        self._found.clear()
        self._spared.clear()

    def _find(self, sought: Sequence[object]) -> None:
        asked = sought if len(sought) < FEW else self._not_only_in_modules(sought)
        for one in sought:
            for reference in weakref.getweakrefs(one):
                if is_made_anew(type(reference)):
                    self._found[id(reference)] = Container(reference)
                    self._found[id(reference)].reach(id(one))
                    asked = (*asked, reference)
        if gc.get_freeze_count():
            gc.unfreeze()  # the collector does not tell of frozen containers
        for _ in range(MOST_PASSES):
            if asked:
                asked = self._pass(tuple(asked))

    def _not_only_in_modules(self, sought: Sequence[object]) -> Sequence[object]:
        """Note the modules that have names for what is sought. Return that of it which has more references."""
        spared = {id(one): one for one in self._spared}
        held = Counter(map(id, gc.get_referents(*spared.values())))
        for module in tuple(sys.modules.values()):
            entries = getattr(module, "__dict__", None)
            if type(entries) is dict and id(entries) not in self._found:
                values = list(map(id, tuple(entries.values())))
                if not self._sought.keys().isdisjoint(values):
                    self._found[id(entries)] = container = Container(entries, self._replacements)
                    for value in self._sought.keys() & values:
                        container.reach(value)
                    held.update(values)
        counts = reference_counts(sought)
        return tuple(one for one, count in zip(sought, counts, strict=True) if count > held[id(one)])

    def _pass(self, asked: tuple[object, ...]) -> tuple[object, ...]:
        """Note what refers to objects. Return that of it which cannot say itself whose it is."""
        ids = {id(one) for one in asked}
        holders = _referrers(asked, ids)
        self._spared += [asked, holders]
        spared = {id(self._spared), *map(id, self._spared)}
        ahead: list[object] = []
        for holder in holders:
            if id(holder) in spared or type(holder) in _LEFT_OUT:
                continue
            children = {id(held) for held in gc.get_referents(holder)} & ids
            if self._has_classes:
                children -= _kinds_of(holder)
                if not children:
                    continue
            container = self._found.get(id(holder))
            if container is None:
                container = self._found[id(holder)] = Container(holder, self._replacements)
                if container.owner is None:
                    ahead.append(holder)
            for child in children:
                below = self._found.get(child)
                if below is None:
                    container.reach(child)
                    continue
                below.parents.append(container)
                if below.is_made_anew and below.reaches:
                    container.reach(child)
        return tuple(ahead)

    def _settle(self, container: Container) -> None:
        """Note the places in a container, and what of it must be told."""
        way, owner = container.foreign_way() or ((), None)
        places, left = places_in(container, None if owner is None else owner.thing)
        self.places += places
        if owner is None or owner.package in TOOLS:
            return
        for child in left:
            original = child
            while original not in self._sought:
                original = next(iter(self._found[original].reaches))
            if issubclass(type(self._sought[original]), type) or (child != original and _compares_only(container)):
                continue  # code asks of which class an object is
            held = self._sought[child] if child in self._sought else self._found[child].held
            words = in_words(way, owner, self._sought[original])
            if words.startswith(_CAPABILITIES):
                continue
            self.unreachable.append(Unreachable(container.held, held, owner, words))


def reference_counts(things: Sequence[object]) -> list[int]:
    """Return how many references each of the things has that this function has not made itself."""
    probes = (object(),)
    (own,) = [sys.getrefcount(one) - 1 for one in probes]
    return [sys.getrefcount(one) - own for one in things]


def _cells_of(functions: Sequence[Any]) -> list[object]:
    """Return the variables of functions, and of functions that are in these."""
    cells: dict[int, Any] = {}
    ahead = list(functions)
    while ahead:
        for cell in getattr(ahead.pop(), "__closure__", None) or ():
            if id(cell) not in cells:
                cells[id(cell)] = cell
                content = gc.get_referents(cell)
                ahead.extend(one for one in content if type(one) is types.FunctionType and _is_own(one))
    return list(cells.values())


def _is_own(function: types.FunctionType) -> bool:
    return str(function.__globals__.get("__name__")).partition(".")[0] == OWN


def _kinds_of(holder: Any) -> set[int]:
    """Return the classes to which something refers because it is an object or a method of theirs."""
    kind = type(holder)
    if kind is types.BuiltinMethodType and holder.__name__ == "__new__":
        return {id(holder.__self__)}
    return {*map(id, kind.__mro__), id(getattr(holder, "__objclass__", None) if kind in _OF_CLASSES else None)}


def _compares_only(container: Container) -> bool:
    """Return whether it is a dictionary, or what C code keeps for `functools.lru_cache`: tuples are its keys."""
    kind = type(container.held)
    return issubclass(kind, dict) or (kind.__module__ == "functools" and kind.__name__.startswith("_lru_"))


def _referrers(asked: tuple[object, ...], ids: set[int]) -> list[object]:
    if len(asked) <= MANY:
        return gc.get_referrers(*asked)
    return [one for one in gc.get_objects() if not ids.isdisjoint(map(id, gc.get_referents(one)))]
