"""Finds every copy of a replaced function, wherever it was imported, bound or kept, and exchanges it, and back.

A library that says `from time import sleep`, or `def wait(clock=time.monotonic)`, has a reference of its own, which
nothing done to the module `time` reaches. `References` finds these with the garbage collector (see `referrers`) and
remembers them. A later `install` needs no search unless there may be more: modules have come, or an original has more
references than known places account for.
"""

from __future__ import annotations

import gc
import itertools
import operator
import sys
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sim.guests.changes import Change
from sim.guests.referrers import Search

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sim.guests.places import Place
    from sim.guests.referrers import Unreachable

_LAST_MODULES: Final = 4
IMMORTAL: Final = 1 << 28
"""Objects with more references than this have no true count (PEP 683): they live for ever."""


class References:
    """All references of the process to some functions, each with the one that is to take its place.

    Originals and replacements are told by identity. Raises ValueError if two originals share a replacement, since
    nothing could then tell which of them to put back.
    """

    def __init__(self, replaced: Mapping[Any, Any]) -> None:
        if len({id(new) for new in replaced.values()}) != len(replaced):
            raise ValueError("two originals share a replacement; give each one of its own")
        self._change = Change.of_pairs(replaced.items())
        self._back = self._change.back()
        self._originals: tuple[object, ...] = tuple(replaced)
        self._replacements: tuple[object, ...] = tuple(replaced.values())
        self._places: list[Place] = []
        self._unreachable: list[Unreachable] = []
        self._counts: list[int] = []
        """How many references to each original are left if all known places are exchanged."""
        self._modules: tuple[Any, ...] = ()
        self.is_installed = False
        self.searches = 0
        """How often the process was searched."""

    def install(self, *, rescan: bool = False) -> list[str]:
        """Make every place that refers to an original refer to its replacement.

        Returns, in words, what refers to an original and cannot be changed, such as "a set in module.NAME holds
        time.sleep". `rescan` searches the process even if nothing seems to have changed. Raises RuntimeError if they
        are installed.
        """
        if self.is_installed:
            raise RuntimeError("the replacements are installed; restore the originals first")
        modules, searches = _modules(), self.searches
        self.is_installed = True
        try:
            if rescan or modules != self._modules:
                self._places, self._unreachable = [], []
                self._search(self._originals)
                self._exchange(self._change)
                self._counts = self._count()
                self._modules = modules
            else:
                self._exchange(self._change)
                self._search_if_more()
        except BaseException:
            self._put_back()
            raise
        return self._told(may_be_garbage=self.searches == searches)

    def restore(self) -> None:
        """Put the originals back wherever a replacement still is, also where modules imported meanwhile copied it."""
        if not self.is_installed:
            return
        try:
            modules = _modules()
            if modules != self._modules:
                self._exchange(self._back)
                homes = [getattr(one, "__globals__", None) for one in self._replacements]
                self._search(self._replacements, homes)
                self._modules = modules
        finally:
            self._put_back()

    def _told(self, *, may_be_garbage: bool) -> list[str]:
        """Return in words what cannot be exchanged and still exists."""
        if may_be_garbage and any(one.may_be_garbage() for one in self._unreachable):
            gc.collect()
        self._unreachable = [one for one in self._unreachable if one.is_left()]
        return sorted({one.words for one in self._unreachable})

    def _search_if_more(self) -> None:
        counts = self._count()
        if any(map(operator.gt, counts, self._counts)):
            self._search(
                [one for one, now, was in zip(self._originals, counts, self._counts, strict=True) if now > was]
            )
            self._exchange(self._change)
            counts = self._count()
        self._counts = counts

    def _search(self, sought: Sequence[object], spared: Sequence[object] = ()) -> None:
        self.searches += 1
        own = (self._change.new, self._change.old, self._originals, self._replacements)
        spared = (*own, *spared)
        with _collector_at_rest():
            found = Search(sought, replacements=self._replacements, spared=spared)
            if found.unreachable and sought is not self._replacements:
                del found
                gc.collect()  # it may belong to garbage
                found = Search(sought, replacements=self._replacements, spared=spared)
                self._unreachable.extend(found.unreachable)
        self._places.extend(found.places)

    def _exchange(self, change: Change) -> None:
        for place in self._places:
            place.exchange(change)

    def _put_back(self) -> None:
        """Put the originals back, all of them, whatever happens meanwhile."""
        failure: BaseException | None = None
        ahead = list(self._places)
        while ahead:
            try:
                while ahead:
                    ahead[-1].exchange(self._back)
                    ahead.pop()
            except Exception as error:  # noqa: BLE001  # the other places come first
                failure = error
                ahead.pop()
            except BaseException as error:  # noqa: BLE001  # an interrupt: go on where it came
                failure = error
        self._places = [place for place in self._places if not place.is_gone()]
        self._change.forget()
        self.is_installed = False
        if failure is not None:
            raise failure

    def _count(self) -> list[int]:
        return [0 if (count := sys.getrefcount(one)) >= IMMORTAL else count for one in self._originals]


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Let Python collect no garbage by itself: weak dictionaries lose entries by that, also while they are read."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _modules() -> tuple[Any, ...]:
    """Return what changes if a module is imported."""
    last = [sys.modules.get(name) for name in itertools.islice(reversed(sys.modules), _LAST_MODULES)]
    return (len(sys.modules), *map(_weakly, last))


def _weakly(module: object) -> object:
    try:
        return weakref.ref(module)
    except TypeError:  # something else that stands for a module
        return module
