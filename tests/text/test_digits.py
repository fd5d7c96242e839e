"""Numbers that stand side by side and differ read differently; shares of growth are told however large they are."""

import pytest

from sim.expect.expectations import Ruling, Verdict, parse
from sim.measure.estimates import Estimate
from sim.measure.quantities import Unit
from sim.text.numerals import digits_apart, estimate_text, growth_text, range_text, value_texts
from sim.text.sentences import verdict_text

S = 10**9


@pytest.mark.parametrize(
    ("values", "unit", "texts"),
    [
        ((1.0, 1.0001), Unit.count, ["1", "1.0001"]),
        ((1.0301, 1.0304), Unit.count, ["1.0301", "1.0304"]),
        ((1.03, 1.03), Unit.count, ["1.03", "1.03"]),
        ((0.5, 0.50001), Unit.share, ["50.000 %", "50.001 %"]),
        ((60 * S, 60.01 * S), Unit.duration, ["1m00.00s", "1m00.01s"]),
        ((3 * 3600 * S, 3 * 3600 * S + S), Unit.duration, ["3h00m00s", "3h00m01s"]),
        ((2 * 86400 * S, 2 * 86400 * S + 3 * S), Unit.duration, ["2d00h00m00s", "2d00h00m03s"]),
        ((450_100_000, 450_300_000), Unit.duration, ["450.1 ms", "450.3 ms"]),
        ((1e6, 1_000_001), Unit.count, ["1000000", "1000001"]),
        ((1.0, None), Unit.count, ["1", "-"]),
        ((5, float("inf")), Unit.duration, ["5 ns", "never"]),
    ],
)
def test_values_side_by_side_read_differently_if_they_differ(
    values: tuple[float | None, ...], unit: Unit, texts: list[str]
) -> None:
    assert value_texts(values, unit) == texts


def test_values_that_differ_by_rounding_alone_read_alike() -> None:
    assert value_texts((0.1 + 0.2, 0.3), Unit.count) == ["0.300", "0.300"]


def test_the_ends_of_an_interval_and_its_value_read_differently() -> None:
    found = Estimate(1.00014, 1.0001, 1.0002)
    assert estimate_text(found, Unit.count) == "1.00014 (1.00010 to 1.00020)"
    assert range_text(found, Unit.count) == "1.0001-1.0002"


@pytest.mark.parametrize(
    ("expression", "found", "told"),
    [
        ("attempts.mean <= 1.0001", Estimate(1.003, 1.002, 1.004), "it is 1.003 (1.002 to 1.004)"),
        ("attempts.mean <= 1.0001", Estimate(1.00015, 1.00011, 1.0002), "it is 1.00015 (1.00011 to 1.00020)"),
        ("success.rate >= 99.9%", Estimate(0.99899, 0.99898, 0.998999), "it is 99.8990 % (99.8980 % to 99.8999 %)"),
        ("time_to_known.p99 <= 60s", Estimate(60.2 * S, 60.1 * S, 60.4 * S), "it is 1m00.2s (1m00.1s to 1m00.4s)"),
        ("attempts.mean <= 2", Estimate(2.5, 2.4, 2.6), "it is 2.50 (2.40 to 2.60)"),
    ],
)
def test_a_missed_bound_reads_missed(expression: str, found: Estimate, told: str) -> None:
    verdict = Verdict(parse(expression), Ruling.missed, found)
    assert verdict_text(verdict) == f"missed: {expression}; {told}"


@pytest.mark.parametrize(
    ("growth", "text"),
    [
        (0.125, "+12.50 %"),
        (-0.5, "-50.00 %"),
        (1.0, "+100 %"),
        (1.5, "+150 %"),
        (55.0, "+5,500 %"),
        (-3.0, "-300 %"),
        (1e6, "+100,000,000 %"),
    ],
)
def test_growth_is_told_however_large(growth: float, text: str) -> None:
    assert growth_text(growth) == text


def test_growth_reads_differently_from_the_bound_that_it_exceeds() -> None:
    assert growth_text(2.0001, digits_apart([(2.0001, 2.0)], growth_text)) == "+200.01 %"
