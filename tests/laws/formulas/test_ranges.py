"""Ranges hold every value, and trends are those of the values."""

import math

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from random_formulas import DRAWS, trees

from sim.laws.formulas.machine import encode, evaluate
from sim.laws.formulas.parser import parse
from sim.laws.formulas.ranges import ANYTHING, LAST_DRAW, Range, range_of
from sim.laws.formulas.tree import Tree

NAMES = ("u", "x")
U = Range(0.0, LAST_DRAW, "rises")
ENDS = st.floats(-1e3, 1e3) | st.floats(allow_nan=False)
ROUNDING = 1e-9


def valued(tree: Tree, u: float, x: float) -> float:
    return evaluate(encode(tree, NAMES), (u, x))


@given(trees(NAMES), st.tuples(ENDS, ENDS, ENDS), DRAWS)
def test_every_value_lies_in_the_range(tree: Tree, xs: tuple[float, float, float], u: float) -> None:
    low, x, high = sorted(xs)
    found = range_of(tree, {"u": U, "x": Range(low, high)})
    value = valued(tree, u, x)
    assert found.may_be_nan if math.isnan(value) else found.low <= value <= found.high


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # most formulas neither rise nor fall all the way
@given(trees(("u",), st.integers(1, 9).map(float)), DRAWS, DRAWS)
@example(parse("floor(10 * u) / 3", NAMES), 0.2, 0.7)
def test_a_formula_that_rises_or_falls_does(tree: Tree, one: float, other: float) -> None:
    found = range_of(tree, {"u": U})
    assume(found.trend in {"rises", "falls"} and found.is_finite)
    at_low, at_high = (valued(tree, u, 0.0) for u in sorted((one, other)))
    sign = 1 if found.trend == "rises" else -1
    # But for the last bits of logarithms and exponentials.
    assert sign * (at_high - at_low) >= -ROUNDING * max(abs(found.low), abs(found.high))


@pytest.mark.parametrize(
    ("text", "low", "high", "trend"),
    [
        ("5", 5, 5, "level"),
        ("2 * u + 1", 1, 3, "rises"),
        ("1 - u", 0, 1, "falls"),
        ("-2 * (1 - u)", -2, 0, "rises"),
        ("min(u, 0.5)", 0, 0.5, "rises"),
        ("100 / (1 + u)", 50, 100, "falls"),
        ("floor(u * 10)", 0, 9, "rises"),
        ("2 ** (3 + u)", 8, 16, "rises"),
        ("0.5 ** u", 0.5, 1, "falls"),
        ("(1 + u) ** 2", 1, 4, "rises"),
        ("u * (1 - u)", 0, 1, "unknown"),
        ("u - u", -1, 1, "unknown"),
        ("7 % (2 + u)", 0, 3, "unknown"),
    ],
)
def test_ranges_are_as_narrow_as_intervals_can_be(text: str, low: float, high: float, trend: str) -> None:
    found = range_of(parse(text, NAMES), {"u": U})
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, rel=1e-9))
    assert found.trend == trend


@pytest.mark.parametrize("text", ["1 / u", "log(u - 1)", "sqrt(u - 1)", "x - x", "0 * x", "u % 0", "(u - 1) ** 0.5"])
def test_what_may_be_no_number_may_be_anything(text: str) -> None:
    assert range_of(parse(text, NAMES), {"u": U, "x": Range(0.0, math.inf)}) == ANYTHING
