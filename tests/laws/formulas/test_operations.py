"""Each operation: IEEE's results, no exception, and for arrays the bits that single numbers have."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_formulas import VALUES, bits

from sim.laws.formulas.operations import OPERATIONS

ODD = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, 1e300, -1e300, 5e-324, 2.0**53, 2.0**53 + 2, -(2.0**53)]
ODD += [math.inf, -math.inf, math.nan, 0.1, 2.5, -2.5, 0.49999999999999994, 4503599627370497.5, 700.0, -750.0, 1023.0]


def of_numbers(operation: str, *values: float) -> float:
    return OPERATIONS[operation].of_numbers(*values)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_arrays_have_the_bits_of_single_numbers_for_odd_values(operation: str) -> None:
    rows = list(product(ODD, repeat=OPERATIONS[operation].arity))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    with np.errstate(all="ignore"):
        found = OPERATIONS[operation].of_arrays(*columns).tolist()
    assert [bits(one) for one in found] == [bits(of_numbers(operation, *row)) for row in rows]


@pytest.mark.parametrize("operation", OPERATIONS)
@given(rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=40))
def test_arrays_have_the_bits_of_single_numbers(operation: str, rows: list[tuple[float, float]]) -> None:
    rows = [row[: OPERATIONS[operation].arity] for row in rows]  # type: ignore[misc]
    with np.errstate(all="ignore"):
        found = OPERATIONS[operation].of_arrays(*(np.array(column) for column in zip(*rows, strict=True))).tolist()
    assert [bits(one) for one in found] == [bits(of_numbers(operation, *row)) for row in rows]


@pytest.mark.parametrize(
    ("operation", "values", "expected"),
    [
        ("/", (1.0, 0.0), math.inf),
        ("/", (1.0, -0.0), -math.inf),
        ("/", (0.0, 0.0), math.nan),
        ("%", (7.5, 2.0), 1.5),
        ("%", (-7.5, 2.0), 0.5),
        ("%", (7.5, -2.0), -0.5),
        ("%", (1.0, 0.0), math.nan),
        ("%", (math.inf, 2.0), math.nan),
        ("%", (-1.0, math.inf), math.inf),
        ("**", (2.0, 1023.0), 2.0**1023),
        ("**", (2.0, 1024.0), math.inf),
        ("**", (-2.0, 3.0), -8.0),
        ("**", (2.0, -3.0), 0.125),
        ("**", (0.0, -1.0), math.inf),
        ("**", (0.0, 0.0), 1.0),
        ("**", (-8.0, 1.5), math.nan),
        ("**", (0.0, 0.5), 0.0),
        ("**", (1.5, 3.0), 3.375),
        ("*", (1e300, 1e300), math.inf),
        ("min", (math.nan, 1.0), math.nan),
        ("min", (1.0, math.nan), math.nan),
        ("max", (math.nan, 1.0), math.nan),
        ("max", (1.0, math.nan), math.nan),
        ("floor", (-0.5,), -1.0),
        ("floor", (math.inf,), math.inf),
        ("floor", (-0.0,), 0.0),
        ("floor_to", (7.9, 2.0), 6.0),
        ("floor_to", (7.9, 0.0), math.nan),
        ("round", (0.5,), 1.0),
        ("round", (1.5,), 2.0),
        ("round", (-0.5,), 0.0),
        ("round_to", (75.0, 50.0), 100.0),
        ("sqrt", (-1.0,), math.nan),
        ("sqrt", (2.0,), math.sqrt(2.0)),
        ("log", (0.0,), -math.inf),
        ("log", (-1.0,), math.nan),
        ("log", (math.inf,), math.inf),
        ("exp", (1000.0,), math.inf),
        ("exp", (-1000.0,), 0.0),
        ("exp", (math.nan,), math.nan),
        ("tanh", (1000.0,), 1.0),
        ("tanh", (-1000.0,), -1.0),
        ("tanh", (-0.0,), -0.0),
    ],
)
def test_what_has_no_finite_value_is_infinite_or_no_number(
    operation: str, values: tuple[float, ...], expected: float
) -> None:
    assert bits(of_numbers(operation, *values)) == bits(expected)


@given(st.floats(-30, 30))
def test_the_hyperbolic_tangent_is_right_to_some_units_of_2_to_the_minus_53(x: float) -> None:
    assert abs(of_numbers("tanh", x) - math.tanh(x)) <= 4 * 2.0**-53


@given(st.floats(1e-3, 1e3), st.floats(-20, 20))
def test_powers_are_right_to_13_digits(x: float, y: float) -> None:
    assert of_numbers("**", x, y) == pytest.approx(math.pow(x, y), rel=1e-13)


@given(st.integers(-1074 + 52, 1023))
def test_powers_of_two_are_exact(exponent: int) -> None:
    assert of_numbers("**", 2.0, float(exponent)) == math.ldexp(1.0, exponent)


def test_the_numbers_of_operations_in_encodings_stay_the_same() -> None:
    assert " ".join(OPERATIONS) == ("+ - * / % ** negative min max floor floor_to round round_to tanh sqrt log exp")
