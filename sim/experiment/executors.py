"""Where the chunks of a run are simulated: in this process, a pool, Dask, or any executor of `concurrent.futures`.

The chunks are the same everywhere; only the order in which they come differs.
"""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor, CancelledError, Executor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from sim.experiment.chunks import Chunk, PackedPart, Task, Tasks, perform, simulate_chunk
from sim.experiment.pool import AHEAD, Pool, WorkersDie, hidden_from_ctrl_c, submit_in_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from sim.experiment.parts import SimulatedPart
    from sim.experiment.plan import Plan

DASK: Final = "dask"
DASK_ADDRESS: Final = "dask://"


class NoDask(ImportError):
    """`dask.distributed` is asked for but not installed."""


class Runner(Protocol):
    """Simulates chunks."""

    def simulate(self, plan: Plan, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, SimulatedPart | PackedPart]]:
        """Yield each chunk when it is done, in any order; its part is packed if another process simulated it.

        Raises what goes wrong in a chunk.
        """
        ...


@dataclass(frozen=True)
class Workers:
    """Which processes simulate a run. Raises ValueError for a count below 1 and for a text that names no executor."""

    executor: Executor | str | None = None
    """An executor of `concurrent.futures`, `dask` (a local cluster of `count` processes), `dask://HOST:PORT`, or None:
    this process if `count` is 1, else a pool of so many."""
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"workers are 1 or more, not {self.count}")
        named = self.executor
        if isinstance(named, str) and named != DASK and not named.startswith(DASK_ADDRESS):
            raise ValueError(f"'{named}' is no executor; there are dask (a local cluster) and dask://HOST:PORT")

    @contextmanager
    def start(self, progress: Callable[[Chunk, int], None] | None = None) -> Iterator[Runner]:
        """Start the processes, yield the Runner that simulates in them, and end all that was started.

        `progress` is called with how many requests of a chunk are done, if this process simulates it. Raises NoDask.
        """
        if self.executor is None and self.count == 1:
            yield _ThisProcess(progress)
        elif self.executor is None:
            with closing(Pool(self.count)) as pool:
                yield pool
        elif isinstance(self.executor, str):
            with _dask(self.executor, self.count) as (executor, threads):
                yield ExecutorRunner(executor, threads)
        else:
            yield ExecutorRunner(self.executor, max(self.count, os.cpu_count() or 1))


class _ThisProcess:
    """Simulates in the process that runs the scenario."""

    def __init__(self, progress: Callable[[Chunk, int], None] | None) -> None:
        self.progress = progress

    def simulate(self, plan: Plan, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, SimulatedPart]]:
        for chunk in chunks:

            def report(done: int, chunk: Chunk = chunk) -> None:
                if self.progress is not None:
                    self.progress(chunk, done)

            cell, pilot = plan.cells[chunk.cell].scenario, plan.pilot_of(chunk.cell)
            held = plan.held_by(chunk.cell)
            yield chunk, simulate_chunk(cell, chunk, plan.engine, report, pilot=pilot, held=held)


class ExecutorRunner:
    """Simulates in an executor that its owner has started and will end."""

    def __init__(self, executor: Executor, workers: int) -> None:
        self.executor = executor
        self.window = AHEAD * workers

    def simulate(self, plan: Plan, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, PackedPart]]:
        """Yield each chunk when it is done. Raises WorkersDie if the executor ends before."""
        under_way: dict[Future[PackedPart], Task] = {}
        tasks = map(Tasks(plan).task, chunks)
        try:
            yield from submit_in_window(lambda task: self.executor.submit(perform, task), tasks, self.window, under_way)
        except (BrokenExecutor, CancelledError) as error:
            raise WorkersDie(f"the executor has ended before its work was done: {error or 'canceled'}") from error
        finally:
            for future in under_way:
                future.cancel()


@contextmanager
def _dask(name: str, workers: int) -> Iterator[tuple[Executor, int]]:
    """Yield an executor of Dask, and how many chunks it simulates at a time."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise NoDask("dask.distributed is not installed; `pip install 'retrysim[distributed]'`") from None
    cluster: Any = None
    if name == DASK:
        with hidden_from_ctrl_c():
            cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
            )
    address = cluster if cluster is not None else f"tcp://{name.removeprefix(DASK_ADDRESS)}"
    try:
        try:
            client = distributed.Client(address, set_as_default=False, timeout="10s")
        except OSError:
            raise WorkersDie(f"there is no Dask scheduler at {name}") from None
        with client:
            threads = sum(client.nthreads().values())
            if not threads:
                raise WorkersDie(f"the Dask cluster at {name} has no workers")
            yield client.get_executor(pure=False), threads
    finally:
        if cluster is not None:
            cluster.close()
