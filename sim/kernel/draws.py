"""Random numbers by address: the same question gets the same answer, no matter what was asked before.

A number is a function of (seed, replication, stream, entity, index, rerun) alone. Each part but the entity goes through
a bijective finalizer before the next is mixed in, so that no two addresses meet by arithmetic on their parts; along
the entities the numbers of one (stream, index, rerun) are a SplitMix64 sequence (Steele, Lea, Flood: "Fast splittable
pseudorandom number generators", OOPSLA 2014; the finalizer's constants are Stafford's variant 13).

Simulations walk entities in order, so numbers are made 4096 entities at a time and served from lists. Some entities are
asked for thousands of delays, such as what a whole pool is charged with: theirs are made 1024 indexes at a time. Single
numbers take the same path through NumPy's functions of contiguous arrays, so they have the same bits.
"""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.kernel.choices import WORLD, DelayOf, Law

BLOCK_BITS = 12
BLOCK = 1 << BLOCK_BITS
BLOCKS_MAX = 256
"""How many blocks one `Draws` holds, each some 150 kB; the oldest is dropped first."""

INDEX_MAX = 64
"""From this index on no numbers of neighboring entities are made: few entities get there."""

RUN_BITS = 10
RUN = 1 << RUN_BITS
"""Indexes of one entity whose delays are made at once."""

PATIENCE = 16
"""Numbers made one at a time before their block is filled.

Filling a block costs as much as 10 to 50 single numbers, by law. Waiting about that long loses at most about the cost
of the better choice, both for blocks that few entities use and for blocks that are evicted too early.
"""

MISSES_MAX = 1 << 16
"""If more blocks than this wait to be filled, all of them start waiting anew."""

Block = tuple[str | int, ...]
"""What names numbers made at once."""

_OFFSET = BLOCK - 1
_MASK = 2**64 - 1
_GAMMA = 0x9E3779B97F4A7C15
_FACTOR_1 = 0xBF58476D1CE4E5B9
_FACTOR_2 = 0x94D049BB133111EB
_TO_UNIT = 2.0**-53


class Draws:
    """Independent uniform numbers and delays for one replication of a cell.

    `seed` lies in [0, 2^64). Raises ValueError for any other seed and for a negative replication.
    """

    def __init__(self, seed: int, replication: int = 0) -> None:
        if not 0 <= seed <= _MASK:
            raise ValueError(f"a seed lies between 0 and 2^64 - 1, not at {seed}")
        if replication < 0:
            raise ValueError(f"a replication is counted from 0, not {replication}")
        self._root = _absorb(_absorb(0, seed), replication)
        self._streams: dict[str, int] = {}
        self._blocks: dict[Block, list[Any]] = {}
        self._misses: Counter[Block] = Counter()
        self._bound: dict[tuple[int, str], tuple[Law, DelayOf]] = {}

    def clear(self) -> None:
        """Forget the numbers made so far, which are megabytes; asked again, the same ones are made again."""
        self._blocks.clear()
        self._misses.clear()

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        """Draw a number on [0, 1), a multiple of 2^-53."""
        if not rerun:
            key = (stream, index, entity >> BLOCK_BITS)
            block = self._blocks.get(key)
            if block is not None:
                return block[entity & _OFFSET]  # type: ignore[no-any-return]
            if self._is_due(key):
                block = self._fill(key, self._block_of_uniforms(stream, entity, index))
                return block[entity & _OFFSET]  # type: ignore[no-any-return]
        return self._single(stream, entity, index, rerun)

    def choose(self, cumulative: Sequence[float], stream: str, entity: int, index: int = 0) -> int:
        """Choose the first position whose cumulative share exceeds the number of this address, or one past the end."""
        return bisect_right(cumulative, self.uniform(stream, entity, index))

    def pick(self, ways: int, what: str, entity: int = WORLD, index: int = 0) -> int:
        """Return 0: in a simulation rules break ties and the scenario plans deaths."""
        del ways, what, entity, index
        return 0

    def uniforms(
        self,
        stream: str,
        entities: NDArray[np.int64] | NDArray[np.uint64],
        index: int = 0,
        rerun: int = 0,
    ) -> NDArray[np.float64]:
        """Draw the numbers of many entities, shape (n,), at once."""
        return _to_unit(_steps(entities) + np.uint64(self.base(stream, index, rerun)))

    def of(self, entities: NDArray[np.int64]) -> "DrawsOf":
        """Return the draws of many entities, shape (n,), at once."""
        return DrawsOf(self, _steps(entities))

    def delays(self, law: Law, stream: str) -> DelayOf:
        """Bind a law to a stream; bound once, the same law object and stream give the same function again."""
        known = self._bound.get((id(law), stream))
        if known is not None:
            return known[1]
        token = len(self._bound)
        find = self._blocks.get

        def delay(entity: int, index: int, rerun: int) -> int:
            if not rerun:
                key = (token, index, entity >> BLOCK_BITS)
                block = find(key)
                if block is not None:
                    return block[entity & _OFFSET]  # type: ignore[no-any-return]
                if self._is_due(key):
                    delays_ns = law.sample_ns(self._block_of_uniforms(stream, entity, index))
                    return self._fill(key, delays_ns)[entity & _OFFSET]  # type: ignore[no-any-return]
                run = self._run(law, stream, (token, entity, index >> RUN_BITS, "run"), index)
                if run is not None:
                    return run[index & (RUN - 1)]  # type: ignore[no-any-return]
            return int(law.sample_ns(np.array([self._single(stream, entity, index, rerun)]))[0])

        # The law is held with its function: as long as it lives, no other object has its id.
        self._bound[id(law), stream] = (law, delay)
        return delay

    def _is_due(self, key: tuple[str | int, int, int]) -> bool:
        """Tell whether the numbers of a block are to be made."""
        _, index, number = key
        return number >= 0 and 0 <= index < INDEX_MAX and self._is_late(key)

    def _is_late(self, key: Block) -> bool:
        """Count a number made alone; tell whether its neighbors are to be made too."""
        misses = self._misses
        misses[key] += 1
        if misses[key] <= PATIENCE:
            if len(misses) > MISSES_MAX:
                misses.clear()
            return False
        del misses[key]
        return True

    def _fill(self, key: Block, numbers: NDArray[Any]) -> list[Any]:
        blocks = self._blocks
        if len(blocks) >= BLOCKS_MAX:
            del blocks[next(iter(blocks))]
        block: list[Any] = numbers.tolist()
        blocks[key] = block
        return block

    def _run(self, law: Law, stream: str, key: Block, index: int) -> list[Any] | None:
        """Return the delays of one entity around an index; None if it is not asked for many, or a block is to come."""
        entity = int(key[1])
        if index < 0 or (entity >= 0 and index < INDEX_MAX):
            return None
        run = self._blocks.get(key)
        if run is None and self._is_late(key):
            first = index & -RUN
            step = np.uint64(((entity + 1) * _GAMMA) & _MASK)
            uniforms = _to_unit(self.bases(stream, np.arange(first, first + RUN)) + step)
            run = self._fill(key, law.sample_ns(uniforms))
        return run

    def _block_of_uniforms(self, stream: str, entity: int, index: int) -> NDArray[np.float64]:
        first = entity & ~_OFFSET
        return self.uniforms(stream, np.arange(first, first + BLOCK, dtype=np.uint64), index)

    def _single(self, stream: str, entity: int, index: int, rerun: int) -> float:
        return (_absorb(self.base(stream, index, rerun), entity) >> 11) * _TO_UNIT

    def base(self, stream: str, index: int, rerun: int) -> int:
        """Return the state that all entities of one stream, index and rerun start from."""
        return _absorb(_absorb(self._of_stream(stream), index), rerun)

    def bases(self, stream: str, indexes: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return `base` for each of many indexes, of the first run."""
        gamma = np.uint64(_GAMMA)
        bits = (indexes.astype(np.uint64) + np.uint64(1)) * gamma
        bits += np.uint64(self._of_stream(stream))
        _finalize(bits)
        bits += gamma
        _finalize(bits)
        return bits

    def _of_stream(self, stream: str) -> int:
        state = self._streams.get(stream)
        if state is None:
            state = self._streams[stream] = _absorb(self._root, stream_key(stream))
        return state


class DrawsOf:
    """The draws of many entities at once: the same numbers as one by one."""

    def __init__(self, draws: Draws, steps: NDArray[np.uint64]) -> None:
        """Take the entities by their steps along the sequences; `Draws.of` makes these."""
        self._draws = draws
        self._steps = steps

    def take(self, rows: NDArray[np.intp] | slice) -> "DrawsOf":
        """Return the draws of the entities at `rows`."""
        return DrawsOf(self._draws, self._steps[rows] if isinstance(rows, slice) else self._steps.take(rows))

    def uniforms(
        self,
        stream: str,
        index: int | NDArray[np.int64] = 0,
        rows: NDArray[np.intp] | slice = slice(None),
    ) -> NDArray[np.float64]:
        """Draw the numbers of the entities at `rows`, shape (rows,), of one index or of one for each row."""
        base = self._draws.base(stream, index, 0) if isinstance(index, int) else self._draws.bases(stream, index)
        steps = self._steps[rows] if isinstance(rows, slice) else self._steps.take(rows)
        return _to_unit(steps + np.uint64(base))


def stream_key(stream: str) -> int:
    """Return the number of a stream: the first eight bytes of the SHA-256 of its name."""
    return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big")


def _steps(entities: NDArray[np.int64] | NDArray[np.uint64]) -> NDArray[np.uint64]:
    return (np.asarray(entities).astype(np.uint64) + np.uint64(1)) * np.uint64(_GAMMA)


def _to_unit(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Finalize mixed addresses, in place, and return them as numbers on [0, 1)."""
    _finalize(bits)
    bits >>= np.uint64(11)
    numbers = bits.view(np.int64).astype(np.float64)
    numbers *= _TO_UNIT
    return numbers


def _absorb(state: int, part: int) -> int:
    bits = (state + (part + 1) * _GAMMA) & _MASK
    bits = ((bits ^ (bits >> 30)) * _FACTOR_1) & _MASK
    bits = ((bits ^ (bits >> 27)) * _FACTOR_2) & _MASK
    return bits ^ (bits >> 31)


def _finalize(bits: NDArray[np.uint64]) -> None:
    """Do to an array, in place, what `_absorb` does to a number in its last three lines."""
    shifted = bits >> np.uint64(30)
    bits ^= shifted
    bits *= np.uint64(_FACTOR_1)
    np.right_shift(bits, np.uint64(27), out=shifted)
    bits ^= shifted
    bits *= np.uint64(_FACTOR_2)
    np.right_shift(bits, np.uint64(31), out=shifted)
    bits ^= shifted
