"""Who simulates the chunks of a run: this process, a pool of processes, Dask, or any executor of `concurrent.futures`.

Whoever it is, the chunks are the same, only the order in which they come differs. A bounded number of them is on the
way at a time.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager
from importlib import import_module
from multiprocessing import get_context, resource_tracker
from typing import TYPE_CHECKING, Any, Final, Protocol

from sim.experiment.chunks import Chunk, Done, Task, perform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from multiprocessing.connection import Connection

DASK: Final = "dask"
DASK_ADDRESS: Final = "dask://"
AHEAD: Final = 2
"""Chunks on the way for each worker: one at work, one that waits so that nobody idles."""
MOST_DEATHS: Final = 3
"""Workers that a chunk may kill, one after the other and alone at work, before the run gives up."""

Finished = tuple[Chunk, Done]


class WorkersDie(RuntimeError):
    """Workers end again and again before they have done what they were given."""


class NoDask(ImportError):
    """`dask.distributed` is asked for and not installed."""


class Runner(Protocol):
    """Somebody who performs tasks."""

    def results(self, tasks: Iterable[Task]) -> Iterator[Finished]:
        """Yield each chunk when it is done, in any order; raises what goes wrong in one."""
        ...


@contextmanager
def runner(
    executor: Executor | str | None, workers: int, progress: Callable[[Chunk, int], None] | None = None
) -> Iterator[Runner]:
    """Yield who performs the tasks of a run, and end what was started for it.

    `executor` is None (this process, or a pool of `workers` where there are several), an executor of
    `concurrent.futures`, `dask` (a local cluster of `workers` processes) or `dask://HOST:PORT`. `progress` is told how
    many requests of a chunk are done where that can be seen. Raises NoDask, and ValueError for another text.
    """
    if executor is None and workers == 1:
        yield _Serial(progress)
    elif executor is None:
        with closing(Pool(workers)) as pool:
            yield pool
    elif isinstance(executor, str):
        with _dask(executor, workers) as (made, threads):
            yield _Given(made, threads)
    else:
        yield _Given(executor, max(workers, os.cpu_count() or 1))


def refuse_unknown(executor: Executor | str | None) -> None:
    """Raise ValueError for a text that names no executor."""
    if isinstance(executor, str) and executor != DASK and not executor.removeprefix(DASK_ADDRESS) != executor:
        raise ValueError(f"'{executor}' is no executor; there are dask (a local cluster) and dask://HOST:PORT")


class _Serial:
    """The process that runs the scenario."""

    def __init__(self, progress: Callable[[Chunk, int], None] | None) -> None:
        self.progress = progress

    def results(self, tasks: Iterable[Task]) -> Iterator[Finished]:
        for task in tasks:
            told = None if self.progress is None else lambda done, chunk=task.chunk: self.progress(chunk, done)  # type: ignore[misc]
            yield task.chunk, perform(task, told)


class _Given:
    """An executor that somebody else has made, and ends."""

    def __init__(self, executor: Executor, workers: int) -> None:
        self.executor = executor
        self.window = AHEAD * workers

    def results(self, tasks: Iterable[Task]) -> Iterator[Finished]:
        flying: dict[Future[Done], Task] = {}
        try:
            yield from _in_flight(lambda task: self.executor.submit(perform, task), tasks, self.window, flying)
        except (BrokenExecutor, CancelledError) as error:
            raise WorkersDie(f"the executor has ended before its work was done: {error or 'canceled'}") from error
        finally:
            for future in flying:
                future.cancel()


def _in_flight(
    submit: Callable[[Task], Future[Done]],
    tasks: Iterable[Task],
    window: int,
    flying: dict[Future[Done], Task],
) -> Iterator[Finished]:
    """Yield chunks as they are done, with at most `window` on the way, which are the keys of `flying`."""
    for task in tasks:
        flying[submit(task)] = task
        if len(flying) >= window:
            yield from _landed(flying)
    while flying:
        yield from _landed(flying)


def _landed(flying: dict[Future[Done], Task]) -> Iterator[Finished]:
    for future in wait(flying, return_when=FIRST_COMPLETED).done:
        done = future.result()
        yield flying.pop(future).chunk, done


class Pool:
    """Processes of this machine, started anew (`spawn`); where one dies, all are replaced and its chunks run again."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._executor: ProcessPoolExecutor | None = None
        self._leash: tuple[Connection, Connection] | None = None

    def results(self, tasks: Iterable[Task]) -> Iterator[Finished]:
        """Yield each chunk when it is done. Raises WorkersDie, and what goes wrong in a chunk as if it ran here."""
        source = iter(tasks)
        lost: deque[Task] = deque()

        def submit(task: Task) -> Future[Done]:
            try:
                return self._submit(task)
            except BrokenExecutor:
                lost.append(task)
                raise

        more = True
        while more:
            while lost:
                yield lost[0].chunk, self._alone(lost[0])
                lost.popleft()
            flying: dict[Future[Done], Task] = {}
            try:
                yield from _in_flight(submit, source, AHEAD * self.workers, flying)
                more = False
            except BrokenExecutor:
                lost.extend(flying.values())
                self.close()
            except Exception as error:  # of whatever kind the code of a user raises
                raise _as_here(error, flying) from error

    def _alone(self, task: Task) -> Done:
        """Perform a task while nothing else is at work, so that it shows whether it is what kills workers."""
        for _ in range(MOST_DEATHS):
            future = None
            try:
                future = self._submit(task)
                return future.result()
            except BrokenExecutor:
                self.close()
            except Exception as error:  # as above
                raise _as_here(error, {} if future is None else {future: task}) from error
        raise WorkersDie(
            f"{MOST_DEATHS} workers in a row died over the same chunk ({task.chunk} of cell number "
            f"{task.chunk.cell + 1}): there may be too little memory, or a retrier that ends its process"
        )

    def _submit(self, task: Task) -> Future[Done]:
        with _interrupts_kept_away():  # workers start when there is something to do
            if self._executor is None:
                context = get_context("spawn")
                self._leash = context.Pipe(duplex=False)
                self._executor = ProcessPoolExecutor(
                    self.workers, mp_context=context, initializer=_on_leash, initargs=(self._leash[0],)
                )
            return self._executor.submit(perform, task)

    def close(self) -> None:
        """End all workers, whatever they are at."""
        if self._executor is None or self._leash is None:
            return
        reader, writer = self._leash
        writer.close()
        executor, self._executor = self._executor, None
        executor.shutdown(wait=True, cancel_futures=True)
        reader.close()


def _as_here(error: Exception, flying: dict[Future[Done], Task]) -> Exception:
    """Return what a chunk raises when it is performed here, with the lines of code that another process cannot send."""
    for future, task in flying.items():
        if future.done() and not future.cancelled() and future.exception() is error:
            try:
                perform(task)
            except Exception as own:  # noqa: BLE001  # of whatever kind
                return own
    return error


def _on_leash(leash: Connection) -> None:
    """Let a worker end as soon as the process that started it closes the other end, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        try:
            leash.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _interrupts_kept_away() -> Iterator[None]:
    """Let processes that are started here not hear of Ctrl-C, which a terminal sends to all; it waits for us.

    Processes inherit the mask of the thread. That does not hold the signal up here, where another thread may take it:
    a handler does.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its first start would end with Ctrl-C let through again
    came: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    here = handler is not None and threading.current_thread() is threading.main_thread()
    if here:
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if here:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _dask(name: str, workers: int) -> Iterator[tuple[Executor, int]]:
    """Yield an executor of Dask, and how many chunks it performs at a time."""
    refuse_unknown(name)
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise NoDask("dask.distributed is not installed; `pip install 'retrysim[distributed]'`") from None
    cluster: Any = None
    if name == DASK:
        with _interrupts_kept_away():
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
