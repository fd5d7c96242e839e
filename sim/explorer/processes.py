"""Shares a search among processes: each runs a part of every round, and learns which states the others have seen.

Within a round two processes may come to the same state; both go on from it, but it counts once. Rounds do not depend
on how fast the processes are, so the same number of processes always runs the same courses.
"""

from __future__ import annotations

import signal
import threading
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from sim.explorer.search import Departure, Followed, Search

ROUND = 512
"""How many courses each process runs before it learns what the others have seen."""


class Processes(AbstractContextManager["Processes"]):
    """Processes that search together; use it as a context manager."""

    def __init__(self, search: Search, count: int) -> None:
        context = get_context("spawn")
        self._members: list[tuple[Any, Connection]] = []
        self._news: list[list[bytes]] = [[] for _ in range(count)]
        with _ignoring_interrupts():
            for _ in range(count):
                here, there = context.Pipe()
                process = context.Process(target=_serve, args=(there, search), daemon=True)
                process.start()
                there.close()
                self._members.append((process, here))

    def __exit__(self, *_: object) -> None:
        for process, connection in self._members:
            process.terminate()  # its results are not needed any more
            connection.close()
            process.join()

    def follow_all(self, level: Sequence[Departure]) -> Iterator[Followed]:
        """Run courses, round by round. Raises the error of a process, and ChildProcessError if a process died."""
        count = len(self._members)
        for start in range(0, len(level), ROUND * count):
            courses = level[start : start + ROUND * count]
            shares = [courses[number::count] for number in range(count)]
            for (_, connection), share, news in zip(self._members, shares, self._news, strict=True):
                connection.send((share, news))
            self._news = [[] for _ in range(count)]
            for number, (process, connection) in enumerate(self._members):
                try:
                    answer = connection.recv()
                except EOFError:
                    raise ChildProcessError(f"a process of the search died with exit code {process.exitcode}") from None
                if isinstance(answer, BaseException):
                    raise answer
                for followed in answer:
                    for other in range(count):
                        if other != number:
                            self._news[other] += followed.states
                    yield followed


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Let processes that start here ignore Ctrl-C, which a terminal sends to all; the parent process ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, search: Search) -> None:
    """Run the courses that come in until the parent closes the connection."""
    with search.around():
        _serve_around(connection, search)


def _serve_around(connection: Connection, search: Search) -> None:
    while True:
        try:
            courses, news = connection.recv()
        except EOFError:
            return
        search.seen.update(news)
        try:
            connection.send([search.follow(course) for course in courses])
        except Exception as error:  # noqa: BLE001  # raised again in the parent
            connection.send(error)
