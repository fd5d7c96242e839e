"""Imports by guest code, inside of functions and by `importlib`: modules of the user's own are each guest's.

A module that is imported at the top of another is made with the guest (`fresh`). One that code imports as it runs would
be the host's, and what one request leaves in it would be there for the next.
"""

from __future__ import annotations

import builtins
import dis
import importlib
from contextvars import Context
from importlib.util import resolve_name
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from sim.guests.anew import ModulesAnew, is_own_package
from sim.guests.inside import INSIDE
from sim.guests.reach import nested
from sim.guests.stand_ins import instead_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sim.guests.stand_ins import Home

_ASK: Final = frozenset({"import_module", "__import__"})


def replaced_functions() -> dict[Any, Any]:
    """Return the functions that import, each with the one that takes its place; statements ask another one."""
    real = importlib.import_module
    return {real: instead_of(real, _import_module(real))}


class ImportStatements:
    """Lets statements that import ask for the guest that runs.

    They look for `__import__` among the builtins. It is not exchanged elsewhere: libraries keep tables of all builtins,
    as toolz does, and they do not import by these.
    """

    def __init__(self) -> None:
        self._real = builtins.__import__

    def install(self) -> None:
        """Let them ask."""
        self._real = real = builtins.__import__
        builtins.__import__ = instead_of(real, _import(real))

    def restore(self) -> None:
        """Let them ask no more."""
        builtins.__import__ = self._real


def _import(real: Any) -> Callable[..., Any]:
    def importing(
        _: Home,
        name: str,
        globals: Any = None,  # noqa: A002  # its signature, also below
        locals: Any = None,  # noqa: A002
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(name, globals, locals, fromlist, level)
        names = _names(name, globals, fromlist or (), level)
        return _imported(inside, names, lambda: real(name, globals, locals, fromlist, level))

    return importing


def _import_module(real: Any) -> Callable[..., Any]:
    def import_module(_: Home, name: str, package: str | None = None) -> Any:
        inside = INSIDE.get()
        if inside is None or not isinstance(name, str):
            return real(name, package)
        names = _names(name.lstrip("."), {"__package__": package}, (), len(name) - len(name.lstrip(".")))
        return _imported(inside, names, lambda: real(name, package))

    return import_module


def _imported(inside: Any, names: Sequence[str], go: Callable[[], Any]) -> Any:
    """Let modules be imported for the guest that runs."""
    at_work = ModulesAnew.at_work()
    if not names:
        return go()
    if at_work is not None:
        if at_work.concerns(names[0]):
            at_work.know(names)
        return go()
    modules = inside.process.modules
    return go() if modules is None else modules.imported(names, go)


def _names(name: str, known: Mapping[str, Any] | None, fromlist: Sequence[str], level: int) -> list[str]:
    """Return the full names of what is asked for; those behind the first may be modules, or not."""
    if level:
        package = (known or {}).get("__package__") or ""
        try:
            name = resolve_name("." * level + name, package)
        except ImportError:
            return []  # the import itself says what is wrong
    return [name, *(f"{name}.{one}" for one in fromlist if isinstance(one, str) and one != "*")]


class Copied:
    """The copies of modules of the user's own that a copied guest has."""

    def __init__(self, copies: Mapping[int, ModuleType]) -> None:
        """Take copies by the identity of what they are copies of."""
        self._copies = copies

    def imported(self, names: Sequence[str], go: Callable[[], Any]) -> Any:
        """Return the copy of the module that `go` returns; itself, if there is none."""
        del names
        found = go()
        return self._copies.get(id(found), found)

    @property
    def copies(self) -> list[ModuleType]:
        """The copies."""
        return list(self._copies.values())


def asks_late(code: CodeType) -> bool:
    """Tell whether functions in the code of a module import anything."""
    return any(
        _ASK & set(one.co_names) or any(step.opname == "IMPORT_NAME" for step in dis.get_instructions(one))
        for constant in code.co_consts
        if isinstance(constant, CodeType)
        for one in nested(constant)
    )


def imported_late(code: CodeType, known: Mapping[str, Any]) -> Iterator[ModuleType]:
    """Yield the modules of the user's own that a function imports by itself, given its globals.

    They are the host's, and imported for it if it has not done so.
    """
    for one in nested(code):
        steps = list(dis.get_instructions(one))
        for at, step in enumerate(steps):
            if step.opname == "IMPORT_NAME":
                yield from _modules_of(_names(step.argval, known, steps[at - 1].argval or (), steps[at - 2].argval))
        if _ASK & set(one.co_names):
            texts = (text for text in one.co_consts if isinstance(text, str) and text.replace(".", "").isidentifier())
            yield from _modules_of([text for text in texts if not text.startswith(".")])


def _modules_of(names: Sequence[str]) -> Iterator[ModuleType]:
    for name in names:
        parts = name.split(".")
        if not is_own_package(parts[0]):
            continue
        for end in range(1, len(parts) + 1):
            try:
                module = Context().run(importlib.import_module, ".".join(parts[:end]))
            except Exception:  # noqa: BLE001  # a name in a module, or what the guest itself will meet
                break
            yield module
