"""Random numbers by address: good numbers, and always the same ones."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator, Philox
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from sim.kernel.choices import WORLD
from sim.kernel.draws import BLOCK, BLOCKS_MAX, INDEX_MAX, PATIENCE, RUN, Draws, stream_key

Floats = NDArray[np.float64]

IMPROBABLE = 1e-4
"""A test statistic beyond this quantile, at either end, is a defect; all seeds are fixed, so none is met by chance."""

MANY = 1 << 16
SOME = 1 << 13


def along_seed(at: int, count: int) -> Floats:
    return np.array([Draws(at + step).uniform("latency", 7, 1) for step in range(count)])


def along_replication(at: int, count: int) -> Floats:
    return np.array([Draws(5, at + step).uniform("latency", 7, 1) for step in range(count)])


def along_stream(at: int, count: int) -> Floats:
    draws = Draws(5)
    return np.array([draws.uniform(f"weather.{at + step}", 7, 1) for step in range(count)])


def along_entity(at: int, count: int) -> Floats:
    return Draws(5).uniforms("latency", np.arange(at, at + count), 1)


def along_index(at: int, count: int) -> Floats:
    draws = Draws(5)
    return np.array([draws.uniform("latency", 7, at + step) for step in range(count)])


def along_rerun(at: int, count: int) -> Floats:
    draws = Draws(5)
    return np.array([draws.uniform("latency", 7, 1, at + step) for step in range(count)])


def along_control(at: int, count: int) -> Floats:
    return Generator(Philox(key=at)).random(count)


ALONG = {
    "seed": (along_seed, SOME),
    "replication": (along_replication, SOME),
    "stream": (along_stream, SOME),
    "entity": (along_entity, MANY),
    "index": (along_index, SOME),
    "rerun": (along_rerun, SOME),
    "control": (along_control, MANY),
}


def with_seed(part: int) -> Floats:
    return Draws(part).uniforms("latency", np.arange(MANY), 1)


def with_replication(part: int) -> Floats:
    return Draws(5, part).uniforms("latency", np.arange(MANY), 1)


def with_stream(part: int) -> Floats:
    return Draws(5).uniforms(f"weather.{part}", np.arange(MANY), 1)


def with_index(part: int) -> Floats:
    return Draws(5).uniforms("latency", np.arange(MANY), part)


def with_rerun(part: int) -> Floats:
    return Draws(5).uniforms("latency", np.arange(MANY), 1, part)


def with_entity(part: int) -> Floats:
    return Draws(5).uniforms("latency", np.arange(MANY) + part * MANY, 1)


def with_control(part: int) -> Floats:
    return Generator(Philox(key=part)).random(MANY)


WITH = {
    "seed": with_seed,
    "replication": with_replication,
    "stream": with_stream,
    "entity": with_entity,
    "index": with_index,
    "rerun": with_rerun,
    "control": with_control,
}


def plausible(p_value: float) -> bool:
    return IMPROBABLE < p_value < 1 - IMPROBABLE


def evenness(counts: NDArray[np.int64]) -> float:
    """Return the p-value of Pearson's chi-square test that all cells are equally likely."""
    expected = counts.sum() / counts.size
    return float(chdtrc(counts.size - 1, ((counts - expected) ** 2 / expected).sum()))


def evenness_of_pairs(first: Floats, second: Floats, cells: int) -> float:
    pairs = (first * cells).astype(np.int64) * cells + (second * cells).astype(np.int64)
    return evenness(np.bincount(pairs, minlength=cells * cells))


def correlation(first: Floats, second: Floats) -> float:
    """Return the coefficient in units of its standard error under independence."""
    return float(np.corrcoef(first, second)[0, 1] * np.sqrt(len(first)))


@pytest.mark.parametrize("part", ALONG)
def test_numbers_along_one_part_are_uniform(part: str) -> None:
    along, count = ALONG[part]
    counts = np.bincount((along(0, count) * 128).astype(np.int64), minlength=128)
    assert plausible(evenness(counts))


@pytest.mark.parametrize("part", ALONG)
def test_low_bits_along_one_part_are_uniform(part: str) -> None:
    along, count = ALONG[part]
    low = (along(0, count) * 2.0**53).astype(np.int64) & 127
    assert plausible(evenness(np.bincount(low, minlength=128)))


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 7, 8, 16, 64])
@pytest.mark.parametrize("part", ALONG)
def test_numbers_along_one_part_are_uncorrelated(part: str, lag: int) -> None:
    along, count = ALONG[part]
    numbers = along(0, count)
    assert abs(correlation(numbers[:-lag], numbers[lag:])) < -ndtri(IMPROBABLE / 2)


@pytest.mark.parametrize("part", ALONG)
def test_neighbors_along_one_part_fill_the_square_evenly(part: str) -> None:
    along, count = ALONG[part]
    numbers = along(0, count)
    assert plausible(evenness_of_pairs(numbers[::2], numbers[1::2], 16))


@pytest.mark.parametrize("part", WITH)
def test_sequences_that_differ_in_one_part_fill_the_square_evenly(part: str) -> None:
    sequence = WITH[part]
    assert plausible(evenness_of_pairs(sequence(0), sequence(1), 32))


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("part", WITH)
def test_sequences_that_differ_in_one_part_are_uncorrelated_at_any_shift(part: str, shift: int) -> None:
    sequence = WITH[part]
    pairs = [(0, 1), (1, 2), (2, 3), (1, 1025)]
    got = [abs(correlation(sequence(first), np.roll(sequence(second), shift))) for first, second in pairs]
    assert max(got) < -ndtri(IMPROBABLE / 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(lambda: Draws(3, 4), lambda: Draws(4, 3), id="seed and replication"),
        pytest.param(lambda: Draws(3, 0), lambda: Draws(0, 3), id="seed and no replication"),
        pytest.param(lambda: Draws(2**64 - 1, 0), lambda: Draws(0, 0), id="last and first seed"),
    ],
)
def test_parts_do_not_stand_for_each_other(one: Callable[[], Draws], other: Callable[[], Draws]) -> None:
    entities = np.arange(MANY)
    assert np.intersect1d(one().uniforms("death", entities), other().uniforms("death", entities)).size == 0


def test_index_and_rerun_do_not_stand_for_each_other() -> None:
    draws, entities = Draws(0), np.arange(MANY)
    assert np.intersect1d(draws.uniforms("death", entities, 2, 1), draws.uniforms("death", entities, 1, 2)).size == 0


def splitmix64(state: int) -> int:
    """Return the first output of the published generator (Steele, Lea, Flood 2014) from a state."""
    mask = 2**64 - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31)


Address = tuple[int, int, str, int, int, int]


def expected_number(address: Address) -> float:
    """Spell out the address: each part chooses an output of the generator started from what came before."""
    seed, replication, stream, entity, index, rerun = address
    key = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big")
    state = 0
    for part in (seed, replication, key, index, rerun, entity):
        state = splitmix64((state + part * 0x9E3779B97F4A7C15) % 2**64)
    return (state >> 11) * 2.0**-53


def test_the_finalizer_is_the_published_one() -> None:
    state, got = 1234567, []
    for _ in range(3):
        got.append(splitmix64(state))
        state = (state + 0x9E3779B97F4A7C15) % 2**64
    assert got == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ((0, 0, "latency", 0, 0, 0), 0.18810725837429132),
        ((20261123, 0, "outcome", 19999, 3, 0), 0.14333670044365543),
        ((1, 2, "poll_jitter", 4096, 40, 5), 0.32952134464120564),
        ((2**64 - 1, 99, "weather.0", WORLD, 1000, 0), 0.9216172066610936),
    ],
)
def test_golden_numbers(address: Address, expected: float) -> None:
    assert Draws(*address[:2]).uniform(*address[2:]) == expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("latency", 0x3FDB7E873DB12844),
        ("outcome", 0x25A63E52A98F6FDA),
        ("death", 0x52C8E02987CCB1B0),
        ("permanent", 0x0DD1B6D5C52EEC73),
        ("arrival", 0x2BA137BA3DF58BA7),
        ("phase", 0x02195B8E989603E4),
        ("weather.0", 0x7ED62433A30BDA57),
        ("action_jitter", 0x07730360F77C3D30),
        ("poll_jitter", 0x4A1F4CE48C000299),
        ("backoff", 0x42B6C4780790021C),
        ("heartbeat", 0x6B20E9B742E448A5),
    ],
)
def test_golden_stream_keys(stream: str, expected: int) -> None:
    assert stream_key(stream) == expected


addresses = st.tuples(
    st.integers(0, 2**64 - 1),
    st.integers(0, 10**6),
    st.text(max_size=20),
    st.integers(-1, 10**8),
    st.integers(0, 10**6),
    st.integers(0, 100),
)


@given(addresses)
def test_a_number_is_a_function_of_its_address(address: Address) -> None:
    assert Draws(*address[:2]).uniform(*address[2:]) == expected_number(address)


class Milliseconds:
    """A law whose delays show the uniforms they come from."""

    def sample_ns(self, uniforms: Floats) -> NDArray[np.int64]:
        return np.rint(np.exp(uniforms) * 1e12).astype(np.int64)


@pytest.mark.parametrize("entity", [0, 1, BLOCK - 1, BLOCK, 5 * BLOCK + 17])
def test_block_path_and_scalar_path_give_the_same_uniform(entity: int) -> None:
    draws = Draws(11)
    single = draws.uniform("latency", entity, 2)
    for _ in range(PATIENCE):
        draws.uniform("latency", entity, 2)
    from_block = draws.uniform("latency", entity, 2)
    (at_once,) = draws.uniforms("latency", np.array([entity]), 2)
    assert (single, single) == (from_block, at_once)


@pytest.mark.parametrize("entity", [0, 1, BLOCK - 1, BLOCK, 5 * BLOCK + 17])
def test_block_path_and_scalar_path_give_the_same_delay(entity: int) -> None:
    delay = Draws(11).delays(Milliseconds(), "latency")
    assert len({delay(entity, 2, 0) for _ in range(PATIENCE + 5)}) == 1


def test_a_delay_is_the_transform_of_the_uniform_at_its_address() -> None:
    draws, law = Draws(11), Milliseconds()
    delay = draws.delays(law, "latency")
    got = [delay(entity, 3, 0) for entity in range(100)]
    assert got == law.sample_ns(draws.uniforms("latency", np.arange(100), 3)).tolist()


@given(
    entity=st.sampled_from([-3, -2, WORLD, 0, 5, BLOCK + 1]),
    indexes=st.lists(st.integers(0, 3 * RUN) | st.integers(2**40, 2**40 + RUN), min_size=1, max_size=30),
)
def test_an_entity_that_is_asked_for_many_delays_gets_those_of_its_addresses(entity: int, indexes: list[int]) -> None:
    draws, law = Draws(11), Milliseconds()
    delay = draws.delays(law, "latency")
    got = [delay(entity, index, 0) for index in indexes * (PATIENCE + 1)]
    alone = [draws.uniform("latency", entity, index) for index in indexes]
    assert got == law.sample_ns(np.array(alone)).tolist() * (PATIENCE + 1)


@pytest.mark.parametrize(("entity", "first"), [(-2, 0), (3, INDEX_MAX)])
def test_delays_of_one_entity_are_soon_made_many_at_once(entity: int, first: int) -> None:
    made = []

    class Counted(Milliseconds):
        def sample_ns(self, uniforms: Floats) -> NDArray[np.int64]:
            made.append(len(uniforms))
            return super().sample_ns(uniforms)

    delay = Draws(11).delays(Counted(), "latency")
    for index in range(first, first + 200):
        delay(entity, index, 0)
    assert made == [1] * PATIENCE + [RUN]


def test_unsigned_and_signed_entities_are_the_same() -> None:
    draws = Draws(1)
    got = draws.uniforms("phase", np.array([0, 7], dtype=np.uint64))
    assert got.tolist() == draws.uniforms("phase", np.array([0, 7], dtype=np.int64)).tolist()


def test_the_world_has_numbers_of_its_own() -> None:
    draws = Draws(1)
    (got,) = draws.uniforms("weather.0", np.array([WORLD]), 4)
    assert got == draws.uniform("weather.0", WORLD, 4)


def test_eviction_changes_nothing() -> None:
    draws, fresh = Draws(7), Draws(7)
    entities = [number * BLOCK + step for number in range(BLOCKS_MAX + 40) for step in range(PATIENCE + 2)]
    first = [draws.uniform("outcome", entity) for entity in entities]
    again = [draws.uniform("outcome", entity) for entity in entities]
    assert first == again == fresh.uniforms("outcome", np.array(entities)).tolist()


def test_memory_is_bounded() -> None:
    draws = Draws(7)
    delay = draws.delays(Milliseconds(), "latency")
    for number in range(BLOCKS_MAX):
        for _ in range(PATIENCE + 1):
            draws.uniform("outcome", number * BLOCK)
            delay(number * BLOCK, 0, 0)
    assert len(draws._blocks) == BLOCKS_MAX  # noqa: SLF001  # what it holds cannot be seen from outside


def test_few_entities_fill_no_block() -> None:
    draws = Draws(7)
    for index in range(INDEX_MAX):
        for entity in range(PATIENCE):
            draws.uniform("outcome", entity, index)
    assert len(draws._blocks) == 0  # noqa: SLF001  # as above


USES = [(entity, index) for entity in (0, 1, 2, BLOCK, BLOCK + 1, WORLD) for index in (0, 1, 70)]


@settings(max_examples=30)
@given(order=st.permutations(USES))
def test_order_of_use_changes_nothing(order: list[tuple[int, int]]) -> None:
    draws = Draws(9)
    delay = draws.delays(Milliseconds(), "latency")
    got = {}
    for entity, index in order * (PATIENCE + 1):
        got[entity, index] = (draws.uniform("latency", entity, index), delay(entity, index, 0))
    fresh = Draws(9)
    exact = fresh.delays(Milliseconds(), "latency")
    expected = {(e, i): (fresh.uniform("latency", e, i), exact(e, i, 0)) for e, i in sorted(got)}
    assert got == expected


def test_a_law_bound_again_is_the_same_function() -> None:
    draws, law = Draws(1), Milliseconds()
    assert draws.delays(law, "latency") is draws.delays(law, "latency")


def test_two_laws_at_one_stream_do_not_mix() -> None:
    class Constant:
        def sample_ns(self, uniforms: Floats) -> NDArray[np.int64]:
            return np.full(uniforms.shape, 3, dtype=np.int64)

    draws = Draws(1)
    moving, still = draws.delays(Milliseconds(), "latency"), draws.delays(Constant(), "latency")
    got = [(moving(entity, 0, 0) > 3, still(entity, 0, 0)) for entity in range(PATIENCE + 10)]
    assert got == [(True, 3)] * (PATIENCE + 10)


@pytest.mark.parametrize(("seed", "replication"), [(-1, 0), (2**64, 0), (0, -1)])
def test_a_seed_or_replication_out_of_range_is_refused(seed: int, replication: int) -> None:
    with pytest.raises(ValueError, match=r"seed|replication"):
        Draws(seed, replication)
