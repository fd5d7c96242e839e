"""A fresh guest: what its code holds is as right after its import, whatever requests before it did.

What retry code keeps is rarely in an object that a constructor makes: a decorated function has its statistics, a breaker
or a quota stands in a module. So the modules of the user's own code are run anew, beside the ones that the host has
imported; the modules of libraries are not. Code that cannot be run anew (of a notebook, or inside a function) is copied
(`sim.guests.copying`). Code that holds nothing that could change is used as it is.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from sim.guests.copying import copied, holds_state
from sim.guests.refused import is_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def fresh(found: Any, path: str | None = None) -> Callable[[], Any]:
    """Return a function that returns the guest as it was when new; `path` is its `module:name`, if it has one."""
    if getattr(found, "stateless", False) or not holds_state(found):
        return lambda: found
    module, _, name = (path or "").partition(":")
    codes = _own_modules(module) if module else {}
    if codes is None or not codes:
        return lambda: copied(found)
    anew = _Anew(codes)

    def make() -> Any:
        with anew.at_work():
            return getattr(import_module(module), name)

    return make


def _own_modules(first: str) -> dict[str, tuple[ModuleSpec, CodeType]] | None:
    """Return the code of a module and of all of the user's own that it uses; None if one of them has no source."""
    found: dict[str, tuple[ModuleSpec, CodeType]] = {}
    to_see = [first]
    while to_see:
        name = to_see.pop()
        module = sys.modules.get(name)
        if name in found or module is None or not is_own(getattr(module, "__file__", None) or "<none>"):
            if name == first and name not in found:
                return None
            continue
        spec = module.__spec__
        loader = None if spec is None else spec.loader
        if spec is None or not isinstance(loader, SourceLoader):
            return None
        code = loader.get_code(name)
        if not isinstance(code, CodeType):
            return None
        found[name] = spec, code
        to_see += sorted({*_modules_used(module), *_parents(name)})
    return found


def _modules_used(module: ModuleType) -> Iterator[str]:
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


class _Anew(MetaPathFinder, Loader):
    """Finds modules whose code is known, and runs it."""

    def __init__(self, codes: dict[str, tuple[ModuleSpec, CodeType]]) -> None:
        self._codes = codes

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let these modules be imported anew; the ones of the host are back after that."""
        known = {name: sys.modules.pop(name) for name in self._codes if name in sys.modules}
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)
            for name in self._codes:
                sys.modules.pop(name, None)
            sys.modules.update(known)
            for name, module in known.items():
                parent, _, child = name.rpartition(".")
                if parent in sys.modules:
                    setattr(sys.modules[parent], child, module)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of a module, if its code is known."""
        del path, target
        known = self._codes.get(fullname)
        if known is None:
            return None
        spec = known[0]
        made = spec_from_loader(
            fullname, self, origin=spec.origin, is_package=spec.submodule_search_locations is not None
        )
        if made is not None:
            made.has_location = spec.has_location
            if spec.submodule_search_locations is not None:
                made.submodule_search_locations = list(spec.submodule_search_locations)
        return made

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the module be made as usual."""
        del spec

    def exec_module(self, module: ModuleType) -> None:
        """Run its code."""
        exec(self._codes[module.__name__][1], vars(module))  # noqa: S102  # what importing it does
