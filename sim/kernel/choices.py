"""The one door for everything that a scenario does not determine.

It is asked of a `Choices`: `Draws` (random numbers by address, `sim.kernel.draws`) in simulations, `Script` (a recorded
sequence) in replays of real libraries and of counterexamples. A port or a model never holds a generator of its own.

An address is (stream, entity, index, rerun): what the number is for; whose it is (the request's number in the whole
cell); which one of its kind; and how often the transaction that draws it was rerun. The seed and the replication belong
to the `Choices` itself. So two runs with the same seed meet the same weather and the same latencies, whatever the
retrier does in between.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

WORLD = -1
"""The entity of draws that belong to no request: shared weather, restarts, background jobs."""

DelayOf = Callable[[int, int, int], int]
"""(entity, index, rerun) -> a delay in ns."""


def owned(stream: str, owner: str) -> str:
    """Return the name of a stream of numbers that several may draw from: the owner's name stands behind it, if any."""
    return f"{stream}@{owner}" if owner else stream


class Law(Protocol):
    """What a `Choices` needs of a law of durations: uniforms in, whole nanoseconds out (`sim.laws.distributions`)."""

    def sample_ns(self, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        """Transform uniforms on [0, 1), shape (n,), into delays in ns, shape (n,)."""
        ...


class Choices(Protocol):
    """Uniform numbers, delays and outcomes, by address."""

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        """Draw a number on [0, 1)."""
        ...

    def delays(self, law: Law, stream: str) -> DelayOf:
        """Bind a law to a stream; the result maps (entity, index, rerun) to a delay in ns."""
        ...

    def choose(self, cumulative: Sequence[float], stream: str, entity: int, index: int = 0) -> int:
        """Choose a branch: the first position whose cumulative share exceeds a uniform number, or one past the end."""
        ...

    def pick(self, ways: int, what: str, entity: int = WORLD, index: int = 0) -> int:
        """Pick one of `ways` orders or moments; 0 is the one without interference."""
        ...


class ScriptExhausted(LookupError):
    """A script that does not repeat was asked for more numbers than it has."""


class Script:
    """A recorded sequence of uniforms; addresses are ignored, so the order of use is all that counts.

    `values` are on [0, 1). A cyclic script starts again at its end; another raises `ScriptExhausted`.
    `source` serves sequences without end (a recorded generator) instead of `values`.
    """

    def __init__(
        self,
        values: Sequence[float] = (),
        *,
        cyclic: bool = True,
        source: Callable[[], float] | None = None,
    ) -> None:
        self.used: list[float] = []
        self._values = list(values)
        self._cyclic = cyclic
        self._source = source

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        """Return the next number of the script."""
        del entity, index, rerun
        position = len(self.used)
        if self._source is not None:
            value = self._source()
        elif self._values and (self._cyclic or position < len(self._values)):
            value = self._values[position % len(self._values)]
        else:
            raise ScriptExhausted(f"the script has {len(self._values)} numbers; '{stream}' asks for one more")
        self.used.append(value)
        return value

    def choose(self, cumulative: Sequence[float], stream: str, entity: int, index: int = 0) -> int:
        """Choose by the next number of the script."""
        return bisect_right(cumulative, self.uniform(stream, entity, index))

    def pick(self, ways: int, what: str, entity: int = WORLD, index: int = 0) -> int:
        """Return 0: a recording has neither other orders nor deaths."""
        del ways, what, entity, index
        return 0

    def delays(self, law: Law, stream: str) -> DelayOf:
        """Transform the next number of the script."""

        def delay(entity: int, index: int, rerun: int) -> int:
            return int(law.sample_ns(np.array([self.uniform(stream, entity, index, rerun)]))[0])

        return delay
