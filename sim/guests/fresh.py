"""A fresh guest: what its code holds is as right after its import, whatever requests before it did.

What retry code keeps is rarely in an object that a constructor makes: a decorated function has its statistics, a
breaker or a quota stands in a module. So the modules of the user's own code are run anew, beside the ones that the host
has imported; the modules of libraries are not. Code that cannot be run anew (of a notebook, or inside a function) is
copied (`sim.guests.copying`). Code that holds nothing that could change is used as it is.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.guests.anew import ModulesAnew, Taken, own_modules
from sim.guests.copying import copied
from sim.guests.imports import Copied, asks_late
from sim.guests.inside import INSIDE
from sim.guests.state import CannotRestore, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class Supplied(NamedTuple):
    """A guest that is as new."""

    guest: Any
    state: State | None = None
    """What it holds as new; None if it is thrown away after its use, or holds nothing."""
    modules: Taken | Copied | None = None
    """The modules that its code gets if it imports them as it runs; None if it imports none of the user's own."""


class Supply:
    """Gives out guests that are as new: what they hold is put back after each use, or they are made anew."""

    def __init__(self, found: Any, path: str | None = None) -> None:
        """Take a function or a class; `path` is its `module:name`, if it has one."""
        self._found = found
        self._path = path
        self._make: Callable[[], Supplied] | None = None
        self._is_shared = bool(getattr(found, "keeps_nothing", getattr(found, "stateless", False)))
        """Whether all may have the same, as it keeps nothing."""
        self._free: list[Supplied] = []
        self._restores = True
        """Whether one can be used again, as its modules are the same whenever they are run."""
        self._reads_clock = False
        """Whether its modules read the clock as they are run: at another instant they would be others."""

    def take(self) -> Supplied:
        """Return one that is as new, which is to be given back. Call it inside the simulation."""
        if self._is_shared:
            return Supplied(self._found)
        inside = INSIDE.get()
        is_start = inside is None or inside.clock.now_ns == 0
        if self._free and (is_start or not self._reads_clock):
            return self._free.pop()
        if self._make is None:
            self._make = _maker(self._found, self._path)
        asked = None if inside is None else inside.asked
        made = self._make()
        if inside is not None and asked is not None:
            self._restores = self._restores and inside.asked[0] == asked[0]  # else each request draws its own numbers
            self._reads_clock = self._reads_clock or inside.asked != asked
        if not self._restores or (self._reads_clock and not is_start):
            return made
        try:
            state = State((made.guest, *made.modules.copies) if isinstance(made.modules, Copied) else made.guest)
        except CannotRestore:
            self._restores = False
            return made
        if state.is_empty and not self._reads_clock and made.modules is None:
            self._is_shared, self._found = True, made.guest
        return made._replace(state=state)

    def give_back(self, taken: Supplied) -> None:
        """Take one back that is not in use any more."""
        if isinstance(taken.modules, Taken) and taken.modules.are_more:
            self._restores = False  # what modules do that came later is not known
            self._free.clear()
        elif taken.state is not None and not self._is_shared:
            taken.state.restore()
            self._free.append(taken)


def _maker(found: Any, path: str | None) -> Callable[[], Supplied]:
    """Return a function that makes the guest anew: by running its module, or by copying."""
    module, _, name = (path or "").partition(":")
    codes = own_modules(module) if module else {}
    if not codes:
        return lambda: _copied(found)
    anew = ModulesAnew(codes)
    imports = any(asks_late(code) for _, code in codes.values())

    def make() -> Supplied:
        modules: dict[str, ModuleType] = {}
        made = anew.run(modules, lambda: getattr(import_module(module), name))
        return Supplied(made, modules=Taken(anew, modules) if imports else None)

    return make


def _copied(found: Any) -> Supplied:
    made, late = copied(found)
    return Supplied(made, modules=Copied(late) if late else None)
