"""What code holds is put back as it was, in every kind of place that can be put back; the rest is told."""

import array
import contextlib
import functools
import io
import itertools
import operator
import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import pytest

from sim.guests import state
from sim.guests.state import CannotRestore, State

LIST: list[int] = []
NUMBER = 0


class Attributes:
    of_all: list[int] = []  # noqa: RUF012  # what all share is the point
    number = 0

    def __init__(self, **more: Any) -> None:
        vars(self).update(more)


class Slots:
    __slots__ = ("__hidden", "empty", "full")

    def __init__(self) -> None:
        self.full: Any = []
        self.__hidden: list[int] = []

    def hide(self) -> None:
        self.__hidden.append(1)

    def shown(self) -> Any:
        return self.full, self.__hidden, hasattr(self, "empty")


class Kind(type):
    made: list[int] = []  # noqa: RUF012  # as above


class OfKind(metaclass=Kind):
    pass


class Words(dict[str, int]):
    pass


class Pair(tuple[int, ...]):  # noqa: SLOT001  # its attributes are the point
    pass


def set_global() -> None:
    global NUMBER  # noqa: PLW0603  # as guests do
    NUMBER += 1


def append_to_global() -> None:
    LIST.append(1)


def with_default(held: list[int] = []) -> list[int]:  # noqa: B006  # as above
    return held


def with_keyword(*, held: list[int] = []) -> list[int]:  # noqa: B006  # as above
    return held


def with_attribute() -> None:
    """It has attributes."""


@functools.cache
def cached(number: int) -> list[int]:
    return [number]


def counting() -> tuple[Callable[[], int], Callable[[], int]]:
    number = 0

    def count() -> int:
        nonlocal number
        number += 1
        return number

    return count, lambda: number


COUNT, COUNTED = counting()


def holding(held: Any) -> Callable[[], Any]:
    return lambda: held


def case(held: Any, change: Callable[[Any], Any], look: Callable[[Any], Any]) -> Any:
    return holding(held), lambda: change(held), lambda: look(held)


def plain(held: Any, change: Callable[[Any], Any]) -> Any:
    return case(held, change, lambda held: (type(held), list(held), dict(held) if hasattr(held, "keys") else None))


def _set(held: Any, name: str, value: Any) -> None:
    setattr(held, name, value)


CASES: dict[str, Any] = {
    "a list": plain([1], lambda held: held.append(2)),
    "a list in a list": case([[1]], lambda held: held[0].append(2), lambda held: held[0][:]),
    "a dictionary": plain({1: 2}, lambda held: held.update({1: 3, 2: 4})),
    "a dictionary that was empty": plain({}, lambda held: held.update({1: 3})),
    "what a dictionary has": case({1: [1]}, lambda held: held[1].append(2), lambda held: held[1][:]),
    "what a dictionary has as a key": case(
        {Attributes(seen=[]): 1}, lambda held: next(iter(held)).seen.append(1), lambda held: next(iter(held)).seen[:]
    ),
    "a set": plain({1}, lambda held: held.add(2)),
    "a deque": case(deque([1, 2], maxlen=2), lambda held: held.append(3), lambda held: (list(held), held.maxlen)),
    "a default dictionary": plain(defaultdict(list, a=[1]), lambda held: held["b"].append(1)),
    "a dictionary in order": plain(OrderedDict(a=1, b=2), lambda held: held.move_to_end("a")),
    "a counter": plain(Counter(a=1), lambda held: held.update("ab")),
    "a derived dictionary's attribute": case(Words(), lambda held: _set(held, "x", 1), lambda held: vars(held).copy()),
    "a derived tuple's attribute": case(Pair(), lambda held: _set(held, "x", 1), lambda held: vars(held).copy()),
    "what a tuple has": case(([1],), lambda held: held[0].append(2), lambda held: held[0][:]),
    "what a read-only dictionary has": case(
        MappingProxyType({1: [1]}), lambda held: held[1].append(2), lambda held: held[1][:]
    ),
    "an attribute": case(Attributes(), lambda held: _set(held, "x", 1), lambda held: vars(held).copy()),
    "a class": case(Attributes(), lambda _: Attributes.of_all.append(1), lambda _: Attributes.of_all[:]),
    "an attribute of a class": case(Attributes, lambda _: _set(Attributes, "number", 1), lambda _: Attributes.number),
    "a new attribute of a class": case(
        Attributes, lambda _: _set(Attributes, "more", 1), lambda _: hasattr(Attributes, "more")
    ),
    "a deleted attribute of a class": case(
        Attributes, lambda _: delattr(Attributes, "number"), lambda _: hasattr(Attributes, "number")
    ),
    "a class of classes": case(OfKind, lambda _: Kind.made.append(1), lambda _: Kind.made[:]),
    "a slot": case(Slots(), lambda held: _set(held, "full", 1), lambda held: held.shown()),
    "what a slot has": case(Slots(), lambda held: held.full.append(1), lambda held: [*held.full]),
    "an empty slot": case(Slots(), lambda held: _set(held, "empty", 1), lambda held: held.shown()),
    "a private slot": case(Slots(), lambda held: held.hide(), lambda held: str(held.shown())),
    "a global": (set_global, set_global, lambda: NUMBER),
    "what a global has": (append_to_global, append_to_global, LIST.copy),
    "a closure": (COUNT, COUNT, COUNTED),
    "a default": (with_default, lambda: with_default().append(1), lambda: with_default()[:]),
    "a keyword's default": (with_keyword, lambda: with_keyword().append(1), lambda: with_keyword()[:]),
    "a function's attribute": (
        with_attribute,
        lambda: _set(with_attribute, "x", 1),
        lambda: vars(with_attribute).copy(),
    ),
    "a cache": (cached, lambda: cached(1).append(2), lambda: cached(1)[:]),
    "a partial function's argument": case(
        functools.partial(print, [1]), lambda held: held.args[0].append(2), lambda held: held.args[0][:]
    ),
    "a method's object": case(
        Attributes(seen=[]).__init__, lambda held: held(seen=[1]), lambda held: str(vars(held.__self__))
    ),
    "a method in C's object": case([1].append, lambda held: held(2), lambda held: held.__self__[:]),
    "a property": case(property(append_to_global), lambda _: LIST.append(1), lambda _: LIST[:]),
    "a static method": case(staticmethod(append_to_global), lambda _: LIST.append(1), lambda _: LIST[:]),
    "an exception": case(ValueError(1), lambda held: _set(held, "x", 1), lambda held: vars(held).copy()),
    "an unseeded generator of chance": case(
        random.Random(), lambda held: _set(held, "gauss_next", 1.0), lambda held: held.gauss_next
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_as_it_was(name: str) -> None:
    found, change, look = CASES[name]
    before = look()
    kept = State(found)
    for _ in range(2):
        change()
        assert look() != before
        kept.restore()
        assert look() == before


def _generated() -> Iterator[int]:
    yield 1


class Extended(array.array):  # type: ignore[type-arg]  # a class of Python that holds what C code keeps
    pass


@pytest.mark.parametrize(
    ("held", "word"),
    [
        (_generated(), "generator"),
        (array.array("i"), "array"),
        (Extended("i"), "Extended"),
        (bytearray(), "bytearray"),
        (itertools.count(), "count"),
        (io.StringIO(), "StringIO"),
        (contextlib.closing(io.BytesIO()), "BytesIO"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_cannot_be_put_back_is_told(held: Any, word: str) -> None:
    with pytest.raises(CannotRestore, match=word):
        State(holding(held))


def test_more_than_is_worth_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MOST_PLACES", 10)
    with pytest.raises(CannotRestore, match="more than is worth"):
        State(holding([[number] for number in range(10)]))


@pytest.mark.parametrize("held", [1, "text", (1, frozenset([2])), operator.itemgetter(1), len, int])
def test_what_cannot_change_leaves_nothing_to_put_back(held: Any) -> None:
    assert State(functools.partial(len, held)).is_empty
