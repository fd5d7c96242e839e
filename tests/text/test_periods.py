"""Counts over a period."""

import io
from collections.abc import Callable
from fractions import Fraction

import pytest
from rich.console import Console

from sim.measure.metrics import measure
from sim.measure.paths import Named
from sim.measure.prices import Prices
from sim.text.periods import Per, lines_per, parse_rate, table_per
from sim.text.reported import Cell

MakeCell = Callable[..., Cell]
Row = dict[str, object]


@pytest.mark.parametrize(
    ("text", "per_day", "words"),
    [
        ("200000/day", 200_000, "200,000 requests a day"),
        ("200,000/day", 200_000, "200,000 requests a day"),
        ("50/s", 50 * 86_400, "50 requests a second"),
        ("1e6/month", Fraction(12 * 10**6, 365), "1,000,000 requests a month"),
        ("1.5/h", 36, "1.5 requests an hour"),
    ],
)
def test_rates_are_read_in_any_unit(text: str, per_day: Fraction, words: str) -> None:
    rate = parse_rate(text)
    assert (rate.per_second * 86_400, rate.text) == (per_day, words)


@pytest.mark.parametrize(
    "text", ["", "5", "5/", "/day", "-5/day", "5/fortnight", "0/day", "1e99/s", "5 day", "1,00/day"]
)
def test_anything_else_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match=r"rate|unit of time"):
        parse_rate(text)


def test_twelve_months_are_a_year_of_365_days() -> None:
    assert (Per("month").seconds * 12, Per("year").seconds) == (365 * 86_400, 365 * 86_400)


def test_counts_are_scaled_to_the_period_with_their_intervals(make_cell: MakeCell) -> None:
    cell = make_cell("a", (9_900, {}), (100, {"duplicates": {"timeout": 1}}))
    per = Per("month", parse_rate("1200/day"))
    lines = lines_per(cell, per)
    assert lines[0].startswith("about 360 duplicates a month (300 to 4")
    assert lines[1].startswith("no request given up a month (up to ")
    assert lines[-1].startswith("about 36,500 attempts a month")
    assert per.heading([cell]) == "a month of 365/12 days, at 1,200 requests a day: 36,500 requests"


def test_money_is_scaled_too(make_requests: Callable[..., object]) -> None:
    prices = Prices("EUR", attempt=Fraction("0.01"))
    metrics = measure(
        make_requests([{"attempts": n % 2 + 1} for n in range(1000)]), shared=False, named=Named(prices=prices)
    )  # type: ignore[arg-type]
    (money,) = (line for line in lines_per(Cell("a", metrics), Per("day", parse_rate("1000/day"))) if "EUR" in line)
    assert money.startswith(("about 15.0 EUR a day (14.", "about 15.00 EUR a day (14."))


def test_a_cost_that_is_not_known_is_not_told_as_nothing(make_requests: Callable[..., object]) -> None:
    metrics = measure(make_requests([]), shared=False, named=Named(prices=Prices("EUR", attempt=Fraction(1))))  # type: ignore[arg-type]
    assert lines_per(Cell("a", metrics), Per("day", parse_rate("10/day")))[-1] == "an unknown cost a day"


def test_several_cells_make_a_table_that_fits(make_cell: MakeCell, stuck: Row) -> None:
    cells = [make_cell(f"cell number {n}", (1000, {}), (n, stuck)) for n in range(1, 5)]
    for width in (80, 100, 160):
        console = Console(file=io.StringIO(), width=300)
        console.print(table_per(cells, Per("year", parse_rate("1e6/day")), width))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "360,000" in text


def test_without_a_rate_an_isolated_cell_has_no_counts(make_cell: MakeCell) -> None:
    assert lines_per(make_cell("a", (10, {})), Per("day")) == []
