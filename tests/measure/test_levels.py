"""Spans and levels, held to models that step through time."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.measure.levels import Levels, Spans, bin_of

REPLICATIONS = 3
END = 40
EDGES = np.array([0, 7, 14, 21, 28, 35, END])

Rows = list[tuple[int, int, int]]
rows_of_spans = st.lists(
    st.tuples(st.integers(0, REPLICATIONS - 1), st.integers(0, END + 5), st.integers(0, 20)), max_size=25
).map(sorted)
windows = st.tuples(st.integers(0, END), st.integers(0, END)).map(sorted)


def spans_of(rows: Rows) -> Spans:
    table = np.array([(at, start, start + length) for at, start, length in rows], np.int64).reshape(-1, 3)
    return Spans(table[:, 0].astype(np.intp), table[:, 1], table[:, 2])


def levels_of(rows: Sequence[tuple[int, int, int]]) -> Levels:
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Levels(table[:, 0].astype(np.intp), table[:, 1], table[:, 2])


def everywhere(at: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.full(REPLICATIONS, at, np.int64)


def number_at(rows: Rows, replication: int, instant: int) -> int:
    """Count what goes on during [instant, instant + 1), one span after the other."""
    return sum(at == replication and start <= instant < start + length for at, start, length in rows)


def level_at(rows: Sequence[tuple[int, int, int]], replication: int, instant: int) -> int:
    level = 0
    for at, start, one in rows:
        if at == replication and start <= instant:
            level = one
    return level


@given(rows_of_spans, windows)
def test_integrals_and_peaks_are_those_of_a_clock(rows: Rows, window: list[int]) -> None:
    low, high = window
    inside = spans_of(rows).within(everywhere(low), everywhere(high))
    counted = [[number_at(rows, at, instant) for instant in range(low, high)] for at in range(REPLICATIONS)]
    assert inside.integrals(REPLICATIONS).tolist() == [sum(one) for one in counted]
    assert inside.peaks(REPLICATIONS).tolist() == [max(one, default=0) for one in counted]


@given(rows_of_spans)
def test_bins_are_those_of_a_clock(rows: Rows) -> None:
    found = spans_of(rows).in_bins(EDGES, range(REPLICATIONS))
    widths = np.diff(EDGES)
    wanted = [
        [
            sum(number_at(rows, at, instant) for instant in range(EDGES[place], EDGES[place + 1])) / widths[place]
            for place in range(len(widths))
        ]
        for at in range(REPLICATIONS)
    ]
    assert found == pytest.approx(np.array(wanted), abs=1e-12)


@given(rows_of_spans)
def test_bins_sum_to_the_integral(rows: Rows) -> None:
    spans = spans_of(rows)
    total = (spans.in_bins(EDGES, range(REPLICATIONS)) * np.diff(EDGES)).sum(axis=1)
    assert total == pytest.approx(spans.within(everywhere(0), everywhere(END)).integrals(REPLICATIONS))


@given(rows_of_spans)
def test_blocks_of_replications_have_the_bins_of_all(rows: Rows) -> None:
    spans = spans_of(rows)
    blocks = [spans.in_bins(EDGES, range(2)), spans.in_bins(EDGES, range(2, 3))]
    assert np.array_equal(np.concatenate(blocks), spans.in_bins(EDGES, range(REPLICATIONS)))


changes = st.lists(
    st.tuples(st.integers(0, REPLICATIONS - 1), st.integers(1, END + 5), st.integers(0, 6)),
    max_size=8,
    unique_by=lambda row: row[:2],
).map(lambda rows: sorted([*((at, 0, 2) for at in range(REPLICATIONS)), *rows]))


@given(changes, rows_of_spans, windows)
def test_levels_with_room_for_the_spans_are_those_of_a_clock(levels: Rows, rows: Rows, window: list[int]) -> None:
    low, high = window
    ends = everywhere(low), everywhere(high)
    inside = spans_of(rows).within(*ends)
    made = levels_of(levels)
    plain = [[level_at(levels, at, instant) for instant in range(low, high)] for at in range(REPLICATIONS)]
    assert made.integrals(*ends).tolist() == [sum(one) for one in plain]
    assert made.has(2, *ends).tolist() == [2 in one for one in plain]
    falls = made.falls(REPLICATIONS)
    wanted = [
        sum(max(level, number_at(rows, at, low + place)) for place, level in enumerate(one)) if falls[at] else sum(one)
        for at, one in enumerate(plain)
    ]
    assert inside.with_room(made, *ends).tolist() == wanted


@given(changes)
def test_levels_in_bins_are_those_of_a_clock(levels: Rows) -> None:
    found = levels_of(levels).in_bins(EDGES, range(REPLICATIONS)) * np.diff(EDGES)
    wanted = [
        [
            sum(level_at(levels, at, instant) for instant in range(EDGES[place], EDGES[place + 1]))
            for place in range(len(EDGES) - 1)
        ]
        for at in range(REPLICATIONS)
    ]
    assert found == pytest.approx(np.array(wanted), abs=1e-9)


def test_the_end_of_the_last_bin_belongs_to_it() -> None:
    assert bin_of(np.array([0, 6, 7, 39, 40]), EDGES).tolist() == [0, 0, 1, 5, 5]
