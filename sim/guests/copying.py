"""Copies code with all that it holds: closures, attributes of functions, globals that it uses, objects, locks.

`copy.deepcopy` takes functions as they are, and refuses locks; what retry code keeps is just there.
"""

from __future__ import annotations

import _queue
import queue
import threading
import warnings
from functools import lru_cache, partial
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any, Final

from sim.guests.classes import FIXED, complete, is_copied, shell
from sim.guests.imports import imported_late
from sim.guests.reach import Reach, is_own_module, names_in
from sim.guests.refused import GuestRefused, is_own
from sim.guests.state import ATOMS, LRU_CACHE, OF_CLASSES, is_full, is_of_object, slots

_HALF_DONE: Final = (GeneratorType, AsyncGeneratorType, CoroutineType)
_LOCKS: Final = (type(threading.Lock()), type(threading.RLock()))


def copied(found: Any) -> tuple[Any, dict[int, ModuleType]]:
    """Return a copy of a function, a class, a method or an object, with copies of all that it holds.

    With it come the copies of the modules that its code imports as it runs, by the identity of the host's.
    """
    copier = _Copier()
    made = copier.copy(found)
    copier.complete_modules()
    return made, copier.late


class _Copier:
    def __init__(self) -> None:
        self._memo: dict[int, Any] = {}
        self._kept: list[Any] = []
        self._modules: dict[int, ModuleType] = {}
        """By the identity of what is in a module: its copy."""
        self._reach = Reach()
        self.late: dict[int, ModuleType] = {}

    def complete_modules(self) -> None:
        """Copy what stands in the user's own modules under names that the copied code uses."""
        done: set[tuple[int, str]] = set()
        while True:
            named = [(one, name) for one in self._reach.modules for name in self._reach.named_in(one)]
            named = [(one, name) for one, name in named if (id(one), name) not in done]
            if not named:
                return
            for one, name in named:
                done.add((id(one), name))
                vars(self._module_of(vars(one)))[name] = self.copy(vars(one)[name])

    def copy(self, found: Any) -> Any:
        """Return the copy of a value."""
        if isinstance(found, ModuleType) and is_own_module(found):
            self._reach.add_module(found)
            return self._module_of(vars(found))
        if isinstance(found, ATOMS) and not is_of_object(found):
            return found
        known = self._memo.get(id(found))
        if known is not None:
            return known
        self._kept.append(found)  # as long as it lives, no other has its id
        return self._made(found)

    def _note(self, found: Any, made: Any) -> Any:
        """Return what takes the place of a thing everywhere: the first copy of it, if what it holds refers to it."""
        return self._memo.setdefault(id(found), made)

    def _made(self, found: Any) -> Any:  # noqa: C901, PLR0911, PLR0912  # one branch a kind
        if isinstance(found, FunctionType):
            return self._function(found)
        if isinstance(found, type):
            return self._class(found)
        if isinstance(found, MethodType):
            return self._note(found, MethodType(self.copy(found.__func__), self.copy(found.__self__)))
        if isinstance(found, BuiltinFunctionType):
            return self._note(found, getattr(self.copy(found.__self__), found.__name__))
        if isinstance(found, _HALF_DONE):
            raise GuestRefused(
                f"the guest holds the {type(found).__name__} {found.__qualname__} that has begun already, and each "
                "request has to get one of its own: make it inside the guest's code, or name the guest as "
                "`module:function`, so that its module is run anew"
            )
        if isinstance(found, property):
            get, set_, delete = map(self.copy, (found.fget, found.fset, found.fdel))
            return self._note(found, type(found)(get, set_, delete, found.__doc__))
        if isinstance(found, (staticmethod, classmethod)):
            return self._note(found, type(found)(self.copy(found.__func__)))
        if isinstance(found, partial):
            words = {name: self.copy(value) for name, value in found.keywords.items()}
            return self._note(found, type(found)(self.copy(found.func), *map(self.copy, found.args), **words))
        if isinstance(found, _LOCKS):
            return self._note(found, threading.Lock() if isinstance(found, _LOCKS[0]) else threading.RLock())
        if isinstance(found, LRU_CACHE):
            made = lru_cache(**found.cache_parameters())(self.copy(found.__wrapped__))
            return self._note(found, made)
        if isinstance(found, MappingProxyType):
            return self._note(found, MappingProxyType(self.copy(dict(found))))
        if isinstance(found, _queue.SimpleQueue):
            return self._queue(found)
        if type(found) in (list, set):
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

    def _queue(self, found: _queue.SimpleQueue[Any]) -> Any:
        made = self._note(found, queue.SimpleQueue())
        for one in [found.get_nowait() for _ in range(found.qsize())]:
            found.put(one)
            made.put(self.copy(one))
        return made

    def _function(self, found: FunctionType) -> Any:
        own = is_own(found.__code__.co_filename)
        if not (own or found.__closure__ or vars(found)):
            return self._note(found, found)
        cells = tuple(CellType() for _ in found.__closure__ or ())
        known = vars(self._module_of(found.__globals__)) if own else found.__globals__
        made = FunctionType(found.__code__, known, found.__name__, None, cells or None)
        self._note(found, made)
        made.__qualname__, made.__doc__, made.__module__ = found.__qualname__, found.__doc__, found.__module__
        made.__annotations__ = found.__annotations__
        for old, new in zip(found.__closure__ or (), cells, strict=True):
            if is_full(old):
                new.cell_contents = self.copy(old.cell_contents)
        made.__defaults__ = self.copy(found.__defaults__)
        made.__kwdefaults__ = self.copy(found.__kwdefaults__)
        vars(made).update((name, self.copy(value)) for name, value in vars(found).items())
        if own:
            self._reach.add_code(found.__code__)
            for module in imported_late(found.__code__, found.__globals__):
                self.late[id(module)] = self.copy(module)
            for name in (one for one in names_in(found.__code__) if one in found.__globals__):
                known[name] = self.copy(found.__globals__[name])
        return made

    def _module_of(self, held: dict[str, Any]) -> ModuleType:
        """Return the copy of a module in which nothing is copied yet, given what it holds."""
        known = self._modules.get(id(held))
        if known is None:
            known = self._modules[id(held)] = ModuleType(held.get("__name__", ""))
            vars(known).update(held)
        return known

    def _class(self, found: type) -> Any:
        if not is_copied(found):
            return self._note(found, found)
        meta, *bases = (self.copy(one) for one in (type(found), *found.__bases__))
        known = self._memo.get(id(found))
        if known is not None:  # a base refers to it
            return known
        entries = {name: value for name, value in vars(found).items() if name not in OF_CLASSES}
        fixed = {name: value for name, value in entries.items() if name in FIXED or isinstance(value, ATOMS)}
        for name in slots(found):
            entries.pop(name, None)
            fixed.pop(name, None)
        kept = {name: vars(found)[name] for name in ("__module__", "__doc__", "__slots__") if name in vars(found)}
        made = self._note(found, shell(found, meta, tuple(bases), {**fixed, **kept}))
        for name, value in entries.items():
            if name not in fixed:
                type.__setattr__(made, name, self.copy(value))
        complete(made)
        return made

    def _object(self, found: Any) -> Any:
        own = getattr(type(found), "__deepcopy__", None)
        if own is not None:
            return self._note(found, found.__deepcopy__(self._memo))
        try:
            reduced = _reduced(found)
        except (TypeError, ValueError):
            return self._note(found, found)  # a handle of the host, which has no copy
        if isinstance(reduced, str):
            return self._note(found, found)  # known by that name alone
        make, args, state, items, pairs = (*reduced, None, None, None)[:5]
        make, *given = (self.copy(one) for one in (make, *args))
        known = self._memo.get(id(found))
        if known is not None:  # what it is made of refers to it
            return known
        try:
            made = self._note(found, make(*given))
        except Exception:  # noqa: BLE001  # of any library: a task of celery, say, is looked up where it is not registered
            return self._note(found, found)
        if state is not None:
            _set_state(made, self.copy(state))
        for item in items or ():
            made.append(self.copy(item))
        for key, value in pairs or ():
            made[self.copy(key)] = self.copy(value)
        return made


def _reduced(found: Any) -> Any:
    """Return of what an object is made, as `pickle` and `copy` ask for it."""
    if type(found).__module__ != "itertools":
        return found.__reduce_ex__(4)
    with warnings.catch_warnings():  # Python 3.12 and 3.13 warn that 3.14 makes no copies of these
        warnings.simplefilter("ignore", DeprecationWarning)
        return found.__reduce_ex__(4)


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
