"""Libraries whose sockets and clock are in a core of C++ or Rust: they are refused by their names.

A call of gRPC opens its connection, waits and tries again in gRPC's core, by threads and a clock of its own, and one of
Temporal in the core of its SDK. Python is told nothing of that, and nothing of it can be replaced, so guest code that
calls by it would talk to a real server, at a real time. The functions below are those that every such call passes.
"""

from __future__ import annotations

import sys
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import INSIDE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_HOW: Final = (
    "whose retries, timers and sockets are in its core, which knows no simulated time. Call `call` in its place, or"
    " simulate a preset of it (`retrysim presets`)"
)
_REFUSED: Final[dict[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "grpc._channel": ("gRPC", (("Channel", "__init__"), ("_RPCState", "__init__"))),
    "grpc.aio._channel": ("gRPC", (("Channel", "__init__"),)),
    "grpc.aio._call": ("gRPC", (("Call", "__init__"),)),
    "temporalio.bridge.client": ("Temporal", (("Client", "connect"), ("Client", "call"))),
}
"""By modules, whose it is, and the methods that guest code must not call. Read: grpcio 1.85.3, temporalio 1.35.0."""


class Cores(MetaPathFinder):
    """Refuses guests such libraries, also those that are imported while it is installed."""

    def __init__(self) -> None:
        self._put_back: list[tuple[type, str, Any]] = []

    def install(self) -> None:
        """Refuse from now on."""
        sys.meta_path.insert(0, self)
        for name in _REFUSED.keys() & sys.modules.keys():
            self.refuse(sys.modules[name])

    def restore(self) -> None:
        """Leave everything as it was."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        while self._put_back:
            kind, name, known = self._put_back.pop()
            setattr(kind, name, known)

    def refuse(self, module: ModuleType) -> None:
        """Let guests call none of these methods of a module."""
        whose, methods = _REFUSED[module.__name__]
        for of, name in methods:
            kind = getattr(module, of, None)
            known = vars(kind).get(name) if isinstance(kind, type) else None
            if isinstance(kind, type) and known is not None:
                self._put_back.append((kind, name, known))
                setattr(kind, name, _refusing(known, whose))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how one of these modules is loaded, and refused then."""
        if fullname not in _REFUSED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loaded(spec.loader, self)
        return spec


class _Loaded(Loader):
    """Loads a module, and refuses it to guests."""

    def __init__(self, loader: Any, cores: Cores) -> None:
        self._loader = loader
        self._cores = cores

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Make the module."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Run its code."""
        self._loader.exec_module(module)
        if self._cores in sys.meta_path:
            self._cores.refuse(module)


def _refusing(known: Any, whose: str) -> Any:
    """Return what takes the place of a method; of one that is a coroutine, too."""
    function = known.__func__ if isinstance(known, staticmethod) else known

    @wraps(function)
    def refused(*args: Any, **more: Any) -> Any:
        inside = INSIDE.get()
        if inside is not None:
            inside.refuse(f"calls by {whose}, {_HOW}")
        return function(*args, **more)

    return staticmethod(refused) if isinstance(known, staticmethod) else refused
