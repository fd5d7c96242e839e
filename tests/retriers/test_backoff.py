"""Delays that ports share."""

import math

import pytest

from sim.retriers.backoff import jitter, power


@pytest.mark.parametrize(("uniform", "expected"), [(0.0, 50.0), (0.5, 100.0), (1 - 2**-53, 150.0)])
def test_jitter_spreads_a_delay_from_half_to_one_and_a_half(uniform: float, expected: float) -> None:
    assert jitter(100.0, uniform) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("base", "exponent", "expected"), [(2, 0, 1), (2, 10, 1024), (1.5, 2, 2.25), (0, 3, 0), (-2, 3, -8)]
)
def test_power_raises(base: float, exponent: float, expected: float) -> None:
    assert power(base, exponent) == expected


def test_power_overflows_to_infinity_as_in_javascript() -> None:
    assert power(10, 400) == math.inf
