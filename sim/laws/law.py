"""What every law of durations has in common."""

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    ConfigDict,
)

from sim.kernel.durations import RUNAWAY_NS
from sim.options.model import DurationNs, Options

Floats = NDArray[np.float64]


Nanoseconds = NDArray[np.int64]


_AT_ONCE = 1 << 13
"""Uniforms transformed at once: what is made of them on the way stays in a processor's nearest cache."""


def _without_unit(name: str) -> str:
    # In a file the value carries the unit.
    return name.removesuffix("_ns")


def _above_zero(duration_ns: int) -> int:
    if duration_ns <= 0:
        raise ValueError("must be longer than 0")
    return duration_ns


PositiveNs = Annotated[DurationNs, AfterValidator(_above_zero)]


class Distribution(Options):
    """What all laws share: the rounding of quantiles to durations."""

    model_config = ConfigDict(alias_generator=_without_unit, validate_by_name=True, serialize_by_alias=True)

    if TYPE_CHECKING:  # some laws have it as an option

        @property
        def mean_ns(self) -> float:
            """The mean; infinite for heavy tails."""

    @abstractmethod
    def quantile_ns(self, uniforms: Floats) -> Floats:
        """Return the quantiles of uniforms on [0, 1), shape (n,), neither rounded nor bounded."""

    @abstractmethod
    def length_biased_ns(self, uniforms: Floats) -> Floats:
        """Return quantiles of the law with density x f(x) / E[X]; raises ValueError where the mean is infinite."""

    def sample_ns(self, uniforms: Floats) -> Nanoseconds:
        """Transform uniforms on [0, 1), shape (n,), into durations in ns from 0 to `RUNAWAY_NS`."""
        return _whole(self.quantile_ns, uniforms)

    @cached_property
    def length_biased(self) -> "LengthBiased":
        """The length-biased law, as an object that `Choices.delays` takes."""
        return LengthBiased(self)


class LengthBiased:
    """The length-biased companion of a law; raises ValueError where it does not exist."""

    def __init__(self, law: Distribution) -> None:
        if not law.mean_ns < math.inf:
            raise ValueError("a law with an infinite mean has no length-biased law")
        self._law = law

    def sample_ns(self, uniforms: Floats) -> Nanoseconds:
        """Transform uniforms on [0, 1), shape (n,), into durations in ns from 0 to `RUNAWAY_NS`."""
        return _whole(self._law.length_biased_ns, uniforms)


def _whole(quantile_ns: Callable[[Floats], Floats], uniforms: Floats) -> Nanoseconds:
    durations_ns = np.empty(uniforms.shape, dtype=np.int64)
    with np.errstate(over="ignore"):  # heavy tails overflow to infinity, which the bound then catches
        for start in range(0, len(uniforms), _AT_ONCE):
            piece = slice(start, start + _AT_ONCE)
            exact_ns = np.rint(quantile_ns(np.ascontiguousarray(uniforms[piece])))
            np.minimum(exact_ns, float(RUNAWAY_NS), out=exact_ns)
            durations_ns[piece] = exact_ns  # whole numbers
    return durations_ns
