"""The bytes of a part of a result: small, the same every time, back as they were, and refused where they are wrong."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from stored_arrays import decode_arrays, encode_arrays

from sim.engine.event import simulate
from sim.experiment import payload
from sim.experiment.payload import BadPayload
from sim.history.lasting_waits import LastingWait
from sim.history.records import Requests
from sim.history.vocabulary import Cause
from sim.measure.tally import Tally
from sim.scenario.cells import cells
from sim.scenario.load import parse


def some(text: str, count: int = 100) -> Requests:
    return simulate(cells(parse(text))[0].scenario, 0, range(count))


def assert_same(one: Requests, two: Requests) -> None:
    for field in fields(Requests):
        ours, theirs = getattr(one, field.name), getattr(two, field.name)
        assert (field.name, ours.dtype, ours.tolist()) == (field.name, theirs.dtype, theirs.tolist())


def test_requests_come_back_as_they_were(isolated: str) -> None:
    part = some(isolated)
    assert_same(payload.decode(payload.encode(part)), part)


def test_waits_of_guests_come_back_as_they_were(isolated: str) -> None:
    waits = (LastingWait("pay.py:7", 12, 3), LastingWait("", 1, 9))
    data = payload.encode(some(isolated), waits=waits)
    assert payload.decode_simulated(data).waits == waits
    assert_same(payload.decode(data), some(isolated))
    assert payload.decode_simulated(payload.encode(some(isolated))).waits == ()


def test_the_requests_of_no_row_come_back(isolated: str) -> None:
    part = some(isolated).select(np.zeros(100, np.bool_))
    assert_same(payload.decode(payload.encode(part)), part)


def test_the_same_rows_give_the_same_bytes_whatever_their_memory_looks_like(isolated: str) -> None:
    part = some(isolated)
    twice = Requests.concatenate([part, part])
    every_other = twice.select(np.arange(0, 200, 2))
    strided = Requests(*(getattr(every_other, field.name).repeat(2, axis=0)[::2] for field in fields(Requests)))
    assert payload.encode(every_other) == payload.encode(strided)


def test_a_request_costs_few_bytes() -> None:
    text = "{retrier: helpers, action: {latency: {lognormal: {median: 120ms, p99: 900ms}}, outcomes: {fail: 0.2}}}"
    assert len(payload.encode(some(text, 5000))) < 40 * 5000


integers = st.sampled_from(["i1", "i4", "i8", "u1", "u8"]).flatmap(
    lambda kind: st.lists(
        st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max)) | st.integers(0, 5), max_size=20
    ).map(lambda values: np.array(values, kind))
)
numbers = st.lists(st.floats(width=64), max_size=9).map(lambda values: np.array(values, np.float64))
tables = st.integers(0, 5).map(lambda rows: np.arange(3 * rows, dtype=np.int32).reshape(rows, 3))


@given(
    st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), integers | numbers | tables)
)
def test_any_arrays_of_numbers_come_back_with_type_and_shape(arrays: dict[str, NDArray[Any]]) -> None:
    arrays.pop(payload.MANIFEST, None)
    back = decode_arrays(encode_arrays(arrays))
    assert list(back) == list(arrays)
    for name, values in arrays.items():
        assert (back[name].dtype, back[name].shape) == (values.dtype, values.shape)
        assert back[name].tobytes() == values.tobytes()


@given(st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 2), min_size=1, max_size=9))
def test_a_column_comes_back_from_its_distance_to_another_even_where_that_wraps(rows: list[tuple[int, int]]) -> None:
    arrays = dict(zip("ab", np.array(rows, np.int64).T, strict=True))
    back = decode_arrays(encode_arrays(arrays, {"b": "a"}))
    assert {name: values.tolist() for name, values in back.items()} == {n: v.tolist() for n, v in arrays.items()}


def test_columns_near_each_other_are_narrow() -> None:
    a = np.arange(1000, dtype=np.int64) ** 4
    near = a + np.arange(1000) % 7
    alone = len(encode_arrays({"a": a, "b": near}))
    assert len(encode_arrays({"a": a, "b": near}, {"b": "a"})) == pytest.approx(alone - 7000, abs=100)


@pytest.mark.parametrize("data", [b"", b"text", b"PK\x05\x06" + bytes(18), bytes(1000)])
def test_what_is_no_payload_is_refused(data: bytes) -> None:
    with pytest.raises(BadPayload):
        payload.decode(data)


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_payload_that_was_cut_off_is_refused(share: float) -> None:
    data = payload.encode(SOME)
    with pytest.raises(BadPayload):
        payload.decode(data[: int(share * len(data))])


@given(place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(place: int, flip: int) -> None:
    data = bytearray(payload.encode(SOME))
    data[place % len(data)] ^= flip
    try:
        found = payload.decode(bytes(data))
    except BadPayload:
        return
    assert_same(found, SOME)


def test_other_arrays_are_not_taken_for_requests() -> None:
    with pytest.raises(BadPayload, match="these are not the columns of requests"):
        payload.decode(encode_arrays({"number": np.arange(3)}))


def test_columns_of_different_lengths_are_no_requests() -> None:
    with pytest.raises(BadPayload, match="not the columns"):
        payload.decode(payload.encode(replace(SOME, polls=SOME.polls[:-1])))


def test_objects_are_not_kept() -> None:
    with pytest.raises(TypeError, match="no array of numbers"):
        encode_arrays({"a": np.array([{}])})


SOME = some("{retrier: helpers, action: {outcomes: {fail: 0.3, ack_lost: 0.1}}}", 40)


def test_a_tally_of_format_1_has_nothing_charged_to_later_causes() -> None:
    arrays = Tally.of(Requests.blank(range(3))).to_arrays()
    older = {name: array[: Cause.repeated] if name == "causes" else array for name, array in arrays.items()}
    read = payload.decode(encode_arrays(older))
    assert isinstance(read, Tally)
    assert read.causes.tolist() == [0] * len(Cause)
