"""Chance inside guests comes from the request's own sequence, however code asks for it."""

import os
import random
import secrets
import ssl
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from random import choice, gauss, randint, seed, uniform
from random import random as draw
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_guest import START_S, draws_of, seen_in_async_guests, seen_in_guest, seen_in_guests

from sim.guests import GuestRefused, tokens
from sim.guests.standard_library import simulated

SEEDED = random.Random(42)
"""Made and seeded by the host."""
KEPT = SEEDED.random, SEEDED.uniform, SEEDED.gauss, SEEDED.getrandbits, SEEDED.seed
ARRAYS = np.random.default_rng(7)
KEPT_ARRAYS = ARRAYS.uniform
LEGACY = np.random.RandomState(7)


@pytest.fixture(autouse=True, scope="module")
def _one_session() -> Iterator[None]:
    """Exchange everything once for all tests of this file."""
    with simulated():
        yield


@pytest.fixture(autouse=True)
def _untouched() -> Iterator[None]:
    """No test changes a generator of the host."""
    before = states()
    yield
    assert states() == before


def states() -> Any:
    kind, keys, *rest = np.random.get_state()
    return (
        *(random.getstate(), SEEDED.getstate(), ARRAYS.bit_generator.state),
        *(kind, list(keys), rest, list(LEGACY.get_state()[1])),
    )


class Reference(random.Random):
    """Draws the numbers of a list, and whole numbers as their share of a limit; all else as the class does."""

    def __init__(self, numbers: list[float]) -> None:
        super().__init__(0)
        self.numbers = iter(numbers)

    def random(self) -> float:
        return next(self.numbers)

    def _randbelow(self, n: int) -> int:
        return int(self.random() * n)


def default(rand: Callable[[], float] = random.random) -> float:
    return rand()


FORMULAS: list[Callable[[Any], Any]] = [
    lambda r: r.random(),
    lambda r: r.uniform(2, 5),
    lambda r: r.triangular(1, 5, 2),
    lambda r: r.expovariate(3),
    lambda r: r.betavariate(2, 3),
    lambda r: r.gammavariate(2, 3),
    lambda r: r.normalvariate(1, 2),
    lambda r: r.lognormvariate(0, 1),
    lambda r: [r.gauss(0, 1), r.gauss(0, 1), r.gauss(0, 1)],
    lambda r: r.vonmisesvariate(1, 2),
    lambda r: r.paretovariate(3),
    lambda r: r.weibullvariate(1, 2),
    lambda r: r.randint(1, 6),
    lambda r: r.randrange(0, 100, 7),
    lambda r: r.choice("abcdef"),
    lambda r: r.choices("abcdef", [1, 2, 3, 4, 5, 6], k=4),
    lambda r: r.sample(range(50), 5),
    lambda r: shuffled(r),
]


def shuffled(r: Any) -> list[int]:
    items = list(range(10))
    r.shuffle(items)
    return items


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("generator", [random, SEEDED], ids=["module", "host's"])
def test_a_generator_follows_the_formulas_of_its_class_from_the_numbers_of_the_request(
    formula: Callable[[Any], Any], generator: Any
) -> None:
    numbers = seen_in_guest(lambda: [random.random() for _ in range(100)])
    assert seen_in_guest(partial(formula, generator)) == formula(Reference(numbers))


def test_the_history_has_each_number_that_random_returns() -> None:
    seen: list[float] = []
    assert draws_of(lambda: seen.extend(random.random() for _ in range(5))) == seen
    assert len(set(seen)) == 5


@pytest.mark.parametrize(
    "ask", [draw, default, partial(draw), SEEDED.random, KEPT[0], random.SystemRandom().random, random.Random().random]
)
def test_a_copy_of_random_draws_the_very_number_of_the_request(ask: Callable[[], float]) -> None:
    assert seen_in_guest(ask) == seen_in_guest(random.random)


def test_names_imported_before_draw_by_the_same_formulas() -> None:
    names = lambda: (uniform(1, 2), randint(1, 6), choice("abc"), gauss(0, 1), gauss(0, 1))  # noqa: E731  # as the next
    attributes = lambda: (  # noqa: E731  # once by name, once by module
        *(random.uniform(1, 2), random.randint(1, 6), random.choice("abc"), random.gauss(0, 1), random.gauss(0, 1)),
    )
    assert seen_in_guests(names) == seen_in_guests(attributes)


@given(st.integers(1, 2**60), st.floats(0, 1, exclude_max=True))
def test_a_whole_number_below_a_limit_is_its_share_of_the_draw(limit: int, number: float) -> None:
    from sim.guests.randomness import below

    class Fixed:
        def uniform(self) -> float:
            return number

    found = below(Fixed(), limit)  # type: ignore[arg-type]
    assert 0 <= found < limit
    assert limit > 2**53 or found == int(number * limit)


@given(st.integers(0, 300), st.floats(0, 1, exclude_max=True))
def test_bits_are_as_many_as_asked_for_at_most(count: int, number: float) -> None:
    from sim.guests.randomness import bits

    class Fixed:
        def uniform(self) -> float:
            return number

    assert 0 <= bits(Fixed(), count) < 2**count  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [-1, "8", 1.5, None])
@pytest.mark.parametrize(
    "ask", [random.getrandbits, random.randbytes, os.urandom, secrets.token_bytes, random.randrange]
)
def test_a_wrong_number_of_bits_is_wrong_inside_too(ask: Any, wrong: Any) -> None:
    def error() -> str:
        try:
            ask(wrong)
        except Exception as error:  # noqa: BLE001  # its class is looked at
            return type(error).__name__
        return "none"

    assert seen_in_guest(error) == error()


# Seeds.


def after(reseed: Callable[[Any], Any], generator: Any) -> list[Any]:
    reseed(7)
    floats = [generator.random(), generator.uniform(1, 2), generator.gauss(0, 1), generator.gauss(0, 1)]
    return [
        *floats,
        generator.getrandbits(70),
        generator.randrange(1000),
        generator.choice("abcd"),
        generator.randbytes(3),
    ]


@pytest.mark.parametrize(
    ("reseed", "generator"),
    [(random.seed, random), (seed, random), (SEEDED.seed, SEEDED), (KEPT[-1], SEEDED)],
    ids=["module", "name", "host's", "kept"],
)
def test_a_generator_of_the_host_that_a_guest_seeds_goes_its_own_way_in_each_request(
    reseed: Any, generator: Any
) -> None:
    own = random.Random()
    expected = after(own.seed, own)
    assert seen_in_guests(lambda: after(reseed, generator)) == [expected] * 4
    assert draws_of(lambda: after(reseed, generator)) == []


def test_a_generator_that_a_guest_makes_with_a_seed_goes_its_own_way() -> None:
    own = random.Random(7)
    expected = [own.random(), own.gauss(0, 1), own.random(), own.gauss(0, 1), own.getrandbits(64)]

    def body() -> list[Any]:
        made = random.Random(7)
        return [made.random(), made.gauss(0, 1), made.random(), made.gauss(0, 1), made.getrandbits(64)]

    assert seen_in_guests(body) == [expected] * 4


def test_without_a_seed_or_with_none_again_the_request_answers() -> None:
    def body() -> list[float]:
        made = random.Random()
        first = made.random()
        made.seed(5)
        made.random()
        made.seed()
        random.seed(5)
        random.seed(None)
        return [first, made.random(), random.random()]

    assert seen_in_guest(body) == seen_in_guest(lambda: [random.random() for _ in range(3)])


def test_a_derived_class_that_draws_by_itself_is_left_alone() -> None:
    assert seen_in_guest(lambda: [Reference([0.25]).uniform(0, 4), Reference([0.55]).randrange(10)]) == [1.0, 5]


class Derived(random.Random):
    """Adds to what it is derived from."""

    def half(self) -> float:
        return self.random() / 2


def test_a_derived_class_draws_the_numbers_of_the_request() -> None:
    assert seen_in_guest(lambda: Derived().half() * 2) == seen_in_guest(random.random)
    assert seen_in_guest(lambda: Derived(3).half() * 2) == random.Random(3).random()


def test_a_wrong_seed_changes_nothing() -> None:
    def body() -> float:
        with pytest.raises(TypeError):
            random.seed([])  # type: ignore[arg-type]
        with pytest.raises((TypeError, ValueError)):
            random.setstate((1, 2, 3))
        return random.random()

    assert seen_in_guest(body) == seen_in_guest(random.random)


def test_the_second_value_of_gauss_does_not_get_into_the_next_request() -> None:
    one = seen_in_guests(lambda: random.gauss(0, 1))
    assert one == [seen_in_guests(lambda: random.gauss(0, 1), [request])[0] for request in range(4)]


def test_a_state_that_is_put_back_draws_on() -> None:
    def body() -> list[float]:
        state = random.getstate()
        random.seed(1)
        first = random.random()
        kept = random.getstate()
        second = random.random()
        random.setstate(kept)
        again = random.random()
        random.setstate(state)
        return [first, second - again, random.random()]

    assert seen_in_guest(body) == [random.Random(1).random(), 0.0, seen_in_guest(random.random)]


def test_a_state_with_the_other_value_of_gauss_keeps_it() -> None:
    def body() -> list[float]:
        random.gauss(0, 1)
        state = random.getstate()
        random.seed(1)
        random.setstate(state)
        return [random.gauss(0, 1)]

    assert seen_in_guest(body) == [seen_in_guest(lambda: [random.gauss(0, 1) for _ in "ab"])[1]]


def test_a_generator_cannot_be_put_back_to_numbers_that_the_request_has_drawn() -> None:
    def body() -> None:
        state = random.getstate()
        random.random()
        random.setstate(state)

    with pytest.raises(GuestRefused, match=r"sets back its generator .* \(.*test_randomness\.py:\d+\)"):
        seen_in_guest(body)


# What asks the operating system.


@pytest.mark.parametrize(
    "ask",
    [
        uuid.uuid4,
        uuid.uuid1,
        lambda: os.urandom(20),
        lambda: os.getrandom(20),
        lambda: ssl.RAND_bytes(20),
        secrets.token_bytes,
        secrets.token_hex,
        secrets.token_urlsafe,
        lambda: secrets.randbelow(10**12),
        lambda: secrets.choice(range(10**9)),
        lambda: secrets.randbits(70),
        lambda: secrets.SystemRandom().getrandbits(70),
        lambda: random.SystemRandom().randbytes(9),
    ],
)
def test_a_token_is_the_request_s_own(ask: Callable[[], Any]) -> None:
    seen = seen_in_guests(ask)
    assert len(set(seen)) == 4
    assert seen_in_guests(ask, [3, 1]) == [seen[3], seen[1]]
    assert ask() not in seen


def test_a_request_s_tokens_differ() -> None:
    assert len(set(seen_in_guest(lambda: [ask() for ask in (uuid.uuid4, uuid.uuid1) * 50]))) == 100


def test_uuids_are_of_their_version_and_of_the_simulated_time() -> None:
    one, four, of_name = seen_in_guest(lambda: (uuid.uuid1(), uuid.uuid4(), uuid.uuid5(uuid.NAMESPACE_URL, "a")))
    assert (one.version, one.variant, one.time) == (1, uuid.RFC_4122, START_S * 10**7 + 0x01B21DD213814000)
    assert (four.version, four.variant) == (4, uuid.RFC_4122)
    assert of_name == uuid.uuid5(uuid.NAMESPACE_URL, "a")
    assert seen_in_guest(lambda: (uuid.uuid1(5, 6).node, uuid.uuid1(5, 6).clock_seq)) == (5, 6)
    assert seen_in_guest(uuid.getnode) == 0x020000000001


@pytest.mark.parametrize(("version", "make"), [(6, tokens.version_6), (7, tokens.version_7)])
def test_newer_uuids_sort_by_simulated_time(version: int, make: Any) -> None:
    class At:
        def __init__(self, now_ns: int) -> None:
            self.now = now_ns

        def now_ns(self) -> int:
            return self.now

        def uniform(self) -> float:
            return 1 - 2**-53

    made = [make(At(ms * 10**6)) for ms in range(5)]
    assert made == sorted(set(made))
    assert {(one.version, one.variant) for one in made} == {(version, uuid.RFC_4122)}
    if version == 7:
        assert [one.int >> 80 for one in made] == [START_S * 1000 + ms for ms in range(5)]


@pytest.mark.skipif(not hasattr(uuid, "uuid7"), reason="Python has no newer UUIDs before 3.14")
def test_python_s_own_newer_uuids_are_simulated() -> None:
    assert seen_in_guests(lambda: uuid.uuid7()) == seen_in_guests(lambda: uuid.uuid7())  # type: ignore[attr-defined]


# NumPy.


@pytest.mark.parametrize(
    "ask",
    [
        lambda: np.random.random(),
        lambda: np.random.uniform(1, 2),
        lambda: np.random.exponential(2.0),
        lambda: np.random.randint(10**9),
        lambda: np.random.rand(3).tolist(),
        lambda: np.random.choice(10**9),
        lambda: np.random.permutation(9).tolist(),
        partial(np.random.normal, 1.0),
        lambda: np.random.default_rng().random(),
        lambda: np.random.RandomState().uniform(),
        lambda: np.random.SeedSequence().entropy,
        lambda: np.random.Generator(np.random.PCG64()).integers(10**9),
        lambda: np.random.Generator(np.random.MT19937()).normal(),
        lambda: np.random.Philox().random_raw(),
        lambda: ARRAYS.random(),
        lambda: ARRAYS.integers(10**9),
        lambda: KEPT_ARRAYS(1, 2),
        lambda: ARRAYS.bit_generator.random_raw(),
        lambda: LEGACY.uniform(),
        lambda: LEGACY.choice(10**9),
    ],
)
def test_chance_of_numpy_is_the_request_s_own(ask: Callable[[], Any]) -> None:
    seen = seen_in_guests(ask)
    assert len({str(one) for one in seen}) == 4
    assert seen_in_guests(ask, [3, 1]) == [seen[3], seen[1]]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: np.random.default_rng(5).random(9).tolist(),
        lambda: np.random.RandomState(5).standard_normal(9).tolist(),
        lambda: np.random.Generator(np.random.Philox(5)).integers(99, size=9).tolist(),
        lambda: np.random.default_rng(5).spawn(1)[0].random(),
    ],
)
def test_a_generator_of_numpy_that_a_guest_makes_with_a_seed_goes_its_own_way(ask: Callable[[], Any]) -> None:
    assert seen_in_guests(ask) == [ask()] * 4


def test_a_guest_seeds_numpy_for_its_request_only() -> None:
    def body() -> list[float]:
        np.random.seed(5)
        state = np.random.get_state()
        first = np.random.uniform()
        np.random.set_state(state)
        return [first, np.random.uniform(), np.random.standard_normal()]

    own = np.random.RandomState(5)
    first = own.uniform()
    assert seen_in_guests(body) == [[first, first, own.standard_normal()]] * 4


def test_a_generator_of_numpy_draws_on_within_a_request() -> None:
    assert (
        len(set(seen_in_guest(lambda: [np.random.uniform() for _ in range(9)] + [ARRAYS.random() for _ in range(9)])))
        == 18
    )


# Requests.


def mixed() -> list[Any]:
    return [random.random(), uuid.uuid4(), secrets.token_hex(3), random.gauss(0, 1), np.random.uniform()]


async def mixed_async() -> list[Any]:
    return mixed()


def test_what_a_request_draws_does_not_depend_on_the_others_nor_on_their_order() -> None:
    whole = seen_in_guests(mixed)
    assert seen_in_guests(mixed, [3, 0, 2, 1]) == [whole[3], whole[0], whole[2], whole[1]]
    assert seen_in_guests(mixed, [2]) == [whole[2]]
    assert seen_in_async_guests(mixed_async) == whole
