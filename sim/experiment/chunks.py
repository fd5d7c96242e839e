"""A run as cells x chunks, and the function that simulates one chunk in any process.

A chunk is a range of requests of an isolated cell, or one replication of a shared one. If a cell keeps histograms, a
chunk is a longer range, simulated block by block, and gives a tally. The cut depends on the engine alone, never on
workers. The numbers of a chunk depend on the scenario's digest, the cell, the chunk, the engine and its version. The
results of a cell are its chunks, one behind the other.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING, Final

from sim.experiment import payload
from sim.experiment.engines import EVENT, TABLES, VECTOR, VERSIONS, Engine, simulate, simulate_replication
from sim.experiment.parts import BLOCKS_A_TALLY, SimulatedPart, join, keeps_histogram, part_to_keep
from sim.experiment.precision import size_in_round
from sim.experiment.repeats import SHARE, SHARE_OF_ONE, first_of, repeat_few_of_shared, repeat_isolated
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.guests.lasting_waits import LastingWaits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.experiment.checker import Checker
    from sim.experiment.parts import Part
    from sim.experiment.plan import Plan
    from sim.history.records import Requests
    from sim.history.repeats import Unrepeated
    from sim.scenario.schema import Scenario

CHUNK_REQUESTS: Final = {EVENT: 4096, VECTOR: 65_536, TABLES: 16_384}
"""Requests of an isolated world that an engine simulates at a time: some hundredths or tenths of a second."""
TASK_FORMAT: Final = 5
"""Grows whenever a class that is pickled into a task moves or changes, so that workers of an older source refuse it."""
MOST_REMEMBERED = 4
"""Cells that a worker remembers: chunks come in order, so only a few cells are simulated at a time."""


class OtherVersion(Exception):
    """A worker has another version of retrysim than the process that sends it a task."""


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
    """How many requests these are; a shared world may have fewer, if `until` cuts it off."""

    @property
    def key(self) -> tuple[int, int]:
        """Cell and number, which name the chunk in a run."""
        return self.cell, self.number

    def __str__(self) -> str:
        return f"requests {self.first:,} to {self.first + self.count - 1:,}"


# How a run is cut.


def chunks_of(plan: Plan, rounds: int = 1) -> Iterator[Chunk]:
    """Yield all chunks of the first rounds of a run, in the order of its results.

    A new round of `precision` begins with a new chunk, so a chunk is the same for any number of rounds.
    """
    for position, cell in enumerate(plan.cells):
        one = cell.scenario
        if one.world == "shared":
            for number in range(size_in_round(one, rounds - 1)):
                yield Chunk(position, number, number * one.requests.count, one.requests.count)
            continue
        number = 0
        for numbers in _rounds(one, rounds):
            for part in _split(numbers, _requests_a_chunk(one, plan.engine)):
                yield Chunk(position, number, part.start, len(part))
                number += 1


def chunk_counts(plan: Plan, rounds: int = 1) -> list[int]:
    """Return how many chunks each cell has in the first rounds; only with `precision` is there more than one round."""
    return [_chunk_count(cell.scenario, plan.engine, rounds) for cell in plan.cells]


def rounds_with(plan: Plan, counts: Sequence[int]) -> int | None:
    """Return after how many rounds the cells have these numbers of chunks; None if they never do."""
    for rounds in count(1):
        found = chunk_counts(plan, rounds)
        if found == list(counts):
            return rounds
        if chunk_counts(plan, rounds + 1) == found:
            return None
    return None


def _chunk_count(cell: Scenario, engine: Engine, rounds: int) -> int:
    if cell.world == "shared":
        return size_in_round(cell, rounds - 1)
    return sum(-(-len(numbers) // _requests_a_chunk(cell, engine)) for numbers in _rounds(cell, rounds))


def _requests_a_chunk(cell: Scenario, engine: Engine) -> int:
    return CHUNK_REQUESTS[engine] * (BLOCKS_A_TALLY if keeps_histogram(cell) else 1)


def _rounds(cell: Scenario, rounds: int) -> Iterator[range]:
    """Yield the numbers of the requests that each of the first rounds adds."""
    before = 0
    for number in range(rounds):
        size = size_in_round(cell, number)
        yield range(before, size)
        before = size


def _split(numbers: range, most: int) -> Iterator[range]:
    for first in range(numbers.start, numbers.stop, most):
        yield range(first, min(first + most, numbers.stop))


# How a chunk is simulated.


def simulate_chunk(
    cell: Scenario,
    chunk: Chunk,
    engine: Engine,
    progress: Callable[[int], None] | None = None,
    *,
    pilot: Requests | None = None,
    held: Sequence[str] = (),
) -> SimulatedPart:
    """Simulate one chunk, and a few of its requests again; `progress` is called now and then with how many are done.

    `pilot` has records of the cell's first requests, to compare with; see `Plan.pilots`. `held` names the invariants
    that its histories are checked against, which the event engine alone keeps.
    """
    with problems_shown_by_simulating():
        checker, waits = _checker(cell, held) if held else None, LastingWaits()
        if cell.world == "shared":
            with waits.noted(chunk.first):
                if checker is None:
                    requests, traffic = simulate_replication(cell, engine, chunk.number, progress=progress)
                else:
                    requests, traffic = checker.replication(chunk.number, progress)
            share = SHARE if checker is None else SHARE_OF_ONE
            again = tuple(repeat_few_of_shared(cell, requests, chunk.number, share=share))
            checked = None if checker is None else checker.part()
            return SimulatedPart(requests, again, traffic, checked, waits.found())
        unrepeated: list[Unrepeated] = []

        def kept() -> Iterator[Part]:
            for requests in _blocks(cell, chunk, engine, progress, checker, waits=waits):
                if engine == EVENT:  # the other one simulates no retrier but its own
                    unrepeated.extend(repeat_isolated(cell, requests, pilot))
                yield part_to_keep(cell, requests)

        part = join(kept())
        found = None if checker is None else checker.part()
        return SimulatedPart(part, tuple(first_of(unrepeated)), checked=found, waits=waits.found())


def _checker(cell: Scenario, held: Sequence[str]) -> Checker:
    from sim.experiment.checker import Checker  # with all that is checked, which takes its time
    from sim.scenario.parts.invariants import in_order

    return Checker(cell, in_order(held))


def _blocks(
    cell: Scenario,
    chunk: Chunk,
    engine: Engine,
    progress: Callable[[int], None] | None,
    checker: Checker | None,
    *,
    waits: LastingWaits,
) -> Iterator[Requests]:
    """Simulate a chunk of an isolated world in as many requests at a time as the engine takes."""
    for block in _split(range(chunk.first, chunk.first + chunk.count), CHUNK_REQUESTS[engine]):

        def report(done: int, before: int = block.start - chunk.first) -> None:
            if progress is not None:
                progress(before + done)

        with waits.noted():
            if checker is None:
                requests = simulate(cell, engine, requests=block, progress=report)
            else:
                requests = checker.isolated(block, report)
        yield requests


# How a chunk travels to a worker and back, and into a file.


@dataclass(frozen=True, slots=True)
class PackedPart:
    """The part that a chunk came to, as bytes, and the digest of its place and bytes."""

    digest: bytes
    """See `chunk_digest`."""
    payload: bytes


def pack(identity: str, chunk: Chunk, simulated: SimulatedPart) -> PackedPart:
    """Encode the part of a chunk; `identity` is the plan's."""
    part, unrepeated, traffic, checked, waits = simulated
    data = payload.encode(part, unrepeated, traffic, checked, waits)
    return PackedPart(chunk_digest(identity, chunk.cell, chunk.number, data), data)


def chunk_digest(identity: str, cell: int, number: int, data: bytes) -> bytes:
    """Return the SHA-256 of a chunk's place and payload; it differs if a byte changes, or the place."""
    made = hashlib.sha256(f"{identity} {cell} {number}\n".encode("ascii"))
    made.update(data)
    return made.digest()


@dataclass(frozen=True, slots=True)
class Task:
    """One chunk with everything that a worker needs to simulate it; it can be pickled."""

    chunk: Chunk
    cell: bytes
    """The cell's scenario, pickled: with the data of files in it, and by reference the class of a user's retrier."""
    engine: Engine
    version: int
    """The version of the engine that the results are of."""
    retrysim: str
    """The sender's version of retrysim, with its TASK_FORMAT."""
    identity: str
    """All that the run's numbers depend on; see `Plan.identity`."""
    pilot: Requests | None = None
    """See `simulate_chunk`."""
    held: tuple[str, ...] = ()
    """See `simulate_chunk`."""


class Tasks:
    """Makes the tasks of a run; each cell is pickled once, for its first chunk."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.identity = plan.identity
        self._pickled: tuple[int, bytes] = (-1, b"")

    def task(self, chunk: Chunk) -> Task:
        """Make the task of a chunk."""
        if self._pickled[0] != chunk.cell:
            self._pickled = (chunk.cell, pickle.dumps(self.plan.cells[chunk.cell].scenario))
        choice = self.plan.choice
        pilot = self.plan.pilot_of(chunk.cell) if chunk.number == 0 else None
        held = self.plan.held_by(chunk.cell)
        return Task(chunk, self._pickled[1], choice.engine, choice.version, _own_version(), self.identity, pilot, held)


def perform(task: Task) -> PackedPart:
    """Simulate the chunk of a task, in a worker. Raises OtherVersion if another version of retrysim sent the task."""
    if (task.retrysim, task.version) != (_own_version(), VERSIONS[task.engine]):
        here = f"retrysim {_own_version()} (engine {task.engine} {VERSIONS[task.engine]})"
        there = f"retrysim {task.retrysim} (engine {task.engine} {task.version})"
        raise OtherVersion(f"a worker has {here}, but the run has {there}; install the same version on both")
    simulated = simulate_chunk(_unpickled(task.cell), task.chunk, task.engine, pilot=task.pilot, held=task.held)
    return pack(task.identity, task.chunk, simulated)


@cache
def _own_version() -> str:
    return f"{version('retrysim')}, tasks {TASK_FORMAT}"


@lru_cache(maxsize=MOST_REMEMBERED)
def _unpickled(cell: bytes) -> Scenario:
    scenario: Scenario = pickle.loads(cell)  # noqa: S301  # it comes from the process that runs the scenario
    return scenario
