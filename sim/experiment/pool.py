"""A pool of processes of this machine: if one dies, all are replaced and its chunks are simulated again.

`concurrent.futures` gives up a pool when one process dies. Here the chunks that were lost are tried alone, so that the
one that kills workers shows. Workers do not hear of Ctrl-C, and end as soon as the process that started them does.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from typing import TYPE_CHECKING, Final

from sim.experiment.chunks import Chunk, PackedPart, Task, Tasks, perform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from multiprocessing.connection import Connection

    from sim.experiment.plan import Plan

AHEAD: Final = 2
"""Chunks under way for each worker: one that it simulates, and one that waits so that the worker never idles."""
MOST_DEATHS: Final = 3
"""Workers that a chunk may kill, one after the other and with nothing else under way, before the run gives up."""


class WorkersDie(RuntimeError):
    """Workers end again and again before they have done their work."""


def submit_in_window(
    submit: Callable[[Task], Future[PackedPart]],
    tasks: Iterable[Task],
    window: int,
    under_way: dict[Future[PackedPart], Task],
) -> Iterator[tuple[Chunk, PackedPart]]:
    """Submit tasks and yield chunks as they are done, with at most `window` under way: the keys of `under_way`."""
    for task in tasks:
        under_way[submit(task)] = task
        if len(under_way) >= window:
            yield from _next_done(under_way)
    while under_way:
        yield from _next_done(under_way)


def _next_done(under_way: dict[Future[PackedPart], Task]) -> Iterator[tuple[Chunk, PackedPart]]:
    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
        done = future.result()
        yield under_way.pop(future).chunk, done


class Pool:
    """Processes of this machine, each a new interpreter (`spawn`)."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._executor: ProcessPoolExecutor | None = None
        self._leash: tuple[Connection, Connection] | None = None

    def simulate(self, plan: Plan, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, PackedPart]]:
        """Yield each chunk when it is done. Raises WorkersDie, and what goes wrong in a chunk as if it ran here."""
        tasks = map(Tasks(plan).task, chunks)
        lost: deque[Task] = deque()

        def submit(task: Task) -> Future[PackedPart]:
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
            under_way: dict[Future[PackedPart], Task] = {}
            try:
                yield from submit_in_window(submit, tasks, AHEAD * self.workers, under_way)
                more = False
            except BrokenExecutor:
                lost.extend(under_way.values())
                self.close()
            except Exception as error:  # of whatever kind the code of a user raises
                raise _as_here(error, under_way) from error

    def _alone(self, task: Task) -> PackedPart:
        """Perform a task with nothing else under way, so that it shows whether this task kills workers."""
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

    def _submit(self, task: Task) -> Future[PackedPart]:
        with hidden_from_ctrl_c():  # workers start when there is something to do
            if self._executor is None:
                context = get_context("spawn")
                self._leash = context.Pipe(duplex=False)
                self._executor = ProcessPoolExecutor(
                    self.workers, mp_context=context, initializer=_end_with_parent, initargs=(self._leash[0],)
                )
            return self._executor.submit(perform, task)

    def close(self) -> None:
        """End all workers, even in the middle of a chunk."""
        if self._executor is None or self._leash is None:
            return
        reader, writer = self._leash
        writer.close()
        executor, self._executor = self._executor, None
        executor.shutdown(wait=True, cancel_futures=True)
        reader.close()


def _as_here(error: Exception, under_way: dict[Future[PackedPart], Task]) -> Exception:
    """Return what a chunk raises when it is performed here, with the lines of code that another process cannot send."""
    for future, task in under_way.items():
        if future.done() and not future.cancelled() and future.exception() is error:
            try:
                perform(task)
            except Exception as own:  # noqa: BLE001  # of whatever kind
                return own
    return error


def _end_with_parent(leash: Connection) -> None:
    """Make a worker end as soon as the process that started it closes the other end of the pipe, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        try:
            leash.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def hidden_from_ctrl_c() -> Iterator[None]:
    """Hide Ctrl-C, which a terminal sends to all processes, from those started in the block; this one gets it later.

    Processes inherit the signal mask of the thread that starts them. The mask alone does not hold the signal up here,
    since another thread may take it: a handler does.
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
