"""What code reaches by names: its globals, and what it reads and sets in modules of the user's own.

Code names what it uses, so little of a module has to be looked at. Only code that asks for names by texts, such as
`globals()["count"]` or `setattr(config, "count", 1)`, has them among its constants.
"""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from sim.guests.refused import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

_BY_TEXT: Final = frozenset(
    {"globals", "vars", "getattr", "setattr", "delattr", "__dict__", "__setattr__", "attrgetter", "exec", "eval"}
)
"""Names of what takes names as texts."""
_SETS_GLOBAL: Final = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL"})
_SETS_ATTRIBUTE: Final = frozenset({"STORE_ATTR", "DELETE_ATTR"})


class Reach:
    """Code that a guest reaches, and the modules of the user's own in its reach."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        """What the code names."""
        self._set: set[str] = set()
        """What the code sets: which module an attribute belongs to is known only as it runs."""
        self._codes: set[CodeType] = set()
        self._modules: dict[int, ModuleType] = {}

    def add_code(self, code: CodeType) -> None:
        """Note code of the user's own."""
        if code not in self._codes:
            self._codes.add(code)
            self._names.update(names_in(code))
            self._set.update(_attributes_set(code))

    def add_module(self, module: ModuleType) -> None:
        """Note a module, if it is the user's own."""
        if is_own_module(module):
            self._modules[id(module)] = module

    @property
    def modules(self) -> list[ModuleType]:
        """The user's own modules, in the order in which they were found."""
        return list(self._modules.values())

    def in_modules(self) -> Iterator[Any]:
        """Yield what stands in the modules under a name that the code uses."""
        for module in self.modules:
            known = vars(module)
            yield from (known[name] for name in self.named_in(module))

    def named_in(self, module: ModuleType) -> list[str]:
        """Return the names of a module that the code uses, in alphabetical order."""
        return sorted(self._names & vars(module).keys())

    @property
    def set_somewhere(self) -> list[str]:
        """The names that the code may set in any of the modules, in alphabetical order."""
        return sorted(self._set)


def is_own_module(module: ModuleType) -> bool:
    """Tell whether a module is the user's own."""
    return is_own(getattr(module, "__file__", None) or "<none>")


@lru_cache(maxsize=1024)
def names_in(code: CodeType) -> list[str]:
    """Return the names that code uses, the code within it included, in alphabetical order."""
    found = {name for one in nested(code) for name in one.co_names}
    return sorted(found | _texts(code, found))


@lru_cache(maxsize=1024)
def stored_names(code: CodeType) -> list[str]:
    """Return the globals that code sets, the code within it included, in alphabetical order."""
    return sorted(_set_by(code, _SETS_GLOBAL) | _texts_of(code))


def _attributes_set(code: CodeType) -> set[str]:
    return _set_by(code, _SETS_ATTRIBUTE) | _texts_of(code)


def _set_by(code: CodeType, operations: frozenset[str]) -> set[str]:
    return {str(step.argval) for one in nested(code) for step in dis.get_instructions(one) if step.opname in operations}


def _texts_of(code: CodeType) -> set[str]:
    return _texts(code, {name for one in nested(code) for name in one.co_names})


def _texts(code: CodeType, names: set[str]) -> set[str]:
    """Return the texts in code that may be names, if it asks for any by a text."""
    if not names & _BY_TEXT:
        return set()
    constants = (constant for one in nested(code) for constant in one.co_consts)
    return {constant for constant in constants if isinstance(constant, str) and constant.isidentifier()}


def nested(code: CodeType) -> Iterator[CodeType]:
    """Yield code, and the code within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)
