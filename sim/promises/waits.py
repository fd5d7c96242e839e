"""Laws of waits: what a promise can say of a wait besides its bounds.

A promise gives the bounds of a wait as a pair, `(low_ms, high_ms)`. A `Wait` is such a pair that also knows how likely
the waits in between are; the waits of a whole run are then held against it (`sim.chance`). It says that each
wait is drawn anew: a retrier that draws once and uses its number again has to promise bounds alone.

    Promises(backoff_ms=full_jitter(100, 2, cap_ms=10_000))
    Promises(backoff_ms=lambda failure: Uniform(0, 100 * failure))
    Promises(backoff_ms=lambda failure: Quantiles(lambda u: min(100 * 2**failure * (0.5 + u), 10_000)))

The laws stand apart from the code that draws: no retrier waits by a function of this module. Full, equal and
decorrelated jitter are those of M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from functools import partial
from math import inf, isfinite
from operator import ge, gt
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.promises.promises import Backoff

Floats = NDArray[np.float64]

HALVINGS: Final = 60
"""Steps in which a quantile function is inverted; a float on [0, 1] has 53 bits."""
LAST: Final = 1.0 - 2.0**-53
"""The largest number below 1, at which a quantile function ends."""


class Wait(tuple[float, float]):  # noqa: SLOT001  # laws have parameters, which a tuple has no slots for
    """The law of one wait: (least, most) in ms, and the distribution between them."""

    def __new__(cls, low_ms: float, high_ms: float) -> Self:
        """Take the bounds; ValueError if the most is less than the least."""
        if high_ms < low_ms:
            raise ValueError(f"a wait of at least {low_ms} ms cannot be at most {high_ms} ms")
        return super().__new__(cls, (float(low_ms), float(high_ms)))

    @property
    def is_told(self) -> bool:
        """Whether waits can be held against it: it is made of numbers, and not of what has grown to infinity."""
        return isfinite(self[0])

    def up_to(self, waits_ms: Floats) -> Floats:
        """Return the probability of a wait of at most each of these, shape (n,)."""
        raise NotImplementedError

    def below(self, waits_ms: Floats) -> Floats:
        """Return the probability of a wait shorter than each of these, shape (n,)."""
        return self.up_to(waits_ms)

    def given(self, before_ms: float | None) -> Wait | None:
        """Return the law after a wait (0: there was none; None: it is not known); None if it cannot be told."""
        del before_ms
        return self


class Uniform(Wait):
    """All waits between two are equally likely; if both are the same, it is always that one."""

    @property
    def is_told(self) -> bool:
        """Whether both ends are numbers."""
        return isfinite(self[0]) and isfinite(self[1])

    def up_to(self, waits_ms: Floats) -> Floats:
        """Go from 0 to 1 in proportion, or in one step."""
        low_ms, high_ms = self
        if high_ms == low_ms:
            return (waits_ms >= low_ms).astype(np.float64)
        return np.clip((waits_ms - low_ms) / (high_ms - low_ms), 0.0, 1.0)

    def below(self, waits_ms: Floats) -> Floats:
        """Go from 0 to 1 in proportion, or in one step."""
        low_ms, high_ms = self
        return (waits_ms > low_ms).astype(np.float64) if high_ms == low_ms else self.up_to(waits_ms)


class Exponential(Wait):
    """Without memory: any wait, with this mean, above 0."""

    def __new__(cls, mean_ms: float) -> Self:
        """Take the mean; ValueError if it is not above 0."""
        if not mean_ms > 0:
            raise ValueError(f"the mean of an exponential wait lies above 0, not at {mean_ms} ms")
        return super().__new__(cls, 0.0, inf)

    def __init__(self, mean_ms: float) -> None:
        self.mean_ms = mean_ms

    @property
    def is_told(self) -> bool:
        """Whether the mean is a number."""
        return isfinite(self.mean_ms)

    def up_to(self, waits_ms: Floats) -> Floats:
        """Return 1 - exp(-wait / mean)."""
        return -np.expm1(np.maximum(waits_ms, 0.0) / -self.mean_ms)


class Quantiles(Wait):
    """Any law, given by its quantile function: a number on [0, 1) -> ms, growing or falling; steps and caps may be."""

    def __new__(cls, quantile_ms: Callable[[float], float]) -> Self:
        """Take the quantile function."""
        return super().__new__(cls, *sorted((quantile_ms(0.0), quantile_ms(LAST))))

    def __init__(self, quantile_ms: Callable[[float], float]) -> None:
        self.quantile_ms = quantile_ms
        self._falls = quantile_ms(LAST) < quantile_ms(0.0)

    def up_to(self, waits_ms: Floats) -> Floats:
        """Find the share of numbers whose quantiles are at most that."""
        return np.array([self._share(partial(ge, wait)) for wait in waits_ms.tolist()], np.float64)

    def below(self, waits_ms: Floats) -> Floats:
        """Find the share of numbers whose quantiles are less than that."""
        return np.array([self._share(partial(gt, wait)) for wait in waits_ms.tolist()], np.float64)

    def _share(self, is_within: Callable[[float], bool]) -> float:
        """Return the share of numbers on [0, 1) of which this is true: those up to some number, or from it on."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if is_within(self.quantile_ms(min(1.0 - middle if self._falls else middle, LAST))):
                low = middle
            else:
                high = middle
        return high if low else 0.0


class Sum(Wait):
    """Two waits one after the other, drawn independently, each uniform."""

    def __new__(cls, first: Uniform, second: Uniform) -> Self:
        """Take both."""
        return super().__new__(cls, first[0] + second[0], first[1] + second[1])

    def __init__(self, first: Uniform, second: Uniform) -> None:
        self.first = first
        self.second = second

    @property
    def is_told(self) -> bool:
        """Whether all ends are numbers."""
        return isfinite(self[1])

    def up_to(self, waits_ms: Floats) -> Floats:
        """Return the area below the diagonal; what the two widths cut off is taken back, and their overlap given."""
        width, other = sorted(high_ms - low_ms for low_ms, high_ms in (self.first, self.second))
        if width == 0.0:
            return Uniform(*self).up_to(waits_ms)

        def area(over_ms: Floats) -> Floats:
            return np.square(np.maximum(over_ms, 0.0))

        over = np.minimum(waits_ms, self[1]) - self[0]
        found = area(over) - area(over - width) - area(over - other) + area(over - width - other)
        return np.clip(found / (2 * width * other), 0.0, 1.0)

    def below(self, waits_ms: Floats) -> Floats:
        """Return the same, unless neither has a width."""
        return Uniform(*self).below(waits_ms) if self[0] == self[1] else self.up_to(waits_ms)


class Decorrelated(Wait):
    """Between a least wait and `factor` times the wait before it, at most a cap."""

    def __new__(cls, least_ms: float, factor: float, cap_ms: float, failure: int) -> Self:
        """Take the least wait, which also stands for the wait before the first, and the number of the failure."""
        return super().__new__(cls, min(least_ms, cap_ms), min(grown(least_ms, factor, failure), cap_ms))

    def __init__(self, least_ms: float, factor: float, cap_ms: float, failure: int) -> None:
        self.least_ms = least_ms
        self.factor = factor
        self.cap_ms = cap_ms
        self.failure = failure

    def given(self, before_ms: float | None) -> Wait | None:
        """Return the law after this wait."""
        if before_ms is None:
            return None
        most_ms = max(self.least_ms, (before_ms or self.least_ms) * self.factor)
        least_ms, cap_ms = self.least_ms, self.cap_ms
        if most_ms <= cap_ms:
            return Uniform(least_ms, most_ms)
        return Quantiles(lambda u: min(least_ms + u * (most_ms - least_ms), cap_ms))


# Backoffs: from the number of a failure, 1 first, to the law of the wait after it.


def grown(first_ms: float, base: float, failure: int) -> float:
    """Return `first_ms` multiplied by `base` once for each failure; infinity, not an error, if no float can hold it."""
    try:
        return first_ms * float(base) ** failure if first_ms else 0.0
    except OverflowError:
        return inf


def spread(first_ms: float, base: float, low: float, high: float, *, cap_ms: float = inf) -> Backoff:
    """Return the law of a delay with an even spread, from `low` to `high` times itself.

    The delay is `first_ms` after the first failure, grows by `base` with each further one, and has a cap, which it
    reaches before it is spread.
    """

    def backoff_ms(failure: int) -> Uniform:
        delay_ms = min(grown(first_ms, base, failure - 1), cap_ms)
        return Uniform(low * delay_ms if low else 0.0, high * delay_ms)

    return backoff_ms


def full_jitter(first_ms: float, base: float = 2.0, *, cap_ms: float = inf) -> Backoff:
    """Return the law of any wait up to the delay; see `spread`."""
    return spread(first_ms, base, 0.0, 1.0, cap_ms=cap_ms)


def equal_jitter(first_ms: float, base: float = 2.0, *, cap_ms: float = inf) -> Backoff:
    """Return the law of a wait in the upper half of the delay; see `spread`."""
    return spread(first_ms, base, 0.5, 1.0, cap_ms=cap_ms)


def no_jitter(first_ms: float, base: float = 2.0, *, cap_ms: float = inf) -> Backoff:
    """Return the law of the delay itself; see `spread`."""
    return spread(first_ms, base, 1.0, 1.0, cap_ms=cap_ms)


def decorrelated_jitter(least_ms: float, factor: float = 3.0, *, cap_ms: float = inf) -> Backoff:
    """Return the law of a wait between `least_ms` and `factor` times the wait before, at most a cap."""
    return lambda failure: Decorrelated(least_ms, factor, cap_ms, failure)
