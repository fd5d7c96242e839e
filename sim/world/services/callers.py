"""What a service knows of those who call it: the class of a request, and its priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.request import Request


class Callers:
    """The classes of the requests of a world: their names and priorities, in the order of the scenario."""

    def __init__(self, names: Sequence[str] = (), priorities: Sequence[int] = ()) -> None:
        self._names = tuple(names) or ("",)
        self._priorities = tuple(priorities) or (0,)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes; one empty name if there are none."""
        return self._names

    @property
    def priorities(self) -> tuple[int, ...]:
        """The priorities of the classes."""
        return self._priorities

    def priority(self, request: Request) -> int:
        """Return the priority of a request's class; the smallest number goes first."""
        return self._priorities[request.caller_class]

    def class_name(self, request: Request) -> str:
        """Return the name of a request's class; empty if there are no classes."""
        return self._names[request.caller_class]
