"""Modules of the user's own code that are run anew, beside the ones that the host has imported.

What guest code imports itself, inside of functions or by `importlib`, is run anew for it as well: see `imports`.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder, SourceLoader
from importlib.machinery import PathFinder
from importlib.util import spec_from_loader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from sim.guests.reach import is_own_module
from sim.guests.refused import is_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec

    from sim.guests.inside import Inside

    Codes = dict[str, tuple[ModuleSpec, CodeType]]


def own_modules(first: str) -> Codes | None:
    """Return the code of a module and of all of the user's own that it uses; None if one of them has no source."""
    found: Codes = {}
    to_see = [first]
    while to_see:
        name = to_see.pop()
        module = sys.modules.get(name)
        if name in found or module is None or not is_own_module(module):
            if name == first and name not in found:
                return None
            continue
        known = _source_of(module.__spec__, name)
        if known is None:
            return None
        found[name] = known
        to_see += sorted({*_modules_used(module), *_parents(name)})
    return found


def _source_of(spec: ModuleSpec | None, name: str) -> tuple[ModuleSpec, CodeType] | None:
    if spec is None or not isinstance(spec.loader, SourceLoader):
        return None
    code = spec.loader.get_code(name)
    return (spec, code) if isinstance(code, CodeType) else None


def _modules_used(module: ModuleType) -> Iterator[str]:
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


class ModulesAnew(MetaPathFinder, Loader):
    """Finds modules of the user's own, and runs their code."""

    at_work: ModulesAnew | None = None
    """The one that runs modules at the moment; while one does, none of another can be asked for."""

    def __init__(self, codes: Codes) -> None:
        """Take the modules that are known already."""
        self._codes = codes
        self._of_host: dict[str, ModuleType] = {}
        """What the host has in their place, while they are run."""
        self._is_own: dict[str, bool] = {}

    def concerns(self, name: str) -> bool:
        """Tell whether a module is of a package of the user's own."""
        top = name.partition(".")[0]
        known = self._is_own.get(top)
        if known is None:
            known = self._is_own[top] = is_own_package(top)
        return known

    def know(self, names: Sequence[str]) -> None:
        """Note modules that the host has imported already, so that they are run anew when they are asked for."""
        for name in names:
            for one in (*_parents(name), name):
                if one not in self._codes and one in sys.modules:
                    new = {more: code for more, code in (own_modules(one) or {}).items() if more not in self._codes}
                    self._codes.update(new)
                    if ModulesAnew.at_work is self:
                        self._of_host.update(_taken_out(new))

    def run(self, modules: dict[str, ModuleType], go: Callable[[], Any]) -> Any:
        """Return what `go` returns, which imports modules anew; `modules` are those that are there, and become more."""
        if ModulesAnew.at_work is not None:
            return go()
        with self._work(modules):
            return go()

    @contextmanager
    def _work(self, modules: dict[str, ModuleType]) -> Iterator[None]:
        self._of_host = _taken_out(self._codes)
        sys.modules.update(modules)
        sys.meta_path.insert(0, self)
        ModulesAnew.at_work = self
        try:
            yield
        finally:
            ModulesAnew.at_work = None
            sys.meta_path.remove(self)
            modules.update(_taken_out(self._codes))
            of_host, self._of_host = self._of_host, {}
            sys.modules.update(of_host)
            for name, module in of_host.items():
                parent, _, child = name.rpartition(".")
                if parent in sys.modules:
                    setattr(sys.modules[parent], child, module)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of a module, if it is the user's own and has a source."""
        del target
        if fullname not in self._codes:
            spec = PathFinder.find_spec(fullname, path) if self.concerns(fullname) else None
            known = _source_of(spec, fullname) if spec is not None and is_own(spec.origin or "<none>") else None
            if known is None:
                return None
            self._codes[fullname] = known
        spec = self._codes[fullname][0]
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


def refuse_in_import(inside: Inside) -> None:
    """Refuse that code waits while a module of a guest is imported: other code would find that half done."""
    if ModulesAnew.at_work is not None:
        inside.refuse(
            "waits while one of its modules is imported, which takes no time in a simulation: wait in a function that "
            "the guest calls"
        )


def _taken_out(names: Any) -> dict[str, ModuleType]:
    """Take modules out of those that are imported; returns the ones that were."""
    return {name: sys.modules.pop(name) for name in names if name in sys.modules}


def is_own_package(name: str) -> bool:
    """Tell whether a module at the top is the user's own; one without a file may be a package in several folders."""
    if name in sys.stdlib_module_names or "." in name or not name:
        return False
    module = sys.modules.get(name)
    if module is not None:
        spec = module.__spec__
        places = list(getattr(module, "__path__", ())) if getattr(module, "__file__", None) is None else []
    else:
        spec = PathFinder.find_spec(name)
        places = list((spec and spec.submodule_search_locations) or ())
    origin = None if spec is None else spec.origin
    return is_own(origin) if origin not in {None, "namespace"} else any(map(is_own, places))


class Taken:
    """The modules of one guest: those with which it was made, and those that its code has imported since."""

    def __init__(self, anew: ModulesAnew, made: dict[str, ModuleType]) -> None:
        """Take what runs modules anew, and those that are there."""
        self._anew = anew
        self._made = made
        self._late: dict[str, ModuleType] = {}

    def imported(self, names: Sequence[str], go: Callable[[], Any]) -> Any:
        """Return what `go` returns, which imports these modules for the guest."""
        if not self._anew.concerns(names[0]):
            return go()
        self._anew.know(names)
        modules = {**self._made, **self._late}
        try:
            return self._anew.run(modules, go)
        finally:
            self._late.update((name, one) for name, one in modules.items() if name not in self._made)

    @property
    def are_more(self) -> bool:
        """Whether code has imported modules since the guest was made."""
        return bool(self._late)
