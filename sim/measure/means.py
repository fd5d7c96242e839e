"""Intervals of means that hold for rare and for skewed values: 95 %, with 2.5 % on each side.

Student's interval supposes that a mean is normal. With three duplicates in a thousand requests it is not: it is a count
of few events, and if none is seen its spread is 0. What is needed depends on the values:

- All equal: nothing was seen of what a rarer request may have. If the values are bounded by what is possible, the mean
  of all lies no further from the value seen than a share of 1 - 0.025^(1/n) of requests at the bound could move it
  (the exact limit of a share of which 0 of n are seen; no narrower interval holds for every law within the bounds).
  Without a bound there is no interval: R. R. Bahadur and L. J. Savage, "The nonexistence of certain statistical
  procedures in nonparametric problems", Annals of Mathematical Statistics 27(4), 1956.
- Two values: a share of requests has the one, so the exact interval of a share: C. J. Clopper and E. S. Pearson, "The
  use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26(4), 1934. If a rarer
  value may be larger than both, the interval is at least the following one too.
- Else: the excess over the least value is a sum of many small and of some large parts. Its limits are those of a gamma
  law with the same mean and variance, the upper ones with one more part of the largest size: M. P. Fay and E. J. Feuer,
  "Confidence intervals for directly standardized rates: a method based on the gamma distribution", Statistics in
  Medicine 16(7), 1997. Their parts are Poisson counts of known weights; here they are requests, and the variance is
  that of the sample, times the square of Student's quantile over the normal one. If the values crowd at the upper end,
  the same holds upside down.
- The additional part is up to three times the largest one seen if few values make the excess and nothing bounds them,
  or if the tail looks heavy by the index of B. M. Hill, "A simple general approach to inference about the tail of a
  distribution", Annals of Statistics 3(5), 1975, and less if it looks light. From the index `HEAVIEST` down there is no
  interval: the mean of such a tail cannot be told from so few. These numbers were chosen by trial, over the laws of
  `benchmarks/coverage.py`, which measures how often the intervals hold.

Values that are rarer than one in n and larger than any seen are in no interval, unless a bound is known.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sim.measure.estimates import TAIL, AnySample, Estimate, Z, share_limits, t_quantile
from sim.measure.histograms import bins_of, ends_of
from sim.measure.possible import ANY, Bounds

HEAVIEST = 1.2
"""From this tail index down no interval is given: below 1 there is no mean, below 2 no variance."""
HEAVY = 2.0
"""From this tail index down the additional part is larger than the largest value seen."""
LIGHT = 6.0
"""From this tail index up no additional part is needed; an exponential law has 3 to 5 here."""
MOST_PARTS = 3.0
"""The additional part at `HEAVIEST`, in multiples of the largest value seen."""
MANY = 50
"""If the largest values have as much weight as so many equal ones, the tail is no matter."""
FEW = 15
"""If the excess rests on so few values, the largest one seen may be too small to stand for a larger one."""
GAP = 5.0
"""The largest values are a kind of their own if the least of them is so many times the next value."""
SMALL = 50
"""The tail of fewer values is not looked at."""
TINY = 20
"""The mean of fewer values may lie beyond all of them, so the interval contains Student's."""

NEVER_DIFFERS = "all values are equal, and nothing says by how much a rarer one may differ"
TOO_HEAVY = "the largest values weigh too much: the mean of so heavy a tail cannot be told from so few"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """A sample of finite values as far as the interval of its mean depends on it."""

    count: int
    least: float
    greatest: float
    at_least: int
    """How many values are the least one, or in its bin."""
    at_greatest: int
    has_two_values: bool
    """Whether all values are either the least or the greatest one."""
    mean: float
    variance: float
    """With the divisor count - 1."""
    top: Floats
    """The largest values, descending, about twice the square root of their count."""

    @classmethod
    def of(cls, sample: AnySample) -> Self:
        """Take the shape of a sample of finite values, at least two, or of their histogram: it is the same for both."""
        count = len(sample)
        total, squares = sample.sums()
        least, greatest = int(sample.ordered(1)), int(sample.ordered(count))
        lowest, highest = ends_of(bins_of(np.array([least, greatest])))
        up_to, below = sample.counts_up_to(np.array([highest[0], lowest[1] - 1])).tolist()
        at_least, at_greatest = up_to, count - below
        pairs = ((least, at_least), (greatest, count - at_least))
        is_two = at_least + at_greatest == count and total == sum(value * number for value, number in pairs)
        ranks = np.arange(count, max(0, count - _depth(count) - 1), -1)
        # The same place in its bin for a value and for the histogram that holds it.
        lowest, highest = ends_of(bins_of(sample.at(ranks)))
        return cls(
            count,
            float(least),
            float(greatest),
            at_least,
            at_greatest,
            is_two and squares == sum(value * value * number for value, number in pairs),
            total / count,
            (count * squares - total**2) / (count * (count - 1)),
            (lowest + (highest - lowest) // 2).astype(np.float64),
        )

    @classmethod
    def of_values(cls, values: Floats) -> Self:
        """Take the shape of finite values, shape (n,), at least two."""
        count = len(values)
        least, greatest = float(values.min()), float(values.max())
        at_least, at_greatest = int((values == least).sum()), int((values == greatest).sum())
        kept = _depth(count) + 1
        top = np.sort(np.partition(values, count - kept)[count - kept :] if kept < count else values)[::-1]
        return cls(
            count,
            least,
            greatest,
            at_least,
            at_greatest,
            at_least + at_greatest == count,
            float(values.mean()),
            # Equal values have no variance, whatever the rounding of their mean.
            0.0 if least == greatest else float(values.var(ddof=1)),
            np.ascontiguousarray(top),
        )


def mean(sample: AnySample, bounds: Bounds = ANY, *, certain: bool = False) -> Estimate:
    """Estimate the mean of independent non-negative values; `certain` says that equal values are no matter of luck.

    One infinite value proves an infinite mean, so the interval is then infinity alone. A sample of finite values counts
    as one of a finite mean. One value alone gives no interval.
    """
    count = len(sample)
    if count == 0:
        return Estimate(None)
    if sample.infinite:
        return Estimate(math.inf, math.inf, math.inf)
    if count == 1:
        return Estimate(float(sample.sums()[0]))
    return interval(Shape.of(sample), bounds, certain=certain, of_one_size=not math.isinf(bounds.most))


def interval(shape: Shape, bounds: Bounds = ANY, *, certain: bool = False, of_one_size: bool = False) -> Estimate:
    """Give the mean of at least two values its interval within the bounds, or the reason why it has none.

    `of_one_size` says that if all values but the least are equal, others are so too: rare events are of one kind.
    Bounds that a value disproves, as a promise that is broken does, are none.
    """
    if shape.least < bounds.least or shape.greatest > bounds.most:
        bounds, of_one_size = ANY, False
    value = shape.mean
    if shape.least == shape.greatest:
        if certain:
            return Estimate(value, value, value)
        unseen = share_limits(0, shape.count)[1]
        if not all(map(math.isfinite, bounds)):
            return Estimate(value, reason=NEVER_DIFFERS)
        reach = unseen * max(0.0, value - bounds.least), unseen * max(0.0, bounds.most - value)
        return Estimate(value, value - reach[0], value + reach[1])
    upside_down = shape.greatest - value < value - shape.least
    room = shape.greatest - bounds.least if upside_down else bounds.most - shape.least
    most = room / (shape.greatest - shape.least)
    parts = _additional_parts(shape, most, upside_down=upside_down)
    if parts is None:
        return Estimate(value, reason=TOO_HEAVY)
    low, high = _limits(shape, upside_down=upside_down, parts=parts)
    if shape.has_two_values and shape.count > 2:
        exact = _two_values(shape)
        low, high = exact if of_one_size or most <= 1 else (min(low, exact[0]), max(high, exact[1]))
    elif shape.count < TINY:
        half = t_quantile(shape.count - 1) * math.sqrt(shape.variance / shape.count)
        low, high = min(low, value - half), max(high, value + half)
    return Estimate(value, min(value, max(low, bounds.least)), max(value, min(high, bounds.most)))


def _two_values(shape: Shape) -> tuple[float, float]:
    low, high = share_limits(shape.count - shape.at_least, shape.count)
    width = shape.greatest - shape.least
    return shape.least + width * low, shape.least + width * high


def _limits(shape: Shape, *, upside_down: bool, parts: float) -> tuple[float, float]:
    """Return the limits of the mean by the gamma law of the excess, with `parts` more of the largest size."""
    largest = shape.greatest - shape.least
    excess = shape.greatest - shape.mean if upside_down else shape.mean - shape.least
    spread = shape.variance / shape.count * (t_quantile(shape.count - 1) / Z) ** 2
    more = parts * largest / shape.count
    low = _gamma_quantile(excess, spread, TAIL)
    high = _gamma_quantile(excess + more, spread + more**2, 1 - TAIL)
    if upside_down:
        return shape.greatest - high, shape.greatest - low
    return shape.least + low, shape.least + high


def _additional_parts(shape: Shape, most: float, *, upside_down: bool) -> float | None:
    """Return the size of the part that the outer limit adds, in multiples of the largest excess; None if too heavy.

    `most` is how large an excess can be, in these multiples.
    """
    # Values of one bin differ too.
    differ = max(1, shape.count - (shape.at_greatest if upside_down else shape.at_least))
    if differ <= min(FEW, shape.count // 2):
        return min(most, _parts_of_few(differ))
    if shape.count < SMALL or upside_down:
        return 1.0
    top = shape.top - shape.least
    top = top[top > 0]
    few = _few(top, is_all=len(top) < len(shape.top))
    if few:
        return min(most, _parts_of_few(few))
    logs = float(np.log(top[:-1] / top[-1]).sum())
    index = (len(top) - 1) / logs if logs > 0 else math.inf
    if index >= HEAVY:
        return min(1.0, max(0.0, (LIGHT - index) / (LIGHT - HEAVY)))
    squares = shape.variance * (shape.count - 1) + shape.count * (shape.mean - shape.least) ** 2
    if (squares / top[0] ** 2) ** 3 >= MANY * float(((top / top[0]) ** 3).sum()) ** 2:
        return 1.0
    share_of_way = (HEAVY - index) / (HEAVY - HEAVIEST)
    return 1.0 + (MOST_PARTS - 1.0) * share_of_way if share_of_way <= 1 else None


def _few(top: Floats, *, is_all: bool) -> int:
    """Return on how many of the largest excesses, descending, the excess rests if these are few or a kind of their own.

    Else 0. `is_all` says that no other value is above the least one.
    """
    if len(top) < 2:
        return 1
    ratios = top[:-1] / top[1:]
    at = int(ratios.argmax())
    if at > 0 and ratios[at] >= GAP:
        return at + 1
    return len(top) if is_all else 0


def _parts_of_few(values: int) -> float:
    """Return the size of the additional part if the excess rests on so many values."""
    return min(MOST_PARTS, 1.0 + FEW / values)


def _depth(count: int) -> int:
    return int(2 * math.sqrt(count))


MOST_SHAPE = 1e8
"""A gamma law of a larger shape is normal to more digits than an interval has."""


def _gamma_quantile(mean: float, variance: float, probability: float) -> float:
    """Return a quantile of the gamma law of this mean and variance."""
    from scipy.special import gammaincinv

    if variance <= 0:
        return mean
    shape = mean * mean / variance
    if shape > MOST_SHAPE:
        return mean + math.copysign(Z, probability - 0.5) * math.sqrt(variance)
    return float(gammaincinv(shape, probability)) * variance / mean
