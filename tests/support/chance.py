"""Whether simulated numbers are as near to a closed form as chance brings them; right ones pass on nearly all seeds."""

from math import sqrt

from scipy.special import ndtri

DOUBT = 1e-4
"""The share of seeds on which right numbers do not pass."""


def is_near(value: float, expected: float, deviation: float, count: int) -> bool:
    """Whether a mean of `count` values is near enough to its expectation, given the deviation of one value."""
    return bool(abs(value - expected) <= -ndtri(DOUBT / 2) * deviation / sqrt(count))


def is_share(hits: int, count: int, share: float) -> bool:
    """Whether so many hits of `count` are near enough to their expected share."""
    return is_near(hits / count, share, sqrt(share * (1 - share)), count)
