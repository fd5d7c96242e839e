"""Shares a search among processes: each follows a part of every round, and learns what the others have seen.

Within a round two processes may come to the same state; both go on from it, and it counts once. Rounds are cut the same
way whatever the processes' speeds, so that with as many of them the same courses are run.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from types import TracebackType

    from sim.explorer.search import Followed, Search, Takes

ROUND = 512
"""Courses that each process follows before it hears of the others."""


class Processes:
    """Some processes that search together; use it as a context manager."""

    def __init__(self, search: Search, count: int) -> None:
        context = get_context("spawn")
        self._members: list[tuple[Any, Connection]] = []
        self._news: list[list[bytes]] = [[] for _ in range(count)]
        with _deaf_to_interrupts():
            for _ in range(count):
                here, there = context.Pipe()
                process = context.Process(target=_serve, args=(there, search), daemon=True)
                process.start()
                there.close()
                self._members.append((process, here))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        for process, connection in self._members:
            process.terminate()  # whatever it is at, nobody wants it any more
            connection.close()
            process.join()

    def follow_all(self, level: Sequence[Takes]) -> Iterator[Followed]:
        """Run courses, round by round; raises what went wrong in a process, and ChildProcessError where one died."""
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
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started here ignore Ctrl-C, which a terminal sends to all: who started them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, search: Search) -> None:
    """Follow what is asked for until nobody asks any more."""
    while True:
        try:
            courses, news = connection.recv()
        except EOFError:
            return
        search.seen.update(news)
        try:
            connection.send([search.follow(takes) for takes in courses])
        except Exception as error:  # noqa: BLE001  # raised again where it is wanted
            connection.send(error)
