"""The normal quantile against SciPy's, and its behaviour at the ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from sim.world.normal import LEAST_UNIFORM, normal_quantile

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
