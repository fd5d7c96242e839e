"""Containers on the way from an object that is sought up to the modules that own them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from sim.guests.changes import is_made_anew
from sim.guests.owners import OWN, Owner, kind_in_words, name_of, owner_of

if TYPE_CHECKING:
    from collections.abc import Container as Ids
    from collections.abc import Iterator


class Container:
    """Something that refers to what is sought, or to another container that does."""

    __slots__ = ("held", "is_made_anew", "owner", "parents", "reaches")

    def __init__(self, held: object, replacements: Ids[int] = ()) -> None:
        self.held: Any = held
        self.is_made_anew = is_made_anew(type(held))
        self.owner: Owner | None = None if self.is_made_anew else owner_of(held, replacements)
        self.parents: list[Container] = []
        self.reaches: set[int] = set()
        """The identities of what it refers to and that is to be exchanged."""

    def reach(self, child: int) -> None:
        """Note that it refers to something to be exchanged. If it is made anew then, its parents exchange it."""
        if child in self.reaches:
            return
        self.reaches.add(child)
        if self.is_made_anew:
            for parent in self.parents:
                parent.reach(id(self.held))

    def ways(self) -> Iterator[tuple[tuple[Container, ...], Owner]]:
        """Yield its owners, the nearest first, each with the way from there down to the container."""
        seen = {id(self)}
        ahead: deque[tuple[Container, ...]] = deque([(self,)])
        while ahead:
            way = ahead.popleft()
            if way[0].owner is not None:
                yield way, way[0].owner
                continue
            for parent in way[0].parents:
                if id(parent) not in seen:
                    seen.add(id(parent))
                    ahead.append((parent, *way))

    def is_ours(self) -> bool:
        """Return whether it belongs to this package and to nothing else."""
        packages = [owner.package for _, owner in self.ways()]
        return bool(packages) and all(package == OWN for package in packages)

    def foreign_way(self) -> tuple[tuple[Container, ...], Owner] | None:
        """Return its nearest owner outside this package, with the way from there; None if only running code has it."""
        return next(((way, owner) for way, owner in self.ways() if owner.package != OWN), None)


def in_words(way: tuple[Container, ...], owner: Owner, function: object) -> str:
    """Return what holds a function, where, and which function."""
    above, *below = [container.held for container in way]
    if issubclass(type(above), type) and below:
        above, *below = below
    label = ""
    if type(above) is dict and below:
        names = (key for key, value in tuple(above.items()) if value is below[0] and type(key) is str)
        label = next((f".{name}" for name in names), "")
    return f"{kind_in_words(way[-1].held)} in {owner.words}{label} holds {name_of(function)}"
