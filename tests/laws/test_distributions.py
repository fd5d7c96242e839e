"""The laws: their shapes against closed forms and numeric integrals, and how they are written."""

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from scipy.integrate import quad
from scipy.stats import foldnorm

from sim.kernel.draws import BLOCK, Draws
from sim.kernel.durations import LONGEST_NS, RUNAWAY_NS
from sim.laws.column_cells import read_column
from sim.laws.distributions import (
    Constant,
    Empirical,
    Exponential,
    Gamma,
    Law,
    LogNormal,
    Normal,
    Pareto,
    Uniform,
    Weibull,
)
from sim.laws.law import Distribution, LengthBiased

MS = 1_000_000
S = 1_000_000_000
DIGEST = "0" * 64

adapter: TypeAdapter[Any] = TypeAdapter(Law)

LAWS = {
    "constant": Constant(value_ns=50 * MS),
    "uniform": Uniform(low_ns=10 * MS, high_ns=90 * MS),
    "exponential": Exponential(mean_ns=10 * S),
    "normal": Normal(location_ns=10 * MS, sd_ns=2 * MS),
    "normal with a small mean": Normal(location_ns=10 * MS, sd_ns=50 * MS),
    "normal without a mean": Normal(location_ns=0, sd_ns=50 * MS),
    "normal far from 0": Normal(location_ns=100 * MS, sd_ns=5 * MS),
    "lognormal": LogNormal(median_ns=120 * MS, p99_ns=900 * MS),
    "lognormal by sigma": LogNormal(median_ns=120 * MS, sigma=0.5),
    "gamma": Gamma(shape=2.5, mean_ns=200 * MS),
    "gamma below 1": Gamma(shape=0.3, mean_ns=200 * MS),
    "weibull": Weibull(shape=0.7, scale_ns=200 * MS),
    "weibull above 1": Weibull(shape=3, scale_ns=200 * MS),
    "pareto": Pareto(shape=3.5, scale_ns=200 * MS),
    "empirical": Empirical(file="a.csv", column="x_ms").with_values((0, 5 * MS, 5 * MS, 7 * MS, 100 * MS), DIGEST),
}
every_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)

positive_ns = st.integers(1, LONGEST_NS)
shapes = st.floats(1e-6, 1e6)
sigmas = st.floats(0, 10, exclude_min=True)
laws = st.one_of(
    positive_ns.map(lambda value_ns: Constant(value_ns=value_ns)),
    st.tuples(positive_ns, positive_ns).map(lambda ends: Uniform(low_ns=min(ends), high_ns=max(ends))),
    positive_ns.map(lambda mean_ns: Exponential(mean_ns=mean_ns)),
    st.tuples(st.integers(0, LONGEST_NS), positive_ns).map(lambda drawn: Normal(location_ns=drawn[0], sd_ns=drawn[1])),
    positive_ns.map(lambda sd_ns: Normal(location_ns=sd_ns // 2, sd_ns=sd_ns)),
    st.tuples(positive_ns, sigmas).map(lambda drawn: LogNormal(median_ns=drawn[0], sigma=drawn[1])),
    st.tuples(positive_ns, shapes).map(lambda drawn: Gamma(mean_ns=drawn[0], shape=drawn[1])),
    st.tuples(positive_ns, shapes).map(lambda drawn: Weibull(scale_ns=drawn[0], shape=drawn[1])),
    st.tuples(positive_ns, shapes).map(lambda drawn: Pareto(scale_ns=drawn[0], shape=drawn[1])),
)
uniform_numbers = st.integers(0, 2**53 - 1).map(lambda bits: bits * 2.0**-53)


def midpoints(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / count


def rises(samples: NDArray[np.int64]) -> bool:
    """Neighboring floats may change places in the last bits: the inverse of the gamma function has about 14 digits."""
    return bool(np.all(np.diff(samples) >= -1e-12 * samples[1:]))


def quantile_ns(law: Distribution, share: float) -> float:
    return float(law.quantile_ns(np.array([share]))[0])


@every_law
def test_one_number_is_transformed_as_in_a_block(law: Distribution) -> None:
    uniforms = Draws(1).uniforms("latency", np.arange(BLOCK))
    alone = [int(law.sample_ns(np.array([uniform]))[0]) for uniform in uniforms]
    assert alone == law.sample_ns(uniforms).tolist()


@every_law
def test_one_number_is_length_biased_as_in_a_block(law: Distribution) -> None:
    uniforms = Draws(1).uniforms("latency", np.arange(BLOCK))
    alone = [float(law.length_biased_ns(np.array([uniform]))[0]) for uniform in uniforms]
    assert alone == law.length_biased_ns(uniforms).tolist()


@every_law
def test_the_scalar_path_of_draws_gives_the_delay_of_its_block(law: Distribution) -> None:
    draws = Draws(3)
    delay = draws.delays(law, "latency")
    expected = law.sample_ns(draws.uniforms("latency", np.arange(200), 5)).tolist()
    assert [delay(entity, 5, 0) for entity in range(200)] == expected


@every_law
def test_a_strided_array_is_transformed_as_a_contiguous_one(law: Distribution) -> None:
    strided = Draws(1).uniforms("latency", np.arange(BLOCK))[::3]
    assert law.sample_ns(strided).tolist() == law.sample_ns(strided.copy()).tolist()


@every_law
def test_samples_are_whole_nanoseconds(law: Distribution) -> None:
    samples = law.sample_ns(midpoints(100))
    assert (samples.dtype, samples.shape) == (np.dtype(np.int64), (100,))


@given(law=laws, uniforms=st.lists(uniform_numbers, min_size=2, max_size=50))
def test_a_larger_number_never_gives_a_shorter_delay(law: Distribution, uniforms: list[float]) -> None:
    samples = law.sample_ns(np.sort(np.array(uniforms)))
    assert rises(samples)


@given(law=laws, uniforms=st.lists(uniform_numbers, min_size=1, max_size=20))
def test_samples_lie_between_0_and_runaway(law: Distribution, uniforms: list[float]) -> None:
    samples = law.sample_ns(np.array([0.0, *uniforms, 1 - 2.0**-53]))
    assert 0 <= samples.min() <= samples.max() <= RUNAWAY_NS


@given(law=laws.filter(lambda law: law.mean_ns < math.inf), uniforms=st.lists(uniform_numbers, min_size=2, max_size=20))
def test_length_biased_samples_rise_too(law: Distribution, uniforms: list[float]) -> None:
    samples = law.length_biased.sample_ns(np.sort(np.array(uniforms)))
    assert rises(samples)


def test_a_heavy_tail_ends_at_runaway() -> None:
    assert Pareto(shape=1e-6, scale_ns=S).sample_ns(np.array([0.5])).tolist() == [RUNAWAY_NS]


@every_law
def test_the_mean_is_the_integral_of_the_quantiles(law: Distribution) -> None:
    # Substituting u = 1 - v^2 makes the integrands bounded where the quantiles are not.
    v = midpoints(200_000)
    integral = float(np.mean(law.quantile_ns(1 - v * v) * 2 * v))
    assert integral == pytest.approx(law.mean_ns, rel=1e-4)


@pytest.mark.parametrize(
    ("law", "expected_ns"),
    [
        (Uniform(low_ns=1, high_ns=4), 2.5),
        (LogNormal(median_ns=S, sigma=2), S * math.exp(2)),
        (Weibull(shape=2, scale_ns=S), S * math.sqrt(math.pi) / 2),
        (Weibull(shape=0.5, scale_ns=S), 2 * S),
        (Weibull(shape=1e-6, scale_ns=S), math.inf),
        (Pareto(shape=3, scale_ns=S), 1.5 * S),
        (Pareto(shape=1, scale_ns=S), math.inf),
        (Pareto(shape=0.5, scale_ns=S), math.inf),
    ],
)
def test_means_have_closed_forms(law: Distribution, expected_ns: float) -> None:
    assert law.mean_ns == pytest.approx(expected_ns, rel=1e-12)


@pytest.mark.parametrize(
    ("law", "share", "expected_ns"),
    [
        (Uniform(low_ns=1 * S, high_ns=3 * S), 0.25, 1.5 * S),
        (Exponential(mean_ns=S), 0.5, S * math.log(2)),
        (Exponential(mean_ns=S), 0.99, S * math.log(100)),
        (LogNormal(median_ns=120 * MS, p99_ns=900 * MS), 0.5, 120 * MS),
        (LogNormal(median_ns=120 * MS, p99_ns=900 * MS), 0.99, 900 * MS),
        (LogNormal(median_ns=S, sigma=1), 0.99, S * math.exp(2.3263478740408408)),
        (Gamma(shape=1, mean_ns=S), 0.9, S * math.log(10)),
        (Weibull(shape=2, scale_ns=S), 0.5, S * math.sqrt(math.log(2))),
        (Pareto(shape=2, scale_ns=S), 0.99, 10 * S),
        (Pareto(shape=2, scale_ns=S), 0.0, S),
    ],
)
def test_quantiles_have_closed_forms(law: Distribution, share: float, expected_ns: float) -> None:
    assert quantile_ns(law, share) == pytest.approx(expected_ns, rel=1e-12)


@pytest.mark.parametrize("ratio", [0.0, 0.2, 1.0, 3.0, 5.0, 8.9, 9.1, 40.0])
def test_a_normal_law_is_scipys_folded_normal_law(ratio: float) -> None:
    law = Normal(location_ns=round(ratio * S), sd_ns=S)
    reference = foldnorm(ratio, scale=S)
    assert law.mean_ns == pytest.approx(reference.mean(), rel=1e-12)
    shares = np.array([1e-6, 0.001, 0.1, 0.4999, 0.5, 0.5001, 0.9, 0.999, 1 - 1e-6])
    assert reference.cdf(law.quantile_ns(shares)) == pytest.approx(shares, rel=1e-8)
    tails = np.array([1e-9, 1e-12])
    assert reference.sf(law.quantile_ns(1 - tails)) == pytest.approx(tails, rel=1e-3)


@pytest.mark.parametrize("ratio", [0.0, 1.0, 5.0, 12.0])
def test_a_length_biased_normal_law_weighs_scipys_density(ratio: float) -> None:
    law = Normal(location_ns=round(ratio * S), sd_ns=S)
    shares = np.array([0.01, 0.3, 0.7, 0.999])
    for share, x in zip(shares, law.length_biased_ns(shares) / S, strict=True):
        part, _ = quad(lambda t: t * foldnorm.pdf(t, ratio), max(0.0, ratio - 9), x, limit=200)
        assert part / (law.mean_ns / S) == pytest.approx(share, rel=1e-8)


def test_a_normal_duration_near_0_is_never_negative() -> None:
    samples = Normal(location_ns=S, sd_ns=S).sample_ns(np.array([0.0, 2.0**-53, 1e-9]))
    assert samples.tolist() == [0, 0, 2]


def test_gamma_quantiles_return_to_their_uniforms() -> None:
    uniforms = midpoints(1000)
    x = Gamma(shape=2, mean_ns=S).quantile_ns(uniforms) / (S / 2)
    assert 1 - np.exp(-x) * (1 + x) == pytest.approx(uniforms, rel=1e-9)


@every_law
def test_length_biased_quantiles_carry_their_share_of_the_mean(law: Distribution) -> None:
    # A share p of the length-biased law lies below x where intervals shorter than x make up p of all time.
    v = midpoints(400_000)
    lengths, weights = law.quantile_ns(1 - v * v)[::-1], v[::-1]
    time_below = np.cumsum(lengths * weights) / np.sum(lengths * weights)
    shares = np.array([0.03, 0.2, 0.5, 0.9, 0.99])
    x = law.length_biased_ns(shares)
    below = np.concatenate([[0.0], time_below])[np.searchsorted(lengths, x * (1 - 1e-9), side="left")]
    upto = np.concatenate([[0.0], time_below])[np.searchsorted(lengths, x * (1 + 1e-9), side="right")]
    assert bool(np.all((below <= shares + 1e-4) & (shares - 1e-4 <= upto)))


@pytest.mark.parametrize("law", [Pareto(shape=1, scale_ns=S), Weibull(shape=1e-6, scale_ns=S)])
def test_no_length_biased_law_without_a_mean(law: Distribution) -> None:
    with pytest.raises(ValueError, match="infinite mean"):
        LengthBiased(law)


def test_length_biased_pareto_needs_a_shape_above_1() -> None:
    with pytest.raises(ValueError, match="infinite mean"):
        Pareto(shape=1, scale_ns=S).length_biased_ns(np.array([0.5]))


def test_empirical_quantiles_are_order_statistics() -> None:
    law = Empirical(file="a.csv", column="x_ms").with_values((40, 10, 30, 20), DIGEST)
    assert law.sample_ns(np.array([0.0, 0.24, 0.25, 0.5, 0.75, 1 - 2.0**-53])).tolist() == [10, 10, 20, 30, 40, 40]


@given(st.integers(1, 5000))
def test_the_largest_uniform_gives_the_last_value(rows: int) -> None:
    law = Empirical(file="a.csv", column="x_ms").with_values(tuple(range(rows)), DIGEST)
    assert law.sample_ns(np.array([1 - 2.0**-53])).tolist() == [rows - 1]


def test_a_length_biased_sample_is_never_a_value_of_0() -> None:
    law = Empirical(file="a.csv", column="x_ms").with_values((0, 0, 0, 5), DIGEST)
    assert law.length_biased_ns(np.array([0.0, 0.5, 1 - 2.0**-53])).tolist() == [5.0, 5.0, 5.0]


def test_values_that_are_all_0_have_no_length_biased_law() -> None:
    law = Empirical(file="a.csv", column="x_ms").with_values((0, 0), DIGEST)
    with pytest.raises(ValueError, match="all 0"):
        law.length_biased_ns(np.array([0.5]))


def test_values_of_a_file_become_a_law() -> None:
    values_ns = read_column("n,x_ms\n1,0.5\n2,0.25\n", "x_ms")
    law = Empirical(file="a.csv", column="x_ms").with_values(values_ns, DIGEST)
    assert (law.mean_ns, law.sample_ns(np.array([0.0, 0.5])).tolist()) == (375_000.0, [250_000, 500_000])


def test_an_empirical_law_without_its_values_cannot_be_used() -> None:
    with pytest.raises(RuntimeError, match=r"the values of a\.csv have not been read"):
        Empirical(file="a.csv", column="x_ms").sample_ns(np.array([0.5]))


@every_law
def test_a_used_law_still_equals_an_unused_one(law: Distribution) -> None:
    unused = type(law)(**law.model_dump())
    if isinstance(law, Empirical):
        unused = Empirical(file=law.file, column=law.column).with_values(law.values_ns, DIGEST)
    law.length_biased.sample_ns(law.sample_ns(midpoints(3)) / RUNAWAY_NS)
    assert law == unused


@every_law
def test_a_used_law_can_be_sent_to_another_process(law: Distribution) -> None:
    expected = law.length_biased.sample_ns(midpoints(3)).tolist()
    received = pickle.loads(pickle.dumps(law))  # noqa: S301  # our own bytes
    assert (received, received.length_biased.sample_ns(midpoints(3)).tolist()) == (law, expected)


WRITTEN: dict[str, Any] = {
    "constant": {"constant": "50ms"},
    "uniform": {"uniform": {"low": "10ms", "high": "90ms"}},
    "exponential": {"exponential": {"mean": "10s"}},
    "normal": {"normal": {"mean": "10ms", "sd": "2ms"}},
    "normal without a mean": {"normal": {"mean": "0s", "sd": "50ms"}},
    "lognormal": {"lognormal": {"median": "120ms", "p99": "900ms"}},
    "lognormal by sigma": {"lognormal": {"median": "120ms", "sigma": 0.5}},
    "gamma": {"gamma": {"shape": 2.5, "mean": "200ms"}},
    "weibull": {"weibull": {"shape": 0.7, "scale": "200ms"}},
    "pareto": {"pareto": {"shape": 3.5, "scale": "200ms"}},
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_law_is_written_as_one_key(name: str) -> None:
    assert adapter.dump_python(LAWS[name], mode="json") == WRITTEN[name]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_written_law_is_read(name: str) -> None:
    assert adapter.validate_python(WRITTEN[name]) == LAWS[name]


@settings(max_examples=50)
@given(laws)
def test_a_law_survives_being_written(law: Distribution) -> None:
    assert adapter.validate_json(adapter.dump_json(law)) == law


def test_an_empirical_law_shows_digest_and_rows_but_no_values() -> None:
    expected = {"empirical": {"file": "a.csv", "column": "x_ms", "sha256": DIGEST, "rows": 5}}
    assert adapter.dump_python(LAWS["empirical"]) == expected


@pytest.mark.parametrize(
    ("written", "place", "reason"),
    [
        ({"lognorml": {}}, ("lognorml",), "no law has this name; the names are: constant, uniform, exponential"),
        ("fast", (), "a law is a mapping with one key, such as {constant: 50ms}"),
        ("50mss", ("constant",), "not a duration"),
        ({"constant": "-1s"}, ("constant",), "a duration cannot be negative"),
        ({"constant": "101000d"}, ("constant",), "at most 100 years"),
        ({"uniform": {"low": "2s", "high": "1s"}}, ("uniform", "high"), "high must not lie below low"),
        ({"exponential": {"mean": "0s"}}, ("exponential", "mean"), "must be longer than 0"),
        ({"normal": {"mean": "1s", "sd": "0s"}}, ("normal", "sd"), "must be longer than 0"),
        ({"normal": {"mean": "-1s", "sd": "1s"}}, ("normal", "mean"), "a duration cannot be negative"),
        ({"normal": {"mean": "1s"}}, ("normal", "sd"), "Field required"),
        ({"lognormal": {"median": "1s", "p99": "1s"}}, ("lognormal", "p99"), "p99 must lie above the median"),
        ({"lognormal": {"median": "1ns", "p99": "1000d"}}, ("lognormal", "p99"), "sigma would be 16.8, at most 10"),
        ({"lognormal": {"median": "1s"}}, ("lognormal",), "one of p99 and sigma"),
        ({"lognormal": {"median": "1s", "p99": "2s", "sigma": 1}}, ("lognormal",), "one of p99 and sigma"),
        ({"lognormal": {"median": "1s", "sigma": 0}}, ("lognormal", "sigma"), "greater than 0"),
        ({"lognormal": {"median": "1s", "sigma": 10.5}}, ("lognormal", "sigma"), "less than or equal to 10"),
        ({"gamma": {"shape": 0, "mean": "1s"}}, ("gamma", "shape"), "greater than or equal to"),
        ({"gamma": {"shape": 2e6, "mean": "1s"}}, ("gamma", "shape"), "less than or equal to 1000000"),
        ({"weibull": {"shape": math.nan, "scale": "1s"}}, ("weibull", "shape"), "finite number"),
        ({"pareto": {"shape": math.inf, "scale": "1s"}}, ("pareto", "shape"), "finite number"),
        ({"pareto": {"shape": 2, "scale": "0s"}}, ("pareto", "scale"), "must be longer than 0"),
        ({"empirical": {"file": "a.csv", "column": "x"}}, ("empirical", "column"), "must end in its unit"),
        ({"empirical": {"file": "", "column": "x_ms"}}, ("empirical", "file"), "at least 1 character"),
        ({"exponential": {"mean": "1s", "median": "1s"}}, ("exponential", "median"), "Extra inputs"),
    ],
)
def test_a_wrong_law_is_one_error_at_its_place(written: object, place: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(written)
    (error,) = caught.value.errors()
    assert (error["loc"], reason in error["msg"]) == (place, True)


@pytest.mark.parametrize("ratio", [0.0, 0.2, 1.0, 5.0, 8.9])
def test_one_number_has_the_quantile_that_it_has_among_others(ratio: float) -> None:
    law = Normal(location_ns=round(ratio * S), sd_ns=S)
    drawn = np.random.default_rng(1).random(2000)
    uniforms = np.concatenate([drawn, [0.0, 2.0**-53, 0.5, np.nextafter(0.5, 1.0), 1 - 2.0**-53]])
    for quantiles_ns in (law.quantile_ns, law.length_biased_ns):
        alone = [float(quantiles_ns(uniforms[place : place + 1])[0]) for place in range(len(uniforms))]
        assert quantiles_ns(uniforms).tolist() == alone
