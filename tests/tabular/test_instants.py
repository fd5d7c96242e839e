"""Cells as instants: every form is the same instant, and no other one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.tabular.errors import TableError
from sim.tabular.instants import NO_INSTANT, InstantCells

SECONDS = st.integers(-(10**9), 4_500_000_000)
TEN = int(np.datetime64("2026-11-27T10:00:00", "ns").astype(np.int64))


@given(st.lists(st.tuples(SECONDS, st.integers(0, 999_999_999)), min_size=1))
def test_iso_is_read_as_numpy_reads_it(instants: list[tuple[int, int]]) -> None:
    found_ns = [second * 10**9 + part for second, part in instants]
    cells = [str(np.datetime64(one, "ns")) for one in found_ns]
    assert InstantCells("t").read(cells, range(len(cells))).tolist() == found_ns


@pytest.mark.parametrize(
    "cell",
    [
        "2026-11-27T10:00:00Z",
        "2026-11-27 10:00:00.000 UTC",
        "2026-11-27T10:00Z",
        "2026-11-27T12:00:00+02:00",
        "2026-11-27T12:00:00+0200",
        "2026-11-27T12:00:00,0+02",
        "2026-11-27T04:30:00-05:30",
        "2026-11-27 10:00:00.000000000 +0000 UTC",
        "2026/11/27 10:00:00Z",
        "20261127T100000Z",
        "[27/Nov/2026:10:00:00 +0000]",
        "27/Nov/2026:11:00:00 +0100",
        "Fri, 27 Nov 2026 10:00:00 GMT",
    ],
)
def test_every_form_is_the_same_instant(cell: str) -> None:
    assert InstantCells("t").read([cell], [1]).tolist() == [TEN]


@pytest.mark.parametrize(
    ("cell", "unit", "rest_ns"),
    [
        ("1795773600", "s", 0),
        ("1795773600.25", "s", 250_000_000),
        ("1795773600.123456789", "s", 123_456_789),
        ("1795773600250", "ms", 250_000_000),
        ("1795773600250.5", "ms", 250_500_000),
        ("1795773600000001", "us", 1_000),
        ("1795773600000000001", "ns", 1),
        ("1795773600000000001.5", "ns", 2),
        ("1795773600000000002.5", "ns", 2),
        ("1.7957736e9", "s", 0),
    ],
)
def test_numbers_since_1970_tell_their_unit_by_their_size(cell: str, unit: str, rest_ns: int) -> None:
    cells = InstantCells("t")
    assert cells.read([cell], [1]).tolist() == [TEN + rest_ns]
    assert (cells.guessed_unit, cells.since_1970) == (unit, True)


def test_numbers_with_a_unit_may_count_from_any_start() -> None:
    cells = InstantCells("t", "s")
    assert cells.read(["0.0001", "12"], [1, 2]).tolist() == [100_000, 12 * 10**9]
    assert cells.since_1970 is False


def test_blank_cells_have_no_instant() -> None:
    cells = InstantCells("t")
    assert cells.read(["", "2026-11-27T10:00:00Z", "-"], range(3)).tolist() == [NO_INSTANT, TEN, NO_INSTANT]
    assert cells.blank == 2


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["2026-11-27T24:00:00Z"], "'2026-11-27T24:00:00Z' is no date and time of the calendar"),
        (["2026-11-31T10:00:00Z"], "'2026-11-31T10:00:00Z' is no date and time of the calendar"),
        (
            ["2026-11-27T10:00:00Z", "2026-11-27T10:00:00"],
            "'2026-11-27T10:00:00' has no zone, but cells before it have",
        ),
        (["2026-11-27T10:00:00Z", "1795773600"], "'1795773600' is one of numbers, but cells before it are dates"),
        (["11/27/2026 10:00"], "'11/27/2026 10:00' is no time that can be read; write 2026-11-27T10:00:00.250Z"),
        (["27/Foo/2026:10:00:00 +0000"], "'27/Foo/2026:10:00:00 +0000' has no month of that name"),
        (["17"], "17 is no time since 1970 in s, ms, us or ns; say what unit these times have"),
        (["-5"], "-5 is no time since 1970"),
    ],
)
def test_a_bad_cell_is_named_with_line_and_column(cells: list[str], reason: str) -> None:
    with pytest.raises(TableError) as caught:
        InstantCells("t").read(cells, range(5, 5 + len(cells)))
    assert caught.value.reason.startswith(reason)
    assert (caught.value.line, caught.value.column) == (4 + len(cells), "t")
