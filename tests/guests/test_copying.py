"""Guests whose modules are not run anew are copied with all that they hold: no request finds what another has left."""

import abc
import array
import asyncio
import dataclasses
import enum
import functools
import itertools
import queue
import threading
import time
import typing
from collections import deque
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from sim.engine.world import World
from sim.guests import copying, guest_of
from sim.guests.refused import GuestRefused
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse

ISOLATED = "{requests: {count: 3}, action: {script: [{outcome: success, latency: 5ms}]}, retrier: none}"
SHARED = """
world: shared
requests: {count: 3, arrivals: {constant: {rate: 1/s}}}
clients: {count: 3}
action: {service: api}
services: {api: {servers: 1, latency: 5ms}}
retrier: none
"""

LOG: list[int] = []
push = LOG.append
CONDITION = threading.Condition()
PLAIN_CONDITION = threading.Condition(threading.Lock())
QUEUE: queue.Queue[int] = queue.Queue()
FAST_QUEUE: queue.SimpleQueue[int] = queue.SimpleQueue()
FILLED: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
FILLED.put([])
TURN = asyncio.Lock()
LAST_TWO = deque([0, 0], maxlen=2)
READ_ONLY: MappingProxyType[str, list[int]] = MappingProxyType({"seen": []})
NUMBERS = array.array("i")
COUNTER = itertools.count(1)


def copied(found: Any) -> Any:
    """Return the copy of something, without the modules that its code imports as it runs."""
    return copying.copied(found)[0]


def _begun() -> typing.Iterator[int]:
    yield from range(100)


BEGUN = _begun()


class Plain:
    def note(self) -> int:
        LOG.append(1)
        return len(LOG)


class Base:
    total = 0
    seen: typing.ClassVar[list[int]] = []

    def note(self) -> int:
        self.seen.append(1)
        Base.total += 1
        return max(len(self.seen), Base.total)


class Derived(Base):
    def note(self) -> int:
        return super().note()


class Only:
    _only: Any = None

    def __new__(cls) -> Any:
        if cls._only is None:
            cls._only = super().__new__(cls)
            cls._only.notes = 0
        return cls._only


class Registering:
    kinds: typing.ClassVar[list[str]] = []

    def __init_subclass__(cls, tag: str, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.kinds.append(tag)


class Registered(Registering, tag="one"):
    notes: typing.ClassVar[list[int]] = []


@dataclasses.dataclass
class Settings:
    tries: int = 3
    seen: typing.ClassVar[list[int]] = []


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    tries: int = 3


class Pair(typing.NamedTuple):
    left: int = 1
    right: list[int] = []  # noqa: RUF012  # the default that all share is the point


class Abstract(abc.ABC):
    notes: typing.ClassVar[list[int]] = []

    @abc.abstractmethod
    def note(self) -> int: ...


class Concrete(Abstract):
    def note(self) -> int:
        self.notes.append(1)
        return len(self.notes)


class Stated:
    """It says itself what it has."""

    def __init__(self) -> None:
        self.notes: list[int] = []

    def __getstate__(self) -> list[int]:
        return self.notes

    def __setstate__(self, notes: list[int]) -> None:
        self.notes = notes


class Reduced:
    """It says itself how it is made."""

    seen: typing.ClassVar[list[int]] = []

    def __init__(self, notes: list[int]) -> None:
        self.notes = notes

    def __reduce__(self) -> tuple[Any, ...]:
        return Reduced, (self.notes,)


class InSlots:
    __slots__ = ("notes",)

    def __init__(self) -> None:
        self.notes: list[int] = []


IN_SLOTS = InSlots()
STATED = Stated()
REDUCED = Reduced([])
T = typing.TypeVar("T")


class Generic(typing.Generic[T]):
    notes: typing.ClassVar[list[T]] = []

    def note(self, one: T) -> int:
        self.notes.append(one)
        return len(self.notes)


class Light(enum.Enum):
    RED = 1
    GREEN = 2


LIGHT = Light.RED
OBJECT = Derived()


class Counting(type):
    made: typing.ClassVar[list[type]] = []

    def __call__(cls) -> Any:
        Counting.made.append(cls)
        return super().__call__()


class Counted(metaclass=Counting):
    pass


@functools.lru_cache(maxsize=3, typed=True)
def client(number: int) -> list[int]:
    """Make what all calls with a number share."""
    return [number] if number == 1 else client(1)


def plain_class() -> int:
    return Plain().note()


def inherited() -> int:
    return Derived().note()


def an_object_of_a_class() -> int:
    assert isinstance(OBJECT, Derived)
    return OBJECT.note()


def set_on_a_class() -> int:
    only = Only()
    only.notes += 1
    return int(only.notes)


def registered() -> int:
    Registered.notes.append(1)
    return max(len(Registered.notes), len(Registered.kinds))


def derived_later() -> int:
    class Later(Registering, tag="later"):
        pass

    return Registered.kinds.count("later")


def dataclass() -> int:
    settings = Settings()
    settings.seen.append(1)
    assert dataclasses.asdict(dataclasses.replace(settings, tries=4)) == {"tries": 4}
    return len(settings.seen)


def slots() -> int:
    return Slotted(4).tries - 3


def named_tuple() -> int:
    pair = Pair()
    pair.right.append(1)
    return max(len(pair.right), pair._replace(left=1).left)


def abstract() -> int:
    return Concrete().note()


def generic() -> int:
    return Generic[int]().note(1)


def enumeration() -> int:
    global LIGHT
    was, LIGHT = LIGHT, Light.GREEN
    assert Light(2) is LIGHT
    return 1 if was is Light.RED else 2


def method_in_c() -> int:
    push(1)
    return len(LOG)


def locks() -> int:
    with CONDITION:
        CONDITION.wait(0.01)
        CONDITION.notify_all()
    with PLAIN_CONDITION:
        PLAIN_CONDITION.wait(0.01)
    QUEUE.put(1)
    FAST_QUEUE.put(1)
    return max(QUEUE.qsize(), FAST_QUEUE.qsize())


def metaclass() -> int:
    Counted()
    return len(Counting.made)


def a_cached_function() -> int:
    client(2).append(0)
    assert client(1) is client(2)
    assert client.cache_info().currsize == 2
    assert client.cache_parameters() == {"maxsize": 3, "typed": True}
    return len(client(1)) - 1


def the_last_of_many() -> int:
    LAST_TWO.append(1)
    return sum(LAST_TWO) if len(LAST_TWO) == 2 else 0


def what_cannot_be_set() -> int:
    READ_ONLY["seen"].append(1)
    return len(READ_ONLY["seen"])


def what_a_queue_has() -> int:
    one = FILLED.get(timeout=1)
    one.append(1)
    FILLED.put(one)
    return len(one)


def with_a_state_of_its_own() -> int:
    STATED.notes.append(1)
    return len(STATED.notes)


def made_in_its_own_way() -> int:
    REDUCED.notes.append(1)
    REDUCED.seen.append(1)
    assert REDUCED.seen is Reduced.seen
    return max(len(REDUCED.notes), len(Reduced.seen))


def in_slots() -> int:
    IN_SLOTS.notes.append(1)
    return len(IN_SLOTS.notes)


def a_counter_of_c_code() -> int:
    return next(COUNTER)


def numbers_of_c_code() -> int:
    NUMBERS.append(1)
    return len(NUMBERS)


NOTES: list[Callable[[], int]] = [
    *(plain_class, inherited, an_object_of_a_class, set_on_a_class, registered, dataclass, slots, named_tuple),
    *(abstract, generic, enumeration, method_in_c, locks, metaclass, a_cached_function, the_last_of_many),
    *(what_cannot_be_set, what_a_queue_has, numbers_of_c_code, a_counter_of_c_code),
    *(derived_later, with_a_state_of_its_own, made_in_its_own_way, in_slots),
]


def _host() -> tuple[Any, ...]:
    lists = [LOG, Base.seen, Registered.notes, Settings.seen, Pair().right, Abstract.notes, Generic.notes]
    return (
        *map(list, lists),
        Base.total,
        vars(Only)["_only"],
        LIGHT,
        QUEUE.qsize(),
        FAST_QUEUE.qsize(),
        FILLED.qsize(),
        *map(list, (LAST_TWO, READ_ONLY["seen"], NUMBERS, Counting.made)),
        client.cache_info(),
        repr(COUNTER),
        *map(list, (STATED.notes, REDUCED.notes, Reduced.seen, IN_SLOTS.notes)),
        Registering.kinds[:],
    )


def _simulate(fetch: Any, scenario: str) -> None:
    world = World(parse(scenario), retrier=guest_of(fetch))
    requests = world.shared() if scenario is SHARED else world.isolated(range(3))
    assert [request.outcome for request in requests] == [Outcome.success] * 3


@pytest.mark.parametrize("scenario", [ISOLATED, SHARED], ids=["isolated", "shared"])
@pytest.mark.parametrize("note", NOTES, ids=lambda note: note.__name__)
def test_each_client_finds_what_its_guest_holds_as_it_was(note: Callable[[], int], scenario: str) -> None:
    def fetch(call: Any) -> None:
        notes = note()
        assert notes == 1, notes
        call(timeout=1)

    before = _host()
    _simulate(fetch, scenario)
    assert _host() == before


def test_a_lock_of_asyncio_that_a_module_holds_is_one_of_each_client() -> None:
    async def fetch(call: Any) -> None:
        async with TURN:
            await asyncio.sleep(0.01)
            await call(timeout=1)

    _simulate(fetch, SHARED)
    assert not TURN.locked()


def test_a_generator_that_has_begun_is_refused_with_its_name() -> None:
    def fetch(call: Any) -> None:
        time.sleep(next(BEGUN))
        call(timeout=1)

    with pytest.raises(GuestRefused, match="the generator _begun that has begun already"):
        _simulate(fetch, ISOLATED)


def test_a_copy_of_an_abstract_class_has_no_objects_either() -> None:
    with pytest.raises(TypeError, match="abstract"):
        copied(Abstract)()
    assert copied(Concrete)().note() == 1


ERRORS: list[int] = []


def _counted(count: list[int]) -> int:
    count.append(1)
    return len(count)


class ByGlobal(Exception):
    def note(self) -> int:
        ERRORS.append(1)
        return len(ERRORS)


class ByBase(ByGlobal):
    pass


class ByDefault(Exception):
    def note(self, count: list[int] = []) -> int:  # noqa: B006  # the default that all share is the point
        return _counted(count)


class ByKeyword(Exception):
    def note(self, *, count: list[int] = []) -> int:  # noqa: B006  # as above
        return _counted(count)


class ByProperty(Exception):
    @property
    def seen(self) -> list[int]:
        return ERRORS

    def note(self) -> int:
        return _counted(self.seen)


class ByCachedProperty(ByProperty):
    @functools.cached_property
    def more(self) -> list[int]:
        return ERRORS

    def note(self) -> int:
        return _counted(self.more)


class ByStaticMethod(Exception):
    @staticmethod
    def seen() -> list[int]:
        return ERRORS

    def note(self) -> int:
        return _counted(self.seen())


class ByTuple(Exception):
    seen = ([0][:0], 1)

    def note(self) -> int:
        return _counted(self.seen[0])


class ByAttributeOfAFunction(Exception):
    def note(self) -> int:
        count: list[int] = vars(type(self).note)["count"]
        return _counted(count)


vars(ByAttributeOfAFunction.note)["count"] = []
TOTAL = 0


class BySetting(Exception):
    def note(self) -> int:
        global TOTAL  # noqa: PLW0603  # as guests do
        TOTAL += 1
        return TOTAL


def by_closure() -> type[Exception]:
    count: list[int] = []

    class ByClosure(Exception):
        def note(self) -> int:
            return _counted(count)

    return ByClosure


REACHING: list[Any] = [
    *(ByGlobal, ByBase, ByDefault, ByKeyword, ByProperty, ByCachedProperty, ByStaticMethod, ByTuple, BySetting),
    *(ByAttributeOfAFunction, by_closure()),
]


@pytest.mark.parametrize("kind", REACHING, ids=lambda kind: kind.__name__)
def test_an_exception_that_reaches_what_can_change_is_copied(kind: Any) -> None:
    assert [copied(kind)().note(), copied(kind)().note()] == [1, 1]


def test_an_exception_that_reaches_nothing_is_the_one_that_all_know() -> None:
    class Throttled(Exception):
        status = 429
        codes = (429, frozenset([503]))
        words = MappingProxyType({429: "throttled"})

        def __init__(self, text: str, *, after_s: float = 1.5) -> None:
            super().__init__(text)
            self.after_s = after_s

        @property
        def again(self) -> Exception:
            return Throttled("again")

    assert copied(Throttled) is Throttled
