"""Laws of durations fitted to a sample by maximum likelihood, each with the intervals of its parameters.

The laws are those that a scenario can write (`sim.laws.distributions`). They are put in order by the criterion of H.
Akaike, "A new look at the statistical model identification", IEEE Transactions on Automatic Control 19(6), 1974, and
each has its Kolmogorov distance: the largest difference between the shares below a duration, of the law and of the
sample. A distance says how good a law is, which a p-value of a large log does not: no law is exactly that of a log.

Intervals are 95 %: of an exponential mean, of a lognormal law, of a Pareto shape and of uniform ends they are exact;
of gamma and Weibull laws they come from the observed information of the logarithm of each parameter (N. L. Johnson, S.
Kotz and N. Balakrishnan, "Continuous Univariate Distributions" 1, 1994, chapters 14, 17, 19 to 21).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.fitting.intervals import Found
from sim.kernel.durations import format_duration
from sim.laws.distributions import SIGMA_MAX
from sim.measure.estimates import TAIL, Z

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sim.laws.elementary import Floats

LEAST_VALUES: Final = 8
"""Fewer values are not fitted by a law."""
CLOSE: Final = 0.02
"""A law at most so far from the data is close to them."""
ROUGH: Final = 0.06
"""A law at most so far from the data has their shape roughly."""
LUCK: Final = 0.83
"""The Kolmogorov distance of n values from their own law, times the root of n, lies below this every second time."""
_SHAPE_LEAST, _SHAPE_MOST = 1e-3, 1e6
_NEARLY_CONSTANT = 1e-6
"""A sample whose spread is so small a part of its mean is constant."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a fitted law; durations are in ns."""

    name: str
    found: Found
    is_duration: bool


@dataclass(frozen=True, slots=True)
class FittedLaw:
    """A law of durations with the parameters that make the sample most likely."""

    kind: str
    """Its key in a scenario."""
    parameters: tuple[Parameter, ...]
    log_likelihood: float
    distance: float
    """Kolmogorov distance from the sample, from 0 to 1."""
    count: int
    """Values in the sample."""
    below: Callable[[Floats], Floats]
    """The share of the law below durations in ns."""

    @property
    def criterion(self) -> float:
        """Akaike's criterion: smaller is better."""
        return 2.0 * len(self.parameters) - 2.0 * self.log_likelihood

    @property
    def written(self) -> dict[str, Any]:
        """The law as a scenario writes it, with as many digits as its interval makes sense of."""
        if self.kind == "constant":
            return {self.kind: duration_text(self.parameters[0].found)}
        return {self.kind: {one.name: _text(one) for one in self.parameters}}


def fitted_laws(values: NDArray[np.int64]) -> tuple[FittedLaw, ...]:
    """Return the laws that can be fitted to durations in ns, at least 0, shape (n,), the best first.

    Few values, fewer than `LEAST_VALUES`, have no law but a constant one.
    """
    sample = np.sort(values).astype(np.float64)
    if not len(sample):
        return ()
    mean = float(sample.mean())
    if float(sample[-1] - sample[0]) <= _NEARLY_CONSTANT * max(mean, 1.0):
        return (constant_law(sample),)
    if len(sample) < LEAST_VALUES:
        return ()
    positive = sample[sample > 0]
    # A duration of 0 is one below the resolution of the log: half of the shortest one that it tells.
    sample[sample == 0] = positive[0] / 2
    fits = (_exponential, _lognormal, _gamma, _weibull, _pareto, _uniform, _normal)
    found = [law for fit in fits if (law := fit(sample)) is not None and math.isfinite(law.log_likelihood)]
    return tuple(sorted(found, key=lambda law: law.criterion))


def distance_of(sample: Floats, below: Callable[[Floats], Floats]) -> float:
    """Return the Kolmogorov distance of a law from a sample in ascending order, which may have ties."""
    count = len(sample)
    firsts = np.flatnonzero(np.append(True, sample[1:] != sample[:-1]))
    lasts = np.append(firsts[1:], count)
    shares = below(sample[firsts])
    if len(firsts) < count:
        # Equal values of a log are rounded ones: the law is compared in the middle of each step, not at its ends.
        return float(np.abs(shares - (firsts + lasts) / (2 * count)).max())
    return float(np.maximum(shares - firsts / count, lasts / count - shares).max())


def duration_text(found: Found) -> str:
    """Write a duration in ns, rounded to a tenth of its interval, at least to three digits."""
    return format_duration(rounded_ns(found))


def rounded_ns(found: Found) -> int:
    """Return a duration rounded to a tenth of its interval, with at least three digits."""
    return max(0, round(_rounded(found)))


def _rounded(found: Found) -> float:
    value = found.value
    if value == 0 or not math.isfinite(value):
        return value
    width = found.high - found.low
    digits = 4
    if math.isfinite(width) and width > 0:
        digits = max(3, min(9, 2 - math.floor(math.log10(width / abs(value)))))
    return float(f"{value:.{digits}g}")


def _text(parameter: Parameter) -> Any:
    return duration_text(parameter.found) if parameter.is_duration else _rounded(parameter.found)


def _law(kind: str, parameters: list[Parameter], likelihood: float, sample: Floats, below: Any) -> FittedLaw:
    return FittedLaw(kind, tuple(parameters), likelihood, distance_of(sample, below), len(sample), below)


def constant_law(sample: Floats) -> FittedLaw:
    """Return the constant law of a sample in ascending order, whose values all but agree."""
    value = float(np.median(sample))

    def below(x: Floats) -> Floats:
        return (x >= value).astype(np.float64)

    found = Found(value, float(sample[0]), float(sample[-1]))
    return FittedLaw("constant", (Parameter("value", found, is_duration=True),), math.inf, 0.0, len(sample), below)


def _exponential(sample: Floats) -> FittedLaw:
    from scipy.special import gammaincinv

    count, mean = len(sample), float(sample.mean())
    low = count * mean / float(gammaincinv(count, 1 - TAIL))
    high = count * mean / float(gammaincinv(count, TAIL))

    def below(x: Floats) -> Floats:
        return -np.expm1(-x / mean)

    found = Parameter("mean", Found(mean, low, high), is_duration=True)
    return _law("exponential", [found], -count * (math.log(mean) + 1.0), sample, below)


def _lognormal(sample: Floats) -> FittedLaw | None:
    from scipy.special import gammaincinv, ndtr, stdtrit

    count, logs = len(sample), np.log(sample)
    mu, sigma = float(logs.mean()), float(logs.std())
    if not 0 < sigma <= SIGMA_MAX:
        return None
    half = float(stdtrit(count - 1, 1 - TAIL)) * sigma / math.sqrt(count - 1)
    # count sigma^2 over the true variance has the law of chi-square, which is twice a gamma variable.
    low, high = (
        math.sqrt(count * sigma**2 / (2 * float(gammaincinv((count - 1) / 2, share)))) for share in (1 - TAIL, TAIL)
    )
    likelihood = -count * (math.log(sigma) + 0.5 * math.log(2 * math.pi) + 0.5 + mu)

    def below(x: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(ndtr((np.log(x) - mu) / sigma), dtype=np.float64)

    median = Found(math.exp(mu), math.exp(mu - half), math.exp(mu + half))
    parameters = [
        Parameter("median", median, is_duration=True),
        Parameter("sigma", Found(sigma, low, high), is_duration=False),
    ]
    return _law("lognormal", parameters, likelihood, sample, below)


def _gamma(sample: Floats) -> FittedLaw | None:
    from scipy.optimize import brentq
    from scipy.special import digamma, gammainc, gammaln, polygamma

    count, mean = len(sample), float(sample.mean())
    mean_log = float(np.log(sample).mean())
    gap = math.log(mean) - mean_log

    def slope(log_shape: float) -> float:
        shape = math.exp(log_shape)
        return math.log(shape) - float(digamma(shape)) - gap

    ends = math.log(_SHAPE_LEAST), math.log(_SHAPE_MOST)
    if not slope(ends[0]) > 0 > slope(ends[1]):
        return None
    shape = math.exp(float(brentq(slope, *ends)))
    information = float(polygamma(1, shape)) - 1.0 / shape
    half = Z / (shape * math.sqrt(count * information))
    of_mean = Z / math.sqrt(count * shape)
    likelihood = count * (
        (shape - 1) * mean_log - shape - float(gammaln(shape)) - shape * (math.log(mean) - math.log(shape))
    )

    def below(x: Floats) -> Floats:
        return np.asarray(gammainc(shape, x * (shape / mean)), dtype=np.float64)

    parameters = [
        Parameter("shape", _around(shape, half), is_duration=False),
        Parameter("mean", _around(mean, of_mean), is_duration=True),
    ]
    return _law("gamma", parameters, likelihood, sample, below)


def _weibull(sample: Floats) -> FittedLaw | None:
    from scipy.optimize import brentq

    count = len(sample)
    largest = float(sample[-1])
    logs = np.log(sample / largest)
    mean_log = float(logs.mean())

    def slope(log_shape: float) -> float:
        shape = math.exp(log_shape)
        powers = np.exp(shape * logs)
        return float((powers * logs).sum() / powers.sum()) - 1.0 / shape - mean_log

    ends = math.log(_SHAPE_LEAST * 10), math.log(1e4)
    if not slope(ends[0]) < 0 < slope(ends[1]):
        return None
    shape = math.exp(float(brentq(slope, *ends, xtol=1e-9)))
    scale = largest * float(np.exp(shape * logs).mean()) ** (1.0 / shape)
    likelihood = count * (
        math.log(shape) - shape * math.log(scale) + (shape - 1) * (mean_log + math.log(largest)) - 1.0
    )

    def below(x: Floats) -> Floats:
        return np.asarray(-np.expm1(-((x / scale) ** shape)), dtype=np.float64)

    # The asymptotic variances: 6 / pi^2 of the shape, 1.1087 of the scale (Johnson, Kotz and Balakrishnan, 21.3).
    parameters = [
        Parameter("shape", _around(shape, Z * math.sqrt(0.607927 / count)), is_duration=False),
        Parameter("scale", _around(scale, Z * math.sqrt(1.108665 / count) / shape), is_duration=True),
    ]
    return _law("weibull", parameters, likelihood, sample, below)


def _pareto(sample: Floats) -> FittedLaw | None:
    from scipy.special import gammaincinv

    count, scale = len(sample), float(sample[0])
    total = float(np.log(sample / scale).sum())
    shape = count / total
    if not _SHAPE_LEAST <= shape <= _SHAPE_MOST:
        return None
    low, high = (float(gammaincinv(count - 1, share)) / total for share in (TAIL, 1 - TAIL))
    likelihood = count * (math.log(shape) - math.log(scale)) - (shape + 1) * total

    def below(x: Floats) -> Floats:
        return np.where(x > scale, 1.0 - (np.maximum(x, scale) / scale) ** -shape, 0.0)

    # The least of n has a Pareto law of shape n times as large; it can only lie above the scale.
    least = scale * (2 * TAIL) ** (1.0 / (count * shape))
    parameters = [
        Parameter("shape", Found(shape, low, high), is_duration=False),
        Parameter("scale", Found(scale, least, scale), is_duration=True),
    ]
    return _law("pareto", parameters, likelihood, sample, below)


def _uniform(sample: Floats) -> FittedLaw:
    count, low, high = len(sample), float(sample[0]), float(sample[-1])

    def below(x: Floats) -> Floats:
        return np.clip((x - low) / (high - low), 0.0, 1.0)

    beyond = (high - low) * (TAIL ** (-1.0 / (count - 1)) - 1.0)
    parameters = [
        Parameter("low", Found(low, max(0.0, low - beyond), low), is_duration=True),
        Parameter("high", Found(high, high, high + beyond), is_duration=True),
    ]
    return _law("uniform", parameters, -count * math.log(high - low), sample, below)


def _normal(sample: Floats) -> FittedLaw | None:
    """Fit a normal law if hardly any of it lies below 0: the law of scenarios is folded there."""
    from scipy.special import gammaincinv, ndtr, stdtrit

    count, mean, spread = len(sample), float(sample.mean()), float(sample.std())
    if not mean > 4 * spread > 0:
        return None
    half = float(stdtrit(count - 1, 1 - TAIL)) * spread / math.sqrt(count - 1)
    low, high = (
        math.sqrt(count * spread**2 / (2 * float(gammaincinv((count - 1) / 2, share)))) for share in (1 - TAIL, TAIL)
    )

    def below(x: Floats) -> Floats:
        return np.asarray(ndtr((x - mean) / spread), dtype=np.float64)

    parameters = [
        Parameter("mean", Found(mean, mean - half, mean + half), is_duration=True),
        Parameter("sd", Found(spread, low, high), is_duration=True),
    ]
    likelihood = -count * (math.log(spread) + 0.5 * math.log(2 * math.pi) + 0.5)
    return _law("normal", parameters, likelihood, sample, below)


def _around(value: float, half_of_log: float) -> Found:
    return Found(value, value * math.exp(-half_of_log), value * math.exp(half_of_log))


def words_for(law: FittedLaw) -> str:
    """Say how close a law is to the data, beside what luck gives: `close`, `roughly` or `not close`."""
    beyond = law.distance - LUCK / math.sqrt(law.count)
    if beyond <= CLOSE:
        return "close"
    return "roughly" if beyond <= ROUGH else "not close"


def quantile_of(law: FittedLaw, share: float) -> float:
    """Return the quantile of a law in ns, by bisection of its shares below; infinity beyond 1e24."""
    low, high = 0.0, 1.0
    while float(law.below(np.array([high]))[0]) < share and high < 1e24:
        high *= 4.0
    if high >= 1e24:
        return math.inf
    for _ in range(100):
        middle = (low + high) / 2
        if float(law.below(np.array([middle]))[0]) < share:
            low = middle
        else:
            high = middle
    return high
