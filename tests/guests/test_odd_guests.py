"""Odd ways to keep a clock or a generator: each is answered by the simulation, or refused, and never asks the host."""

import contextvars
import ctypes
import dataclasses
import datetime
import enum
import functools
import importlib
import itertools
import operator
import os
import random
import time
import types
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from in_guest import START_S, seen_in_guest

from sim.guests import GuestRefused

CLOCKS = (time.monotonic, time.perf_counter)
TABLE = {"wall": [time.time, {"deep": (time.monotonic, "s")}]}


@dataclasses.dataclass
class Record:
    """With clocks as defaults."""

    at: float = dataclasses.field(default_factory=time.monotonic)
    day: datetime.datetime = dataclasses.field(default_factory=datetime.datetime.now)
    clock: Callable[[], float] = time.monotonic


class Slotted:
    """Keeps a clock in a slot."""

    __slots__ = ("clock",)

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock

    def __call__(self) -> float:
        return self.clock()


class Named(NamedTuple):
    """Keeps a clock in a field."""

    clock: Callable[[], float]


class Kind(enum.Enum):
    """Keeps a clock in a member."""

    MONOTONIC = (time.monotonic,)


class Attribute:
    """Keeps a clock in the class: a function in C is no method there."""

    clock = time.monotonic
    still = staticmethod(time.monotonic)

    def ask(self) -> float:
        return self.clock() + self.still() - Attribute.clock()


class Property:
    """Asks by a property."""

    @property
    def now(self) -> float:
        return time.monotonic()


class Meta(type):
    """Asks by a metaclass."""

    clock = time.monotonic

    def ask(cls) -> float:
        return cls.clock()


class Classy(metaclass=Meta):
    """Has that metaclass."""


KEPT = random.Random(3).random
SLOTTED = Slotted(time.monotonic)
NAMED = Named(time.monotonic)
Pair = namedtuple("Pair", "clock other")  # noqa: PYI024  # of its kind
PAIR = Pair(time.monotonic, None)
RECORD = Record()
SPACE = types.SimpleNamespace(clock=time.monotonic)


def keyword(*, clock: Callable[[], float] = time.monotonic) -> float:
    return clock()


def closure(clock: Callable[[], float]) -> Callable[[], float]:
    return lambda: clock()


CLOSED = closure(time.monotonic)


def timed(function: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> Callable[[], float]:
    @functools.wraps(function)
    def wrapper() -> float:
        function()
        return clock()

    return wrapper


@timed
def decorated() -> None:
    """Do nothing."""


@functools.lru_cache(maxsize=1)
def cached(clock: Callable[[], float]) -> float:
    return clock()


def generated() -> Iterator[float]:
    while True:
        yield time.monotonic()


def executed() -> float:
    names: dict[str, Any] = {}
    exec("from time import *\nseen = monotonic()", names)  # noqa: S102  # of its kind
    return float(names["seen"])


ODD: dict[str, Callable[[], Any]] = {
    "an item of a tuple": lambda: CLOCKS[0](),
    "an item of a tuple in a dictionary in a list": lambda: TABLE["wall"][1]["deep"][0](),  # type: ignore[index]
    "a default factory": lambda: Record().at,
    "a default of a dataclass": lambda: Record().clock(),
    "an attribute of an object": lambda: RECORD.clock(),
    "a slot": SLOTTED,
    "a field of a named tuple": lambda: NAMED.clock(),
    "a field of another named tuple": lambda: PAIR.clock(),
    "a member of an enumeration": lambda: Kind.MONOTONIC.value[0](),
    "an attribute of a class": lambda: Attribute().ask(),
    "a property": lambda: Property().now,
    "a metaclass": lambda: Classy.ask(),
    "a namespace": lambda: SPACE.clock(),
    "a keyword default": keyword,
    "a closure": CLOSED,
    "a lambda": lambda: time.monotonic(),
    "getattr": lambda: getattr(time, "mono" + "tonic")(),
    "the dictionary of the module": lambda: vars(time)["monotonic"](),
    "importlib": lambda: importlib.import_module("time").monotonic(),
    "methodcaller": lambda: operator.methodcaller("monotonic")(time),
    "attrgetter": lambda: operator.attrgetter("monotonic")(time)(),
    "a partial function": functools.partial(time.monotonic),
    "a partial function of a partial function": functools.partial(functools.partial(keyword)),
    "map": lambda: next(map(lambda clock: clock(), iter(CLOCKS))),  # noqa: C417  # of its kind
    "starmap": lambda: next(itertools.starmap(time.monotonic, [()])),
    "iter with a sentinel": lambda: next(iter(time.monotonic, None)),
    "a decorator": decorated,
    "a generator": lambda: next(generated()),
    "exec": executed,
    "eval": lambda: eval("time.monotonic()"),  # noqa: S307  # of its kind
    "its number": lambda: time.clock_gettime(1),
    "the times of the process": lambda: os.times().elapsed,
    "a cached function": lambda: cached.__wrapped__(time.monotonic),
}


@pytest.mark.parametrize("name", ODD)
def test_a_clock_is_simulated_wherever_it_is_kept(name: str) -> None:
    assert _later(ODD[name]) == 7.0


def _later(ask: Callable[[], Any]) -> Any:
    def body() -> Any:
        time.sleep(7)
        return ask()

    return seen_in_guest(body)


def test_a_date_is_simulated_as_a_default_factory() -> None:
    assert _later(lambda: Record().day) == datetime.datetime(2026, 1, 1, 0, 0, 7)


def test_a_generator_that_waits_between_its_values_waits_in_simulated_time() -> None:
    def waits() -> Iterator[float]:
        for seconds in (1, 2, 4):
            time.sleep(seconds)
            yield time.monotonic()

    assert seen_in_guest(lambda: list(waits())) == [1, 3, 7]


def test_a_task_with_a_context_of_its_own_has_the_clock_of_its_request() -> None:
    assert _later(lambda: contextvars.copy_context().run(time.monotonic)) == 7.0


def test_a_class_that_is_called_waits_between_its_tries() -> None:
    class Tries:
        def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
            self.sleep = sleep

        def __call__(self) -> float:
            self.sleep(3)
            return time.time()

    assert seen_in_guest(Tries()) == START_S + 3


def test_a_generator_of_random_is_the_request_s_in_a_frozen_dataclass_and_in_a_closure() -> None:
    @dataclasses.dataclass(frozen=True)
    class Frozen:
        draw: Callable[[], float] = random.random

    assert seen_in_guest(Frozen().draw) == seen_in_guest(lambda: KEPT()) == seen_in_guest(random.random)


@pytest.mark.slow
def test_pandas_tells_simulated_time() -> None:
    pandas = pytest.importorskip("pandas")
    assert _later(lambda: str(pandas.Timestamp.now())) == "2026-01-01 00:00:07"
    assert _later(lambda: str(pandas.Timestamp("now"))) == "2026-01-01 00:00:07"
    assert _later(lambda: str(pandas.Timestamp.now("UTC"))) == "2026-01-01 00:00:07+00:00"
    assert _later(lambda: str(pandas.Timestamp.today())) == "2026-01-01 00:00:07"


HOLDERS: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: {time.time}, "a set in {} holds time.time"),
        pytest.param(
            lambda: frozenset([time.monotonic]), "a frozenset in {} holds time.monotonic", marks=pytest.mark.slow
        ),
        pytest.param(
            lambda: {random.random: 1}, "the keys of a dictionary in {} holds random.random", marks=pytest.mark.slow
        ),
        pytest.param(
            lambda: contextvars.ContextVar("clock", default=time.monotonic),
            "ContextVar in {} holds time.monotonic",
            marks=pytest.mark.slow,
        ),
        pytest.param(lambda: {datetime.datetime.now}, "a set in {} holds datetime.now", marks=pytest.mark.slow),
    ],
)
def test_a_function_kept_where_nothing_can_be_exchanged_is_refused_by_its_name(
    make: Callable[[], Any], words: str
) -> None:
    HOLDERS["held"] = make()
    with pytest.raises(GuestRefused) as caught:
        seen_in_guest(lambda: None)
    assert words.format(f"{__name__}.HOLDERS") in str(caught.value)
    assert "keep it in a name" in str(caught.value)
    HOLDERS.clear()
    assert seen_in_guest(lambda: 1) == 1


# Known limits, stated in `sim.guests.clocks`: what asks the operating system in C cannot be reached.


def test_limit_numpy_asks_the_operating_system_for_now() -> None:
    assert _later(lambda: np.datetime64("now")) != np.datetime64("2026-01-01T00:00:07")


def test_limit_ctypes_asks_the_operating_system() -> None:
    library = ctypes.CDLL(None)
    assert _later(lambda: library.time(None)) != START_S + 7


def test_limit_code_in_an_empty_context_is_taken_for_the_host_s() -> None:
    assert _later(lambda: contextvars.Context().run(time.monotonic)) != 7.0
