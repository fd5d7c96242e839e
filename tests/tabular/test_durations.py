"""Cells as durations: many at once are what each is alone."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sim.kernel.durations import LONGEST_NS, UNITS_NS
from sim.tabular.durations import DurationCells, duration_of
from sim.tabular.errors import TableError

UNITS = st.sampled_from(["ns", "us", "ms", "s"])


@given(UNITS, st.lists(st.decimals(0, 10**9, places=12) | st.integers(0, 10**9).map(Decimal), min_size=1))
def test_numbers_are_exact_and_rounded_once(unit: str, numbers: list[Decimal]) -> None:
    got = DurationCells("x", unit).read([f"{number:f}" for number in numbers], range(len(numbers)))
    assert got.tolist() == [round(number * UNITS_NS[unit]) for number in numbers]


@given(UNITS, st.lists(st.floats(0, 1e6), min_size=1))
@example("ns", [0.5, 1.5, 2.5])
def test_floats_of_other_programs_are_read_as_one_by_one(unit: str, numbers: list[float]) -> None:
    cells = [repr(number) for number in numbers]
    got = DurationCells("x", unit).read(cells, range(len(cells)))
    assert got.tolist() == [duration_of(cell, unit)[0] for cell in cells]


@pytest.mark.parametrize(
    ("cell", "expected_ns"),
    [
        ("12ms", 12_000_000),
        ("0.5 s", 500_000_000),
        ("1.2s", 1_200_000_000),
        ("3µs", 3_000),
        ("250 microseconds", 250_000),
        ("1m30.5s", 90_500_000_000),
        ("1h2m", 3_720_000_000_000),
        ("2 min", 120_000_000_000),
        ("00:00:01.25", 1_250_000_000),
        ("1:00:00", 3_600_000_000_000),
        (".5s", 500_000_000),
        ("1.5e-3s", 1_500_000),
    ],
)
def test_cells_may_name_their_unit(cell: str, expected_ns: int) -> None:
    cells = DurationCells("x", None)
    assert cells.read([cell], [1]).tolist() == [expected_ns]
    assert cells.units_seen


def test_blank_cells_are_not_known_and_counted() -> None:
    cells = DurationCells("x", "ms")
    assert cells.read(["", "-", "1", " null ", "NA"], range(5)).tolist() == [-1, -1, 1_000_000, -1, -1]
    assert cells.blank == 4


def test_a_decimal_comma_is_one_if_that_is_said() -> None:
    assert DurationCells("x", "ms", ",").read(["1,5", "2", "0,25"], range(3)).tolist() == [
        1_500_000,
        2_000_000,
        250_000,
    ]


@pytest.mark.parametrize(
    ("decimal", "cell", "reason"),
    [
        (".", "1,5", "'1,5' has a decimal comma, but numbers of this column have a point"),
        (",", "1.5", "'1.5' has a decimal point, but numbers of this column have a comma"),
        (".", "1,234.5", "'1,234.5' is no duration; write numbers without separators of thousands"),
        (".", "-0.5", "'-0.5' is negative"),
        (".", "2s", "'2s' says s, but the column is in ms"),
        (".", "1_000", "'1_000' is no duration"),
        (".", "0x10", "'0x10' is no duration"),
        (".", "١٢", "'١٢' is no duration"),
        (".", "9" * 70, f"'{'9' * 60}...' is no duration"),
    ],
)
def test_a_bad_cell_is_named_with_line_and_column(decimal: str, cell: str, reason: str) -> None:
    with pytest.raises(TableError) as caught:
        DurationCells("x", "ms", decimal).read(["1", "2", cell], [7, 8, 9])
    assert (caught.value.reason, caught.value.line, caught.value.column) == (reason, 9, "x")


def test_a_hundred_years_are_the_longest() -> None:
    at_most = LONGEST_NS // 10**9
    assert DurationCells("x", "s").read([str(at_most - 1)], [1]).tolist() == [(at_most - 1) * 10**9]
    with pytest.raises(TableError, match="is more than 100 years"):
        DurationCells("x", "s").read([str(at_most + 1)], [1])
