"""The weather that many requests meet: `sim.world.weather` for arrays.

Each request asks for later and later instants, so only its present interval is in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sim.world.weather import EPOCH_INTERVALS, EPOCH_PHASES, OnOff, Outage, WeatherTooFine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.engine.vector.arrays import Bools, Ints, Rows
    from sim.kernel.draws import DrawsOf
    from sim.world.weather import Weather


MOST_SOURCES: Final = 62
"""More do not fit into the bits of a number."""


class WeatherOf:
    """The weather of the requests of a block, each at a random phase."""

    def __init__(self, sources: Sequence[Weather], draws: DrawsOf, count: int) -> None:
        self._sources: list[tuple[Weather, _Turns | None]] = [
            (source, None if isinstance(source, Outage) else _Turns(position, source, draws, count))
            for position, source in enumerate(sources)
        ]

    def down(self, rows: Rows, at_ns: Ints) -> Ints:
        """Return which sources are down at instants, shape (rows,): bit i is set if source i is.

        A request must not ask for an instant before one it has asked for. Raises WeatherTooFine.
        """
        found = np.zeros(len(at_ns), dtype=np.int64)
        for position, (source, turns) in enumerate(self._sources):
            if isinstance(source, Outage):
                down = (source.from_ns <= at_ns) & (at_ns < source.to_ns)
            else:
                down = turns.are_down(rows, at_ns)  # type: ignore[union-attr]  # it has turns
            found |= down.astype(np.int64) << position
        return found


class _Turns:
    """The present interval of one on/off source for each request, with its number in its epoch."""

    def __init__(self, position: int, source: OnOff, draws: DrawsOf, count: int) -> None:
        self._position = position
        self._source = source
        self._draws = draws
        self._epoch = np.full(count, -1, dtype=np.int64)
        self._number = np.zeros(count, dtype=np.int64)
        self._end_ns = np.zeros(count, dtype=np.int64)
        self._first_down = np.zeros(count, dtype=np.bool_)

    def are_down(self, rows: Rows, at_ns: Ints) -> Bools:
        epoch = at_ns // self._source.epoch_ns
        (new,) = np.nonzero(self._epoch[rows] != epoch)
        if new.size:
            self._begin(rows[new], epoch[new])
        (behind,) = np.nonzero(self._end_ns[rows] <= at_ns)
        while behind.size:
            self._turn(rows[behind])
            behind = behind[self._end_ns[rows[behind]] <= at_ns[behind]]
        down: Bools = self._first_down[rows] ^ (self._number[rows] & 1).astype(np.bool_)
        return down

    def _begin(self, rows: Rows, epoch: Ints) -> None:
        source, phase = self._source, epoch * EPOCH_PHASES + 3 * self._position
        down = self._draws.uniforms("phase", phase, rows) < source.down_share
        lengths = self._draws.uniforms("phase", phase + 1, rows)
        length_ns = np.empty(len(rows), dtype=np.int64)
        for law, chosen in ((source.down, down), (source.up, ~down)):
            if chosen.any():
                length_ns[chosen] = law.length_biased.sample_ns(lengths[chosen])
        passed_ns = (self._draws.uniforms("phase", phase + 2, rows) * length_ns.astype(np.float64)).astype(np.int64)
        self._epoch[rows] = epoch
        self._number[rows] = 0
        self._first_down[rows] = down
        self._end_ns[rows] = epoch * source.epoch_ns + length_ns - np.minimum(passed_ns, length_ns)

    def _turn(self, rows: Rows) -> None:
        source = self._source
        number = self._number[rows] + 1
        if number.max() >= EPOCH_INTERVALS:
            raise WeatherTooFine("on/off weather changes far too often for its mean; give it longer intervals")
        uniforms = self._draws.uniforms(f"weather.{self._position}", self._epoch[rows] * EPOCH_INTERVALS + number, rows)
        down = self._first_down[rows] ^ (number & 1).astype(np.bool_)
        delays_ns = np.empty(len(rows), dtype=np.int64)
        for law, chosen in ((source.down, down), (source.up, ~down)):
            if chosen.any():
                delays_ns[chosen] = law.sample_ns(uniforms[chosen])
        self._number[rows] = number
        self._end_ns[rows] += delays_ns
