"""A run as cells x chunks, and the function that simulates one chunk wherever it is asked to.

A chunk is a range of requests of an isolated cell, or one replication of a shared one. Where histograms are kept it is
a longer range, simulated block by block, and gives a tally. How a cell is cut depends on the
engine alone, never on workers; what a chunk gives depends on the scenario's digest, cell, chunk, engine and the
engine's version. The results of a cell are its chunks, one behind the other.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING, Final

from sim.experiment import payload
from sim.experiment.engines import EVENT, VECTOR, VERSIONS, Engine, simulate
from sim.experiment.parts import BLOCKS_A_TALLY, joined, keeps_histogram, kept_of
from sim.experiment.plan import weather_told
from sim.experiment.precision import size_in_round
from sim.scenario.identity import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.experiment.engines import Choice
    from sim.experiment.parts import Kept
    from sim.scenario.cells import Cell
    from sim.scenario.schema import Scenario

CHUNK_REQUESTS: Final = {EVENT: 4096, VECTOR: 65_536}
"""Requests of an isolated world that an engine simulates at a time: some hundredths or tenths of a second."""
MOST_REMEMBERED = 4
"""Cells that a worker keeps: chunks come in order, so a few are at work at a time."""


class OtherVersion(Exception):
    """A worker has another version of retrysim than the process that asks it."""


@dataclass(frozen=True, slots=True, order=True)
class Chunk:
    """Some requests of one cell."""

    cell: int
    """The position of the cell in the scenario."""
    number: int
    """Counts the chunks of the cell, from 0."""
    first: int
    """The first request, numbered as `replay` does."""
    count: int
    """How many requests these are; in a shared world fewer may come, where `until` cuts it off."""

    def __str__(self) -> str:
        return f"requests {self.first:,} to {self.first + self.count - 1:,}"


def chunk_count(cell: Scenario, engine: Engine, rounds: int = 1) -> int:
    """Return how many chunks a cell has in the first rounds, of which there are several with `precision` only."""
    if cell.world == "shared":
        return size_in_round(cell, rounds - 1)
    return sum(-(-len(numbers) // _requests_a_chunk(cell, engine)) for numbers in _rounds(cell, rounds))


def _requests_a_chunk(cell: Scenario, engine: Engine) -> int:
    return CHUNK_REQUESTS[engine] * (BLOCKS_A_TALLY if keeps_histogram(cell) else 1)


def chunks_of(cells: Sequence[Cell], engine: Engine, rounds: int = 1) -> Iterator[Chunk]:
    """Yield all chunks of the first rounds of a run, in the order of its results.

    What a round adds begins a chunk of its own: a chunk is the same, however many rounds there are.
    """
    for position, cell in enumerate(cells):
        one = cell.scenario
        if one.world == "shared":
            for number in range(chunk_count(one, engine, rounds)):
                yield Chunk(position, number, number * one.requests.count, one.requests.count)
            continue
        number = 0
        for numbers in _rounds(one, rounds):
            for part in _parts(numbers, _requests_a_chunk(one, engine)):
                yield Chunk(position, number, part.start, len(part))
                number += 1


def rounds_of(cells: Sequence[Cell], engine: Engine, chunks: Sequence[int]) -> int | None:
    """Return after how many rounds the cells have so many chunks; None where they never do."""
    for rounds in count(1):
        found = [chunk_count(cell.scenario, engine, rounds) for cell in cells]
        if found == list(chunks):
            return rounds
        following = [chunk_count(cell.scenario, engine, rounds + 1) for cell in cells]
        if following == found:
            return None
    return None


def _rounds(cell: Scenario, rounds: int) -> Iterator[range]:
    """Yield the numbers of the requests that each of the first rounds adds."""
    before = 0
    for number in range(rounds):
        size = size_in_round(cell, number)
        yield range(before, size)
        before = size


def _parts(numbers: range, most: int) -> Iterator[range]:
    for first in range(numbers.start, numbers.stop, most):
        yield range(first, min(first + most, numbers.stop))


def simulate_chunk(cell: Scenario, chunk: Chunk, engine: Engine, progress: Callable[[int], None] | None = None) -> Kept:
    """Simulate one chunk; `progress` is told now and then how many of its requests are done."""
    with weather_told():
        if cell.world == "shared":
            return simulate(cell, engine, replication=chunk.number, progress=progress)
        return joined(_blocks(cell, chunk, engine, progress))


def _blocks(cell: Scenario, chunk: Chunk, engine: Engine, progress: Callable[[int], None] | None) -> Iterator[Kept]:
    """Simulate a chunk of an isolated world in as many requests at a time as the engine takes."""
    each, end = CHUNK_REQUESTS[engine], chunk.first + chunk.count
    for first in range(chunk.first, end, each):

        def told(done: int, before: int = first - chunk.first) -> None:
            if progress is not None:
                progress(before + done)

        block = range(first, min(first + each, end))
        yield kept_of(cell, simulate(cell, engine, requests=block, progress=told))


# What travels to workers and back.


@dataclass(frozen=True, slots=True)
class Task:
    """One chunk with everything that it takes to simulate it; it can be pickled."""

    chunk: Chunk
    cell: bytes
    """The cell's scenario, pickled: with the data of files in it, and by reference the class of a user's retrier."""
    engine: Engine
    version: int
    """The version of the engine that the results are of."""
    retrysim: str
    identity: str
    """What all chunks of the run have in common; see `identity_of`."""


@dataclass(frozen=True, slots=True)
class Done:
    """A chunk that has been simulated."""

    digest: bytes
    """Of identity, cell, chunk and payload: see `chunk_digest`."""
    payload: bytes
    part: Kept | None = None
    """What the payload says, where it was simulated in this process; it does not travel."""

    def __reduce__(self) -> tuple[type[Done], tuple[bytes, bytes]]:
        return Done, (self.digest, self.payload)


def identity_of(scenario: Scenario, choice: Choice) -> str:
    """Name what the numbers of a run depend on: digest of the scenario, engine, and the engine's version."""
    return f"{digest(scenario)} {choice.engine} {choice.version}"


def chunk_digest(identity: str, cell: int, number: int, data: bytes) -> bytes:
    """Return the SHA-256 of a chunk's place and payload: damaged or put elsewhere, it is another one."""
    made = hashlib.sha256(f"{identity} {cell} {number}\n".encode("ascii"))
    made.update(data)
    return made.digest()


class Tasks:
    """Makes the tasks of a run: each cell is pickled once, when its first chunk is due."""

    def __init__(self, cells: Sequence[Cell], choice: Choice, identity: str) -> None:
        self.cells = cells
        self.choice = choice
        self.identity = identity
        self._pickled: tuple[int, bytes] = (-1, b"")

    def task(self, chunk: Chunk) -> Task:
        """Make the task of a chunk."""
        if self._pickled[0] != chunk.cell:
            self._pickled = (chunk.cell, pickle.dumps(self.cells[chunk.cell].scenario))
        engine, number = self.choice.engine, self.choice.version
        return Task(chunk, self._pickled[1], engine, number, version("retrysim"), self.identity)


def perform(task: Task, progress: Callable[[int], None] | None = None) -> Done:
    """Simulate the chunk of a task: what workers do. Raises OtherVersion where this is another version's task."""
    if (task.retrysim, task.version) != (version("retrysim"), VERSIONS[task.engine]):
        here = f"retrysim {version('retrysim')} (engine {task.engine} {VERSIONS[task.engine]})"
        there = f"retrysim {task.retrysim} (engine {task.engine} {task.version})"
        raise OtherVersion(f"a worker has {here}, the run is of {there}; install the same version on both")
    part = simulate_chunk(_unpickled(task.cell), task.chunk, task.engine, progress)
    data = payload.encode(part)
    return Done(chunk_digest(task.identity, task.chunk.cell, task.chunk.number, data), data, part)


@lru_cache(maxsize=MOST_REMEMBERED)
def _unpickled(cell: bytes) -> Scenario:
    scenario: Scenario = pickle.loads(cell)  # noqa: S301  # it comes from the process that runs the scenario
    return scenario
