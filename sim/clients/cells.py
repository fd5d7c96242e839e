"""State that outlives a request: budgets, breakers, bulkheads and the like, each in a cell of its own.

A cell belongs to a client, to a service and all who call it, or to the whole world; its address says which, and whose
policy it is. A world has one set of cells and forgets it when it ends: what a request finds depends on nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

REQUEST: Final = "request"
CLIENT: Final = "client"
SERVICE: Final = "service"
WORLD: Final = "world"
Scope = Literal["request", "client", "service", "world"]
"""Whose a state is."""


def check_scope(scope: str) -> None:
    """Raise ValueError if there is no such scope."""
    if scope not in get_args(Scope):
        raise ValueError(f"no scope has the name {scope!r}; the scopes are {', '.join(get_args(Scope))}")


class Address(NamedTuple):
    """Which cell it is."""

    policy: str
    """Whose state it is among those of one scope: the name of a policy, or of the class or service that has it."""
    part: str
    """What it is: `budget`, `breaker` and so on, or the name that a retrier of one's own gives it."""
    scope: Scope
    owner: str | int
    """The number of the client, the name of the service, or nothing."""


class Cells:
    """All cells of a world."""

    __slots__ = ("_cells",)

    def __init__(self) -> None:
        self._cells: dict[Address, Any] = {}

    def at(self, address: Address, make: Callable[[Address], T]) -> T:
        """Return the cell of an address, made now if nothing has asked for it before."""
        found: T | None = self._cells.get(address)
        if found is None:
            found = self._cells[address] = make(address)
        return found

    def clear(self) -> None:
        """Forget everything: the next world begins."""
        self._cells.clear()

    def __iter__(self) -> Iterator[tuple[Address, Any]]:
        """Yield the cells in the order in which they were made."""
        yield from self._cells.items()
