"""Logarithm, exponential and powers of our own: right to the last bits, and the same bits on every machine."""

import ast
import hashlib
import inspect
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.laws import distributions, elementary, normal
from sim.laws.formulas import operations

DIGITS = 50
UNIFORMS = (np.arange(1, 3001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(11)).astype(float) / 2**53
SMALL = np.ldexp(UNIFORMS[:500], -(np.arange(500) % 54))
EXPONENTS = np.concatenate([(UNIFORMS - 0.5) * 60, (UNIFORMS[:1000] - 0.5) * 1400])


def units_off(found: NDArray[np.float64], true: list[Decimal]) -> float:
    """The largest error in units in the last place."""
    with localcontext(prec=DIGITS):
        return max(
            float(abs(Decimal(one) - other) / Decimal(math.ulp(one)))
            for one, other in zip(found.tolist(), true, strict=True)
        )


def test_logarithms_are_right_to_three_units_in_the_last_place() -> None:
    x = np.concatenate([UNIFORMS, SMALL, 1 - SMALL[SMALL > 0], [1 - 2.0**-53, 2.0**-54, 5e-324, 1e308, 2.0]])
    x = x[x != 1.0]
    with localcontext(prec=DIGITS):
        true = [Decimal(one).ln() for one in x.tolist()]
    assert units_off(elementary.log(x), true) < 3


def test_exponentials_are_right_to_three_units_in_the_last_place() -> None:
    with localcontext(prec=DIGITS):
        true = [Decimal(one).exp() for one in EXPONENTS.tolist()]
    assert units_off(elementary.exp(EXPONENTS), true) < 3


@pytest.mark.parametrize("exponent", [1 / 0.7, -1 / 1.3, 3.0, 0.01])
def test_powers_are_right_to_14_digits(exponent: float) -> None:
    found = elementary.power(UNIFORMS, exponent)
    assert found.tolist() == pytest.approx([math.pow(x, exponent) for x in UNIFORMS.tolist()], rel=1e-14)


def test_what_has_no_logarithm_or_no_exponential_in_floats() -> None:
    assert elementary.log(np.array([0.0, 1.0])).tolist() == [-math.inf, 0.0]
    assert elementary.exp(np.array([-math.inf, -746.0, 0.0, 710.0, math.inf])).tolist() == [0, 0, 1, math.inf, math.inf]
    assert elementary.power(np.array([0.0, 1.0]), 2.5).tolist() == [0.0, 1.0]
    assert elementary.power(np.array([0.5, 1e-16]), -1e6).tolist() == [math.inf, math.inf]


def test_one_number_gives_the_bits_that_it_gives_among_others() -> None:
    for function in (elementary.log, elementary.exp, lambda x: elementary.power(x, 1.7)):
        alone = [float(function(UNIFORMS[place : place + 1])[0]) for place in range(300)]
        assert alone == function(UNIFORMS)[:300].tolist()


def assert_single_numbers_have_the_bits_of_arrays(x: NDArray[np.float64]) -> None:
    positive = np.abs(x)
    assert [elementary.log_of(one) for one in positive.tolist()] == elementary.log(positive).tolist()
    assert [elementary.exp_of(one) for one in x.tolist()] == elementary.exp(x).tolist()


def test_single_numbers_have_the_bits_of_arrays() -> None:
    edges = [0.0, -0.0, 1.0, 5e-324, 1.7e308, 709.78, 709.79, -745.1, -745.2, 799.9, -801.0, 2.0**-53, math.sqrt(0.5)]
    assert_single_numbers_have_the_bits_of_arrays(np.concatenate([UNIFORMS, SMALL, EXPONENTS, edges]))


@pytest.mark.slow
def test_millions_of_single_numbers_have_the_bits_of_arrays() -> None:
    uniforms = (np.arange(1, 2_000_001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(11)) / 2.0**53
    assert_single_numbers_have_the_bits_of_arrays(np.concatenate([uniforms, (uniforms - 0.5) * 1600, uniforms * 1e-9]))


def test_the_bits_are_these() -> None:
    found = [elementary.log(UNIFORMS), elementary.exp(EXPONENTS), elementary.power(UNIFORMS, 1 / 0.7)]
    digests = [hashlib.sha256(one.astype("<f8").tobytes()).hexdigest()[:16] for one in found]
    assert digests == DIGESTS


DIGESTS = ["5c1816c8348044c9", "1dc5318d797dc573", "3e0cab7580da12f2"]


@pytest.mark.parametrize("module", [distributions, normal, elementary, operations], ids=lambda module: module.__name__)
def test_no_function_is_used_that_numpy_computes_as_the_processor_likes(module: object) -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(module)))  # type: ignore[arg-type]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
    }
    assert used & {"exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "power", "float_power", "cbrt"} == set()
