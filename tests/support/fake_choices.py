"""Numbers of a test's own choosing in the place of chance."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from sim.kernel.choices import WORLD, DelayOf, Law


class ByStream:
    """Choices by stream: one number for all, or one after the other with the last repeated; `default` if none is given.

    `asked` has every address asked for, in order: (stream, entity, index, rerun).
    """

    def __init__(self, default: float = 0.5, **given: float | Sequence[float]) -> None:
        self.asked: list[tuple[str, int, int, int]] = []
        self._default = default
        self._given = {stream: list(n) if isinstance(n, Sequence) else [n] for stream, n in given.items()}

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        self.asked.append((stream, entity, index, rerun))
        numbers = self._given.get(stream, [self._default])
        return numbers.pop(0) if len(numbers) > 1 else numbers[0]

    def choose(self, cumulative: Sequence[float], stream: str, entity: int, index: int = 0) -> int:
        return bisect_right(cumulative, self.uniform(stream, entity, index))

    def delays(self, law: Law, stream: str) -> DelayOf:
        def delay(entity: int, index: int, rerun: int) -> int:
            return int(law.sample_ns(np.array([self.uniform(stream, entity, index, rerun)]))[0])

        return delay

    def pick(self, ways: int, what: str, entity: int = WORLD, index: int = 0) -> int:
        del ways, what, entity, index
        return 0
