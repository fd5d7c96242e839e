"""Which classes of the user's own code are copied with a guest, and how.

A class holds state in its own attributes, which any code may set, in what its methods reach, and in its bases. So all
are copied but exceptions that reach nothing. Classes that a library's metaclass has made (of pydantic, say) and
enumerations are shared too: what they are is kept where no copy would be known.
"""

from __future__ import annotations

import abc
from contextlib import contextmanager
from enum import EnumMeta
from functools import cached_property
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sim.guests.reach import names_in, stored_names
from sim.guests.refused import GuestRefused, is_own, is_own_class
from sim.guests.state import ATOMS, OF_CLASSES, is_full

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_DATACLASSES: Final = frozenset({"__dataclass_fields__", "__dataclass_params__", "__match_args__"})
_OF_TUPLES: Final = frozenset({"_fields", "_field_defaults"})
_OF_GENERICS: Final = frozenset(
    {"__orig_bases__", "__parameters__", "__protocol_attrs__", "__non_callable_proto_members__"}
)
FIXED: Final = _OF_DATACLASSES | _OF_TUPLES | _OF_GENERICS
"""Entries that the standard library makes with a class, and that nothing changes later."""
_METACLASSES: Final = (object, type, abc.ABCMeta)
_OF_MODULES: Final = ("typing", "sim.guests.retrier")
"""Further metaclasses that note nothing about their classes elsewhere."""
_NOT_SEEN: Final = FIXED | OF_CLASSES
_WRAPPERS: Final = (staticmethod, classmethod)


def is_copied(kind: type) -> bool:
    """Tell whether a class is copied with a guest: it is the user's, can be copied, and may come to hold something."""
    return _can_be(kind) and (not issubclass(kind, BaseException) or _reaches(kind, set()))


def _can_be(kind: type) -> bool:
    if not is_own_class(kind) or issubclass(type(kind), EnumMeta):
        return False
    return all(
        base in _METACLASSES or base.__module__ in _OF_MODULES or is_own_class(base) for base in type.mro(type(kind))
    )


def shell(found: type, meta: type, bases: tuple[type, ...], entries: dict[str, Any]) -> Any:
    """Return a new class like another, without what its metaclass or its bases do when a class is derived."""
    make = abc.ABCMeta.__new__ if issubclass(meta, abc.ABCMeta) else type.__new__
    try:
        with _quiet(bases):
            return make(meta, found.__name__, bases, {**entries, "__qualname__": found.__qualname__})
    except TypeError as error:
        raise GuestRefused(
            f"the guest uses the class {found.__qualname__}, which cannot be copied for each request ({error}): name "
            "the guest as `module:function`, so that its module is run anew"
        ) from error


@contextmanager
def _quiet(bases: tuple[type, ...]) -> Iterator[None]:
    """Let no `__init_subclass__` of the user's own hear that a class is derived; it has heard of the original."""
    hearing = {kind: vars(kind)[_HEARS] for base in bases for kind in base.__mro__ if _hears(kind)}
    try:
        for kind in hearing:
            type.__setattr__(kind, _HEARS, classmethod(_hear_nothing))
        yield
    finally:
        for kind, hears in hearing.items():
            type.__setattr__(kind, _HEARS, hears)


_HEARS: Final = "__init_subclass__"


def _hears(kind: type) -> bool:
    return _HEARS in vars(kind) and is_own_class(kind)


def _hear_nothing(kind: type[Any], /, **more: Any) -> Any:
    """Stand for an `__init_subclass__`."""
    del kind, more


def complete(made: type) -> None:
    """Note anew which of its methods are abstract, now that it has all."""
    abc.update_abstractmethods(made)


def _reaches(one: Any, seen: set[int]) -> bool:  # noqa: PLR0911  # one branch a kind
    """Tell whether a thing holds, or its code uses, what could change."""
    if isinstance(one, ATOMS) or id(one) in seen:
        return False
    seen.add(id(one))
    if isinstance(one, FunctionType):
        return _function_reaches(one, seen)
    if isinstance(one, type):
        return is_own_class(one) and any(
            _reaches(entry, seen)
            for entry in (*one.__bases__, *(value for name, value in vars(one).items() if name not in _NOT_SEEN))
        )
    if isinstance(one, _WRAPPERS):
        return _reaches(one.__func__, seen)
    if isinstance(one, property):
        return any(_reaches(part, seen) for part in (one.fget, one.fset, one.fdel))
    if isinstance(one, cached_property):
        return _reaches(one.func, seen)
    if isinstance(one, MappingProxyType):
        return any(_reaches(part, seen) for part in one.values())
    if type(one) in (tuple, frozenset):
        return any(_reaches(part, seen) for part in one)
    return type(one).__name__ != "_tuplegetter"


def _function_reaches(one: FunctionType, seen: set[int]) -> bool:
    held = [cell.cell_contents for cell in one.__closure__ or () if is_full(cell)]
    held += [one.__defaults__, *(one.__kwdefaults__ or {}).values()]
    if not is_own(one.__code__.co_filename):
        return bool(vars(one)) or any(_reaches(part, seen) for part in held)
    known = one.__globals__
    held += [known[name] for name in names_in(one.__code__) if name in known]
    held += vars(one).values()
    return bool(stored_names(one.__code__)) or any(_reaches(part, seen) for part in held)
