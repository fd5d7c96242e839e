"""Packed requests are requests: the same columns, counts and sums, in a fraction of the memory."""

import pickle
from dataclasses import fields

import numpy as np
import pytest

from sim.engine.event import simulate as simulate_event
from sim.engine.vector import simulate
from sim.history import packed
from sim.history.packed import PackedRequests
from sim.history.records import FLAT_COLUMNS, Requests
from sim.scenario.load import parse

TEXT = """
retrier: helpers
action: {latency: {lognormal: {median: 120ms, p99: 900ms}}, outcomes: {fail: 0.3, ack_lost: 0.05, hang: 0.01}}
"""


@pytest.fixture(scope="module")
def parts() -> list[Requests]:
    """Parts of a cell, one of them without a row."""
    scenario = parse(TEXT)
    found = [simulate(scenario, range(first, first + 500)) for first in (0, 500, 1000)]
    return [*found, found[0].select(slice(0)), simulate_event(scenario, numbers=range(1500, 1600))]


@pytest.fixture(scope="module")
def joined(parts: list[Requests]) -> Requests:
    return Requests.concatenate(parts)


def assert_same(one: Requests, other: Requests) -> None:
    assert len(one) == len(other)
    for field in fields(Requests):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        assert (field.name, ours.dtype, ours.shape) == (field.name, theirs.dtype, theirs.shape)
        assert ours.tolist() == theirs.tolist()


def test_every_column_is_as_it_was(parts: list[Requests], joined: Requests) -> None:
    assert_same(packed.join(parts), joined)
    for part in parts:
        assert_same(PackedRequests.of(part), part)


def test_the_pieces_are_the_parts(parts: list[Requests]) -> None:
    for piece, part in zip(packed.join(parts).pieces(), parts, strict=True):
        assert_same(piece, part)


def test_rows_are_chosen_as_from_arrays(parts: list[Requests], joined: Requests) -> None:
    rows = np.arange(3, 1600, 7)
    assert_same(packed.join(parts).select(rows), joined.select(rows))
    assert_same(packed.join(parts).select(slice(2, 90)), joined.select(slice(2, 90)))


def test_packed_and_other_parts_join_to_the_same(parts: list[Requests], joined: Requests) -> None:
    assert_same(Requests.concatenate([packed.join(parts[:2]), *parts[2:]]), joined)
    assert_same(packed.join([packed.join(parts[:2]), *parts[2:]]), joined)


def test_they_survive_pickling_as_requests(parts: list[Requests], joined: Requests) -> None:
    assert_same(pickle.loads(pickle.dumps(packed.join(parts))), joined)  # noqa: S301  # of its own


@pytest.mark.parametrize("name", FLAT_COLUMNS)
def test_counts_are_those_of_the_column(parts: list[Requests], joined: Requests, name: str) -> None:
    assert packed.join(parts).counts(name) == joined.counts(name)
    numbers, counts = np.unique(getattr(joined, name), return_counts=True)
    assert joined.counts(name) == dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def test_duplicates_add_up_by_cause(parts: list[Requests], joined: Requests) -> None:
    expected = joined.duplicates.sum(axis=0).tolist()
    assert sum(expected) > 0
    assert packed.join(parts).duplicates_by_cause().tolist() == joined.duplicates_by_cause().tolist() == expected


def test_a_column_that_has_one_value_is_there_once(parts: list[Requests]) -> None:
    found = packed.join(parts[:3])
    for name in ("replication", "client", "submitted_ns", "conflicts", "submissions"):
        assert getattr(found, name).strides == (0,)
    assert packed.join([parts[0].select(slice(0, 1))] * 9).duplicates.strides == (0, 0)


def test_a_column_is_unpacked_once(parts: list[Requests]) -> None:
    found = packed.join(parts)
    assert found.settled_ns is found.settled_ns


def test_an_unknown_column_is_an_attribute_error(parts: list[Requests]) -> None:
    with pytest.raises(AttributeError, match="requests have no column 'latency'"):
        _ = packed.join(parts).latency  # type: ignore[attr-defined]
