"""A fresh guest: what its code holds is as right after its import, whatever requests before it did.

What retry code keeps is rarely in an object that a constructor makes: a decorated function has its statistics, a
breaker or a quota stands in a module. So the modules of the user's own code are run anew, beside the ones that the host
has imported; the modules of libraries are not. Code that cannot be run anew (of a notebook, or inside a function) is
copied (`sim.guests.copying`). Code that holds nothing that could change is used as it is.
"""

from __future__ import annotations

import ast
import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder, SourceLoader
from importlib.util import resolve_name, spec_from_loader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from sim.guests.copying import copied
from sim.guests.inside import INSIDE
from sim.guests.refused import is_own
from sim.guests.state import CannotRestore, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec


class Supply:
    """Gives out guests that are as new: what they hold is put back after each use, or they are made anew."""

    def __init__(self, found: Any, path: str | None = None) -> None:
        """Take a function or a class; `path` is its `module:name`, if it has one."""
        self._found = found
        self._path = path
        self._make: Callable[[], Any] | None = None
        self._is_shared = bool(getattr(found, "keeps_nothing", getattr(found, "stateless", False)))
        """Whether all may have the same, as it keeps nothing."""
        self._free: list[tuple[Any, State]] = []
        self._restores = True
        """Whether one can be used again, as its modules are the same whenever they are run."""
        self._reads_clock = False
        """Whether its modules read the clock as they are run: at another instant they would be others."""

    def take(self) -> tuple[Any, State | None]:
        """Return one that is as new, and what is to be given back with it. Call it inside the simulation."""
        if self._is_shared:
            return self._found, None
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
            return made, None
        try:
            state = State(made)
        except CannotRestore:
            self._restores = False
            return made, None
        if state.is_empty and not self._reads_clock:
            self._is_shared, self._found = True, made
        return made, state

    def give_back(self, taken: tuple[Any, State | None]) -> None:
        """Take one back that is not in use any more."""
        made, state = taken
        if state is not None and not self._is_shared:
            state.restore()
            self._free.append((made, state))


def _maker(found: Any, path: str | None) -> Callable[[], Any]:
    """Return a function that makes the guest anew: by running its module, or by copying."""
    module, _, name = (path or "").partition(":")
    codes = _own_modules(module) if module else {}
    if not codes:
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
        imported = _modules_imported(loader.get_source(name) or "", spec.parent or "")
        to_see += sorted({*_modules_used(module), *imported, *_parents(name)})
    return found


def _modules_used(module: ModuleType) -> Iterator[str]:
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str):
            yield name


def _modules_imported(source: str, package: str) -> Iterator[str]:
    """Yield what code imports: a list or a number of another module does not tell whose it is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            with suppress(ImportError):  # code of no package may try a relative import first
                base = resolve_name("." * node.level + (node.module or ""), package)
                yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


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
