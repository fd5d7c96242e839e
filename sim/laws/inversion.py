"""Quantiles of a law that has a density in closed form, but no inverse of its distribution function.

The density is integrated from node to node by Gauss-Legendre's rule with three points, and summed up from both ends:
shares of either tail keep their relative precision. A quantile is sought from the node beyond which it lies: a density
that is taken to be linear between nodes gives a first guess, two of Newton's steps on the rule's integral the rest.
Between nodes and across them a larger number gives a larger quantile, but for the last bits.

A single number, which is what the event engine draws most of the time, is computed without arrays, to the same bits: an
array of one costs thirty times as much.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

import numpy as np

from sim.laws.elementary import Floats

_NODES: Final = 4096
_NEWTON: Final = 2
"""The first guess is off by a share of about 1e-5 of the way between nodes, and each step squares that."""
_POINTS: Final = (0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5)
_WEIGHTS: Final = (5 / 18, 8 / 18, 5 / 18)
_TINY: Final = float(np.finfo(np.float64).tiny)


class Inversion:
    """The inverse of the integral of a density from `low` to `high`, outside of which hardly anything lies."""

    def __init__(
        self, density: Callable[[Floats], Floats], density_of: Callable[[float], float], low: float, high: float
    ) -> None:
        """Take a density, as a function of arrays and as one of single numbers that has the same bits."""
        self._density = density
        self._density_of = density_of
        self._width = (high - low) / _NODES
        self._nodes: Floats = low + self._width * np.arange(_NODES + 1, dtype=np.float64)
        self._heights = density(self._nodes)
        steps = self._integral(self._nodes[:-1], np.full(_NODES, self._width))
        self._below = np.concatenate([[0.0], np.cumsum(steps)])
        """The integral from `low` to each node."""
        self._above = np.concatenate([[0.0], np.cumsum(steps[::-1])])
        """The integral to `high` from each node, the last node first."""
        self._mass = float(self._below[-1])
        self._lists: tuple[list[float], ...] = tuple(
            array.tolist() for array in (self._nodes, self._heights, self._below, self._above)
        )

    def quantile(self, uniforms: Floats) -> Floats:
        """Return the quantiles of numbers on [0, 1), shape (n,)."""
        if len(uniforms) == 1:
            return np.array([self._quantile_of(float(uniforms[0]))])
        upper = uniforms > 0.5
        tail = np.where(upper, 1.0 - uniforms, uniforms) * self._mass
        sign: Floats = np.where(upper, -1.0, 1.0)
        low_place = np.searchsorted(self._below, tail, side="right") - 1
        high_place = np.searchsorted(self._above, tail, side="right") - 1
        place = np.minimum(np.where(upper, high_place, low_place), _NODES - 1)
        beyond: Floats = tail - np.where(upper, self._above[place], self._below[place])
        node = np.where(upper, _NODES - place, place)
        at: Floats = self._nodes[node]
        near: Floats = self._heights[node]
        rise = (self._heights[node + sign.astype(np.intp)] - near) / self._width
        root = np.sqrt(np.maximum(near * near + 2.0 * rise * beyond, 0.0))
        way: Floats = np.minimum(2.0 * beyond / np.maximum(near + root, _TINY), self._width)
        for _ in range(_NEWTON):
            missing = beyond - self._integral(at, way * sign) * sign
            way += missing / np.maximum(self._density(at + way * sign), _TINY)
            np.clip(way, 0.0, self._width, out=way)
        return at + way * sign

    def _integral(self, start: Floats, way: Floats) -> Floats:
        """Return the integrals of the density from these numbers on, negative for a negative way."""
        total = np.zeros_like(way)
        for point, weight in zip(_POINTS, _WEIGHTS, strict=True):
            height = self._density(start + way * point)
            height *= weight
            total += height
        total *= way
        return total

    def _quantile_of(self, uniform: float) -> float:
        nodes, heights, below, above = self._lists
        upper = uniform > 0.5
        tail, sums, sign = (1.0 - uniform, above, -1.0) if upper else (uniform, below, 1.0)
        tail *= self._mass
        place = min(bisect_right(sums, tail) - 1, _NODES - 1)
        beyond = tail - sums[place]
        node = _NODES - place if upper else place
        at, near, width = nodes[node], heights[node], self._width
        rise = (heights[node - 1 if upper else node + 1] - near) / width
        root = math.sqrt(max(near * near + 2.0 * rise * beyond, 0.0))
        way = min(2.0 * beyond / max(near + root, _TINY), width)
        for _ in range(_NEWTON):
            missing = beyond - self._integral_of(at, way * sign) * sign
            way += missing / max(self._density_of(at + way * sign), _TINY)
            way = min(max(way, 0.0), width)
        return at + way * sign

    def _integral_of(self, start: float, way: float) -> float:
        total = 0.0
        for point, weight in zip(_POINTS, _WEIGHTS, strict=True):
            total += self._density_of(start + way * point) * weight
        return total * way
