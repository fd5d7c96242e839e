"""Columns of files in the dialects that people have, and the rows that are wanted of them."""

import gzip
from pathlib import Path

import pytest

from sim.laws.column_cells import count_words, read_column
from sim.laws.columns import Column
from sim.laws.distributions import Empirical
from sim.scenario.data_files import DataFiles

TEXT = "lat;status;route\n1,5;200;/pay\n2;200.0;/refund\n30;503;/pay\n"
MS = 1_000_000


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, (1.5, 2, 30)),
        ({"status": (200,)}, (1.5, 2)),
        ({"status": ("5xx",)}, (30,)),
        ({"status": (200, 503), "route": ("/pay",)}, (1.5, 30)),
    ],
)
def test_rows_are_taken_where_other_columns_have_a_value(where: dict[str, tuple[str, ...]], expected: object) -> None:
    assert read_column(TEXT, "lat", "ms", where) == tuple(round(one * MS) for one in expected)  # type: ignore[attr-defined]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_any_separator_will_do(separator: str) -> None:
    text = f"n{separator}x_ms\n1{separator}5\n2{separator}3.5\n"
    assert read_column(text, "x_ms") == (5 * MS, 3_500_000)


def test_packed_files_are_unpacked() -> None:
    assert read_column(gzip.compress(TEXT.encode()), "lat", "ms", {"status": (503,)}) == (30 * MS,)


def test_parquet_is_read_like_text(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"lat": [1.5, 2.0, 30.0], "status": [200, 200, 503]}), tmp_path / "a.parquet")
    assert read_column((tmp_path / "a.parquet").read_bytes(), "lat", "ms", {"status": (200,)}) == (1_500_000, 2 * MS)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({"stat": (200,)}, "the file has no column 'stat'; its columns are: lat, status, route"),
        ({"status": (404, 405)}, "no row has status 404 or 405"),
    ],
)
def test_rows_that_are_not_there_are_told(where: dict[str, tuple[int, ...]], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        read_column(TEXT, "lat", "ms", where)


def test_unit_and_name_must_agree() -> None:
    with pytest.raises(ValueError, match="the name of the column ends in _ms, but `unit` says s"):
        Column(file="a.csv", column="x_ms", unit="s")


@pytest.mark.parametrize(
    ("cells", "expected_ns"),
    [
        (["3", "1"], (3 * MS, MS)),
        (["1764237600250", "1764237600000"], (250 * MS, 0)),
        (["2026-11-27T10:00:00.250Z", "2026-11-27T12:00:00+02:00"], (250 * MS, 0)),
    ],
)
def test_arrivals_count_from_the_first_if_they_have_a_date(cells: list[str], expected_ns: tuple[int, ...]) -> None:
    text = "\n".join(["at", *cells])
    assert read_column(text, "at", "ms", of_instants=True) == expected_ns


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["5", "6"], "must end in its unit"),
        (["2026-11-27T10:00:00Z", ""], "line 3: a time is missing"),
        (["2026-11-27T10:00:00Z", "tomorrow"], "line 3: 'tomorrow' is no time that can be read"),
    ],
)
def test_bad_arrivals_are_told(cells: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_column("\n".join(["at,x", *(f"{cell},0" for cell in cells)]), "at", of_instants=True)


def test_words_are_counted_as_one_whatever_their_form() -> None:
    assert count_words(TEXT, "status") == {"200": 2, "503": 1}


def test_too_many_words_are_no_outcomes() -> None:
    with pytest.raises(ValueError, match="is the 1001st different value"):
        count_words("x\n" + "\n".join(map(str, range(2000))), "x")


def test_a_column_with_another_where_is_another_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TEXT)
    files = DataFiles(tmp_path)
    found = [
        files.fill(Empirical(file="a.csv", column="lat", unit="ms", where=where)).values_ns
        for where in ({"status": 200}, {"status": 503}, None, {"status": 200})
    ]
    assert found == [(1_500_000, 2 * MS), (30 * MS,), (1_500_000, 2 * MS, 30 * MS), (1_500_000, 2 * MS)]


def test_a_law_with_a_where_can_be_a_key() -> None:
    one, other = (Empirical(file="a.csv", column="x_ms", where={"status": status}) for status in (200, 503))
    assert len({one, other, one}) == 2
