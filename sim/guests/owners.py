"""Whose an object is: the module, class, function or object that it belongs to, for errors in words."""

from __future__ import annotations

import gc
import sys
import types
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container

OWN: Final = __name__.partition(".")[0]
"""This package: what it holds, it holds on purpose."""
TOOLS: Final = frozenset(
    {"_pytest", "coverage", "debugpy", "execnet", "hypothesis", "pluggy", "pydevd", "pytest", "xdist"}
)
"""Packages that run tests: guest code does not call what they keep."""
_PUBLIC: Final = {"posix": "os", "nt": "os", "_thread": "threading", "_random": "random"}
"""Modules in C, and those by which their functions are known."""
_KINDS: Final[dict[type, str]] = {
    set: "a set",
    frozenset: "a frozenset",
    dict: "the keys of a dictionary",
    tuple: "a tuple",
}


class Owner(NamedTuple):
    """What an object belongs to."""

    module: str
    words: str
    thing: object
    """It dies with this."""

    @property
    def package(self) -> str:
        """The name of the outermost package."""
        return self.module.partition(".")[0]


def owner_of(thing: Any, replacements: Container[int]) -> Owner | None:
    """Return what an object is or belongs to by itself; None if only what refers to it can tell."""
    kind = type(thing)
    if id(thing) in replacements:
        return Owner(OWN, OWN, thing)
    if kind is dict:
        return _owner_of_dictionary(thing)
    if kind is types.FunctionType:
        # Not `__module__`: `functools.wraps` copies that from another function.
        module = _text(thing.__globals__.get("__name__"))
        return Owner(module, f"{module}.{thing.__qualname__}", thing)
    if issubclass(kind, partial):
        return owner_of(thing.func, replacements) if type(thing.func) is types.FunctionType else None
    return _owner_of_class(thing) if issubclass(kind, type) else _owner_of_instance(thing, kind)


def _owner_of_dictionary(entries: dict[Any, Any]) -> Owner | None:
    """Tell the dictionaries of modules and of classes, if they say it themselves."""
    name = _module_of_namespace(entries)
    if name is not None:
        return Owner(name, name, sys.modules.get(name, entries))
    descriptor = entries.get("__dict__", entries.get("__weakref__"))
    if type(descriptor) is types.GetSetDescriptorType:
        cls = descriptor.__objclass__
        if gc.get_referents(vars(cls))[0] is entries:
            return _owner_of_class(cls)
    return None


def _module_of_namespace(entries: dict[Any, Any]) -> str | None:
    if "__spec__" in entries or "__builtins__" in entries:
        name = entries.get("__name__")
        return name if isinstance(name, str) else None
    return None


def _owner_of_class(cls: Any) -> Owner:
    module = _text(vars(cls).get("__module__"))
    return Owner(module, f"{module}.{type.__dict__['__qualname__'].__get__(cls)}", cls)


def _owner_of_instance(thing: Any, kind: type) -> Owner | None:
    if issubclass(kind, types.ModuleType):
        said = _text(object.__getattribute__(thing, "__dict__").get("__name__"))
        return Owner(said, said, thing)
    module = next((name for cls in kind.__mro__ if isinstance(name := vars(cls).get("__module__"), str)), "builtins")
    if module.partition(".")[0] in sys.stdlib_module_names or not _is_written_in_python(kind):
        return None
    return Owner(module, f"an object of {module}.{kind.__qualname__}", thing)


def _is_written_in_python(kind: type) -> bool:
    return any("__slots__" in vars(cls) or "__weakref__" in vars(cls) for cls in kind.__mro__)


def _text(name: object) -> str:
    return name if isinstance(name, str) else "?"


def name_of(function: Any) -> str:
    """Return the name under which a function is known, such as `time.sleep`."""
    name = getattr(function, "__name__", repr(function))
    module = getattr(function, "__module__", None)
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):  # a class method, such as datetime.now
        return f"{owner.__qualname__}.{name}"
    if module is None:  # a method of a built-in object, such as random.random
        module = type(getattr(function, "__self__", function)).__module__
    return f"{_PUBLIC.get(module, module)}.{name}"


def kind_in_words(holder: object) -> str:
    """Return what an object is, with its article."""
    kind = type(holder)
    if issubclass(kind, type):
        return "a class"
    for known, words in _KINDS.items():
        if issubclass(kind, known):
            return words
    return f"an object of the class {kind.__module__}.{kind.__qualname__}"
