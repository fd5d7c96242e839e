"""Distribution functions against the quantile functions that they are written down apart from."""

import numpy as np
import pytest

from sim.kernel.draws import Draws
from sim.laws.distributions import Constant, Exponential, Gamma, LogNormal, Normal, Pareto, Uniform, Weibull
from sim.laws.law import Distribution
from sim.laws.shares import interval, is_fixed

S = 1_000_000_000
LAWS: list[Distribution] = [
    Uniform(low_ns=S, high_ns=3 * S),
    Exponential(mean_ns=S),
    Normal(location_ns=S, sd_ns=S),
    Normal(location_ns=10 * S, sd_ns=S),
    LogNormal(median_ns=S, p99_ns=9 * S),
    LogNormal(median_ns=S, sigma=2.0),
    Gamma(shape=2.5, mean_ns=S),
    Weibull(shape=0.7, scale_ns=S),
    Pareto(shape=1.1, scale_ns=S),
    Pareto(shape=0.05, scale_ns=S),
]


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_a_duration_comes_from_the_uniform_that_it_was_made_of(law: Distribution) -> None:
    uniforms = Draws(5).uniforms("shares", np.arange(1000, dtype=np.int64))
    low, high = interval(law, law.sample_ns(uniforms))
    assert np.all(low <= uniforms + 1e-12)
    assert np.all(uniforms <= high + 1e-12)


@pytest.mark.parametrize("law", LAWS[:-1], ids=repr)
def test_the_uniforms_of_a_duration_are_few(law: Distribution) -> None:
    uniforms = Draws(5).uniforms("shares", np.arange(1000, dtype=np.int64))
    low, high = interval(law, law.sample_ns(uniforms))
    assert np.median(high - low) < 1e-8


def test_a_constant_comes_from_every_uniform_and_nothing_else_from_any() -> None:
    low, high = interval(Constant(value_ns=S), [S, S + 5, S - 5])
    assert (low.tolist(), high.tolist()) == ([0, 1, 0], [1, 1, 0])


def test_a_law_is_fixed_if_it_has_one_duration() -> None:
    assert is_fixed(Constant(value_ns=S))
    assert is_fixed(Uniform(low_ns=S, high_ns=S))
    assert not is_fixed(Exponential(mean_ns=S))
