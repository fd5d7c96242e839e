"""Packed columns come back exactly, take little room, and are refused if they cannot be unpacked."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.history import packing
from sim.history.packing import Packed, WrongPacking, check, counts, pack, unpack


def alone(name: str) -> Any:
    raise KeyError(name)


def back(values: NDArray[Any]) -> NDArray[Any]:
    packed = pack(values)
    check(packed)
    return unpack(packed, alone)


@st.composite
def columns(draw: st.DrawFn) -> NDArray[Any]:
    """Draw whole numbers of which most are near one another and a few anywhere."""
    kind = draw(st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u4", "u8"]))
    limits = np.iinfo(kind)
    anywhere = st.integers(int(limits.min), int(limits.max))
    base = draw(anywhere)
    near = st.integers(0, draw(st.sampled_from([0, 3, 200, 60_000, 2**31]))).map(
        lambda more: min(base + more, limits.max)
    )
    return np.array(draw(st.lists(st.one_of(*[near] * 6, anywhere), max_size=60)), kind)


@given(columns())
def test_any_column_comes_back(values: NDArray[Any]) -> None:
    found = back(values)
    assert (found.dtype, found.tolist()) == (values.dtype, values.tolist())


@given(columns())
def test_a_column_never_takes_more_room_than_its_numbers(values: NDArray[Any]) -> None:
    assert pack(values).nbytes <= values.nbytes


@given(columns(), st.data())
def test_differences_come_back_even_where_they_wrap(values: NDArray[Any], data: st.DataObject) -> None:
    other = np.array(data.draw(st.permutations(values.tolist())), values.dtype)
    assert unpack(pack(values, "other", other), lambda _: other).tolist() == values.tolist()


@given(columns())
def test_counts_are_those_of_the_numbers(values: NDArray[Any]) -> None:
    found = counts(pack(values), alone)
    if found is not None:
        numbers, times = np.unique(values, return_counts=True)
        assert found == dict(zip(numbers.tolist(), times.tolist(), strict=True))
        assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("values", "kind", "bytes_each"),
    [
        (np.full(1000, 7, np.int64), packing.CONSTANT, 0),
        (np.arange(5, 1005), packing.COUNTING, 0),
        (np.arange(1000) % 200 + 2**40, packing.OFFSET, 1),
        (np.where(np.arange(1000) % 100, np.arange(1000) * 10**6, 2**50), packing.PATCHED, 4.1),
        (np.where(np.arange(1000) % 100, 3, 2**50), packing.FEW, 0.1),
        (np.where(np.arange(1000) % 100, 0, -(2**50)), packing.FEW, 0.1),
    ],
)
def test_each_kind_takes_as_few_bytes_as_it_says(values: NDArray[Any], kind: str, bytes_each: float) -> None:
    packed = pack(values)
    assert (packed.kind, packed.nbytes / 1000) == (kind, pytest.approx(bytes_each))
    assert unpack(packed, alone).tolist() == values.tolist()


def test_a_column_that_equals_another_is_that_column() -> None:
    other = np.arange(9) ** 3
    packed = pack(other.copy(), "other", other)
    assert (packed.nbytes, packed.of) == (0, "other")
    assert unpack(packed, lambda _: other) is other


def test_a_constant_column_takes_no_memory_when_it_is_unpacked() -> None:
    found = unpack(pack(np.full(10**6, 3, np.int32)), alone)
    assert (found.strides, found.shape, int(found[-1])) == ((0,), (10**6,), 3)


@pytest.mark.parametrize("values", [np.arange(300) % 7, np.where(np.arange(300) % 100, 3, 2**50)])
def test_what_is_unpacked_does_not_let_the_packed_column_change(values: NDArray[Any]) -> None:
    packed = pack(values.astype(np.uint64))
    found = unpack(packed, alone)
    if found.flags.writeable:
        found[:] = 1
    assert unpack(packed, alone).tolist() == values.tolist()


SHORT = np.zeros(2, np.uint8)
PLACES, NUMBERS = np.array([0, 3], np.uint16), np.array([1, 2])


@pytest.mark.parametrize(
    "wrong",
    [
        Packed(np.dtype("i8"), packing.OFFSET, 3, 0, (SHORT,)),
        Packed(np.dtype("i8"), packing.OFFSET, 2, 0, (SHORT.astype(np.int8),)),
        Packed(np.dtype("i8"), packing.OFFSET, 2, 0),
        Packed(np.dtype("i8"), packing.OFFSET, 2, 2**63, (SHORT,)),
        Packed(np.dtype("i8"), packing.CONSTANT, 0, 0),
        Packed(np.dtype("i8"), packing.CONSTANT, packing.MOST_ROWS + 1, 0),
        Packed(np.dtype("i8"), packing.CONSTANT, 2, 0, (SHORT,)),
        Packed(np.dtype("i1"), packing.COUNTING, 200, 0),
        Packed(np.dtype("f8"), packing.CONSTANT, 2, 0),
        Packed(np.dtype("i8"), packing.AS_IS, 2, 0, (SHORT,)),
        Packed(np.dtype("i8"), packing.FEW, 3, 0, (PLACES, NUMBERS)),
        Packed(np.dtype("i8"), packing.FEW, 4, 0, (PLACES, NUMBERS[:1])),
        Packed(np.dtype("i8"), packing.FEW, 4, 0, (PLACES.astype(np.uint32), NUMBERS)),
        Packed(np.dtype("i8"), packing.PATCHED, 2, 0, (SHORT, PLACES, NUMBERS)),
        Packed(np.dtype("i8"), packing.PATCHED, 2, 0, (SHORT, PLACES)),
        Packed(np.dtype("i8"), "unknown", 2, 0),
    ],
)
def test_what_cannot_be_unpacked_is_refused(wrong: Packed) -> None:
    with pytest.raises(WrongPacking):
        check(wrong)
