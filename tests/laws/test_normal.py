"""The normal quantile against SciPy's, and its behaviour at the ends."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from sim.laws.normal import LEAST_UNIFORM, normal_quantile

GRID = np.concatenate(
    [
        np.linspace(1e-6, 1 - 1e-6, 200_001),
        np.geomspace(LEAST_UNIFORM, 0.1, 20_001),
        1 - np.geomspace(2.0**-53, 0.1, 20_001),
    ],
)
"""The centre and both tails, down to the smallest and up to the largest uniform."""


def test_quantiles_agree_with_scipy() -> None:
    expected = ndtri(GRID)
    distance = np.abs(normal_quantile(GRID) - expected) / np.maximum(np.abs(expected), 1e-3)
    assert distance.max() < 2e-15


def test_the_lower_tail_returns_to_its_uniforms() -> None:
    uniforms = np.geomspace(LEAST_UNIFORM, 0.5, 10_001)
    assert np.abs(ndtr(normal_quantile(uniforms)) / uniforms - 1).max() < 1e-13


@pytest.mark.parametrize(("uniform", "expected"), [(0.25, -0.6744897501960817), (1e-3, -3.0902323061678132)])
def test_the_values_the_paper_checks(uniform: float, expected: float) -> None:
    assert normal_quantile(np.array([uniform]))[0] == pytest.approx(expected, rel=1e-15)


def test_a_table_moves_up_from_float_to_float_even_between_its_pieces() -> None:
    for start in (0.25, 0.5 - 2.0**-8, 0.375, 2.0**-20, 0.3):
        uniforms = start + np.arange(-20_000, 20_000) * 2.0**-54
        assert bool(np.all(np.diff(normal_quantile(uniforms)) >= 0))


def test_the_bits_are_these() -> None:
    bits = np.arange(1, 6001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(11)
    spread = bits.astype(float) / 2**53
    uniforms = np.concatenate([spread, np.ldexp(spread[:1000], -(np.arange(1000) % 54))])
    assert hashlib.sha256(normal_quantile(uniforms).astype("<f8").tobytes()).hexdigest()[:16] == DIGEST


DIGEST = "74da794b238f9591"


def test_the_median_is_exactly_0() -> None:
    assert normal_quantile(np.array([0.5])).tolist() == [0.0]


def test_a_uniform_of_0_counts_as_the_least() -> None:
    assert normal_quantile(np.array([0.0])).tolist() == normal_quantile(np.array([LEAST_UNIFORM])).tolist()


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1))
def test_larger_uniforms_never_give_smaller_quantiles(uniforms: list[float]) -> None:
    quantiles = normal_quantile(np.sort(np.array(uniforms)))
    assert bool(np.all(np.diff(quantiles) >= 0))


@given(st.floats(2.0**-20, 0.5))
def test_the_law_is_symmetric(uniform: float) -> None:
    dyadic = np.round(uniform * 2.0**40) / 2.0**40
    low, high = normal_quantile(np.array([dyadic, 1 - dyadic]))
    assert low == -high
