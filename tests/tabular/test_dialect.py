"""How a table is written is seen in its first rows."""

import pytest

from sim.tabular.delimited import Delimited
from sim.tabular.dialect import decimal_of, separator_of
from sim.tabular.opened import Opened


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        (["a,b\n", "1,2\n"], ","),
        (["a;b\n", "1,5;2,5\n"], ";"),
        (["1,5;2,5\n", "3,5;4,5\n"], ";"),
        (["a\tb\n", "1 2\t3\n"], "\t"),
        (["a|b\n", "1|2\n"], "|"),
        (["time,ms\n", "2026-11-27 10:00:00,5\n"], ","),
        (["200 12\n", "503 7\n"], " "),
        (["latency (ms)\n", "12\n", "13\n"], ","),
        (["ms\n", "1\n"], ","),
        (['a,"b;c;d"\n', '1,"x;y;z"\n'], ","),
    ],
)
def test_the_separator_gives_all_rows_the_same_cells(lines: list[str], separator: str) -> None:
    assert separator_of(lines) == separator


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["1", "2"], "."),
        (["1.5", "2"], "."),
        (["1,5", "2"], ","),
        (["0,125"], ","),
        (["1234,567"], ","),
        (["1,234", "5,678"], None),
        (["1,234", "5,67"], ","),
        (["1,5ms"], ","),
    ],
)
def test_commas_are_decimal_if_they_cannot_be_else(cells: list[str], decimal: str | None) -> None:
    assert decimal_of(cells) == decimal


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("time,ms\n1,2\n", ["time", "ms"]),
        ("1,2\n3,4\n", ["1", "2"]),
        ("2026-11-27T10:00:00Z,ok\n2026-11-27T10:00:01Z,ok\n", ["1", "2"]),
        (",ms\n0,1\n1,2\n", ["", "ms"]),
        ("# time,ms\n1,2\n", ["time", "ms"]),
        ("#Software: x\n#Fields: time ms\n1 2\n", ["time", "ms"]),
    ],
)
def test_a_first_row_without_numbers_is_a_header(text: str, names: list[str]) -> None:
    assert list(Delimited(Opened(text.encode())).names) == names


def test_comments_in_the_middle_are_no_rows() -> None:
    table = Delimited(Opened(b"#Fields: time ms\n1 2\n#Fields: time ms\n3 4\n"))
    assert [(list(block.lines), block.cells["ms"]) for block in table.blocks(["ms"])] == [([2, 4], ["2", "4"])]
