"""The laws of durations that a scenario can write: option models that turn uniforms into nanoseconds.

Every law uses its inverse distribution function, so that one number of an address is one duration and, but for the last
bits, a larger number gives a longer one. The transforms work on contiguous float64 arrays only: NumPy's functions of
whole arrays and `math`'s of single numbers differ in their last bits, but two engines must agree in all of them.
Gamma functions come from `scipy.special`, imported when a law needs them because that takes as long as a small run.
`sim.laws.law` has the base of all laws.
"""

import math
from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Annotated, Any, Self

import numpy as np
from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import TypeAliasType

from sim.laws import elementary
from sim.laws.columns import Column
from sim.laws.elementary import Floats
from sim.laws.inversion import Inversion
from sim.laws.law import Distribution, Nanoseconds
from sim.laws.normal import normal_quantile
from sim.options.model import DurationNs
from sim.options.single_key import SingleKey

SIGMA_MAX = 10.0
_OVERFLOW = 709.78
"""Just below the logarithm of the largest float."""
_FARTHEST = 9.0
"""No uniform gives a normal quantile, length-biased or not, so many standard deviations from its mean."""
_LAWS_AT_ONCE = 64
"""Normal laws whose tables are kept."""


def _above_zero(duration_ns: int) -> int:
    if duration_ns <= 0:
        raise ValueError("must be longer than 0")
    return duration_ns


PositiveNs = Annotated[DurationNs, AfterValidator(_above_zero)]
Shape = Annotated[float, Field(ge=1e-6, le=1e6)]


def exponential_ns(uniforms: Floats, mean_ns: float) -> Floats:
    """Return the exponential quantiles of uniforms on [0, 1), not rounded."""
    # 1 - u is exact: uniforms are multiples of 2^-53.
    return -elementary.log(1.0 - uniforms) * mean_ns


class Constant(Distribution):
    """Always the same duration."""

    value_ns: DurationNs

    @property
    def mean_ns(self) -> float:
        """The duration itself."""
        return self.value_ns

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Return the duration everywhere."""
        return np.full(uniforms.shape, float(self.value_ns))

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Return the duration everywhere."""
        return self.quantile_ns(uniforms)

    def sample_ns(self, uniforms: Floats) -> Nanoseconds:
        """Return the duration everywhere, exact even if a float would not be."""
        return np.full(uniforms.shape, self.value_ns, dtype=np.int64)


class Uniform(Distribution):
    """All durations between two are equally likely."""

    low_ns: DurationNs = Field(description="The shortest.")
    high_ns: DurationNs = Field(description="The longest.")

    @field_validator("high_ns")
    @classmethod
    def _not_below_low(cls, high_ns: int, info: ValidationInfo) -> int:
        if high_ns < info.data.get("low_ns", 0):
            raise ValueError("high must not lie below low")
        return high_ns

    @property
    def mean_ns(self) -> float:
        """The middle."""
        return (self.low_ns + self.high_ns) / 2

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Go from low to high in proportion."""
        return self.low_ns + uniforms * (self.high_ns - self.low_ns)

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Invert (x^2 - low^2) / (high^2 - low^2)."""
        low, high = float(self.low_ns), float(self.high_ns)
        return np.sqrt(low * low + uniforms * ((high - low) * (high + low)))


class Exponential(Distribution):
    """Without memory: the time that remains does not depend on the time that has passed."""

    mean_ns: PositiveNs = Field(description="The mean.")

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Return -ln(1 - u) times the mean."""
        return exponential_ns(uniforms, self.mean_ns)

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Return the quantiles of a sum of two of these."""
        return _gamma_quantile(2.0, uniforms) * self.mean_ns


class Normal(Distribution):
    """The absolute value of a normal variable: durations about a mean (a folded normal law if the mean is small).

    Given by mean and standard deviation of the normal variable. If the mean is more than some standard deviations the
    law's own are the same. F. C. Leone, L. S. Nelson and R. B. Nottingham, "The Folded Normal Distribution",
    Technometrics 3 (1961).
    """

    location_ns: DurationNs = Field(
        validation_alias="mean", serialization_alias="mean", description="The mean of the normal variable."
    )
    sd_ns: PositiveNs = Field(description="The standard deviation of the normal variable.")

    @property
    def _ratio(self) -> float:
        """The mean of the normal variable in its standard deviations."""
        return self.location_ns / self.sd_ns

    @cached_property
    def mean_ns(self) -> float:
        """Return m erf(m / (s sqrt 2)) + s sqrt(2 / pi) exp(-(m / s)^2 / 2)."""
        ratio = self._ratio
        height = _one(_bell, ratio) if ratio < _FARTHEST else 0.0
        return self.location_ns * math.erf(ratio / math.sqrt(2.0)) + 2.0 * self.sd_ns * height

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Invert the distribution function; with a large mean that is the normal variable's own."""
        if self._ratio >= _FARTHEST:
            return self._at(normal_quantile(uniforms))
        return self._at(_folded(self._ratio).quantile(uniforms))

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Invert the integral of x f(x)."""
        return self._at(_folded_length_biased(self._ratio).quantile(uniforms))

    def _at(self, deviations: Floats) -> Floats:
        return np.maximum(self.location_ns + self.sd_ns * deviations, 0.0)


class LogNormal(Distribution):
    """The logarithm is normal: the usual shape of latencies. Given by its median and either p99 or sigma."""

    median_ns: PositiveNs = Field(description="Half of all durations are shorter.")
    p99_ns: PositiveNs | None = Field(default=None, description="99 % of all durations are shorter; in place of sigma.")
    sigma: Annotated[float, Field(gt=0, le=SIGMA_MAX)] | None = Field(
        default=None, description="Standard deviation of the logarithm; in place of p99."
    )
    """Standard deviation of the natural logarithm."""

    @field_validator("p99_ns")
    @classmethod
    def _above_median(cls, p99_ns: int | None, info: ValidationInfo) -> int | None:
        median_ns = info.data.get("median_ns")
        if p99_ns is None or median_ns is None:
            return p99_ns
        if p99_ns <= median_ns:
            raise ValueError("p99 must lie above the median")
        if (sigma := _sigma(median_ns, p99_ns)) > SIGMA_MAX:
            raise ValueError(f"p99 lies too far above the median: sigma would be {sigma:.1f}, at most {SIGMA_MAX:g}")
        return p99_ns

    @model_validator(mode="after")
    def _one_measure_of_spread(self) -> Self:
        if (self.p99_ns is None) == (self.sigma is None):
            raise ValueError("give the median and one of p99 and sigma")
        return self

    @model_serializer(mode="wrap")
    def _without_gaps(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the natural logarithm, however it was given."""
        return _sigma(self.median_ns, self.p99_ns) if self.p99_ns is not None else float(self.sigma or 0.0)

    @property
    def mean_ns(self) -> float:
        """The median times exp(sigma^2 / 2)."""
        return self.median_ns * _one(elementary.exp, self.spread * self.spread / 2)

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Return the median times exp(sigma z)."""
        quantiles = normal_quantile(uniforms)
        quantiles *= self.spread
        durations_ns = elementary.exp(quantiles)
        durations_ns *= self.median_ns
        return durations_ns

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Shift the logarithm by sigma^2."""
        return elementary.exp(normal_quantile(uniforms) * self.spread + self.spread * self.spread) * self.median_ns


class Gamma(Distribution):
    """A sum of `shape` exponential stages (Erlang if the shape is a whole number)."""

    shape: Shape = Field(description="The shape: 1 is the exponential law, more is narrower.")
    mean_ns: PositiveNs = Field(description="The mean.")

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Invert the regularized lower incomplete gamma function."""
        return _gamma_quantile(self.shape, uniforms) * (self.mean_ns / self.shape)

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Add one stage."""
        return _gamma_quantile(self.shape + 1.0, uniforms) * (self.mean_ns / self.shape)


class Weibull(Distribution):
    """A power of an exponential; heavier than it for a shape below 1."""

    shape: Shape = Field(description="The shape: 1 is the exponential law, less has a longer tail.")
    scale_ns: PositiveNs = Field(description="63 % of all durations are shorter.")

    @cached_property
    def mean_ns(self) -> float:
        """The scale times gamma(1 + 1 / shape); infinite if no float can hold that."""
        from scipy.special import gammaln

        logarithm = float(gammaln(1.0 + 1.0 / self.shape)) + _one(elementary.log, self.scale_ns)
        return _one(elementary.exp, logarithm) if logarithm < _OVERFLOW else math.inf

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Return (-ln(1 - u))^(1 / shape) times the scale."""
        return elementary.power(exponential_ns(uniforms, 1.0), 1.0 / self.shape) * self.scale_ns

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Use that (x / scale)^shape is gamma distributed with shape 1 + 1 / shape."""
        return elementary.power(_gamma_quantile(1.0 + 1.0 / self.shape, uniforms), 1.0 / self.shape) * self.scale_ns


class Pareto(Distribution):
    """A power law (type I); the scale is the least duration, the mean is infinite for a shape of at most 1."""

    shape: Shape = Field(description="The index of the tail: the smaller, the heavier.")
    scale_ns: PositiveNs = Field(description="The shortest.")

    @property
    def mean_ns(self) -> float:
        """The scale times shape / (shape - 1), or infinity."""
        return self.scale_ns * (self.shape / (self.shape - 1)) if self.shape > 1 else math.inf

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Return (1 - u)^(-1 / shape) times the scale."""
        return elementary.power(1.0 - uniforms, -1.0 / self.shape) * self.scale_ns

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Lower the shape by one."""
        if self.shape <= 1:
            raise ValueError("a Pareto law with a shape of at most 1 has an infinite mean and no length-biased law")
        return elementary.power(1.0 - uniforms, -1.0 / (self.shape - 1.0)) * self.scale_ns


class Empirical(Column, Distribution):
    """The values of a file's column, each as likely as the others; nothing between them, nothing beyond."""

    @cached_property
    def table(self) -> "_Table":
        """The values as arrays."""
        if not self.values_ns:
            raise RuntimeError(f"the values of {self.file} have not been read")
        return _Table(self.values_ns)

    @cached_property
    def mean_ns(self) -> float:
        """The mean of the values."""
        return math.fsum(self.values_ns) / len(self.table.values_ns)

    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Return the order statistic number floor(u n)."""
        return self.sample_ns(uniforms).astype(np.float64)

    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Weigh each value by itself; raises ValueError if all are 0."""
        table = self.table
        if not table.cumulative[-1] > 0:
            raise ValueError("values that are all 0 have no length-biased law")
        places = np.searchsorted(table.cumulative, uniforms * table.cumulative[-1], side="right")
        chosen: Nanoseconds = table.values_ns[np.minimum(places, len(table.values_ns) - 1)]
        return chosen.astype(np.float64)

    def sample_ns(self, uniforms: Floats) -> Nanoseconds:
        """Return the order statistic number floor(u n), exactly."""
        # u n is below n for every float u below 1: n (1 - 2^-53) rounds down.
        return self.table.values_ns[(uniforms * len(self.values_ns)).astype(np.intp)]


class _Table:
    """Order statistics and their cumulative sum; compared by identity, as arrays cannot be."""

    def __init__(self, values_ns: tuple[int, ...]) -> None:
        self.values_ns = np.array(values_ns, dtype=np.int64)
        self.cumulative = np.cumsum(self.values_ns, dtype=np.float64)


def _one(function: Callable[[Floats], Floats], x: float) -> float:
    return float(function(np.array([x], dtype=np.float64))[0])


def _bell(x: Floats) -> Floats:
    """Return the standard normal density."""
    height = elementary.exp(x * x * -0.5)
    height *= 1.0 / math.sqrt(2.0 * math.pi)
    return height


def _bell_of(x: float) -> float:
    """Return the standard normal density of one number, in the bits of `_bell`."""
    return elementary.exp_of(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))


# By the distance from the mean of the normal variable, in its standard deviations; `ratio` is that of 0.


def _folded_density(ratio: float, x: Floats) -> Floats:
    density = _bell(x)
    density += _bell(x + 2.0 * ratio)
    return density


def _folded_density_of(ratio: float, x: float) -> float:
    return _bell_of(x) + _bell_of(x + 2.0 * ratio)


@lru_cache(maxsize=_LAWS_AT_ONCE)
def _folded(ratio: float) -> Inversion:
    return Inversion(partial(_folded_density, ratio), partial(_folded_density_of, ratio), -ratio, _FARTHEST)


@lru_cache(maxsize=_LAWS_AT_ONCE)
def _folded_length_biased(ratio: float) -> Inversion:
    # Times the duration, of which any multiple will do.
    size = max(ratio, 1.0)

    def density(x: Floats) -> Floats:
        return _folded_density(ratio, x) * np.maximum((ratio + x) / size, 0.0)

    def density_of(x: float) -> float:
        return _folded_density_of(ratio, x) * max((ratio + x) / size, 0.0)

    return Inversion(density, density_of, -min(ratio, _FARTHEST), _FARTHEST)


def _gamma_quantile(shape: float, uniforms: Floats) -> Floats:
    from scipy.special import gammaincinv

    return np.asarray(gammaincinv(shape, uniforms), dtype=np.float64)


def _sigma(median_ns: int, p99_ns: int) -> float:
    (z99,) = normal_quantile(np.array([0.99]))
    return _one(elementary.log, p99_ns / median_ns) / float(z99)


Law = TypeAliasType(
    "Law",
    Annotated[
        Constant | Uniform | Exponential | Normal | LogNormal | Gamma | Weibull | Pareto | Empirical,
        SingleKey(
            "law",
            "{constant: 50ms}",
            {
                "constant": Constant,
                "uniform": Uniform,
                "exponential": Exponential,
                "normal": Normal,
                "lognormal": LogNormal,
                "gamma": Gamma,
                "weibull": Weibull,
                "pareto": Pareto,
                "empirical": Empirical,
            },
            scalars={"constant": "value_ns"},
            text="constant",
        ),
    ],
)
"""Any law, written as one key and its options: `lognormal: {median: 120ms, p99: 900ms}`."""
