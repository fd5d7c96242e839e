"""Columns of CSV files: what is read, what is refused and how a reader is told."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.kernel.durations import LONGEST_NS
from sim.laws.column_cells import read_column
from sim.laws.columns import Column

DIGEST = hashlib.sha256(b"some").hexdigest()
OTHER_DIGEST = hashlib.sha256(b"other").hexdigest()


@pytest.mark.parametrize(
    ("column", "expected_ns"),
    [("x_ns", 2), ("x_us", 2_000), ("x_ms", 2_000_000), ("x_s", 2_000_000_000)],
)
def test_the_name_gives_the_unit(column: str, expected_ns: int) -> None:
    assert read_column(f"{column}\n2\n", column) == (expected_ns,)


@pytest.mark.parametrize(
    ("cell", "expected_ns"),
    [
        ("0", 0),
        ("1.5", 1_500_000),
        ("120.123456", 120_123_456),
        ("0.0000005", 0),
        ("0.0000015", 2),
        (" 7 ", 7_000_000),
        ('"7"', 7_000_000),
        ("1e3", 1_000_000_000),
        ("2.5E-1", 250_000),
        ("5.", 5_000_000),
    ],
)
def test_numbers_are_exact_and_rounded_once(cell: str, expected_ns: int) -> None:
    assert read_column(f"x_ms\n{cell}\n", "x_ms") == (expected_ns,)


@pytest.mark.parametrize(
    "text",
    [
        "concurrency,x_ms\n1,5\n8,3\n",
        "x_ms,concurrency\r\n5,1\r\n3,8\r\n",
        "\ufeffx_ms\n5\n3",
        ' x_ms ,note\n5,\n\n3,"a,\nb"\n',
    ],
)
def test_rows_are_read_in_order(text: str) -> None:
    assert read_column(text, "x_ms") == (5_000_000, 3_000_000)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("fast", "'fast' is not a number of 0 or more"),
        ("", "'' is not a number of 0 or more"),
        ("-1", "'-1' is not a number of 0 or more"),
        ("nan", "'nan' is not a number of 0 or more"),
        ("inf", "'inf' is not a number of 0 or more"),
        ("1_000", "'1_000' is not a number of 0 or more"),
        ("0x10", "'0x10' is not a number of 0 or more"),
        ("1e999999", "'1e999999' is not a number of 0 or more"),
        ("1e99", "1e99 is more than 100 years"),
        ("5ms", "'5ms' is not a number of 0 or more"),
    ],
)
def test_a_bad_row_is_named_by_its_number_and_line(cell: str, reason: str) -> None:
    with pytest.raises(ValueError, match="row 2") as caught:
        read_column(f"a,x_ms\n1,5\n\n2,{cell}\n3,7\n", "x_ms")
    assert str(caught.value) == f"row 2 (line 4): {reason}"


def test_a_row_of_another_length_is_bad() -> None:
    with pytest.raises(ValueError, match=r"^row 2 \(line 3\) has 1 cells, but the header has 2$"):
        read_column("a,x_ms\n1,5\n2\n", "x_ms")


def test_an_endless_cell_is_cut_in_the_message() -> None:
    with pytest.raises(ValueError, match="row 1") as caught:
        read_column("x_ms\n" + "9" * 10_000, "x_ms")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b_ms\n1,2\n", "the file has no such column; its columns are: a, b_ms"),
        ("", "the file has no such column; its columns are: none"),
        ("x_ms,x_ms\n1,2\n", "the file has several columns of that name; its columns are: x_ms, x_ms"),
        ("x_ms\n", "the file has no rows"),
        ('x_ms\n"5\n', "line 2 is not CSV: unexpected end of data"),
    ],
)
def test_a_file_without_the_column_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"file|CSV") as caught:
        read_column(text, "x_ms")
    assert str(caught.value) == reason


@pytest.mark.parametrize("column", ["x", "ms", "x_min", "x_MS", ""])
def test_a_column_without_unit_is_refused(column: str) -> None:
    with pytest.raises(ValueError, match="must end in its unit: _ns, _us, _ms or _s"):
        read_column(f"{column}\n5\n", column)


def test_options_refuse_a_column_without_unit() -> None:
    with pytest.raises(ValidationError, match="must end in its unit") as caught:
        Column(file="a.csv", column="latency")
    assert [error["loc"] for error in caught.value.errors()] == [("column",)]


@given(st.lists(st.integers(0, LONGEST_NS), min_size=1))
def test_written_nanoseconds_read_back_the_same(values_ns: list[int]) -> None:
    text = "\n".join(["x_ns", *map(str, values_ns)])
    assert read_column(text, "x_ns") == tuple(values_ns)


def test_values_are_kept_in_ascending_order() -> None:
    assert Column(file="a.csv", column="x_ms").with_values((3, 1, 2), DIGEST).values_ns == (1, 2, 3)


def test_options_without_values_show_what_was_written() -> None:
    assert Column(file="a.csv", column="x_ms").model_dump() == {"file": "a.csv", "column": "x_ms"}


def test_options_with_values_show_digest_and_rows() -> None:
    got = Column(file="a.csv", column="x_ms").with_values((3, 1, 2), DIGEST).model_dump()
    assert got == {"file": "a.csv", "column": "x_ms", "sha256": DIGEST, "rows": 3}


def test_what_is_shown_takes_the_same_values_again() -> None:
    loaded = Column(file="a.csv", column="x_ms").with_values((3, 1, 2), DIGEST)
    assert Column(**loaded.model_dump()).with_values((2, 3, 1), DIGEST) == loaded


def test_other_contents_than_stated_are_refused() -> None:
    stated = Column(file="a.csv", column="x_ms", sha256=DIGEST)
    with pytest.raises(ValueError, match="the file has changed"):
        stated.with_values((1,), OTHER_DIGEST)


def test_another_number_of_rows_than_stated_is_refused() -> None:
    stated = Column(file="a.csv", column="x_ms", rows=2)
    with pytest.raises(ValueError, match="the file has 1 rows, not 2"):
        stated.with_values((1,), DIGEST)


def test_other_values_make_another_model() -> None:
    column = Column(file="a.csv", column="x_ms")
    assert column.with_values((1, 2), DIGEST) != column.with_values((1, 3), DIGEST)
