"""The base of all laws of durations: rounding to whole nanoseconds, and the length-biased companion of a law.

The laws themselves are in `sim.laws.distributions`. The length-biased law of X has density x f(x) / E[X]: it is the
length of the interval that a random instant falls into when intervals of law X follow each other (the inspection
paradox; Feller, "An Introduction to Probability Theory and Its Applications" II, VI.8).
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from sim.kernel.durations import RUNAWAY_NS
from sim.laws.elementary import Floats
from sim.options.model import Options

Nanoseconds = NDArray[np.int64]

_AT_ONCE = 1 << 13
"""Uniforms transformed at once: the intermediate arrays then stay in a processor's nearest cache."""


class Distribution(Options):
    """A law of durations, with the rounding of its quantiles to durations."""

    # In a file the value carries the unit, not the name of the option.
    model_config = ConfigDict(alias_generator=lambda name: name.removesuffix("_ns"), validate_by_name=True)

    if TYPE_CHECKING:  # some laws have it as an option

        @property
        def mean_ns(self) -> float:
            """The mean; infinite for heavy tails."""

    @abstractmethod
    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Return the quantiles of uniforms on [0, 1), shape (n,), neither rounded nor bounded."""

    @abstractmethod
    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Return quantiles of the law with density x f(x) / E[X]; raises ValueError if the mean is infinite."""

    def sample_ns(self, uniforms: Floats) -> Nanoseconds:
        """Transform uniforms on [0, 1), shape (n,), into durations in ns from 0 to `RUNAWAY_NS`."""
        return _rounded(self.quantile_ns, uniforms)

    @cached_property
    def length_biased(self) -> "LengthBiased":
        """The length-biased law, as an object that `Choices.delays` takes."""
        return LengthBiased(self)


class LengthBiased:
    """The length-biased companion of a law; raises ValueError if it does not exist."""

    def __init__(self, law: Distribution) -> None:
        if not law.mean_ns < math.inf:
            raise ValueError("a law with an infinite mean has no length-biased law")
        self._law = law

    def sample_ns(self, uniforms: Floats) -> Nanoseconds:
        """Transform uniforms on [0, 1), shape (n,), into durations in ns from 0 to `RUNAWAY_NS`."""
        return _rounded(self._law.length_biased_ns, uniforms)


def _rounded(quantile_ns: Callable[[Floats], Floats], uniforms: Floats) -> Nanoseconds:
    """Return quantiles rounded to whole nanoseconds, at most `RUNAWAY_NS`."""
    durations_ns = np.empty(uniforms.shape, dtype=np.int64)
    with np.errstate(over="ignore"):  # heavy tails overflow to infinity, which the bound then catches
        for start in range(0, len(uniforms), _AT_ONCE):
            piece = slice(start, start + _AT_ONCE)
            exact_ns = np.rint(quantile_ns(np.ascontiguousarray(uniforms[piece])))
            np.minimum(exact_ns, float(RUNAWAY_NS), out=exact_ns)
            durations_ns[piece] = exact_ns  # whole numbers
    return durations_ns
