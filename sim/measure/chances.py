"""How likely numbers are, if chance is what it should be: the tests that laws are held to.

Numbers are handed over as uniforms: the probability integral transform of a draw under its law is uniform on [0, 1]. A
draw that is rounded, or that several numbers lead to, is an interval of them, `low` to `high`; a statistic takes the
end that speaks for the law, so that no test strikes more often than it says (a Kolmogorov-Smirnov test of a law with
steps is conservative: G. E. Noether, "Note on the Kolmogorov statistic in the discrete case", Metrika 7, 1963).

Each function returns a probability of what was seen or worse, or a bound of it; the bounds spare an import of SciPy in
runs in which nothing is near any doubt.
"""

from __future__ import annotations

from math import exp, log, log1p
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NO_DOUBT: Final = 8.0
"""Up to this exponent a bound exp(-x) is the answer: no exact one comes near the level of a run."""
EXACT_UP_TO: Final = 2_000
"""Draws up to which the law of the Kolmogorov-Smirnov statistic is computed exactly."""


def kolmogorov(low: Floats, high: Floats) -> float:
    """Return how likely uniforms in these intervals, shape (n,), stray so far from an even spread, to either side.

    The bound is that of P. Massart, "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of
    Probability 18, 1990.
    """
    count = len(low)
    steps = np.arange(1, count + 1) / count
    above = float(np.max(steps - np.sort(high)))
    below = float(np.max(np.sort(low) - (steps - 1 / count)))
    return min(1.0, 2.0 * _one_sided(max(above, below, 0.0), count))


def _one_sided(distance: float, count: int) -> float:
    exponent = 2.0 * count * distance * distance
    if exponent < NO_DOUBT:
        return exp(-exponent)
    if distance >= 1.0:
        return 0.0
    if count <= EXACT_UP_TO:
        from scipy.special import smirnov

        return float(smirnov(count, distance))
    # U. R. Maag, G. Dicaire, "On Kolmogorov-Smirnov type one-sample statistics", Biometrika 58, 1971.
    return exp(-((6.0 * count * distance + 1.0) ** 2) / (18.0 * count))


def none_near(low: Floats, high: Floats) -> float:
    """Return how likely no uniform comes nearer to one of the two ends than these do."""
    nearest = min(1.0 - float(low.min()), float(high.max()))
    return min(1.0, 2.0 * exp(len(low) * log(nearest))) if nearest > 0 else 0.0


def too_many_at(low: Floats, high: Floats) -> float:
    """Return how likely so many uniforms lie in the last intervals at an end, or beyond it."""
    found = 1.0
    for at, share in ((low[high >= 1.0], 1.0), (1.0 - high[low <= 0.0], 1.0)):
        if len(at):
            found = min(found, at_least(len(at), len(low), share - float(at.min())))
    return min(1.0, 2.0 * found)


def at_least(hits: int, count: int, share: float) -> float:
    """Return how likely at least so many of `count` independent trials hit, each with this chance."""
    if share >= 1.0 or hits <= count * share:
        return 1.0
    if share <= 0.0:
        return 0.0
    exponent = count * _divergence(hits / count, share)
    if exponent < NO_DOUBT:
        return exp(-exponent)
    from scipy.special import bdtrc

    return float(bdtrc(hits - 1, count, share))


def share_of(hits: int, count: int, share: float) -> float:
    """Return how likely a number of hits is so far from what is expected, to either side (binomial, exact)."""
    return min(1.0, 2.0 * min(at_least(hits, count, share), at_least(count - hits, count, 1.0 - share)))


def _divergence(found: float, share: float) -> float:
    """Return the relative entropy of two coins, in nats: Chernoff's exponent."""
    hit = found * log(found / share) if found > 0 else 0.0
    missed = (1.0 - found) * (log1p(-found) - log1p(-share)) if found < 1 else 0.0
    return max(hit + missed, 0.0)


def so_many_alike(same: int, expected: float) -> float:
    """Return a bound of how likely so many pairs agree by chance, given how many are expected to (Poisson)."""
    if same <= expected:
        return 1.0
    return exp(same - expected + same * log(expected / same)) if expected > 0 else 0.0
